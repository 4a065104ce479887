"""Test a trained model on other clips: another config's corpora, or a folder of labelled recordings."""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from utils import bars, cli


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    from prediction import Recogniser

    predictor = Recogniser.open(options.checkpoint).predictor  # refuses features that are no longer those of training
    configs = _configs(predictor.card, options)  # an error in the last one is found before the first evaluation
    from evaluation.checkpoint.text import text
    from evaluation.pages import report
    from evaluation.studies import clip_configs, other_clips

    for config in configs:
        members = [clip_configs.with_recipe(config, card) for card in predictor.card.get("members", [predictor.card])]
        data = _data(members, predictor, options)
        folder, metrics = other_clips.evaluate(
            options.checkpoint, predictor, members[0], data, limit=options.limit, only_shared=options.shared_labels
        )
        print(text(metrics))
        report.refresh(options.checkpoint)
        print(f"\n{folder}: metrics, predictions and plots\n", flush=True)
    return 0


def _configs(card: dict, options: argparse.Namespace) -> list:
    """Return the configs of the clips to be tested on, with the labels of --merge and --drop."""
    from evaluation.studies import clip_configs
    from utils import config as configs

    if options.folder:
        content = clip_configs.of_folder(
            card, options.folder, corpus=options.corpus, speaker=options.speaker, name=options.name
        )
        given = [configs.check(content, f"--folder {options.folder}")]
    else:
        name = [f"name={options.name}"] if options.name else []
        given = [configs.read(path, options.set + name) for path in options.config]
    return clip_configs.relabelled(given, dict(options.merge), options.drop)


def _data(configs: list, predictor, options: argparse.Namespace):
    """Return clips and features, of an ensemble those of every member; features that are not cached are extracted.

    ``configs``: the same clips, under the recipe of the model or of each member.
    """
    from evaluation.studies import other_clips
    from evaluation.training import ensemble
    from extract_feats.cache import read
    from extract_feats.cache.scan import scan
    from utils.dataset import common

    scans = scan(configs[0], options.limit)
    counts = Counter(utterance.emotion for corpus in scans for utterance in corpus.chosen)
    other_clips.check_labels(counts, predictor.labels, configs[0].name)  # before hours of extraction
    datasets = []
    for config in configs:
        for corpus in scans:
            _fill(corpus, read.recipe_of(config), options)
        datasets.append(read.dataset(config, options.features, command="python evaluate.py", limit=options.limit))
    datasets = common(datasets)
    return ensemble.joined(datasets) if "members" in predictor.card else datasets[0]


def _fill(corpus, recipe, options: argparse.Namespace) -> None:
    """Extract what is not cached of one corpus, and say what was extracted and what was rejected."""
    from extract_feats.cache.corpus_lists import corpus_folder
    from extract_feats.cache.fill import fill
    from extract_feats.cache.task import Task, last_line
    from utils.errors import DataError

    task = Task(corpus, recipe)
    with bars.progress(f"{corpus.label} {recipe.label}") as report:
        (outcome,) = fill([task], options.features, jobs=options.jobs, progress=report)
    rejected = corpus.rejected + outcome.rejected
    if rejected or outcome.extracted:
        print(last_line(task, outcome))
    listed = corpus_folder(corpus.entry, corpus.label, options.features) / "rejected.csv"
    if rejected:
        print(f"  rejected files and reasons: {listed}")
    if corpus.chosen and len(outcome.rejected) == len(corpus.chosen):
        raise DataError(f"{corpus.label}: none of {len(corpus.chosen)} clips can be used; reasons in {listed}.")


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
    parser.add_argument("--speaker", metavar="PATTERN", help=r"pattern of the speaker in a file name, e.g. '^(\w+?)_'")
    parser.add_argument(
        "--merge", nargs="+", type=_pair, default=[], metavar="A=B", help="label A of the clips becomes B"
    )
    parser.add_argument("--drop", nargs="+", default=[], metavar="LABEL", help="leave clips of this label out")
    parser.add_argument(
        "--shared-labels", action="store_true", help="let the model choose only among the labels that the clips have"
    )
    parser.add_argument("--name", metavar="NAME", help="folder below checkpoints/NAME/evaluations/")
    parser.add_argument("--jobs", type=cli.jobs, default=-1, metavar="N", help="processes (-1: one per core)")
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
