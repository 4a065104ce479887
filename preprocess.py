"""Check the corpora of an experiment and cache their features below features/."""

import argparse
import sys
from collections.abc import Sequence

from utils import bars, cli


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    from utils import config as configs

    experiments = [configs.read(path, options.set) for path in options.config]
    from extract_feats.cache.task import last_line, tasks_of

    known = {}  # corpora that are read, which the experiments share
    tasks = [tasks_of(experiment, options.limit, known) for experiment in experiments]  # mistakes cost no extraction
    outcomes, checked, rejected = {}, set(), 0
    for experiment, wanted in zip(experiments, tasks, strict=True):
        lines = []
        for task in (task for task in wanted if task.listed):
            if task not in outcomes:
                same = [other for one in tasks for other in one if other.scan.entry == task.scan.entry]
                outcomes |= _fill(same, options)
            rejected += _report(task, outcomes[task], checked, options)
            lines.append(last_line(task, outcomes[task]))
        if options.export:
            _export(experiment, wanted[0].recipe, options)
        cli.say("\n".join(lines))
    return 1 if rejected and options.strict else 0


def _fill(tasks: list, options: argparse.Namespace) -> dict:
    """Extract what is not cached yet for tasks of the same corpus; return task -> outcome."""
    from extract_feats.cache.fill import fill

    listed = {task.recipe.label for task in tasks if task.listed}
    features = listed.pop() if len(listed) == 1 else f"{len(listed)} recipes"
    with bars.progress(f"{tasks[0].scan.label} {features}") as report:
        outcomes = fill(
            tasks, options.features, jobs=options.jobs, dask=options.dask, verify=options.verify, progress=report,
            waiting=lambda: print("waiting: another process is writing this recipe", file=sys.stderr),
        )  # fmt: skip
    return dict(zip(tasks, outcomes, strict=True))


def _report(task, outcome, checked: set[str], options: argparse.Namespace) -> int:
    """Print the check of a corpus that is not among the ``checked`` ones; return how many files are rejected."""
    import corpora
    from corpora.base import check
    from extract_feats.cache.corpus_lists import corpus_folder

    corpus, refused = task.scan, task.scan.rejected + outcome.rejected
    if str(corpus.entry) not in checked:  # the same corpus under another recipe holds the same files
        checked.add(str(corpus.entry))
        expected = None if options.limit else corpora.published(corpus.entry)
        cli.say("\n".join(check.summary(corpus.utterances, refused, outcome.sounds, expected)))
    if refused:
        where = corpus_folder(corpus.entry, corpus.label, options.features) / "rejected.csv"
        print(f"  rejected files and reasons: {where}")
    return len(refused)


def _export(experiment, recipe, options: argparse.Namespace) -> None:
    from extract_feats.cache.read import exported
    from extract_feats.cache.store import FeatureStore, export

    path = options.export / f"{experiment.name}.parquet"
    rows = exported(experiment, options.features, command=cli.preprocess_command(options))
    export(FeatureStore(options.features, recipe), rows, path)
    print(f"exported: {path}")


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    from pathlib import Path

    parser = cli.parser(__doc__, "python preprocess.py --config config/demo_svm.yaml config/demo_bilstm.yaml")
    cli.add_experiment_options(parser)
    parser.add_argument("--jobs", type=cli.jobs, default=-1, metavar="N", help="processes (-1: one per core)")
    parser.add_argument("--dask", metavar="ADDRESS", help="extract on the workers of this Dask scheduler instead")
    parser.add_argument("--verify", action="store_true", help="read every file again, whatever its date and size")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if any file was rejected")
    parser.add_argument("--export", type=Path, metavar="DIR", help="also write the features as DIR/<name>.parquet")
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main)
