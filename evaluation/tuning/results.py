"""What a search writes: the best config, a table of the trials, plots, and which figure to quote."""

import os
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from evaluation.tuning.search import Search
from evaluation.tuning.space import Space, with_values
from evaluation.tuning.study import WARMUP, finished
from utils import foreign_text
from utils.config import Config, dump_yaml
from utils.errors import ConfigError
from utils.plots import save
from utils.plots.tuning import search_history, setting_importance

FIRST_LINE = "# Tuned by tune.py"  # how a best config begins: only such a file is overwritten


def check_free(out: Path) -> None:
    """Refuse to overwrite a config that tune.py has not written.

    Raises:
        ConfigError: such a file is there.
    """
    if out.exists() and not out.read_text(encoding="utf8", errors="replace").startswith(FIRST_LINE):
        raise ConfigError(f"{out}: exists and was not written by tune.py. Give another --out.")


def settings(values: Mapping[str, Any]) -> str:
    """Return "key=value, ...", numbers with four digits."""
    return ", ".join(
        f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}" for key, value in values.items()
    )


def trial_line(trial: FrozenTrial, space: Space, *, done: int, trials: int, seconds_left: float) -> str:
    """Return the line on a trial that has just finished.

    Args:
        trial: complete or pruned.
        space: that was searched.
        done: number of finished trials.
        trials: number wanted.
        seconds_left: for the others; 0 is not mentioned.
    """
    result = f"UAR {trial.value:.3f}" if trial.state == TrialState.COMPLETE else "pruned"
    words = f"trial {trial.number + 1}, {done}/{trials} finished: {result}, {settings(space.values(trial.params))}"
    return f"{words}, {seconds_left:.0f} s left" if seconds_left else words


def write(study: optuna.Study, search: Search, out: Path, folder: Path, *, limit: int | None = None) -> list[str]:
    """Write the results of the finished trials and return the lines to print.

    Args:
        study: with the trials.
        search: that was made.
        out: the best config.
        folder: for trials.csv, history.png and importance.png.
        limit: number of clips per class, if this was a trial run.
    """
    config, space = search.config, search.space
    trials = sorted(finished(study), key=lambda trial: trial.number)
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    if not complete:
        return ["no trial is complete: nothing to write"]
    best = max(complete, key=lambda trial: (trial.value, -trial.number))
    values = space.values(best.params)
    how = f"best of {len(trials)} trials ({len(trials) - len(complete)} pruned)"
    _table(trials, space, folder / "trials.csv")
    _plots(trials, config, study, folder)
    trial = f"A TRIAL on {limit} clips per class, " if limit else ""
    write_config(with_values(config, values | {"name": f"{config.name}_tuned"}, str(out)), out, trial + how)
    shown = out.relative_to(Path.cwd()) if out.is_relative_to(Path.cwd()) else out
    tested = "the held-out speakers" if config.split.holdout else "the official test part"
    return [
        "",
        *textwrap.wrap(f"{trial}{how}: UAR {best.value:.3f}, {settings(values)}", 80, subsequent_indent="  "),
        "This UAR is the highest of many trials, so it is too optimistic. Quote the score",
        f"on {tested} instead, from",
        f"  python train.py --config {shown}",
        f"{folder}: trials and plots",
    ]


def _table(trials: Sequence[FrozenTrial], space: Space, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf8") as file:
        writer = foreign_text.Writer(file)
        writer.writerow(["trial", "state", "uar", "seconds", *space.distributions])
        for trial in trials:
            values = space.values(trial.params)
            uar = f"{trial.value:.6f}" if trial.state == TrialState.COMPLETE else ""
            seconds = f"{trial.duration.total_seconds():.2f}"
            row = [trial.number + 1, trial.state.name.lower(), uar, seconds]
            writer.writerow(row + [values[key] for key in space.distributions])


def _plots(trials: Sequence[FrozenTrial], config: Config, study: optuna.Study, folder: Path) -> None:
    values = [trial.value if trial.state == TrialState.COMPLETE else None for trial in trials]
    title = f"{config.name}: UAR on the speakers of the search"
    save(search_history(values, title=title), folder / "history.png")
    if shares := importances(study, seed=config.seed):
        title = f"{config.name}: share of the variance of UAR, complete trials"
        save(setting_importance(shares, title=title), folder / "importance.png")


def importances(study: optuna.Study, *, seed: int) -> dict[str, float]:
    """Return key -> share of the variance of UAR over the complete trials, largest first; {} for too few trials.

    Functional analysis of variance in a random forest: Hutter et al. 2014, proceedings.mlr.press/v32/hutter14.
    """
    complete = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    if len(complete) < WARMUP or len({trial.value for trial in complete}) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
    return optuna.importance.get_param_importances(study, evaluator=evaluator)


def write_config(best: Config, out: Path, how: str) -> None:
    """Write the best config, its first line saying how it was found, and under ``tuned`` whom the search left out."""
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = out.with_name(f".{out.name}.{os.getpid()}.part")  # several processes may end at the same time
    official = best.split.by == "official"  # then the score is that of the test part, which no search uses
    content = best.model_copy(update={"tuned": False if official else best.split.holdout}).model_dump()
    content = dump_yaml(content)
    aside.write_text(f"{FIRST_LINE}: {how}\n{content}", encoding="utf8")
    os.replace(aside, out)
