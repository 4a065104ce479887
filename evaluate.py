"""Test a trained model on other clips: another config's corpora, or a folder of labelled recordings."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from utils import cli


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    from prediction import Recogniser

    predictor = Recogniser.open(options.checkpoint).predictor  # refuses features that are no longer those of training
    configs = _configs(predictor.card, options)  # an error in the last one is found before the first evaluation
    from evaluation.checkpoint.text import text
    from evaluation.pages import report
    from evaluation.studies import clip_configs, extracted_clips, other_clips

    for config in configs:
        members = [clip_configs.with_recipe(config, card) for card in predictor.card.get("members", [predictor.card])]
        data = extracted_clips.load(
            members, predictor, options.features, jobs=options.jobs, limit=options.limit, say=print
        )
        folder, metrics = other_clips.evaluate(
            options.checkpoint, predictor, members[0], data, limit=options.limit, only_shared=options.shared_labels
        )
        cli.say(text(metrics))
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
