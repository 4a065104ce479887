"""How a model fares on the same clips under other conditions: telephone, codec, noise, room, clipping, level.

The models are those of the run's folds, fitted again; only their test clips change.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from evaluation.scores.metrics import uar_score
from evaluation.scores.significance import Difference, Interval, holm, uar_difference, uar_interval
from evaluation.studies.tested_folds import Numbered
from evaluation.training.fit import fit_fold
from prediction import out_of_domain
from utils import plugins
from utils.config import Config
from utils.dataset import Dataset, Features
from utils.errors import ConfigError

CLEAN = "as recorded"


def _even(name: str, argument: str, value: float) -> dict[str, Any]:
    """Return a section whose argument is drawn from a range of one value."""
    return {"name": name, argument: [float(value), float(value)]}


CONDITIONS: Mapping[str, Mapping[str, Any]] = {
    "telephone, mu-law": {"name": "telephone"},
    "MP3 64 kbit/s": _even("mp3", "kbit", 64),
    "MP3 32 kbit/s": _even("mp3", "kbit", 32),
    **{f"noise at {snr} dB": _even("gaussian_noise", "snr_db", snr) for snr in (20, 15, 10, 5, 0)},
    "room, .3 s": _even("reverberation", "rt60", 0.3) | {"direct_db": [5.0, 5.0]},
    "room, .5 s": _even("reverberation", "rt60", 0.5) | {"direct_db": [3.0, 3.0]},
    "room, .8 s": _even("reverberation", "rt60", 0.8) | {"direct_db": [0.0, 0.0]},
    "1 % clipped": _even("clipping", "share", 0.01),
    "10 % clipped": _even("clipping", "share", 0.1),
    "12 dB softer": _even("volume", "gain_db", -12),
    "6 dB louder": _even("volume", "gain_db", 6),
    "12 dB louder": _even("volume", "gain_db", 12),
}


def sections() -> dict[str, dict[str, Any]]:
    """Return condition -> ``{name, argument: value}`` of an augmentation on audio, with all arguments."""
    return {
        condition: {"name": step["name"], **plugins.arguments("augment", step)}
        for condition, step in CONDITIONS.items()
    }


@dataclass(frozen=True)
class Experiment:
    """A finished run whose folds are tested again.

    Attributes:
        config: of the run.
        data: its clips as recorded.
        folds: the folds to test, with their numbers from 0.
    """

    config: Config
    data: Dataset
    folds: Sequence[Numbered]

    @property
    def tested(self) -> Dataset:
        """Return the n test clips, fold after fold."""
        return self.data[np.concatenate([fold.test for _, fold in self.folds])]


@dataclass(frozen=True)
class ConditionClips:
    """The n test clips under one condition: their features, and measures of the channel, name -> (n,)."""

    features: Features
    channel: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Answers:
    """What the fold models answer under one condition.

    Attributes:
        predicted: (n,) class index.
        hints: ``hint_NAME`` -> share of the clips with that hint, 0 to 1; ``hint_any``; ``hint_warning``.
    """

    predicted: np.ndarray
    hints: Mapping[str, float]


@dataclass(frozen=True)
class ConditionScores:
    """Scores of a model under one condition.

    Attributes:
        condition: CLEAN or a key of CONDITIONS.
        n_clips: clips tested.
        uar: unweighted average recall, 0 to 1.
        interval: its 95 % interval over speakers.
        to_clean: UAR minus that of the clips as recorded.
        hints: of ``Answers``.
        against_uar: UAR of the other model, None without one.
        gain: UAR of the other model minus this one's; its p is adjusted for the number of conditions (Holm 1979).
    """

    condition: str
    n_clips: int
    uar: float
    interval: Interval
    to_clean: Difference
    hints: Mapping[str, float] = field(default_factory=dict)
    against_uar: float | None = None
    gain: Difference | None = None

    def row(self) -> dict[str, Any]:
        """Return the row of robustness.csv, column -> value."""
        other = {}
        if self.gain:
            other = {"against_uar": self.against_uar} | {f"against_{k}": v for k, v in self.gain._asdict().items()}
        return {
            "condition": self.condition,
            "n_clips": self.n_clips,
            "uar": self.uar,
            **self.interval._asdict(),
            "difference": self.to_clean.difference,
            "difference_lo": self.to_clean.lo,
            "difference_hi": self.to_clean.hi,
            **other,
            **self.hints,
        }


def need_comparable(one: Experiment, other: Experiment) -> None:
    """Refuse two runs that were not trained and tested on the same clips in the same way.

    Raises:
        ConfigError: names what differs.
    """
    differing = one.config.differing(other.config)
    differing += [] if np.array_equal(one.data.ids, other.data.ids) else ["the clips"]
    if differing:
        names = f"{one.config.name} and {other.config.name}"
        raise ConfigError(f"{names} cannot be compared: they differ in {differing[0]}.")


def answers(
    run: Experiment,
    conditions: Mapping[str, ConditionClips],
    *,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Answers]:
    """Return condition -> what the run's fold models answer on their test clips.

    Args:
        run: the run; one model is fitted per fold.
        conditions: condition -> the clips of ``run.tested`` under it.
        report: called with the number of folds done and of all folds.
    """
    predicted: dict[str, list] = {condition: [] for condition in conditions}
    hints: dict[str, list] = {condition: [] for condition in conditions}
    start = 0
    for done, (number, fold) in enumerate(run.folds, 1):
        model, _ = fit_fold(run.data, run.config, fold, number)
        training_range = out_of_domain.ranges_of(run.data[fold.train])
        rows = np.arange(start, start + len(fold.test))
        start += len(fold.test)
        for condition, clips in conditions.items():
            part = clips.features[rows]
            channel = {name: values[rows] for name, values in clips.channel.items()}
            predicted[condition].append(model.probabilities(part).argmax(axis=1))
            hints[condition] += [
                {hint["hint"] for hint in clip} for clip in out_of_domain.hints(training_range, part, channel)
            ]
        report(done, len(run.folds))
    return {c: Answers(np.concatenate(predicted[c]), hint_rates(hints[c])) for c in conditions}


def hint_rates(hints: Sequence[set[str]]) -> dict[str, float]:
    """Return ``hint_NAME`` -> share of the clips with that hint, 0 to 1, ``hint_any`` and ``hint_warning``.

    Args:
        hints: of each clip, the names of its hints.
    """
    names = [name for name, _ in out_of_domain.HINTS.values()]
    share = {f"hint_{name.replace(' ', '_')}": float(np.mean([name in clip for clip in hints])) for name in names}
    warned = float(np.mean([out_of_domain.is_warned(clip) for clip in hints]))
    return share | {"hint_any": float(np.mean([bool(clip) for clip in hints])), "hint_warning": warned}


def scores(
    truth: np.ndarray, speakers: np.ndarray, answered: Mapping[str, Answers], n_classes: int, *, seed: int
) -> list[ConditionScores]:
    """Return the scores under each condition, with the paired difference to the clips as recorded.

    Args:
        truth: (n,) class index of the test clips.
        speakers: (n,) names, "" if unknown.
        answered: of ``answers``; ``CLEAN`` is one of the conditions.
        n_classes: C.
        seed: of the bootstraps.
    """
    clean = answered[CLEAN].predicted
    return [
        ConditionScores(
            condition=condition,
            n_clips=len(truth),
            uar=uar_score(truth, one.predicted, n_classes),
            interval=uar_interval(truth, one.predicted, speakers, n_classes, seed=seed),
            to_clean=uar_difference(truth, one.predicted, clean, speakers, n_classes, seed=seed),
            hints=one.hints,
        )
        for condition, one in answered.items()
    ]


def compared(
    rows: Sequence[ConditionScores],
    truth: np.ndarray,
    speakers: np.ndarray,
    answered: Mapping[str, Answers],
    against: Mapping[str, Answers],
    n_classes: int,
    *,
    seed: int,
) -> list[ConditionScores]:
    """Return the scores with those of another model on the same clips: its UAR and its gain over the first.

    Args:
        rows: of ``scores``.
        truth: (n,) class index of the test clips.
        speakers: (n,) names, "" if unknown.
        answered: of ``answers``, by the first model.
        against: of ``answers``, by the other model.
        n_classes: C.
        seed: of the bootstraps.
    """
    pairs = [(against[row.condition].predicted, answered[row.condition].predicted) for row in rows]
    gains = [uar_difference(truth, other, first, speakers, n_classes, seed=seed) for other, first in pairs]
    adjusted = holm([gain.p for gain in gains])
    return [
        replace(row, against_uar=uar_score(truth, other, n_classes), gain=gain._replace(p=float(p)))
        for row, (other, _), gain, p in zip(rows, pairs, gains, adjusted, strict=True)
    ]
