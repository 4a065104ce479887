"""What cross-validation gives: out-of-fold probabilities, and how they came about."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from evaluation.splits.folds import Fold


@dataclass
class Outcome:
    """The result of a cross-validation; rows in the order of the data, fold -1 for clips that were never tested.

    Attributes:
        probabilities: (n, classes) out of fold, without any information on the speaker; calibrated, as shipped.
        fold: (n,) number of the fold that tested each clip, from 0.
        by_information: UAR by what is known of the test speaker ("none", "enrolment_5", ...); None where the model
            cannot use it.
        folds: the folds.
        validation: what early stopping looks at: "speakers", "clips", "official", several joined by ", ", or "none".
        best_epochs: of a network, one per fold.
        histories: learning curves of a network, one per fold and run.
        seconds: wall time of training and scoring, that of earlier, interrupted calls included.
        protocol_notes: what an ensemble adds to the protocol, as fields of ``checkpoint.protocol.Protocol``.
        uncalibrated: probabilities (n, classes) of a network or an ensemble before its temperature; None of an
            estimator, whose temperature is fitted with it.
        calibration: the temperatures and their effect, for metrics.json; None of an estimator.
        score_temperatures: what each fold's estimator divided its scores by; 1 for networks and ensembles.
        used: tables of the clips that each fold's model was given, for the audit (``leakage.record``).
    """

    probabilities: np.ndarray
    fold: np.ndarray
    by_information: dict[str, float | None]
    folds: list[Fold]
    validation: str
    best_epochs: list[int] = field(default_factory=list)
    histories: list[dict] = field(default_factory=list)
    seconds: float = 0.0
    protocol_notes: dict[str, Any] = field(default_factory=dict)
    uncalibrated: np.ndarray | None = None
    calibration: dict[str, Any] | None = None
    score_temperatures: list[float] = field(default_factory=list)
    used: list[pa.Table] = field(default_factory=list)

    @classmethod
    def untested(cls, n_clips: int, n_classes: int, folds: list[Fold]) -> "Outcome":
        """Return the outcome before any fold is scored: zeros, and fold -1 for every clip."""
        return cls(np.zeros((n_clips, n_classes), np.float32), np.full(n_clips, -1), {}, folds, "none")

    @property
    def tested(self) -> np.ndarray:
        """Return the indices (m,) of the clips that some fold tested."""
        return np.flatnonzero(self.fold >= 0)

    @property
    def temperature(self) -> float:
        """Return the temperature that calibrates the shipped model's probabilities; 1 if there is none."""
        return self.calibration["temperature"] if self.calibration else 1.0
