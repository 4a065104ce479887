"""Which clips a model was given while it learned; the leakage audit reads it."""

from dataclasses import dataclass

import numpy as np

from utils.dataset import Dataset


@dataclass(frozen=True)
class Clips:
    """The identity of n clips.

    Attributes:
        ids, speakers, digests: (n,) text.
        texts: (n,) the sentence that is spoken; "" where it is not known.
    """

    ids: np.ndarray
    speakers: np.ndarray
    digests: np.ndarray
    texts: np.ndarray

    @staticmethod
    def of(data: Dataset) -> "Clips":
        """Return the clips of a data set; a clip that occurs twice there occurs twice here."""
        texts = data.facts.get("text", np.full(len(data), ""))
        return Clips(data.ids, data.speakers, data.digests, texts)


class ClipUsage:
    """The clips that each step of a training used, noted where the step takes them, so that a mistake shows.

    Purposes:
        part: the training part, before anything is done to it.
        balance, copies: the training part after balancing; augmented copies.
        scale, speakers: source of the scaler; source of the statistics of speakers.
        fit: what the estimator or network learns from.
        validation: decides when a network stops.
        calibration N fit, calibration N held: the two sides of fold N of an estimator's calibration.
        combine: source of an ensemble's weights. inner fit, inner scale, ...: what its members were fitted on for that.
        test: what is scored.

    Attributes:
        parts: (purpose, clips) in the order they were noted; a purpose may occur several times.
        start: checkpoint whose weights a network began with, or None.
    """

    def __init__(self):
        self.parts: list[tuple[str, Clips]] = []
        self.start: str | None = None

    def add(self, purpose: str, data: Dataset) -> None:
        """Note that the clips were used for the purpose."""
        self.parts.append((purpose, Clips.of(data)))

    def ids(self, purpose: str) -> np.ndarray:
        """Return all ids (n,) noted for a purpose, repeated ids included."""
        ids = [clips.ids for name, clips in self.parts if name == purpose]
        return np.concatenate(ids) if ids else np.array([], dtype=str)
