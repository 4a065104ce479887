"""Show what an experiment's clips and features look like before any model.

Who speaks, how it was recorded, and how well the features separate emotions and
speakers. It reads the cache that preprocess.py filled, no audio, and writes one
page, explorations/NAME/explore.html, its pictures and its tables.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from utils import bars, cli
from utils.plugins import ROOT


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    from utils import config as configs

    experiments = [configs.read(path, options.set) for path in options.config]
    for config in experiments:
        _explore(config, options)
    return 0


def _explore(config, options: argparse.Namespace) -> None:
    from evaluation.exploration import page, pictures, tables, text
    from evaluation.exploration.survey import survey
    from evaluation.splits.folds import holdout
    from extract_feats.cache import corpus_lists, read
    from extract_feats.cache.store import FeatureStore

    config = config.model_copy(update={"augment": []})  # copies are of the same clips
    data = read.dataset(config, options.features, command=cli.preprocess_command(options), limit=options.limit)
    data = data[holdout(data, config.split.model_dump())[0]]
    recipe, folder = read.recipe_of(config), options.out / config.name
    sounds = corpus_lists.read_sounds(config.corpora, options.features)
    names = FeatureStore(options.features, recipe).names
    with bars.progress(f"exploring {config.name}", "steps") as report:
        surveyed = survey(
            data, sounds, names, name=config.name, seed=config.seed, opensmile=recipe.plugin == "opensmile",
            notes=_notes(config, options.limit), report=report,
        )  # fmt: skip
    with bars.progress(f"drawing {config.name}", "pictures") as report:
        drawn = pictures.write(surveyed, folder, report=report)
    written = tables.write(surveyed, folder)
    path = folder / "explore.html"
    path.write_text(page.page(surveyed, folder, recipe=recipe.label), encoding="utf8")
    cli.say("\n".join(text.summary(surveyed)))
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    print(f"\n{shown}, {len(drawn)} pictures, {len(written)} tables")


def _notes(config, limit: int | None) -> list[str]:
    """Return which clips of the experiment are left out, in sentences."""
    notes = [f"A trial: at most {limit} clips per class."] if limit else []
    if config.split.holdout:
        notes.append(f"Held-out speakers are left out: {', '.join(map(str, config.split.holdout))}.")
    return notes


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.parser(__doc__, "python explore.py --config config/demo_svm.yaml")
    cli.add_experiment_options(parser)
    parser.add_argument(
        "--out", type=Path, default=ROOT / "explorations", metavar="DIR",
        help="where to make a folder per experiment (explorations/)",
    )  # fmt: skip
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main)
