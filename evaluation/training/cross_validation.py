"""Cross-validation: every fold trained and scored, resumable, and the predictions of all folds pooled."""

import os
import time
from collections.abc import Sequence

import numpy as np
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from evaluation.checkpoint.outcome import Outcome
from evaluation.leakage import record
from evaluation.scores import metrics
from evaluation.splits.folds import Fold, draw_folds
from evaluation.training import fit
from evaluation.training.calibrate import calibrate
from evaluation.training.enrolment import (
    LEVELS,
    adapted_predictions,
    adapted_scores,
    confusion_of_draws,
    uar_of_counts,
)
from evaluation.training.workspace import Workspace
from models.classes import is_network
from utils.config import Config
from utils.dataset import Dataset


def cross_validate(data: Dataset, config: Config, workspace: Workspace) -> Outcome:
    """Return the out-of-fold predictions of a run; folds that ``workspace`` holds are not trained again.

    Args:
        data: all clips; those held out are in no fold.
        config: of the run.
        workspace: for finished folds and the epoch that a network has reached; reports {fold, folds, name, ...}.

    Raises:
        ConfigError: what ``fit.check`` and ``draw_folds`` refuse.
    """
    fit.check(data, config)
    folds = draw_folds(data, config.split.model_dump(), seed=config.seed)
    started, resumed = time.monotonic(), run_folds(data, config, folds, workspace)
    return _pool(data, config, folds, workspace, resumed, time.monotonic() - started)


def run_folds(data: Dataset, config: Config, folds: Sequence[Fold], workspace: Workspace) -> set[int]:
    """Train and test every fold that ``workspace`` does not hold yet; return the numbers of those it held.

    The part "fold-N" has the test part's probabilities as "none", and with speaker normalisation the predictions of
    ``adapted_predictions``. Estimators run as many folds as cores side by side, networks one fold after another.
    """
    workspace.claim()
    resumed = {number for number in range(len(folds)) if workspace.has(f"fold-{number}")}
    jobs = 1 if is_network(config.model) else min(os.cpu_count() or 1, len(folds))
    with threadpool_limits(1 if jobs > 1 else None):  # as many folds as cores, one thread each
        Parallel(n_jobs=jobs, prefer="threads")(
            delayed(_run_fold)(data, config, folds, number, workspace) for number in range(len(folds))
        )
    return resumed


def _run_fold(data: Dataset, config: Config, folds: Sequence[Fold], number: int, workspace: Workspace) -> None:
    part, fold = f"fold-{number}", folds[number]
    here = {"fold": number + 1, "folds": len(folds), "name": fold.name}
    if workspace.has(part):
        workspace.report(here | {"cached": True})
        return
    started = time.monotonic()
    model, validation = fit.fit_fold(
        data, config, fold, number, state=workspace.state(part), report=lambda line: workspace.report(here | line)
    )
    test = data[fold.test]
    model.usage.add("test", test)
    used = record.fitted(model, data, number + 1)
    arrays = {"none": model.probabilities(test.features)}
    if config.normalise == "speaker":
        arrays |= adapted_predictions(model, test, np.random.default_rng([config.seed, number]))
    progress = {
        "validation": validation, "seconds": time.monotonic() - started,
        "best_epoch": getattr(model, "best_epoch", None), "histories": getattr(model, "histories", []),
        "temperature": model.score_temperature,
    }  # fmt: skip
    workspace.save(part, used, progress, **arrays)
    workspace.report(here | {"uar": metrics.uar_score(test.truth, arrays["none"].argmax(axis=1), len(data.labels))})


def _pool(
    data: Dataset, config: Config, folds: list[Fold], workspace: Workspace, resumed: set[int], seconds: float
) -> Outcome:
    """Bring the folds together; ``resumed``: those an earlier call had finished, ``seconds``: what this one took."""
    n_classes = len(data.labels)
    outcome = Outcome.untested(len(data), n_classes, folds)
    outcome.seconds = seconds
    counts = {name: np.zeros((n_classes, n_classes), np.int64) for name in LEVELS}
    kinds: set[str] = set()  # folds can differ: where too few speakers are left, clips are taken
    for number, fold in enumerate(folds):
        progress, arrays = workspace.load(f"fold-{number}")
        outcome.probabilities[fold.test] = arrays["none"]
        outcome.used.append(workspace.used(f"fold-{number}"))
        outcome.fold[fold.test] = number
        for name in set(counts) & set(arrays):
            counts[name] += confusion_of_draws(data.truth[fold.test], arrays[name], n_classes)
        kinds.add(progress["validation"])
        outcome.seconds += progress["seconds"] if number in resumed else 0
        outcome.histories += progress["histories"]
        outcome.score_temperatures.append(progress.get("temperature", 1.0))
        outcome.best_epochs += [progress["best_epoch"]] if progress["best_epoch"] else []
    outcome.validation = ", ".join(sorted(kinds - {"none"})) or "none"
    if is_network(config.model):
        calibrate(data, outcome)
    tested = outcome.tested
    uar = metrics.uar_score(data.truth[tested], outcome.probabilities[tested].argmax(axis=1), n_classes)
    if config.normalise == "speaker":
        adapted = {name: uar_of_counts(count) for name, count in counts.items()}
    else:
        adapted = adapted_scores(outcome, data, seed=config.seed)
    outcome.by_information = {"none": uar} | adapted
    return outcome
