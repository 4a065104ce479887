"""Search for good settings of one experiment, on speakers that no final score is measured on.

Test speakers are set aside first: those of split.holdout, or about a fifth of them, chosen by the seed and
written into the best config. The search cross-validates on the other speakers only. Its best UAR is the highest
of many trials, so it is too optimistic; train the written config and quote its score on the held-out speakers.

Trials are kept in checkpoints/.tune/<name>.db: several processes can share one search, and after a kill or
Ctrl-C the same command goes on. With --storage postgresql://... processes on several machines can share one.
--trials is the number of finished trials in all.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from utils import bars, cli
from utils.plugins import ROOT


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    from evaluation.tuning import results, study
    from evaluation.tuning.search import Search
    from evaluation.tuning.space import read_space
    from extract_feats.cache import read
    from utils import config as configs

    base = configs.read(options.config[0], options.set)
    space = read_space(options.space, base)
    points = len(space.grid()) if options.sampler == "grid" else None
    folder = options.checkpoints / ".tune" / base.name
    place = study.database(options.storage or f"sqlite:///{folder}.db")
    folder = place.results_folder(folder)
    out = options.out or ROOT / "config" / "tuned" / f"{base.name}.yaml"
    results.check_free(out)
    search = Search.plan(base, space, _datasets(base, space, options), read.identity, folds=options.folds)
    print(search.describe(), flush=True)
    opened = study.open_study(place, base.name, search.identity)
    wanted = min(options.trials or points, points or options.trials)
    plan = study.Plan(space, wanted, options.sampler, base.seed, prune=not options.no_pruning)
    try:
        with bars.progress(base.name, "trials", before=len(study.finished(opened)), quiet=True) as bar:
            study.run(opened, place, plan, search.uar, report=_trial_report(opened, plan, bar))
    finally:  # after Ctrl-C too
        for line in results.write(opened, search, out, folder, limit=options.limit):
            print(line, flush=True)
    return 0


def _datasets(base, space, options: argparse.Namespace) -> dict:
    """Return recipe -> data set, for every recipe in the space."""
    from evaluation.training import fit
    from evaluation.tuning.space import with_values
    from extract_feats.cache import read
    from models.common import check_input

    datasets: dict = {}
    for values in space.recipes():
        config = with_values(base, values, options.space)
        recipe = read.recipe_of(config)
        if "model" not in space.distributions and "model.name" not in space.distributions:
            check_input(config.model, recipe.layout.frames, recipe.label)
        overrides = [*options.set, *(f"{key}={json.dumps(value)}" for key, value in values.items())]
        command = cli.preprocess_command(argparse.Namespace(**vars(options) | {"set": overrides}))
        data = read.dataset(config, options.features, command=command, limit=options.limit)
        fit.check(data, config)
        datasets[read.identity(config)] = data
    return datasets


def _trial_report(opened, plan, bar: bars.Progress) -> Callable:
    """Return a function that prints a trial's result and the time left at the rate of this call."""
    from evaluation.tuning import results, study

    begun, before = time.monotonic(), len(study.finished(opened))

    def report(trial) -> None:
        done = len(study.finished(opened))
        left = (time.monotonic() - begun) / max(done - before, 1) * max(plan.trials - done, 0)
        line = results.trial_line(trial, plan.space, done=done, trials=plan.trials, seconds_left=left)
        print(line, file=sys.stderr, flush=True)  # one line per trial, however long
        bar(done, plan.trials)

    return report


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
