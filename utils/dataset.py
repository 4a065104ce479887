"""What training sees: features, labels and speakers of many clips, never a wav."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np


class Frames(Sequence):
    """Frame features of n clips, each (frames, dims) float32, of unequal lengths.

    The arrays may be views into memory-mapped files; nothing is copied until ``pad``.
    """

    def __init__(self, clips: list[np.ndarray]):
        self.clips = clips
        self.lengths = np.array([len(clip) for clip in clips], dtype=np.int64)

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index):
        if isinstance(index, (int, np.integer)):
            return self.clips[index]
        return Frames([self.clips[i] for i in np.arange(len(self))[index]])

    @property
    def dims(self) -> int:
        return self.clips[0].shape[1]

    def pad(self, frames: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return (n, T, dims) float32, zeros on the right, and the lengths (n,); T is the longest unless given."""
        frames = frames or int(self.lengths.max())
        padded = np.zeros((len(self), frames, self.dims), np.float32)
        for row, clip in zip(padded, self.clips, strict=True):
            row[: len(clip)] = clip
        return padded, self.lengths


Features = np.ndarray | Frames
COLUMNS = ("truth", "ids", "speakers", "digests")


@dataclass(frozen=True)
class Dataset:
    """n labelled clips under one recipe.

    Attributes:
        features: (n, dims) float32, or Frames of n clips.
        labels: the class names, in the order of the probabilities.
        truth: (n,) int64 index into labels.
        ids: (n,) clip ids, ``corpus/id``.
        speakers: (n,) ``corpus/speaker``, or "" where the corpus does not know.
        digests: (n,) digest of the decoded audio: equal for exact duplicates.
        facts: column name -> (n,) array of what else is known (sex, text, split, session, corpus, seconds, ...).
        variants: features of augmented copies, each of all n clips: copies stay in the fold of their original.
        recipe: all settings that change the features, as text; set by whoever loads them.
    """

    features: Features
    labels: tuple[str, ...]
    truth: np.ndarray
    ids: np.ndarray
    speakers: np.ndarray
    digests: np.ndarray
    facts: dict[str, np.ndarray]
    variants: tuple[Features, ...] = ()
    recipe: str = ""

    def __len__(self) -> int:
        return len(self.truth)

    def __getitem__(self, index) -> "Dataset":
        """Return the clips at these indices or where this mask is true."""
        index = np.arange(len(self))[index]
        return replace(
            self,
            features=self.features[index],
            truth=self.truth[index],
            ids=self.ids[index],
            speakers=self.speakers[index],
            digests=self.digests[index],
            facts={key: column[index] for key, column in self.facts.items()},
            variants=tuple(features[index] for features in self.variants),
        )

    def copies(self) -> "Dataset":
        """Return the augmented copies as clips of their own, each under the id, speaker and digest of its clip."""
        repeated = self[np.tile(np.arange(len(self)), len(self.variants))]
        return replace(repeated, features=_joined(self.variants), variants=())

    def joined(self, other: "Dataset") -> "Dataset":
        """Return the clips of both, without their variants."""
        columns = {name: _both(getattr(self, name), getattr(other, name)) for name in COLUMNS}
        facts = {key: _both(column, other.facts[key]) for key, column in self.facts.items()}
        return replace(self, features=_joined([self.features, other.features]), facts=facts, variants=(), **columns)


def common(datasets: Sequence[Dataset]) -> list[Dataset]:
    """Return the data sets with the clips that all of them hold: those that every recipe could be extracted from."""
    kept = set(datasets[0].ids).intersection(*(data.ids for data in datasets))
    return [data[np.isin(data.ids, list(kept))] if len(kept) < len(data) else data for data in datasets]


def _both(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.concatenate([one, other])


def _joined(parts: Sequence[Features]) -> Features:
    if isinstance(parts[0], Frames):
        return Frames([clip for part in parts for clip in part.clips])
    return np.concatenate(parts)
