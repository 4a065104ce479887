"""Whether a clip is like those a model learned from: ranges of its channel, and a distance of its features.

A range spans 99 % of the training clips and a margin beyond. The distance is the root mean square of the standardised
features, a Mahalanobis distance (Mahalanobis 1936) with a diagonal covariance: on RAVDESS's IS10 one over 20 principal
components told a room of .8 s better (57 % of the clips for 31 %), noise worse, and would have to be shipped; so would
the nearest neighbours, which told both worse. Its limit is what 1 % of the clips exceed whose speaker is left out of
the statistics, since the user's speakers are strangers too.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from models.moments import moments, safe_std
from utils.dataset import Dataset, Features, Frames

TAIL = 0.005  # of the training clips at either end of a range
BEYOND = 0.1  # of its width, added there: a new speaker or microphone is not yet another channel
# ... and at least so much; MP3 takes some 300 Hz off the top, at no cost that ``robustness.py`` could measure
LEAST_BEYOND = {"seconds": 0.1, "level_db": 1.0, "snr_db": 1.0, "bandwidth_hz": 1000.0, "crest_db": 0.5}
FEWEST = 20  # clips, below which nothing is said
GROUPS = 5  # parts that take turns to be strangers
FURTHEST = 10.0  # deviations: one feature that divides by nothing must not decide alone
HINTS = {  # measure, end of the range: the hint, and what is said
    ("seconds", "low"): ("short", "{value:.1f} s, trained on {low:.1f} or more"),
    ("seconds", "high"): ("long", "{value:.1f} s, trained on {high:.1f} or less"),
    ("level_db", "low"): ("soft", "{value:.0f} dB of full scale, trained on {low:.0f} or more"),
    ("level_db", "high"): ("loud", "{value:.0f} dB of full scale, trained on {high:.0f} or less"),
    ("snr_db", "low"): ("noisy", "loud to quiet {value:.0f} dB (noise, or no pause), trained on {low:.0f} or more"),
    ("bandwidth_hz", "low"): ("narrow band", "sound up to {value:.0f} Hz, trained on {low:.0f} or more"),
    ("crest_db", "low"): ("clipped", "peaks {value:.0f} dB over speech, trained on {low:.0f} or more"),
    ("distance", "high"): ("unfamiliar", "features {value:.2f} away, 99 % of strangers within {high:.2f}"),
}  # fmt: skip


def heard(data: Dataset) -> dict[str, np.ndarray]:
    """Return what is known of the channel of n clips, measure -> (n,); training reads it from the cache as facts."""
    return {key.removeprefix("heard_"): column for key, column in data.facts.items() if key.startswith("heard_")}


def of(train: Dataset) -> dict[str, Any] | None:
    """Return what the clips are like that a model is fitted on; see ``learned``."""
    return learned(train.features, train.speakers, heard(train))


def learned(features: Features, speakers: np.ndarray, channel: Mapping[str, np.ndarray]) -> dict[str, Any] | None:
    """Return what n training clips are like, for model.json; None under 20 clips.

    Args:
        features: (n, dims) or Frames.
        speakers: (n,) names, "" if unknown.
        channel: measure -> (n,) as ``extract_feats.channel`` names them, NaN where it was not measured.

    Returns:
        ``ranges`` {measure: [low, high]}, empty where nothing was measured; ``mean``, ``std`` (dims,) of the pooled
        features, and the ``distance`` that is too far.
    """
    clips = _pooled(features)  # (n, D)
    if len(clips) < FEWEST:
        return None
    measured = {name: values[~np.isnan(values)] for name, values in channel.items()}
    ranges = {name: _range(name, values) for name, values in measured.items() if len(values) >= FEWEST}
    mean, std = _scale(clips)
    rounded = {"mean": mean, "std": std}
    far = float(np.quantile(_strangers(clips, speakers), 1 - 2 * TAIL))
    return {"ranges": ranges, "distance": far} | {k: [float(f"{x:.6g}") for x in v] for k, v in rounded.items()}


def hints(
    known: Mapping[str, Any] | None, features: Sequence[np.ndarray] | Features, channel: Mapping[str, np.ndarray]
) -> list[list[dict[str, Any]]]:
    """Return for each of n clips in what it is unlike the training clips, one hint a way; none where it is like them.

    Args:
        known: what ``learned`` returned; None says nothing.
        features: n clips, each (dims,) or (frames, dims).
        channel: measure -> (n,), of the same clips.

    Returns:
        {``hint``: "noisy", ..., ``value``, ``limit``: the end of the range it is beyond, ``text``}.
    """
    if not known:
        return [[] for _ in features]
    clips = _pooled(features)
    measures = {name: np.asarray(values) for name, values in channel.items()} | {
        "distance": _distance(clips, np.array(known["mean"]), np.array(known["std"]))
    }
    ranges = known["ranges"] | {"distance": [0.0, known["distance"]]}
    return [_of_one({name: values[row] for name, values in measures.items()}, ranges) for row in range(len(clips))]


def _of_one(measures: Mapping[str, float], ranges: Mapping[str, Sequence[float]]) -> list[dict[str, Any]]:
    found = []
    for (name, end), (hint, words) in HINTS.items():
        if name not in ranges or name not in measures:
            continue
        value, (low, high) = float(measures[name]), ranges[name]
        if value < low if end == "low" else value > high:
            text = f"{hint}: {words.format(value=value, low=low, high=high)}"
            limit = low if end == "low" else high
            found.append({"hint": hint, "value": round(value, 3), "limit": round(limit, 3), "text": text})
    return found


def _range(name: str, values: np.ndarray) -> list[float]:
    low, high = np.quantile(values, [TAIL, 1 - TAIL])
    beyond = max(BEYOND * (high - low), LEAST_BEYOND.get(name, 0.0))
    return [float(low - beyond), float(high + beyond)]


def _pooled(features: Sequence[np.ndarray] | Features) -> np.ndarray:
    """Return one vector (D,) a clip, stacked: its features, or the mean and deviation of its frames."""
    clips = features.clips if isinstance(features, Frames) else features
    if clips[0].ndim == 1:
        return np.stack(clips).astype(np.float64)
    return np.stack([np.concatenate([clip.mean(axis=0), clip.std(axis=0)]) for clip in clips]).astype(np.float64)


def _scale(clips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, std = moments([clips])
    return mean, safe_std(std, np.abs(mean))


def _distance(clips: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Return (n,) root mean square deviations of clips (n, D)."""
    return np.sqrt(np.square(np.clip((clips - mean) / std, -FURTHEST, FURTHEST)).mean(axis=1))


def _strangers(clips: np.ndarray, speakers: np.ndarray) -> np.ndarray:
    """Return (n,) the distance of each clip to those of other speakers (other clips, where none or one is known)."""
    names, of = np.unique(speakers, return_inverse=True)
    if len(names) < 2 or (np.asarray(speakers) == "").any():
        of = np.arange(len(clips))
    group = of % GROUPS
    found = np.empty(len(clips))
    for number in np.unique(group):
        strange = group == number
        found[strange] = _distance(clips[strange], *_scale(clips[~strange]))
    return found
