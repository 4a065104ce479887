"""Whether a clip is like the training clips of a model: ranges of its channel, and a distance of its features.

A range spans 99 % of the training clips and a margin beyond. The distance is that of the standardised features to the
subspace of their 32 principal components, as a root mean square: other recordings and voices break the correlations of
the features more than they move them far. A clip that moves far within the subspace is caught by the root mean square
of all standardised features, a Mahalanobis distance (Mahalanobis 1936) with a diagonal covariance; checkpoints of
older versions have only that. The limits are what 1 % of the training clips exceed when their speaker is left out of
the statistics, as the user's speakers are unseen too; where several corpora are trained on, their corpus is left out.

Measured on models of RAVDESS: the share of the clips of its unseen speakers that get the warning, and of the clips of
other corpora that the model gets wrong (its UAR there; guessing has .167 on EMO-DB, .143 on TESS, .250 on TESS*, which
is four emotions of it). The older distance alone warned of a quarter of TESS*'s clips at most for IS10.

    features                  unseen speakers   EMO-DB        TESS
    IS10, as recorded         1.1 %             100 % (.196)  100 % (.270)
    IS10, level made equal    1.7 %              97 % (.430)   92 % (.331)
    Whisper, level made equal 1.3 %             100 % (.579)  100 % (.328) *
    log-mel                   1.2 %              90 % (.186)   90 % (.169)

The warning tells other recordings from those of the training, not right answers from wrong ones. Where a model is
better than guessing on another corpus, nearly as many of its right answers get it (99 % for both).
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence, Set
from typing import Any, NamedTuple, NotRequired, TypedDict

import numpy as np

from models.moments import moments, safe_std
from prediction.answers import UNLIKE, Hint
from utils.dataset import Dataset, Features, Frames

TAIL = 0.005  # of the training clips at either end of a range
BEYOND = 0.1  # of its width, added there: a new speaker or microphone is not yet another channel
# ... and at least this; MP3 removes some 300 Hz at the top, at no cost that ``robustness.py`` could measure
LEAST_BEYOND = {"seconds": 0.1, "level_db": 1.0, "snr_db": 1.0, "bandwidth_hz": 1000.0, "crest_db": 0.5}
FEWEST_CLIPS = 20  # below which no ranges are stored
GROUPS = 5  # of speakers, left out of the statistics in turn
COMPONENTS = 32  # principal components that are kept: 130 kB of model.json for IS10's 1582 features
ITERATIONS, MORE = 6, 8  # to find them: passes over the clips, and components that are thrown away
FURTHEST = 10.0  # deviations that count; one feature of almost no deviation must not decide alone
HINTS = {  # measure, end of the range: the hint and its text
    ("seconds", "low"): ("short", "{value:.1f} s, trained on {low:.1f} or more"),
    ("seconds", "high"): ("long", "{value:.1f} s, trained on {high:.1f} or less"),
    ("level_db", "low"): ("soft", "{value:.0f} dB of full scale, trained on {low:.0f} or more"),
    ("level_db", "high"): ("loud", "{value:.0f} dB of full scale, trained on {high:.0f} or less"),
    ("snr_db", "low"): ("noisy", "loud to quiet {value:.0f} dB (noise, or no pause), trained on {low:.0f} or more"),
    ("bandwidth_hz", "low"): ("narrow band", "sound up to {value:.0f} Hz, trained on {low:.0f} or more"),
    ("crest_db", "low"): ("clipped", "peaks {value:.0f} dB over speech, trained on {low:.0f} or more"),
    ("distance", "high"): ("unfamiliar", "features {value:.1f} times as far away as 99 % of unseen clips"),
}  # fmt: skip
WARNING = UNLIKE + ", so an emotion would be a guess; {}training on your own recordings would help"
ENROL, ADAPT = "20 clips of this speaker (--enroll)", "scaling by the channel's own voice (--adapt)"
SEVERAL = 2  # hints from which a clip is that much unlike


class TrainingRanges(TypedDict):
    """What the training clips are like; ``familiar`` in ``model.json``.

    ``ranges`` {measure: [low, high]}, empty where nothing was measured; ``mean``, ``std`` (dims,) of the pooled
    features; ``distance``: the limit of the distance to the mean; ``residual``: that of the distance to the subspace;
    ``components`` (k, dims) float16, little-endian in base64. Older checkpoints lack the last two.
    """

    ranges: dict[str, list[float]]
    distance: float
    mean: list[float]
    std: list[float]
    residual: NotRequired[float]
    components: NotRequired[str]


class _Statistics(NamedTuple):
    """Of training clips: ``mean``, ``std`` (D,) and principal components (k, D), k 0 where there are none."""

    mean: np.ndarray
    std: np.ndarray
    components: np.ndarray

    def distances(self, clips: np.ndarray) -> np.ndarray:
        """Return (n, 2) for clips (n, D): root mean square deviations from the mean, and from the subspace."""
        scaled = np.clip((clips - self.mean) / self.std, -FURTHEST, FURTHEST)
        rest = scaled - (scaled @ self.components.T) @ self.components
        return np.sqrt(np.stack([np.square(part).mean(axis=1) for part in (scaled, rest)], axis=1))


def channel_measures(data: Dataset) -> dict[str, np.ndarray]:
    """Return the measures of the channel of n clips, measure -> (n,); training reads them from the cache as facts."""
    return {key.removeprefix("heard_"): column for key, column in data.facts.items() if key.startswith("heard_")}


def ranges_of(train: Dataset) -> TrainingRanges | None:
    """Return what the clips are like that a model is fitted on, augmented copies included; see ``training_ranges``."""
    corpora = train.facts.get("corpus", np.full(len(train), ""))
    groups = corpora if len(set(corpora.tolist())) > 1 else train.speakers
    every = train.joined(train.copies()).features if train.variants else train.features
    return training_ranges(every, np.tile(groups, 1 + len(train.variants)), channel_measures(train))


def training_ranges(features: Features, groups: np.ndarray, channel: Mapping[str, np.ndarray]) -> TrainingRanges | None:
    """Return what n training clips are like, for model.json; None under 20 clips.

    Args:
        features: (n, dims) or Frames.
        groups: (n,) names of the speakers, or of the corpora, that are left out to set the limits; "" if unknown.
        channel: measure -> (m,) as ``extract_feats.channel`` names them, NaN where it was not measured.
    """
    clips = _pooled(features)  # (n, D)
    if len(clips) < FEWEST_CLIPS:
        return None
    measured = {name: values[~np.isnan(values)] for name, values in channel.items()}
    ranges = {name: _range(name, values) for name, values in measured.items() if len(values) >= FEWEST_CLIPS}
    unseen, (mean, std, components) = _distances_when_unseen(clips, groups), _statistics(clips)
    distance, residual = unseen[:, 0].max(), np.quantile(unseen[:, 1], 1 - 2 * TAIL)
    return {
        "ranges": ranges,
        "distance": float(distance if len(components) else residual),
        "mean": _six_digits(mean),
        "std": _six_digits(std),
        "residual": float(residual),
        "components": b64encode(components.astype("<f2").tobytes()).decode(),
    }


def clip_hints(
    card: Mapping[str, Any], features: np.ndarray | Sequence[np.ndarray], channel: Sequence[Mapping[str, float]]
) -> list[Hint]:
    """Return in what a clip is unlike the training clips of a model, or of any member of an ensemble.

    Where several members give the same hint, the numbers are those of the first.

    Args:
        card: the content of ``model.json``; without ``familiar`` there are no hints.
        features: (dims,) or (frames, dims); for an ensemble one such array per member.
        channel: measure -> value, one mapping per member (or one).
    """
    members = card.get("members", [card])
    by_name: dict[str, Hint] = {}
    for member, clip, measures in zip(members, features if "members" in card else [features], channel, strict=True):
        (of_clip,) = hints(member.get("familiar"), [clip], {name: np.array([v]) for name, v in measures.items()})
        by_name = {hint["hint"]: hint for hint in of_clip} | by_name
    return list(by_name.values())


def is_unfamiliar(card: Mapping[str, Any], features: np.ndarray | Sequence[np.ndarray]) -> bool:
    """Return whether features alone, as of ``clip_hints``, are unlike those of the training clips."""
    return bool(clip_hints(card, features, [{}] * len(card.get("members", [card]))))


def warning(hints: Sequence[Hint], remedy: str = "") -> str:
    """Return the warning for a clip, "" unless it is "unfamiliar" or has two or more hints.

    Args:
        hints: of the clip.
        remedy: ENROL or ADAPT, where the model can be adapted to the speaker and is not yet.
    """
    return warning_text(remedy) if is_warned({hint["hint"] for hint in hints}) else ""


def is_warned(names: Set[str]) -> bool:
    """Return whether a clip with hints of these names gets a warning."""
    return len(names) >= SEVERAL or "unfamiliar" in names


def warning_text(remedy: str = "") -> str:
    """Return the words of the warning; ``remedy`` as of ``warning``."""
    return WARNING.format(f"{remedy} or " if remedy else "")


def hints(
    training: TrainingRanges | None, features: Sequence[np.ndarray] | Features, channel: Mapping[str, np.ndarray]
) -> list[list[Hint]]:
    """Return for each of n clips in what it is unlike the training clips; an empty list where it is like them.

    Args:
        training: what ``training_ranges`` returned; None gives no hints.
        features: n clips, each (dims,) or (frames, dims).
        channel: measure -> (n,), of the same clips.
    """
    if not training:
        return [[] for _ in features]
    clips = _pooled(features)
    measures = {name: np.asarray(values) for name, values in channel.items()} | {
        "distance": _relative_distance(clips, training)
    }
    ranges = training["ranges"] | {"distance": [0.0, 1.0]}
    return [
        _hints_of_one({name: values[row] for name, values in measures.items()}, ranges) for row in range(len(clips))
    ]


def _hints_of_one(measures: Mapping[str, float], ranges: Mapping[str, Sequence[float]]) -> list[Hint]:
    hints: list[Hint] = []
    for (name, end), (hint, words) in HINTS.items():
        if name not in ranges or name not in measures:
            continue
        value, (low, high) = float(measures[name]), ranges[name]
        if value < low if end == "low" else value > high:
            text = f"{hint}: {words.format(value=value, low=low, high=high)}"
            limit = low if end == "low" else high
            hints.append({"hint": hint, "value": round(value, 3), "limit": round(limit, 3), "text": text})
    return hints


def _range(name: str, values: np.ndarray) -> list[float]:
    low, high = np.quantile(values, [TAIL, 1 - TAIL])
    beyond = max(BEYOND * (high - low), LEAST_BEYOND.get(name, 0.0))
    return [float(low - beyond), float(high + beyond)]


def _pooled(features: Sequence[np.ndarray] | Features) -> np.ndarray:
    """Return one vector per clip, stacked to (n, D): its features, or the mean and deviation of its frames."""
    clips = features.clips if isinstance(features, Frames) else features
    if clips[0].ndim == 1:
        return np.stack(clips).astype(np.float64)
    return np.stack([np.concatenate([clip.mean(axis=0), clip.std(axis=0)]) for clip in clips]).astype(np.float64)


def _relative_distance(clips: np.ndarray, training: TrainingRanges) -> np.ndarray:
    """Return (n,) the distances of clips (n, D) as multiples of their limits, the larger one; over 1: unfamiliar."""
    mean, std = np.array(training["mean"]), np.array(training["std"])
    stored = np.frombuffer(b64decode(training.get("components", "")), "<f2").astype(float).reshape(-1, len(mean))
    distances = _Statistics(mean, std, stored).distances(clips)
    return (distances / [training["distance"], training.get("residual", training["distance"])]).max(axis=1)


def _statistics(clips: np.ndarray) -> _Statistics:
    """Return the statistics of clips (n, D).

    The components are found by subspace iteration from a random start (Halko, Martinsson & Tropp 2011, "Finding
    structure with randomness", doi 10.1137/090771806), which needs no decomposition of a D x D matrix.
    """
    mean, std = moments([clips])
    std = safe_std(std, np.abs(mean))
    count = min(COMPONENTS, clips.shape[1] // 4, len(clips) // 8)
    scaled = np.clip((clips - mean) / std, -FURTHEST, FURTHEST).astype(np.float32)
    basis = np.random.default_rng(1).standard_normal((clips.shape[1], min(count + MORE, clips.shape[1])))
    for _ in range(ITERATIONS):
        basis = np.linalg.qr(scaled.T @ (scaled @ basis.astype(np.float32)))[0]
    rotation = np.linalg.svd(scaled @ basis, full_matrices=False)[2]
    return _Statistics(mean, std, (rotation @ basis.T)[:count].astype("<f2").astype(float))


def _distances_when_unseen(clips: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return (n, 2) the distances of each clip to those of other groups (other clips, where none or one is known)."""
    names, of = np.unique(groups, return_inverse=True)
    if len(names) < 2 or (np.asarray(groups) == "").any():
        of = np.arange(len(clips))
    part = of % GROUPS
    distances = np.empty((len(clips), 2))
    for number in np.unique(part):
        unseen = part == number
        distances[unseen] = _statistics(clips[~unseen]).distances(clips[unseen])
    return distances


def _six_digits(values: np.ndarray) -> list[float]:
    return [float(f"{value:.6g}") for value in values]
