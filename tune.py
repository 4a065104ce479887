"""Search for good settings of one experiment, on speakers that no final score is measured on.

Test speakers are put aside first: those of split.holdout, or about a fifth of them, chosen by the seed and
written into the best config. The search cross-validates on the others alone. Its best figure is the largest of
many and flatters; train the written config and quote its score on the held-out speakers.

Trials are kept in checkpoints/.tune/<name>.db: several processes may work on one search, and after a kill or
Ctrl-C the same command goes on. With --storage postgresql://... processes on several machines may work on one.
--trials is the number of finished ones in all.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from utils import bars, cli
from utils.plugins import ROOT


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    from utils import config as configs

    base = configs.read(options.config[0], options.set)
    from evaluation.tuning import report as tuning_report
    from evaluation.tuning import search as tuning
    from evaluation.tuning import space as spaces
    from evaluation.tuning import study as studies

    space = spaces.read(options.space, base)
    points = len(space.grid()) if options.sampler == "grid" else None
    folder = options.checkpoints / ".tune" / base.name
    place = studies.database(options.storage or f"sqlite:///{folder}.db")
    folder = place.with_suffix("") if isinstance(place, Path) else folder
    out = options.out or ROOT / "config" / "tuned" / f"{base.name}.yaml"
    tuning_report.check_free(out)
    datasets = _datasets(base, space, options)
    protected, seen = tuning.protect(next(iter(datasets.values())), base)
    searched = tuning.inner(next(iter(datasets.values()))[seen], protected, options.folds)
    parts = {recipe: data[seen] for recipe, data in datasets.items()}
    del datasets  # what the search must not see is gone from here on
    _say_protocol(parts, protected, searched)
    study = studies.open_study(place, base.name, _identity(base, searched, space, parts))
    trials = options.trials or points

    def objective(values: dict, step) -> float:
        config = spaces.with_values(searched, values, options.space)
        return tuning.uar(parts[_recipe(config)], config, step=step)

    begun = time.monotonic(), len(studies.finished(study))
    try:
        with bars.progress(base.name, "trials", before=begun[1], quiet=True) as bar:
            studies.run(
                study, place, space, objective, trials=trials, sampler=options.sampler, seed=base.seed,
                prune=not options.no_pruning,
                report=lambda trial: _say_trial(trial, study, space, min(trials, points or trials), begun, bar),
            )  # fmt: skip
    finally:  # after Ctrl-C too
        for line in tuning_report.write(study, space, protected, out, folder, limit=options.limit):
            print(line, flush=True)
    return 0


def _recipe(config) -> str:
    from extract_feats.cache import read as load

    return load.identity(config)


def _datasets(base, space, options: argparse.Namespace) -> dict:
    """Return recipe -> data set, of every recipe in the space; all hold the same clips."""
    import json

    from evaluation.training import fit
    from evaluation.tuning.space import with_values
    from extract_feats.cache import read as load
    from models.common import check_input
    from utils.errors import ConfigError

    found: dict = {}
    for values in space.recipes():
        config = with_values(base, values, options.space)
        recipe = load.recipe_of(config)
        if "model" not in space.distributions and "model.name" not in space.distributions:
            check_input(config.model, recipe.layout.frames, recipe.label)
        overrides = [*options.set, *(f"{key}={json.dumps(value)}" for key, value in values.items())]
        command = cli.preprocess_command(argparse.Namespace(**vars(options) | {"set": overrides}))
        data = load.dataset(config, options.features, command=command, limit=options.limit)
        fit.check(data, config)
        found[load.identity(config)] = data
    first, *others = found.values()
    for data in others:
        if data.ids.tolist() != first.ids.tolist():
            raise ConfigError(
                f"{options.space}: the features were not extracted from the same clips; tune them singly."
            )
    return found


def _identity(base, searched, space, parts: dict) -> dict:
    """Return what makes it this search: another under the same name is refused."""
    from evaluation.training import fit

    ranges = {key: repr(distribution) for key, distribution in space.distributions.items()}
    return {
        "the config": base.model_dump_json(),
        "the folds": searched.split.model_dump_json(),
        "the space": ranges,
        "the data": [fit.fingerprint(data) for data in parts.values()],
    }


def _say_protocol(parts: dict, protected, searched) -> None:
    import numpy as np

    seen = next(iter(parts.values()))
    held = ", ".join(map(str, protected.split.holdout)) or "the official test part"
    folds = f"{searched.split.folds} folds" if searched.split.by in ("speaker", "random") else "folds"
    print(
        f"{protected.name}: searching on {len(seen)} clips of {len(np.unique(seen.speakers))} speakers, "
        f"{folds} by {searched.split.by};\n  never seen: {held}",
        flush=True,
    )


def _say_trial(trial, study, space, trials: int, begun: tuple[float, int], bar: bars.Progress) -> None:
    """Print a trial's result and the time left at the rate since ``begun``, a clock and the trials done by then."""
    from evaluation.tuning import study as studies
    from evaluation.tuning.report import settings

    done = len(studies.finished(study))
    what = f"UAR {trial.value:.3f}" if trial.state.name == "COMPLETE" else "pruned"
    left = (time.monotonic() - begun[0]) / max(done - begun[1], 1) * max(trials - done, 0)
    text = f"trial {trial.number + 1}, {done}/{trials} finished: {what}, {settings(space.values(trial.params))}"
    text += f", {left:.0f} s left" if left else ""
    print(text, file=sys.stderr, flush=True)  # however long: a line a trial
    bar(done, trials)


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.parser(
        __doc__, "python tune.py --config config/demo_svm.yaml \\\n    --space config/spaces/svm.yaml --trials 8"
    )
    cli.add_experiment_options(parser)
    cli.add_checkpoints_option(parser)
    parser.add_argument("--space", required=True, metavar="YAML", help="keys and their ranges, config/spaces/*.yaml")
    parser.add_argument("--trials", type=int, metavar="N", help="finished ones in all; all points by grid")
    parser.add_argument("--sampler", choices=("tpe", "grid", "random"), default="tpe", help="who chooses (tpe)")
    parser.add_argument("--no-pruning", action="store_true", help="train every trial on every fold")
    parser.add_argument("--folds", type=int, metavar="N", help="of the search, by speaker, instead of the config's")
    parser.add_argument(
        "--storage", metavar="URL", help="sqlite:///PATH (checkpoints/.tune/<name>.db) or postgresql://..."
    )
    parser.add_argument("--out", type=Path, metavar="YAML", help="the best config (config/tuned/<name>.yaml)")
    options = parser.parse_args(argv)
    if len(options.config) != 1:
        parser.error("--config takes one experiment here")
    if options.trials is None and options.sampler != "grid":
        parser.error("give --trials N, the number of finished trials in all")
    for name, least in (("trials", 1), ("folds", 2)):
        if (given := getattr(options, name)) is not None and given < least:
            parser.error(f"--{name} must be at least {least}, got {given}")
    return options


if __name__ == "__main__":
    cli.run(main)
