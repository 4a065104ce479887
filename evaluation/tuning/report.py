"""What a search leaves: the best config, a table of the trials, plots, and what of it may be quoted."""

import csv
import os
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
import yaml
from optuna.trial import FrozenTrial, TrialState

from evaluation.tuning import search as tuning
from evaluation.tuning import study as studies
from evaluation.tuning.space import Space, with_values
from utils.config import Config
from utils.errors import ConfigError
from utils.plots import save
from utils.plots.tuning import search_history, setting_importance

MARK = "# Tuned by tune.py"  # how a best config begins: only such a file is written over


def check_free(out: Path) -> None:
    """Refuse to write over a config that was not written here, with a ConfigError."""
    if out.exists() and not out.read_text(encoding="utf8", errors="replace").startswith(MARK):
        raise ConfigError(f"{out}: is there already and was not written by tune.py. Give another --out.")


def settings(values: Mapping[str, Any]) -> str:
    """Return "key=value, ...", numbers to four digits."""
    return ", ".join(
        f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}" for key, value in values.items()
    )


def write(
    study: optuna.Study, space: Space, config: Config, out: Path, folder: Path, *, limit: int | None = None
) -> list[str]:
    """Write everything the finished trials give and return the lines that say so.

    Args:
        config: the one tuned, its test speakers named.
        out: the best config.
        folder: for trials.csv, history.png and importance.png.
        limit: clips a class, if this was a trial run.
    """
    trials = sorted(studies.finished(study), key=lambda trial: trial.number)
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    if not complete:
        return ["no trial is complete: nothing to write"]
    best = max(complete, key=lambda trial: (trial.value, -trial.number))
    values = space.values(best.params)
    how = f"best of {len(trials)} trials ({len(trials) - len(complete)} pruned)"
    _table(trials, space, folder / "trials.csv")
    _plots(trials, config, study, folder)
    trial = f"A TRIAL on {limit} clips a class, " if limit else ""
    _config(with_values(config, values | {"name": f"{config.name}_tuned"}, str(out)), out, trial + how)
    shown = out.relative_to(Path.cwd()) if out.is_relative_to(Path.cwd()) else out
    tested = "the held-out speakers" if config.split.holdout else "the official test part"
    return [
        "",
        *textwrap.wrap(f"{trial}{how}: UAR {best.value:.3f}, {settings(values)}", 80, subsequent_indent="  "),
        "It is the largest of many and flatters. The figure to quote is the score on",
        f"{tested}, from",
        f"  python train.py --config {shown}",
        f"{folder}: trials and plots",
    ]


def _table(trials: Sequence[FrozenTrial], space: Space, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf8") as file:
        writer = csv.writer(file)
        writer.writerow(["trial", "state", "uar", "seconds", *space.distributions])
        for trial in trials:
            values = space.values(trial.params)
            uar = f"{trial.value:.6f}" if trial.state == TrialState.COMPLETE else ""
            seconds = f"{trial.duration.total_seconds():.2f}"
            row = [trial.number + 1, trial.state.name.lower(), uar, seconds]
            writer.writerow(row + [values[key] for key in space.distributions])


def _plots(trials: Sequence[FrozenTrial], config: Config, study: optuna.Study, folder: Path) -> None:
    values = [trial.value if trial.state == TrialState.COMPLETE else None for trial in trials]
    title = f"{config.name}: UAR on the speakers searched on"
    save(search_history(values, title=title), folder / "history.png")
    if shares := tuning.importances(study, seed=config.seed):
        title = f"{config.name}: share of the variance of UAR, complete trials"
        save(setting_importance(shares, title=title), folder / "importance.png")


def _config(best: Config, out: Path, how: str) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = out.with_name(f".{out.name}.{os.getpid()}.part")  # several processes may end at once
    official = best.split.by == "official"  # whose score is that of the test part, which no search has seen
    content = best.model_copy(update={"tuned": False if official else best.split.holdout}).model_dump()
    content = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    aside.write_text(f"{MARK}: {how}\n{content}", encoding="utf8")
    os.replace(aside, out)
