"""Check the corpora of an experiment and cache their features below features/."""

import argparse
import sys
from collections.abc import Sequence
from itertools import product

from utils import bars, cli


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    from utils import config as configs

    experiments = [configs.read(path, options.set) for path in options.config]  # a typo in the last costs no extraction
    import corpora
    from corpora.base import check
    from extract_feats.cache import corpus_lists as clips
    from extract_feats.cache import fill as cache
    from extract_feats.cache import read as load

    checked, rejected = set(), 0
    for experiment in experiments:
        recipes = load.recipes_of(experiment)
        lines = []
        for found, recipe in product(cache.scan(experiment, options.limit), recipes):
            with bars.progress(f"{found.label} {recipe.label}") as report:
                outcome = cache.fill(
                    found, recipe, options.features, jobs=options.jobs, dask=options.dask, verify=options.verify,
                    progress=report,
                    waiting=lambda: print("waiting: another process is writing this recipe", file=sys.stderr),
                )  # fmt: skip
            refused = found.rejected + outcome.rejected
            rejected += len(refused)
            if str(found.entry) not in checked:  # the same corpus under another recipe holds the same files
                checked.add(str(found.entry))
                expected = None if options.limit else corpora.published(found.entry)
                print("\n".join(check.summary(found.utterances, refused, outcome.sounds, expected)))
            if refused:
                where = clips.corpus_folder(found.entry, found.label, options.features) / "rejected.csv"
                print(f"  rejected files and reasons: {where}")
            lines.append(cache.last_line(found, recipe, outcome))
            if recipe.variant is None:
                with bars.progress(f"{found.label} channel") as report:
                    channel = load.channel_recipe(experiment)
                    cache.measure(found, channel, options.features, jobs=options.jobs, progress=report)
        if options.export:
            _export(experiment, recipes[0], options)
        print("\n".join(lines), flush=True)
    return 1 if rejected and options.strict else 0


def _export(experiment, recipe, options: argparse.Namespace) -> None:
    from extract_feats.cache import read as load
    from extract_feats.cache import store

    path = options.export / f"{experiment.name}.parquet"
    rows = load.exported(experiment, options.features, command=cli.preprocess_command(options))
    store.export(store.FeatureStore(options.features, recipe), rows, path)
    print(f"exported: {path}")


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    from pathlib import Path

    parser = cli.parser(__doc__, "python preprocess.py --config config/demo_svm.yaml config/demo_bilstm.yaml")
    cli.add_experiment_options(parser)
    parser.add_argument("--jobs", type=cli.jobs, default=-1, metavar="N", help="processes (-1: one a core)")
    parser.add_argument("--dask", metavar="ADDRESS", help="extract on the workers of this Dask scheduler instead")
    parser.add_argument("--verify", action="store_true", help="read every file again, whatever its date and size")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if any file was rejected")
    parser.add_argument("--export", type=Path, metavar="DIR", help="also write the features as DIR/<name>.parquet")
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main)
