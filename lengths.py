"""Test how much of a clip a model needs: trained and tested on the same clips cut to several lengths."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from utils import bars, cli


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    from evaluation.checkpoint.protocol import of_run
    from evaluation.pages import report as reports
    from evaluation.studies import lengths, tested_folds
    from utils import config as configs

    config = configs.read(options.config[0], options.set)
    datasets = _datasets(config, options)
    data = next(iter(datasets.values()))
    tested = tested_folds.choose(data, config, options.folds)
    folds = [fold for _, fold in tested]
    part = data[[row for fold in folds for row in fold.test]]
    with bars.progress(config.name, "models") as report:
        predicted = lengths.predictions(datasets, config, tested, report=report)
    rows = lengths.scores(part.truth, part.speakers, predicted, len(data.labels), seed=config.seed)
    protocol = of_run(data, config, folds, validation="none", limit=options.limit)
    title = tested_folds.title(config.name, protocol, len(part), tested)
    folder = options.checkpoints / config.name
    text = lengths.write(folder, rows, title=title, offset=config.clip.offset)
    reports.refresh(folder)
    cli.say(f"{text}\n\n{folder}: lengths.txt, lengths.csv, lengths.png")
    return 0


def _datasets(config, options: argparse.Namespace) -> dict:
    """Return length -> data set of the clips that every length has; features that are not cached are extracted."""
    from extract_feats.cache import read
    from extract_feats.cache.fill import fill
    from extract_feats.cache.scan import scan
    from extract_feats.cache.task import Task
    from utils.dataset import common

    cuts = {}
    for seconds in sorted(set(options.seconds)):
        clip = config.clip.model_copy(update={"seconds": seconds})
        cuts[f"{seconds:g} s"] = config.model_copy(update={"clip": clip})
    recipes = [recipe for cut in cuts.values() for recipe in read.recipes_of(cut)]
    for corpus in scan(config, options.limit):
        with bars.progress(f"{corpus.label} {recipes[0].label}, {', '.join(cuts)}") as report:
            fill([Task(corpus, recipe) for recipe in recipes], options.features, jobs=options.jobs, progress=report)
    command = cli.preprocess_command(options)
    datasets = [read.dataset(cut, options.features, command=command, limit=options.limit) for cut in cuts.values()]
    return dict(zip(cuts, common(datasets), strict=True))


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.parser(__doc__, "python lengths.py --config config/demo_svm.yaml --seconds 0.5 1")
    cli.add_experiment_options(parser)
    cli.add_checkpoints_option(parser)
    parser.add_argument(
        "--seconds",
        nargs="+",
        type=_seconds,
        default=[1, 2, 3, 4, 5],
        metavar="S",
        help="lengths, 1 2 3 4 5 unless given",
    )
    parser.add_argument("--folds", nargs="+", type=cli.positive, default=[], metavar="N", help="only these, from 1")
    parser.add_argument("--jobs", type=cli.jobs, default=-1, metavar="N", help="processes (-1: one per core)")
    options = parser.parse_args(argv)
    options.checkpoints = Path(options.checkpoints)
    if len(options.config) > 1:
        parser.error(f"--config: one at a time, got {len(options.config)}")
    return options


def _seconds(text: str) -> float:
    from utils.audio.prepare import SHORTEST

    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not SHORTEST <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number of at least {SHORTEST}, got {text!r}")
    return value


if __name__ == "__main__":
    cli.run(main)
