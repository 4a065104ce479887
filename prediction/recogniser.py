"""A trained model that answers for audio: the features of its training and its ONNX graphs, opened together."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from prediction import batch, card_text, timeline
from prediction.answers import Answer, DecisionRule
from prediction.card import need_answers
from prediction.checkpoints import GENERAL
from prediction.extractor import Extractor, Reading
from prediction.out_of_domain import ENROL, clip_hints, warning
from prediction.predictor import NO_ANSWER, Predictor, SpeakerStatistics, no_probabilities
from prediction.timeline_files import LiveEntry, Timeline
from prediction.timeline_settings import DEFAULT_SETTINGS, TimelineSettings
from utils.audio import files
from utils.audio.stream import Stream
from utils.errors import DataError

PROBABILITIES = DecisionRule()  # no label sets, and of a clip that the model can know an emotion however improbable


@dataclass(frozen=True)
class Recogniser:
    """A checkpoint ready to answer; an ensemble as well.

    Attributes:
        predictor: its graphs and its card.
        extractor: makes the features that the graphs were trained on.
    """

    predictor: Predictor
    extractor: Extractor

    @classmethod
    def open(cls, checkpoint: Path | str = GENERAL, *, threads: int = 0) -> "Recogniser":
        """Return the recogniser of a checkpoint; without one, of the general model in the repository.

        Args:
            checkpoint: a folder that train.py wrote, or its name below ``checkpoints/`` of the checkout.
            threads: of ONNX Runtime; 0 takes every core.

        Raises:
            ConfigError: not a checkpoint, a damaged one, or the features here are of another version than in training.
        """
        predictor = Predictor(Path(checkpoint), threads=threads)
        need_answers(predictor.card)
        return cls(predictor, Extractor(predictor.card))

    @property
    def card(self) -> Mapping[str, Any]:
        """The content of ``model.json``."""
        return self.predictor.card

    @property
    def labels(self) -> list[str]:
        """The emotions, in the order of the probabilities."""
        return self.predictor.labels

    def __call__(
        self,
        source: str | Path | BinaryIO | tuple[np.ndarray, int],
        *,
        rule: DecisionRule = PROBABILITIES,
        speaker: SpeakerStatistics | None = None,
    ) -> Answer:
        """Return the answer for one clip.

        Args:
            source: a path, an open binary file, or samples, (n,) or (n, channels) with full scale 1, and their rate in
                Hz.
            rule: see ``rule``.
            speaker: see ``enrol``.

        Raises:
            DataError: no audio that can be used.
        """
        if isinstance(source, tuple):
            samples, rate = source
            columns = np.asarray(samples, np.float32).reshape(len(samples), -1)  # (n, channels)
            reading = self.extractor.read_samples(columns, rate, "samples")
        else:
            reading = self.extractor.read(source)
        return next(self.answer_readings([reading], rule=rule, speaker=speaker))

    def answer(
        self,
        files: Sequence[str],
        *,
        rule: DecisionRule = PROBABILITIES,
        speaker: SpeakerStatistics | None = None,
        jobs: int = 0,
        dask: str | None = None,
    ) -> Iterator[Answer]:
        """Yield an answer for each file, in the order of the files; one that cannot be read has an ``error``.

        Args:
            files: paths, or "-" for standard input.
            rule: see ``rule``.
            speaker: see ``enrol``.
            jobs: processes that read; -1 one per core. 0: this process, which a broken file can then end.
            dask: the address of a Dask scheduler whose workers read instead.

        Raises:
            ConfigError, DataError: the cluster cannot be used.
        """
        for readings in batch.read(self.extractor, files, jobs=jobs, dask=dask):
            yield from self.answer_readings(readings, rule=rule, speaker=speaker)

    def answer_readings(
        self,
        readings: Iterable[Reading],
        *,
        rule: DecisionRule = PROBABILITIES,
        speaker: SpeakerStatistics | None = None,
    ) -> Iterator[Answer]:
        """Yield an answer for each file that was read; the model is asked once for all of them."""
        readings = list(readings)
        features = [reading.features for reading in readings if not reading.error]
        remedy = ENROL if self.predictor.adapts and speaker is None else ""
        rows = iter(self.predictor.outputs(features, speaker) if features else ())
        for reading in readings:
            if reading.error:
                yield Answer(reading.file, error=reading.error)
            elif no_probabilities(row := next(rows)[None])[0]:
                yield Answer(reading.file, error=f"{reading.file}: {NO_ANSWER}")
            else:
                hints = clip_hints(self.card, reading.features, reading.channel)
                by_label = {label: round(float(p), 6) for label, p in zip(self.labels, row[0], strict=True)}
                yield Answer(reading.file, by_label, rule=rule, hints=hints, warning=warning(hints, remedy))

    def rule(
        self, coverage: float | None = None, abstain_below: float = 0.0, *, always_name: bool = False
    ) -> DecisionRule:
        """Return what answers say beside the probabilities.

        Args:
            coverage: how often the label sets hold the true label, e.g. .9; None: no label sets.
            abstain_below: probability under which no emotion is named, 0 to 1.
            always_name: name an emotion even where the clip is unlike anything the model learned.

        Raises:
            ConfigError: the checkpoint has no threshold for this coverage.
        """
        return DecisionRule.of_card(self.card, coverage, abstain_below, always_name=always_name)

    def enrol(self, clips: Iterable[str | Path | BinaryIO], *, mixed: bool = False) -> SpeakerStatistics:
        """Return what adapts the model to a speaker who gave these clips, unlabelled.

        Args:
            clips: as ``source`` of a call.
            mixed: the clips are known to show several emotions. Without it the model judges their variety itself, and
                clips of one emotion adapt it little.

        Raises:
            ConfigError: a model that no clips can adapt, as its training speakers are unknown.
            DataError: a clip that cannot be read.
        """
        self.predictor.need_adaptation()  # before any file is read
        return self.predictor.enrolled([self.extractor(clip) for clip in clips], mixed=mixed)

    def enrol_folder(self, folder: Path, *, mixed: bool = False) -> SpeakerStatistics:
        """Return what ``enrol`` gives for the audio files below a folder; errors as there, or the folder is missing."""
        self.predictor.need_adaptation()
        if not folder.is_dir():
            raise DataError(f"--enroll {folder}: no such folder. Give one with a few clips of the speaker.")
        return self.enrol(files.expand([str(folder)]), mixed=mixed)

    def timeline(
        self,
        recording: Path | BinaryIO,
        settings: TimelineSettings = DEFAULT_SETTINGS,
        *,
        report: timeline.Report = timeline.no_report,
    ) -> Timeline:
        """Return the emotions of a recording of any length over time; see ``prediction.timeline.make_timeline``."""
        return timeline.make_timeline(recording, self.predictor, self.extractor.window, settings, report=report)

    def live(self, stream: Stream, settings: TimelineSettings) -> Iterator[LiveEntry]:
        """Yield the emotion of each hop of a stream as it comes; see ``prediction.timeline.live``."""
        return timeline.live(stream, self.predictor, self.extractor.window, settings)

    def provenance(self, coverage: float | None = None, speaker: SpeakerStatistics | None = None) -> str:
        """Return the model's UAR with its protocol, its notes, how often label sets hold the true label, and whether
        the clips of the speaker adapt it."""
        return card_text.provenance(self.card, coverage, speaker)

    def window_note(self) -> str:
        """Return why a model that judges windows should have been trained otherwise; "" if it was not."""
        return card_text.window_note(self.card)
