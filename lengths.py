"""Test how much of a clip a model needs: trained and tested on the same clips cut to several lengths."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from utils import bars, cli


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    from evaluation.checkpoint import tables
    from evaluation.checkpoint import write as checkpoint
    from evaluation.pages import report as reports
    from evaluation.splits import folds as splits
    from evaluation.studies import lengths
    from utils import config as configs
    from utils import plots
    from utils.plots import robustness as robustness_plots

    config = configs.read(options.config[0], options.set)
    datasets = _datasets(config, options)
    data = next(iter(datasets.values()))
    folds = list(enumerate(splits.folds(data, config.split.model_dump(), seed=config.seed)))
    folds = [folds[number - 1] for number in _numbers(options.folds, len(folds), config.name)]
    part = data[[row for _, fold in folds for row in fold.test]]
    with bars.progress(config.name, "models") as report:
        said = lengths.predictions(datasets, config, folds, report=report)
    rows = lengths.scores(part.truth, part.speakers, said, len(data.labels), seed=config.seed)
    folder = options.checkpoints / config.name
    folder.mkdir(parents=True, exist_ok=True)
    tables.write_csv(folder / "lengths.csv", list(rows[0]), [list(row.values()) for row in rows])
    tested = ", ".join(fold.name for _, fold in folds) if len(folds) < 4 else f"{len(folds)} folds"
    protocol = checkpoint.stated(data, config, [fold for _, fold in folds], validation="none")
    marks = checkpoint.marks({"limit": options.limit, "tuned": config.tuned})
    title = f"{config.name}: {checkpoint.kind_text(protocol)}, {len(part)} clips, {tested}{marks}"
    plots.save(robustness_plots.lengths(*lengths.matrix(rows), title=title), folder / "lengths.png")
    text = "\n".join([f"{title}; cut from second {config.clip.offset:g} on", "", *lengths.lines(rows)])
    (folder / "lengths.txt").write_text(text + "\n", encoding="utf8")
    reports.refresh(folder)
    print(f"{text}\n\n{folder}: lengths.txt, lengths.csv, lengths.png")
    return 0


def _numbers(asked: Sequence[int], there: int, name: str) -> Sequence[int]:
    from utils.errors import ConfigError

    if asked and max(asked) > there:
        raise ConfigError(f"--folds {max(asked)}: {name} has {there}.")
    return asked or range(1, there + 1)


def _datasets(config, options: argparse.Namespace) -> dict:
    """Return length -> clips and features, extracted where they are not cached; the clips that every length has."""
    from extract_feats.cache import read as load
    from extract_feats.cache.fill import fill
    from extract_feats.cache.scan import scan
    from extract_feats.cache.task import Task
    from utils.dataset import common

    found = {}
    for seconds in sorted(set(options.seconds)):
        cut = config.model_copy(update={"clip": config.clip.model_copy(update={"seconds": seconds})})
        for corpus in scan(cut, options.limit):
            tasks = [Task(corpus, recipe) for recipe in load.recipes_of(cut)]
            with bars.progress(f"{corpus.label} {tasks[0].recipe.label}, {seconds:g} s") as report:
                fill(tasks, options.features, jobs=options.jobs, progress=report)
        command = cli.preprocess_command(options)
        found[f"{seconds:g} s"] = load.dataset(cut, options.features, command=command, limit=options.limit)
    return dict(zip(found, common(list(found.values())), strict=True))


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
    parser.add_argument("--jobs", type=cli.jobs, default=-1, metavar="N", help="processes (-1: one a core)")
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
