"""Show what a trained model answers by, on clips it was not trained on: attention, maps, importance.

Each map is tested: if removing the marked parts changes the answer no more than random removal, ignore the map.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from utils import bars, cli
from utils.plugins import ROOT


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    run, status = _read(options.checkpoint), 0
    folder = options.checkpoint / "explanations"
    if options.file:
        folder /= "clips"
        status = _explain_recordings(run, options.file, folder)
    else:
        cli.say(_explain_run(run, folder, options).removesuffix("\n"))
    print(f"pictures and figures: {folder}")
    return status


def _read(checkpoint: Path):
    from evaluation.checkpoint import finished
    from utils.errors import ConfigError

    if not (checkpoint / "model.json").is_file():
        raise ConfigError(f"{checkpoint}: no model.json in it. Give a folder that train.py wrote, checkpoints/NAME.")
    run = finished.member(checkpoint)
    if run.config.members:
        raise ConfigError(
            f"{run.name}: an ensemble is explained by its members. Give one: "
            f"{', '.join(str(checkpoint.parent / name) for name in run.config.members)}."
        )
    return run


def _explain_run(run, folder: Path, options: argparse.Namespace) -> str:
    """Write what the run's models answer by; return it as text."""
    from evaluation.explanations import explain, results, unseen
    from evaluation.pages import report as page
    from evaluation.training import fit
    from extract_feats.cache import read

    given = argparse.Namespace(config=[run.folder / "config.yaml"], set=[], features=options.features, limit=None)
    limit = run.card["protocol"].get("limit")
    data = read.dataset(run.config, options.features, command=cli.preprocess_command(given), limit=limit)
    with bars.progress("training folds again", "folds") as report:
        parts, which = unseen.models_and_clips(data, run.config, run.folder, folds=options.folds, report=report)
    if fit.fingerprint(data, fit.initial_weights(run.config)) != run.card["fingerprint"]:
        which += ". The clips, features or first weights have changed since the checkpoint was trained"
    explanation = explain.explain_run(parts, run.config, which, limit=options.limit or 5, progress=bars.progress)
    words = results.write_run(explanation, folder)
    page.refresh(run.folder)
    return words


def _explain_recordings(run, files: Sequence[Path], folder: Path) -> int:
    """Write and print what the shipped model answers by on each file; return 1 if a file could not be read."""
    from evaluation.explanations import results
    from utils.errors import DataError

    status = 0
    for words in results.explain_recordings(run.folder, run.config, run.card, files, folder):
        if isinstance(words, DataError):
            cli.fail(words)
            status = 1
        else:
            cli.say(str(words))
    return status


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.parser(__doc__, "python explain.py --checkpoint checkpoints/demo_svm")
    parser.add_argument("--checkpoint", type=Path, required=True, metavar="DIR", help="a trained model")
    parser.add_argument(
        "--file", type=Path, nargs="+", metavar="WAV", help="explain these recordings, by the shipped model"
    )
    parser.add_argument("--limit", type=cli.positive, metavar="N", help="maps of only N clips per class (5)")
    parser.add_argument(
        "--folds", type=cli.positive, metavar="N", help="folds to train again (all of an estimator, 1 of a network)"
    )
    parser.add_argument("--features", type=Path, default=ROOT / "features", metavar="DIR", help="the cache (features/)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main)
