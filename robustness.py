"""Test a model on the same clips through other channels: telephone, MP3, noise, a room, clipping, level."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from utils import bars, cli


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    from evaluation.checkpoint import finished, tables
    from evaluation.checkpoint import write as checkpoint
    from evaluation.pages import report
    from evaluation.studies import robustness
    from utils import plots
    from utils.plots import robustness as robustness_plots

    name, rows, labels = options.checkpoint.name, *_scores(options)
    protocol = finished.read(options.checkpoint).card["protocol"]
    folder = options.checkpoint
    tables.write_csv(folder / "robustness.csv", list(rows[0]), [list(row.values()) for row in rows])
    tested = ", ".join(labels) if len(labels) < 4 else f"{len(labels)} folds"
    over = f"{name}: {checkpoint.kind_text(protocol)}, {rows[0]['n_clips']} clips, {tested}{checkpoint.marks(protocol)}"
    figure = robustness_plots.channels(rows, name, options.against.name if options.against else None, title=over)
    plots.save(figure, folder / "robustness.png")
    text = "\n".join([over, "", *robustness.lines(rows)])
    (folder / "robustness.txt").write_text(text + "\n", encoding="utf8")
    report.refresh(folder)
    print(f"{text}\n\n{folder}: robustness.txt, robustness.csv, robustness.png")
    return 0


def _scores(options: argparse.Namespace) -> tuple[list[dict], list[str]]:
    """Return a row a condition and the names of the folds that were tested."""
    import numpy as np

    from evaluation.studies import robustness
    from utils.errors import ConfigError

    config, data, folds = _experiment(options.checkpoint, options)
    other = None
    if options.against:
        other, compared, _ = _experiment(options.against, options)
        differing = config.differing(other) + ([] if np.array_equal(data.ids, compared.ids) else ["the clips"])
        if differing:
            raise ConfigError(f"{config.name} and {other.name} cannot be compared: they differ in {differing[0]}.")
    test = np.concatenate([fold.test for fold in folds])
    part = data[test]
    said, hints = _through(config, data, folds, options)
    rows = robustness.scores(part.truth, part.speakers, said, len(data.labels), seed=config.seed)
    if other:
        against, _ = _through(other, compared, folds, options)
        rows = robustness.compared(rows, part.truth, part.speakers, said, against, len(data.labels), seed=config.seed)
    return [row | hints[row["condition"]] for row in rows], [fold.name for fold in folds]


def _experiment(checkpoint: Path, options: argparse.Namespace) -> tuple:
    """Return config, clips and the folds to test of a finished run."""
    from evaluation.checkpoint import finished
    from evaluation.splits import folds as splits
    from extract_feats.cache import read as load
    from utils import config as configs
    from utils.errors import ConfigError

    limit = finished.read(checkpoint).card["protocol"]["limit"]
    config = configs.read(checkpoint / "config.yaml")
    command = cli.command("preprocess.py", options, config=[checkpoint / "config.yaml"], set=[])
    data = load.dataset(config, options.features, command=command, limit=limit)
    folds = splits.folds(data, config.split.model_dump(), seed=config.seed)
    if options.folds and max(options.folds) > len(folds):
        raise ConfigError(f"--folds {max(options.folds)}: {config.name} has {len(folds)}.")
    return config, data, [folds[number - 1] for number in options.folds or range(1, len(folds) + 1)]


def _through(config, data, folds: Sequence, options: argparse.Namespace) -> tuple[Mapping, Mapping]:
    """Return what fold models say of their test clips in every condition, and how often each hint is given there."""
    import numpy as np

    from evaluation.studies import robustness
    from evaluation.training import cross_validation as experiment
    from prediction import out_of_domain

    test = np.concatenate([fold.test for fold in folds])
    features, channel = _features(config, data[test], options)
    said: dict[str, list] = {condition: [] for condition in features}
    hints: dict[str, list] = {condition: [] for condition in features}
    numbers = options.folds or range(1, len(folds) + 1)
    start = 0
    with bars.progress(f"{config.name}: testing", "folds") as report:
        for done, (number, fold) in enumerate(zip(numbers, folds, strict=True), 1):
            model, _ = experiment.fit_fold(data, config, fold, number - 1)
            known = out_of_domain.ranges_of(data[fold.train])
            mine = np.arange(start, start + len(fold.test))
            start += len(fold.test)
            for condition, clips in features.items():
                said[condition].append(model.probabilities(clips[mine]).argmax(axis=1))
                heard = {name: values[mine] for name, values in channel[condition].items()}
                hints[condition] += robustness.hinted(known, clips[mine], heard)
            report(done, len(folds))
    rates = {condition: robustness.rates(found) for condition, found in hints.items()}
    return {condition: np.concatenate(parts) for condition, parts in said.items()}, rates


def _features(config, part, options: argparse.Namespace) -> tuple[Mapping, Mapping]:
    """Return features and channel of the clips, condition -> ..., extracted where they are not cached."""
    from evaluation.studies import robustness
    from extract_feats.cache import conditions
    from extract_feats.cache import read as load

    own, channel = load.recipe_of(config), load.channel_recipe(config)
    recipes = {robustness.CLEAN: (own, channel)} | {
        condition: tuple(conditions.recipe(recipe, section, config.seed) for recipe in (own, channel))
        for condition, section in robustness.sections().items()
    }
    with bars.progress(f"{config.name}: extracting", "recipes") as report:
        wanted = [recipe for pair in recipes.values() for recipe in pair]
        conditions.fill(config, wanted, part.ids, options.features, jobs=options.jobs, report=report)
    features = {condition: conditions.read(pair[0], part, options.features) for condition, pair in recipes.items()}
    heard = {condition: conditions.read(pair[1], part, options.features) for condition, pair in recipes.items()}
    names = channel.names()
    return features, {c: dict(zip(names, values.T, strict=True)) for c, values in heard.items()}


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.parser(__doc__, "python robustness.py --checkpoint checkpoints/demo_svm --folds 1")
    parser.add_argument(
        "--checkpoint", type=Path, required=True, metavar="DIR", help="a finished run, checkpoints/NAME"
    )
    parser.add_argument("--against", type=Path, metavar="DIR", help="another run, e.g. trained on augmented copies")
    parser.add_argument(
        "--folds",
        nargs="+",
        type=cli.positive,
        default=[],
        metavar="N",
        help="only these, from 1; a model is fitted each",
    )
    parser.add_argument(
        "--features", type=Path, default=cli.ROOT / "features", metavar="DIR", help="the cache (features/)"
    )
    parser.add_argument("--jobs", type=cli.jobs, default=-1, metavar="N", help="processes (-1: one a core)")
    parser.set_defaults(config=[], set=[], limit=None)  # which cli.command asks for
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main)
