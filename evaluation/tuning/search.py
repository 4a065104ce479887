"""Hyper-parameter search on speakers that no final score is measured on.

A setting chosen by a score makes that score too good, and cross-validation over all speakers chooses by the very
speakers it then reports (Cawley & Talbot 2010, jmlr.org/papers/v11/cawley10a.html). So some speakers are put
aside before the first trial: those of ``split.holdout``, or about a fifth of them, the sexes in turn. The search
cross-validates on the others alone; ``train.py`` scores the held-out ones last, and that is the figure to quote.
By ``official``, the corpus's own test part plays their role.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import optuna
from optuna.trial import TrialState

from evaluation.scores import metrics
from evaluation.splits.folds import draw_folds, holdout
from evaluation.splits.groups import resolve, take_speakers
from evaluation.training import fit
from models.common import Report
from utils.config import Config, Split
from utils.dataset import Dataset
from utils.errors import ConfigError

SHARE = 0.2  # of the speakers, put aside where the config names none
FOLDS = 5  # of the search, where the config's own are not between speakers
WARMUP = 5  # complete trials before any is pruned
RUN_STEPS = 100_000  # steps below are numbers of folds; above: run * RUN_STEPS + epoch, of the first fold
Step = Callable[[int, float, bool], None]  # number, UAR so far, whether another follows


def protect(data: Dataset, config: Config) -> tuple[Config, np.ndarray]:
    """Return the config with its test speakers named in ``split.holdout``, and the indices the search may see.

    Nothing is added where ``holdout`` names some or the split is official. Folds that the speakers who are left
    cannot fill are taken away.

    Raises:
        ConfigError: speakers are not known, or too few to put one aside.
    """
    split = config.split
    if split.by == "official":
        return config, draw_folds(data, split.model_dump(), seed=config.seed)[0].train
    if not split.holdout:
        if (data.speakers == "").any():
            raise ConfigError(
                f"{config.name}: tuning puts test speakers aside, but {(data.speakers == '').sum()} clips have no "
                r"speaker. Give the folders corpus a pattern, speaker: '^(\w+?)_'."
            )
        taken = take_speakers(data, SHARE, np.random.default_rng(config.seed))
        if not taken.any():
            raise ConfigError(
                f"{config.name}: tuning puts test speakers aside, but every class needs all {_count(data)} of them. "
                "Merge or drop labels."
            )
        held = np.unique(data.speakers[taken]).tolist()
        split = split.model_copy(update={"holdout": held, "folds": _folds_left(data, split, held)})
    return config.model_copy(update={"split": split}), holdout(data, split.model_dump())[0]


def _count(data: Dataset) -> int:
    return len(np.unique(data.speakers))


def _folds_left(data: Dataset, split: Split, held: list[str]) -> Any:
    if split.by == "speaker" and isinstance(split.folds, int):
        return min(split.folds, _count(data) - len(held))
    if isinstance(split.folds, list):
        lists = [
            [name for name in names if resolve(data, [[name]], "split.folds")[0][0] not in held]
            for names in split.folds
        ]
        return [names for names in lists if names]
    return split.folds


def inner(seen: Dataset, config: Config, folds: int | None = None) -> Config:
    """Return the config as the search trains it on the clips it may see: the config's own folds, if by speakers.

    Random and official splits become 5 folds by speaker; ``folds`` asks for that many by speaker in any case.
    """
    split = config.split.model_copy(update={"holdout": []})
    if folds or split.by in ("random", "official"):
        known = (seen.speakers != "").all()
        number = folds or min(FOLDS, _count(seen) if known else FOLDS)
        split = Split(by="speaker" if known else "random", folds=number)
    return config.model_copy(update={"split": split})


def uar(data: Dataset, config: Config, *, step: Step, report: Report = lambda line: None) -> float:
    """Return the UAR pooled over the folds of the config's split, nothing known of the test speaker.

    ``step`` is told the UAR after each fold, and during the first the best validation UAR after each epoch; what
    it raises ends the trial.
    """
    folds = draw_folds(data, config.split.model_dump(), seed=config.seed)
    counts = np.zeros((len(data.labels),) * 2, np.int64)
    for number, fold in enumerate(folds):
        listen = _listener(number, len(folds), step, report)
        model, _ = fit.fit_fold(data, config, fold, number, report=listen)
        test = data[fold.test]
        counts += metrics.confusion(test.truth, model.probabilities(test.features).argmax(axis=1), len(data.labels))
        step(number + 1, float(metrics.uar(counts)), number + 1 < len(folds))
    return float(metrics.uar(counts))


def _listener(number: int, folds: int, step: Step, report: Report) -> Report:
    best: dict[int, float] = {}  # of each run

    def listen(line: Mapping[str, Any]) -> None:
        report({"fold": number + 1, "folds": folds} | line)
        if number == 0 and "val_uar" in line:
            run = line["run"]
            best[run] = max(best.get(run, 0.0), line["val_uar"])
            step(run * RUN_STEPS + line["epoch"], best[run], True)

    return listen


def hopeless(study: optuna.Study, step: int, value: float) -> bool:
    """Whether a trial stands below the median of the complete ones at the same step.

    The median rule of Golovin et al. 2017, doi 10.1145/3097983.3098043, on the value at this step. Optuna's own
    MedianPruner takes a trial's best value over all steps, so that one easy fold would protect it for good.
    """
    others = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    values = [trial.intermediate_values[step] for trial in others if step in trial.intermediate_values]
    return len(values) >= WARMUP and value < float(np.median(values))


def importances(study: optuna.Study, *, seed: int) -> dict[str, float]:
    """Return key -> share of the variance of UAR over the complete trials, largest first; {} where it says nothing.

    Functional analysis of variance in a random forest: Hutter et al. 2014, proceedings.mlr.press/v32/hutter14.
    """
    complete = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    if len(complete) < WARMUP or len({trial.value for trial in complete}) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
    return optuna.importance.get_param_importances(study, evaluator=evaluator)
