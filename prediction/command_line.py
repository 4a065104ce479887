"""The options of predict.py: of whole files, and of recordings over time. Nothing slow is loaded, for --help."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prediction.answers import DecisionRule
from prediction.checkpoints import GENERAL
from prediction.timeline_settings import TimelineSettings
from utils import cli

FIELDS = {  # option -> field of the settings; without the option the field's default holds
    "window": "window", "hop": "hop", "dwell": "dwell", "least": "min_duration",
    "channels": "channels", "adapt": "adapt",
}  # fmt: skip
OVER_TIME = {*FIELDS, "out", "rate"}  # options of --timeline and --live
WHOLE_FILES = {"radar", "csv", "enroll", "mixed", "coverage", "abstain_below"}  # options that neither of them has


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what predict.py takes."""
    parser.add_argument(
        "--checkpoint",
        type=Path,
        default=Path(GENERAL),
        metavar="DIR",
        help="a trained model: checkpoints/NAME, or NAME (general: the one in the repository)",
    )
    parser.add_argument(
        "inputs", nargs="*", metavar="FILE|DIR|-", help="audio files, folders, or - for one file on stdin"
    )
    parser.add_argument("--radar", type=Path, metavar="PATH", help="chart as PNG, SVG or PDF; a folder for many files")
    parser.add_argument("--json", action="store_true", help="one JSON line per file")
    parser.add_argument("--csv", type=Path, metavar="PATH", help="also write a table")
    parser.add_argument("--jobs", type=cli.jobs, default=-1, metavar="N", help="processes (-1: one per core)")
    parser.add_argument("--dask", metavar="ADDRESS", help="read the files on the workers of this Dask scheduler")
    parser.add_argument("--enroll", type=Path, metavar="DIR", help="a few clips of the speaker, to adapt to the voice")
    parser.add_argument("--mixed", action="store_true", help="the clips of --enroll show several emotions: adapt fully")
    parser.add_argument(
        "--coverage", type=_share, metavar="C", help="also a set of labels that is right so often: .8, .9 or .95"
    )
    parser.add_argument(
        "--abstain-below", type=_share, default=0.0, metavar="P", help="name no emotion less probable than P, 0 to 1"
    )
    parser.add_argument(
        "--always-name", action="store_true", help="name an emotion even for what is unlike anything the model learned"
    )
    _add_options_over_time(parser.add_argument_group("long recordings and streams"))


def _add_options_over_time(to: argparse._ArgumentGroup) -> None:
    """Add --timeline, --live and their options; one that is not given is None."""
    mode = to.add_mutually_exclusive_group()
    mode.add_argument("--timeline", action="store_true", help="each channel of a recording over time")
    mode.add_argument(
        "--live", action="store_true", help="answer as it comes: the microphone, or a stream on stdin (-)"
    )
    to.add_argument("--out", metavar="PREFIX|DIR", help="where a timeline goes (STEM_timeline.csv, .json, ...)")
    to.add_argument("--window", type=_seconds, metavar="S", help="seconds that are judged at once (3)")
    to.add_argument("--hop", type=_seconds, metavar="S", help="seconds from one window to the next (1)")
    to.add_argument("--dwell", type=_seconds, metavar="S", help="smoothing: seconds an emotion lasts; 0: none (10)")
    to.add_argument("--least", type=_seconds, metavar="S", help="seconds a new emotion must last to be a change (2)")
    to.add_argument("--adapt", action="store_true", default=None, help="scale by each channel's own voice")
    to.add_argument("--channels", type=_names, metavar="A,B", help="names of the channels, e.g. agent,customer")
    to.add_argument("--rate", type=int, metavar="HZ", help="of the microphone, or of s16le without a header on stdin")


def check_options(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse options that have no effect together, rather than ignore one; an error of the parser."""
    if not options.inputs and not options.live:
        parser.error("the following arguments are required: FILE|DIR|-")
    if options.live and options.inputs not in ([], ["-"]):
        parser.error("--live takes the microphone, or - for stdin; a file is for --timeline")
    if options.live:
        refused, mode = {"adapt", "least", "out"} | WHOLE_FILES, "--live"
    elif options.timeline:
        refused, mode = {"rate"} | WHOLE_FILES, "--timeline"
    else:
        refused, mode = OVER_TIME, "whole files"
    if options.mixed and not options.enroll:
        parser.error("--mixed says something of the clips of --enroll; give both")
    for name in sorted(refused):
        if getattr(options, name) != parser.get_default(name):
            parser.error(f"--{name.replace('_', '-')} does not go with {mode}")
    if options.rate is not None and not 4000 <= options.rate <= 384000:
        parser.error(f"--rate {options.rate}: give it in Hz, e.g. 16000")


def settings_of(options: argparse.Namespace) -> TimelineSettings:
    """Return the settings that the options ask for.

    Raises:
        ConfigError: a hop longer than the window, or either out of range.
    """
    given = {field: getattr(options, option) for option, field in FIELDS.items()}
    chosen = {field: value for field, value in given.items() if value is not None}
    return TimelineSettings(**chosen, centred=not options.live, always_name=options.always_name)


def rule_of(options: argparse.Namespace, card: Mapping[str, Any]) -> DecisionRule:
    """Return what the options ask of the answers of a model with this card; errors as of ``DecisionRule.of_card``."""
    return DecisionRule.of_card(card, options.coverage, options.abstain_below, always_name=options.always_name)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be seconds, 0 or more, got {text!r}")
    return value


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 1, got {text!r}")
    return value
