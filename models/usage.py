"""What a model was given while it learned: the record that the leakage audit reads."""

from dataclasses import dataclass

import numpy as np

from utils.dataset import Dataset


@dataclass(frozen=True)
class Clips:
    """Who n rows are: ids, speakers, digests and texts (n,), the last "" where not known."""

    ids: np.ndarray
    speakers: np.ndarray
    digests: np.ndarray
    texts: np.ndarray

    @staticmethod
    def of(data: Dataset) -> "Clips":
        """Return the clips of a data set, as often as they stand in it."""
        texts = data.facts.get("text", np.full(len(data), ""))
        return Clips(data.ids, data.speakers, data.digests, texts)


class Usage:
    """Which clips went into what, noted where they go in, so that a slip on the way there shows.

    Purposes:
        part: the training part, before anything is done to it.
        balance, copies: what balancing made of it; augmented copies.
        scale, speakers: what the scaler, and the statistics of speakers, are computed from.
        fit: what the estimator or network learns from.
        validation: what stops a network.
        calibration N fit, calibration N held: the folds that calibrate an estimator.
        combine: what teaches an ensemble. inner fit, inner scale, ...: what its members were refitted on for that.
        test: what is scored.

    Attributes:
        parts: purpose and clips, in the order they were noted; a purpose may come again.
        start: checkpoint whose weights a network began with.
    """

    def __init__(self):
        self.parts: list[tuple[str, Clips]] = []
        self.start: str | None = None

    def add(self, purpose: str, data: Dataset) -> None:
        """Note that these clips were used so."""
        self.parts.append((purpose, Clips.of(data)))

    def ids(self, purpose: str) -> np.ndarray:
        """Return all ids (n,) noted under a purpose, as often as they were."""
        found = [clips.ids for name, clips in self.parts if name == purpose]
        return np.concatenate(found) if found else np.array([], dtype=str)
