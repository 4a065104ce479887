"""A checkpoint at work: its ONNX graphs and its card, without TensorFlow and without scikit-learn."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.attention_support import attention_error
from models.combination import combined
from models.moments import Moments, moments, shrunk
from models.speaker_offset import SpeakerOffset, shifted, speaker_offset
from prediction.card import REMEDY, read_card
from prediction.checkpoints import located
from utils.errors import ConfigError, DataError, short

BATCH = 64  # clips that the graph gets at once
ROUNDING = 1e-6  # of float32
# What adapts a model to a speaker: moments of the features where it was trained with ``normalise: speaker`` (of an
# ensemble one per member, None where it takes no speaker), else an offset of the log-probabilities.
SpeakerStatistics = Moments | list[Moments | None] | SpeakerOffset


NO_ANSWER = "the model gives no probabilities. It is damaged, or the features are out of all range. Train it again."


def no_probabilities(values: np.ndarray) -> np.ndarray:
    """Return which rows (n,) of a model's output (n, C) are not finite, are negative or do not sum to 1.

    >>> no_probabilities(np.array([[0.5, 0.5], [np.nan, 1.0], [-0.5, 1.5], [0.5, 0.4]]))
    array([False,  True,  True,  True])
    """
    return ~((values >= -ROUNDING).all(axis=1) & (np.abs(values.sum(axis=1) - 1) <= 1000 * ROUNDING))


class Predictor:
    """A trained model as shipped, or an ensemble of them: features to probabilities.

    A clip is what ``prediction.extractor.Extractor`` makes of a file: (dims,) or (frames, dims), and for an
    ensemble a list of these, one per member.

    Attributes:
        card: the content of ``model.json``.
        labels: the emotions, in the order of the probabilities.
        graphs: one, or one per member of an ensemble.
    """

    def __init__(self, checkpoint: Path, *, threads: int = 0):
        """Open ``checkpoint``; ``threads`` 0 takes every core.

        Raises:
            ConfigError: not a checkpoint, or a damaged one.
        """
        checkpoint = located(checkpoint)
        _need(checkpoint, "model.json")
        self.card = read_card(checkpoint)
        from utils.onnx_session import LOAD_ERRORS  # 0.4 s: only where a checkpoint is opened

        try:
            members = self.card.get("members")
            files = [f"members/{member['name']}.onnx" for member in members] if members else ["model.onnx"]
            for name in files:
                _need(checkpoint, name)
            cards = members or [self.card]
            self.graphs = [Graph(checkpoint / name, card, threads) for name, card in zip(files, cards, strict=True)]
            self.labels: list[str] = self.card["labels"]
            for graph in self.graphs:
                graph.check(len(self.labels))
        except (ValueError, KeyError, AttributeError, TypeError, *LOAD_ERRORS) as error:  # lost or foreign files
            raise ConfigError(f"{checkpoint}: damaged ({error}). Train it again, or copy the whole folder.") from error
        self._alone = not members

    @property
    def takes_speaker(self) -> bool:
        """Whether the model, or a member, was trained on speaker-normalised features, so that enrolment helps it."""
        return any(graph.takes_speaker for graph in self.graphs)

    @property
    def has_attention(self) -> bool:
        """Whether the model gives weights to the frames of a clip; an ensemble's members do not agree on frames."""
        return self._alone and self.graphs[0].has_attention

    @property
    def adapts(self) -> bool:
        """Whether clips of a speaker can adapt the model: by their features, or by their log-probabilities."""
        return self.takes_speaker or bool(self.card.get("adaptation"))

    def need_adaptation(self) -> None:
        """Raise ConfigError if no clips can adapt the model."""
        if not self.adapts:
            raise ConfigError(
                f"{self.card['name']}: enrolment needs a model whose training speakers are known, each with several "
                "clips; or it was trained by an older version. Train it again."
            )

    def enrolled(self, clips: Sequence, *, mixed: bool = False) -> SpeakerStatistics:
        """Return what adapts the model, or the members that can be, to a speaker who gave these clips.

        Args:
            clips: unlabelled clips of the speaker.
            mixed: they are known to show several emotions; see ``models.speaker_offset``.

        Raises:
            ConfigError: a model that no clips can adapt.
        """
        self.need_adaptation()
        if not self.takes_speaker:
            return speaker_offset(self.probabilities(clips), self.card["adaptation"], mixed=mixed)
        if self._alone:
            return self.graphs[0].enrolled(clips)
        return [
            graph.enrolled([clip[member] for clip in clips]) if graph.takes_speaker else None
            for member, graph in enumerate(self.graphs)
        ]

    def probabilities(self, clips: Sequence, speaker: SpeakerStatistics | None = None) -> np.ndarray:
        """Return (n, classes) float32 for n clips; without a speaker nothing is known of who speaks.

        Raises:
            DataError: some are none, as ``no_probabilities`` has it.
        """
        values = self.outputs(clips, speaker)
        if no_probabilities(values).any():
            raise DataError(f"{self.card.get('name', 'the model')}: {NO_ANSWER}")
        return values

    def outputs(self, clips: Sequence, speaker: SpeakerStatistics | None = None) -> np.ndarray:
        """Return what ``probabilities`` does, unchecked: see ``no_probabilities``."""
        if isinstance(speaker, SpeakerOffset):
            return shifted(self.outputs(clips), speaker)
        if self._alone:
            return self.graphs[0].probabilities(clips, speaker)
        speakers = speaker or [None] * len(self.graphs)
        by_member = [
            graph.probabilities([clip[member] for clip in clips], speakers[member])
            for member, graph in enumerate(self.graphs)
        ]
        return combined(np.stack(by_member, axis=1), self.card["combination"])

    def attention(self, clips: Sequence, speaker: SpeakerStatistics | None = None) -> list[np.ndarray]:
        """Return the weight of each frame of n clips, (frames,) float32 each, sum 1: see ``KerasModel.attention``.

        Raises:
            ConfigError: a model without attention; an ensemble's members have time axes of their own.
        """
        if not self._alone:
            raise ConfigError(f"{self.card['name']}: an ensemble has no attention of its own. Ask one of its members.")
        return self.graphs[0].attention(clips, speaker)


class Graph:
    """One ONNX graph and its card: one model, or one member of an ensemble."""

    def __init__(self, path: Path, card: Mapping[str, Any], threads: int):
        from utils.onnx_session import open_session  # 0.4 s, as above

        self.card, self.name = card, card.get("name", path.parent.name)
        self.session = open_session(path, threads=threads)
        self.takes_speaker = "speaker_mean" in [tensor.name for tensor in self.session.get_inputs()]
        self.has_attention = "attention" in [tensor.name for tensor in self.session.get_outputs()]

    def check(self, classes: int) -> None:
        """Raise ValueError unless the graph has the inputs and the output of a model of so many classes."""
        wanted = {"features", *(["lengths"] if self.card["frames"] else [])}
        wanted |= {"speaker_mean", "speaker_std"} if self.takes_speaker else set()
        if (inputs := {tensor.name for tensor in self.session.get_inputs()}) != wanted:
            raise ValueError(f"the graph reads {', '.join(sorted(inputs))}, not {', '.join(sorted(wanted))}")
        shapes = {tensor.name: tensor.shape for tensor in self.session.get_outputs()}
        if len(shape := shapes.get("probabilities", ())) != 2 or shape[1] != classes:
            raise ValueError(f"the graph gives {short(shapes)}, not probabilities of {classes} labels")
        if self.takes_speaker and not self.card.get("training_statistics"):
            raise ValueError("the graph reads statistics of speakers, and model.json has no training_statistics")

    def global_statistics(self) -> Moments:
        """Return the training set's mean and deviation (dims,), which stand for a speaker who is not known."""
        stored = self.card["training_statistics"]
        return np.float32(stored["mean"]), np.float32(stored["std"])

    def enrolled(self, features: Sequence[np.ndarray]) -> Moments:
        """Return mean and deviation (dims,) of a speaker who gave these clips, drawn towards the training set's."""
        parts = list(features) if self.card["frames"] else [np.stack(features)]
        return shrunk(moments(parts), self.global_statistics(), len(features))

    def probabilities(self, features: Sequence[np.ndarray], speaker: Moments | None = None) -> np.ndarray:
        """Return (n, classes) float32 for n clips, each (dims,) or (frames, dims), batched by length."""
        shapes = {tensor.name: tensor.shape for tensor in self.session.get_outputs()}
        probabilities = np.empty((len(features), shapes["probabilities"][1]), np.float32)
        for batch, values in self._run("probabilities", features, speaker):
            if values.shape != (len(batch), probabilities.shape[1]):  # declared shapes are not enforced
                raise DataError(f"{self.name}: its graph gives {values.shape} for {len(batch)} clips. {REMEDY}")
            probabilities[batch] = values
        return probabilities

    def attention(self, features: Sequence[np.ndarray], speaker: Moments | None = None) -> list[np.ndarray]:
        """Return the weight of each frame of n clips, (frames,) float32 each, sum 1: see ``KerasModel.attention``.

        Raises:
            ConfigError: a model without attention.
        """
        if not self.has_attention:
            raise attention_error(self.card["name"])
        weights: list[np.ndarray] = [np.empty(0)] * len(features)
        for batch, values in self._run("attention", features, speaker):
            for clip, row in zip(batch, values, strict=True):
                weights[clip] = row[: len(features[clip])]
        return weights

    def _run(self, output: str, features: Sequence[np.ndarray], speaker: Moments | None) -> Iterator[tuple]:
        """Yield clip numbers and one output for them, batched by length."""
        from utils.onnx_session import run_session  # 0.4 s, as above

        order = np.argsort([len(clip) for clip in features], kind="stable")
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            feed = self._feed([features[i] for i in batch], speaker)
            yield batch, run_session(self.session, [output], feed, f"{self.name}: its graph")[0]

    def _feed(self, clips: list[np.ndarray], speaker: Moments | None) -> dict[str, np.ndarray]:
        if self.card["frames"]:
            lengths = np.array([len(clip) for clip in clips], np.int64)
            padded = np.zeros((len(clips), lengths.max(), clips[0].shape[1]), np.float32)
            for row, clip in zip(padded, clips, strict=True):
                row[: len(clip)] = clip
            feed = {"features": padded, "lengths": lengths}
        else:
            feed = {"features": np.stack(clips).astype(np.float32, copy=False)}
        if self.takes_speaker:
            for name, values in zip(("speaker_mean", "speaker_std"), speaker or self.global_statistics(), strict=True):
                feed[name] = np.repeat(values[None], len(clips), axis=0)
        return feed


def _need(checkpoint: Path, name: str) -> None:
    if not (checkpoint / name).is_file():
        raise ConfigError(f"{checkpoint}: no {name} in it. Give a folder that train.py wrote, checkpoints/NAME.")
