"""Train and compare models on cached features: the same clips, the same folds, one table."""

import argparse
from collections.abc import Sequence

from utils import cli
from utils.seeds import LARGEST_SEED


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    if options.list:
        from utils.plugins import listing

        print(listing.listing(options.list))
        return 0
    from evaluation.training.plan import Settings, plan

    settings = Settings.of(options)
    if options.honesty:
        from evaluation.studies import protocols

        protocols.compare_protocols(settings, options.other, _say)
        return 0
    runs = plan(settings)
    if options.matrix:
        from evaluation.studies import cross_corpus_table

        cross_corpus_table.train_matrices(runs, settings, _say)
        return 0
    from evaluation.training.run import run_all  # it draws: not for a mistake in a config

    run_all(runs, settings, _say)
    _compare(runs, settings)
    return 0


def _compare(runs: Sequence, settings) -> None:
    from evaluation.studies import comparison

    table = comparison.compare([run.folder for run in runs])
    table += comparison.over_seeds(table) if settings.seeds else []
    comparison.write(table, settings.checkpoints / "comparison.csv")
    cli.say("\n".join(comparison.lines(table)))
    print(f"\n{settings.checkpoints}:\n  comparison.csv, comparison.png")


def _say(text: str) -> None:
    cli.say(text)


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.parser(__doc__, "python train.py --config config/demo_svm.yaml config/demo_bilstm.yaml")
    cli.add_experiment_options(parser, required=False)
    cli.add_checkpoints_option(parser)
    parser.add_argument("--overwrite", action="store_true", help="train again where a finished run differs")
    parser.add_argument("--matrix", action="store_true", help="instead: train on each corpus alone, test on every one")
    parser.add_argument(
        "--seeds", nargs="+", type=int, default=[], metavar="N", help="run each config once per seed: mean and spread"
    )
    parser.add_argument(
        "--tensorboard",
        action="store_true",
        help="write a network's curves as event files; they are in checkpoints/NAME/tensorboard when training ends",
    )
    parser.add_argument(
        "--honesty",
        action="store_true",
        help="test one config on seen speakers, on unseen speakers and on --other, side by side",
    )
    parser.add_argument("--other", metavar="YAML", help="with --honesty: whose corpora, merge and drop to test on")
    parser.add_argument(
        "--list",
        choices=("models", "features", "corpora", "augment", "configs"),
        help="list what is available, with arguments and defaults",
    )
    options = parser.parse_args(argv)
    _check(parser, options)
    return options


def _check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse options that do not go together."""
    if unfit := [seed for seed in options.seeds if not 0 <= seed <= LARGEST_SEED]:
        parser.error(f"--seeds: must be 0 to {LARGEST_SEED}, got {unfit[0]}")
    if not options.list and not options.config:
        parser.error("give --config YAML [YAML ...], or --list models|features|corpora|augment|configs")
    if options.honesty and len(options.config) != 1:
        parser.error("--honesty takes one --config")
    for given in ("matrix", "seeds"):
        if options.honesty and getattr(options, given):
            parser.error(f"--honesty goes without --{given}")
    if options.tensorboard and options.matrix:
        parser.error("--tensorboard goes without --matrix")
    if options.other and not options.honesty:
        parser.error("--other goes with --honesty")


if __name__ == "__main__":
    cli.run(main)
