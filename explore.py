"""Show what an experiment's clips and features look like before any model.

Who speaks, how it was recorded, what the features know of the emotion and what
of the speaker. It reads the cache that preprocess.py filled, no audio, and
writes one page, explorations/NAME/explore.html, its pictures and its tables.
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
    from evaluation.exploration import page as exploration_page
    from evaluation.exploration import pictures as exploration_pictures
    from evaluation.exploration import survey
    from evaluation.exploration import tables as survey_tables
    from evaluation.splits.folds import holdout
    from extract_feats.cache import corpus_lists as clips
    from extract_feats.cache import read as load
    from extract_feats.cache.store import FeatureStore

    config = config.model_copy(update={"augment": []})  # copies are of the same clips
    data = load.dataset(config, options.features, command=cli.preprocess_command(options), limit=options.limit)
    data = data[holdout(data, config.split.model_dump())[0]]
    notes = [f"A trial: at most {options.limit} clips a class were looked at."] if options.limit else []
    if config.split.holdout:
        notes.append(f"Held out, and left out here too: {', '.join(map(str, config.split.holdout))}.")
    recipe, folder = load.recipe_of(config), options.out / config.name
    sounds = clips.read_sounds(config.corpora, options.features)
    names = FeatureStore(options.features, recipe).names
    with bars.progress(f"exploring {config.name}", "steps") as report:
        found = survey.of_clips(
            data, sounds, names, name=config.name, seed=config.seed, opensmile=recipe.plugin == "opensmile",
            notes=notes, report=report,
        )  # fmt: skip
    with bars.progress(f"drawing {config.name}", "pictures") as report:
        pictures = exploration_pictures.write(found, folder, report=report)
    tables = survey_tables.write(found, folder)
    page = folder / "explore.html"
    page.write_text(exploration_page.page(found, folder, recipe=recipe.label), encoding="utf8")
    print("\n".join(survey.summary(found)))
    shown = page.relative_to(Path.cwd()) if page.is_relative_to(Path.cwd()) else page
    print(f"\n{shown}, {len(pictures)} pictures, {len(tables)} tables")


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.parser(__doc__, "python explore.py --config config/demo_svm.yaml")
    cli.add_experiment_options(parser)
    parser.add_argument(
        "--out", type=Path, default=ROOT / "explorations", metavar="DIR",
        help="where to make a folder an experiment (explorations/)",
    )  # fmt: skip
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main)
