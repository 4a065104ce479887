"""Test a model on the same clips through other channels: telephone, MP3, noise, a room, clipping, level."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from utils import bars, cli


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    from evaluation.checkpoint import finished, protocol
    from evaluation.pages import report
    from evaluation.studies import robustness, robustness_table, tested_folds

    run = _experiment(options.checkpoint, options)
    other = _experiment(options.against, options) if options.against else None
    if other:
        robustness.need_comparable(run, other)
    part, n_classes, seed = run.tested, len(run.data.labels), run.config.seed
    answers = _answers(run, options)
    rows = robustness.scores(part.truth, part.speakers, answers, n_classes, seed=seed)
    if other:
        against = _answers(other, options)
        rows = robustness.compared(rows, part.truth, part.speakers, answers, against, n_classes, seed=seed)
    folder, name = options.checkpoint, options.checkpoint.name
    title = tested_folds.title(name, protocol.read(finished.read(folder).card["protocol"]), len(part), run.folds)
    against_name = options.against.name if other else None
    text = robustness_table.write(folder, rows, title=title, name=name, against=against_name)
    report.refresh(folder)
    cli.say(f"{text}\n\n{folder}: robustness.txt, robustness.csv, robustness.png")
    return 0


def _experiment(checkpoint: Path, options: argparse.Namespace):
    """Return the experiment of a finished run, with the folds to test."""
    from evaluation.checkpoint import finished
    from evaluation.studies import tested_folds
    from evaluation.studies.robustness import Experiment
    from extract_feats.cache import read
    from utils import config as configs

    limit = finished.read(checkpoint).card["protocol"]["limit"]
    config = configs.read(checkpoint / "config.yaml")
    command = cli.command("preprocess.py", options, config=[checkpoint / "config.yaml"], set=[])
    data = read.dataset(config, options.features, command=command, limit=limit)
    return Experiment(config, data, tested_folds.choose(data, config, options.folds))


def _answers(run, options: argparse.Namespace) -> dict:
    """Return condition -> what the run's fold models answer on their test clips."""
    from evaluation.studies import robustness

    clips = _clips(run, options)
    with bars.progress(f"{run.config.name}: testing", "folds") as report:
        return robustness.answers(run, clips, report=report)


def _clips(run, options: argparse.Namespace) -> dict:
    """Return condition -> the test clips under it; features that are not cached are extracted."""
    from evaluation.studies.robustness import CLEAN, ConditionClips, sections
    from extract_feats.cache import conditions, read

    config, part, cache = run.config, run.tested, options.features
    own, channel = read.recipe_of(config), read.channel_recipe(config)
    recipes = {CLEAN: (own, channel)} | {
        condition: tuple(conditions.recipe(recipe, section, config.seed) for recipe in (own, channel))
        for condition, section in sections().items()
    }
    with bars.progress(f"{config.name}: extracting", "clips") as report:
        every = [recipe for pair in recipes.values() for recipe in pair]
        conditions.extract(config, every, part.ids, cache, jobs=options.jobs, report=report)
    clips = {}
    for condition, pair in recipes.items():
        features, measures = (conditions.read(recipe, part, cache) for recipe in pair)
        clips[condition] = ConditionClips(features, dict(zip(channel.names(), measures.T, strict=True)))
    return clips


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.parser(__doc__, "python robustness.py --checkpoint checkpoints/demo_svm --folds 1")
    add = parser.add_argument
    add("--checkpoint", type=Path, required=True, metavar="DIR", help="a finished run, checkpoints/NAME")
    add("--against", type=Path, metavar="DIR", help="another run, e.g. trained on augmented copies")
    add(
        "--folds", nargs="+", type=cli.positive, default=[], metavar="N",
        help="only these, from 1; one model is fitted per fold",
    )  # fmt: skip
    add("--features", type=Path, default=cli.ROOT / "features", metavar="DIR", help="the cache (features/)")
    add("--jobs", type=cli.jobs, default=-1, metavar="N", help="processes (-1: one per core)")
    parser.set_defaults(config=[], set=[], limit=None)  # which cli.command asks for
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main)
