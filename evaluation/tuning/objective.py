"""What a trial is scored by: the UAR of cross-validation, told after each fold and each epoch of the first."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from evaluation.scores import metrics
from evaluation.splits.folds import draw_folds
from evaluation.training.fit import fit_fold
from models.common import Report
from utils.config import Config
from utils.dataset import Dataset

RUN_STEPS = 100_000  # steps below are numbers of folds; above: run * RUN_STEPS + epoch, of the first fold
Step = Callable[[int, float, bool], None]  # called with the step's number, the UAR so far, whether another step follows


def cross_validated_uar(data: Dataset, config: Config, *, step: Step, report: Report = lambda line: None) -> float:
    """Return the UAR pooled over the folds of the config's split, without any clip of the test speaker given.

    Args:
        data: the clips that the search may see.
        config: of the trial.
        step: called with the UAR after each fold, and in the first fold with the best validation UAR after each
            epoch; what it raises ends the trial.
        report: called with each line that training reports.
    """
    folds = draw_folds(data, config.split.model_dump(), seed=config.seed)
    counts = np.zeros((len(data.labels),) * 2, np.int64)
    for number, fold in enumerate(folds):
        epochs = _epoch_steps(number, len(folds), step, report)
        model, _ = fit_fold(data, config, fold, number, report=epochs)
        test = data[fold.test]
        counts += metrics.confusion(test.truth, model.probabilities(test.features).argmax(axis=1), len(data.labels))
        step(number + 1, float(metrics.uar(counts)), number + 1 < len(folds))
    return float(metrics.uar(counts))


def _epoch_steps(number: int, folds: int, step: Step, report: Report) -> Report:
    best: dict[int, float] = {}  # of each run

    def tell(line: Mapping[str, Any]) -> None:
        report({"fold": number + 1, "folds": folds} | line)
        if number == 0 and "val_uar" in line:
            run = line["run"]
            best[run] = max(best.get(run, 0.0), line["val_uar"])
            step(run * RUN_STEPS + line["epoch"], best[run], True)

    return tell
