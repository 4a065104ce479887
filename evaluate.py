"""Test a trained model on other clips: another config's corpora, or a folder of labelled recordings."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from utils import bars, cli


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    from prediction import Recogniser

    predictor = Recogniser.open(options.checkpoint).predictor  # refuses features that are no longer those of training
    configs = _configs(predictor.card, options)  # a typo in the last costs no evaluation
    from evaluation.checkpoint import write as checkpoint
    from evaluation.pages import report
    from evaluation.studies import other_clips as transfer

    for config in configs:
        recipes = [_with_recipe(config, card) for card in predictor.card.get("members", [predictor.card])]
        data = _data(recipes, predictor, options)
        folder, found = transfer.evaluate(
            options.checkpoint, predictor, recipes[0], data, limit=options.limit, only_shared=options.shared_labels
        )
        print(checkpoint.text(found))
        report.refresh(options.checkpoint)
        print(f"\n{folder}: metrics, predictions and plots\n", flush=True)
    return 0


def _configs(card: dict, options: argparse.Namespace) -> list:
    """What is to be tested on, with the words that --merge and --drop add."""
    from utils import config as configs
    from utils.errors import ConfigError

    name = [f"name={options.name}"] if options.name else []
    if options.folder:
        found = [configs.check(_folder(card, options), f"--folder {options.folder}")]
    else:
        found = [configs.read(path, options.set + name) for path in options.config]
    merge, drop = dict(options.merge), options.drop
    found = [c.model_copy(update={"merge": c.merge | merge, "drop": c.drop + drop}) for c in found]
    names = [config.name for config in found]
    if len(set(names)) < len(names):
        raise ConfigError(f"two configs are named {max(names, key=names.count)!r}; each needs a name of its own.")
    return found


def _folder(card: dict, options: argparse.Namespace) -> dict:
    """A config of the folder's clips; its recipe is the checkpoint's."""
    entry = {"name": options.corpus, "root": str(options.folder.resolve())}
    entry |= {"speaker": options.speaker} if options.speaker else {}
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", options.folder.resolve().name).lstrip("._-") or "folder"
    features = {} if "members" in card else {"features": card["features"]}
    return {"name": options.name or name, "corpora": [entry], "model": card["model"], **features}


def _with_recipe(config, card: dict):
    """The clips of a config under the recipe of a checkpoint or of a member of it."""
    from utils.config import Clip

    recipe = {"features": card["features"], "rate": card["rate"], "clip": Clip(**card["clip"])}
    return config.model_copy(update=recipe | {"normalise": card["normalise"], "augment": [], "balance": "none"})


def _data(recipes: list, predictor, options: argparse.Namespace):
    """Clips and features, extracted into the cache where they are not there yet."""
    from collections import Counter

    from evaluation.studies import other_clips as transfer
    from evaluation.training import ensemble
    from extract_feats.cache import fill as cache
    from extract_feats.cache import read as load
    from utils.dataset import common

    scans = cache.scan(recipes[0], options.limit)
    counts = Counter(utterance.emotion for found in scans for utterance in found.chosen)
    transfer.check_labels(counts, predictor.labels, recipes[0].name)  # before hours of extraction
    datasets = []
    for config in recipes:
        for found in scans:
            _fill(found, load.recipe_of(config), options)
        datasets.append(load.dataset(config, options.features, command="python evaluate.py", limit=options.limit))
    datasets = common(datasets)
    return ensemble.joined(datasets) if "members" in predictor.card else datasets[0]


def _fill(found, recipe, options: argparse.Namespace) -> None:
    from extract_feats.cache import corpus_lists as clips
    from extract_feats.cache import fill as cache
    from utils.errors import DataError

    with bars.progress(f"{found.label} {recipe.label}") as report:
        outcome = cache.fill(found, recipe, options.features, jobs=options.jobs, progress=report)
    refused = found.rejected + outcome.rejected
    if refused or outcome.extracted:
        print(cache.last_line(found, recipe, outcome))
    where = clips.corpus_folder(found.entry, found.label, options.features) / "rejected.csv"
    if refused:
        print(f"  rejected files and reasons: {where}")
    if found.chosen and len(outcome.rejected) == len(found.chosen):
        raise DataError(f"{found.label}: none of {len(found.chosen)} clips can be used; reasons in {where}.")


def _pair(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not (old and equals and new):
        raise argparse.ArgumentTypeError(f"must be LABEL=LABEL, e.g. boredom=neutral, got {text!r}")
    return old, new


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.parser(
        __doc__, "python evaluate.py --checkpoint checkpoints/ravdess_svm_is10 \\\n"
        "    --config config/emodb_svm_is10.yaml --drop boredom",
    )  # fmt: skip
    parser.add_argument("--checkpoint", type=Path, required=True, metavar="DIR", help="trained, checkpoints/NAME")
    cli.add_experiment_options(parser, required=False)
    parser.add_argument("--folder", type=Path, metavar="DIR", help="labelled clips instead of a config's corpora")
    parser.add_argument("--corpus", default="folders", metavar="NAME", help="how DIR is read (folders)")
    parser.add_argument("--speaker", metavar="PATTERN", help=r"who speaks, by the file's name, e.g. '^(\w+?)_'")
    parser.add_argument(
        "--merge", nargs="+", type=_pair, default=[], metavar="A=B", help="the clips' label A becomes B"
    )
    parser.add_argument("--drop", nargs="+", default=[], metavar="LABEL", help="leave clips of this label out")
    parser.add_argument("--shared-labels", action="store_true", help="choose only among the labels that the clips have")
    parser.add_argument("--name", metavar="NAME", help="folder below checkpoints/NAME/evaluations/")
    parser.add_argument("--jobs", type=cli.jobs, default=-1, metavar="N", help="processes (-1: one a core)")
    options = parser.parse_args(argv)
    if bool(options.folder) == bool(options.config):
        parser.error("give --config YAML or --folder DIR")
    if options.name and len(options.config) > 1:
        parser.error("--name goes with one config")
    if options.folder and options.set:
        parser.error("--set goes with --config")
    return options


if __name__ == "__main__":
    cli.run(main)
