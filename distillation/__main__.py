"""Train a small encoder to imitate a large one on speech, whose labels are not read.

The config says which corpora are heard, and which part of a clip at which
level. Folders with any other speech can be added. What is written is
encoder.onnx for the feature "distilled", and encoder.json, which says what it
was trained on.

The teacher is Whisper's encoder; get it first by
python -m extract_feats.download whisper-base.
"""

import argparse
import json
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from distillation.pairs import Recipe, stored
from distillation.projection import fitted
from distillation.speech import sources
from utils import cli, plugins
from utils.bars import progress
from utils.config import Config, read
from utils.errors import ConfigError

LAYERS = [2, 3, 4]  # of the teacher; the middle ones tell most about emotion
FRAMES_PER_SECOND = 100


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = cli.parser(
        __doc__,
        "python -m distillation --config config/general.yaml --out pretrained/mine",
        "python -m distillation --config config/general.yaml \\\n"
        "    --speech data/prompts data/audiobooks --out pretrained/mine",
    )
    parser.add_argument("--config", nargs=1, required=True, metavar="YAML", help="its corpora, rate and clip")
    parser.add_argument("--speech", nargs="+", type=Path, default=[], metavar="DIR", help="folders with more speech")
    parser.add_argument("--leave-out", default="", metavar="REGEX", help="clips whose id (corpus/...) begins so")
    parser.add_argument("--teacher", default="whisper-base", metavar="NAME", help="the encoder (whisper-base)")
    parser.add_argument(
        "--layers", nargs="+", type=cli.positive, default=LAYERS, metavar="N", help="of the teacher (2 3 4)"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="gets encoder.onnx")
    parser.add_argument("--size", type=cli.positive, default=256, metavar="N", help="values of a frame (256)")
    parser.add_argument("--width", type=cli.positive, default=256, metavar="N", help="channels of the student (256)")
    parser.add_argument("--blocks", type=cli.positive, default=4, metavar="N", help="of the student (4)")
    parser.add_argument("--epochs", type=cli.positive, default=25, metavar="N", help="times each piece is heard (25)")
    parser.add_argument("--learning-rate", type=float, default=1.5e-3, metavar="R", help="the highest (0.0015)")
    parser.add_argument("--jobs", type=cli.jobs, default=-1, metavar="N", help="processes that make the pairs (-1)")
    parser.add_argument(
        "--features", type=Path, default=plugins.ROOT / "features", metavar="DIR", help="the cache (features/)"
    )
    options = parser.parse_args(argv)
    config = read(options.config[0])
    files = sources(config, options.speech)
    with progress("pairs", "files") as report:
        by_file = stored(files, Recipe(config, _teacher(options)), options.features, options.jobs, report)
    kept = _without(by_file, options.leave_out)
    _train(config, kept, options)
    return 0


def _teacher(options: argparse.Namespace) -> dict[str, Any]:
    section = {"name": "whisper", "model": options.teacher, "layers": options.layers, "pool": "frames"}
    return {"name": "whisper"} | plugins.arguments("features", section)


def _without(by_file: Mapping[str, list], leave_out: str) -> dict[str, list]:
    """Return the files but those whose id matches, and those without speech."""
    kept = {id_: pieces for id_, pieces in by_file.items() if not (leave_out and re.match(leave_out, id_))}
    if leave_out and len(kept) == len(by_file):
        raise ConfigError(f"--leave-out {leave_out!r} matches no clip; an id is {next(iter(by_file))!r}.")
    return {id_: pieces for id_, pieces in kept.items() if pieces}


def _train(config: Config, by_file: Mapping[str, list], options: argparse.Namespace) -> None:
    from distillation import export, network, training
    from models.keras_model import keras

    keras.utils.set_random_seed(config.seed)
    pieces = [piece for pieces in by_file.values() for piece in pieces]
    onto = fitted([piece[0].teacher for piece in pieces], options.size, config.seed)
    targets = [[replace(pair, teacher=onto.apply(pair.teacher)) for pair in piece] for piece in pieces]
    shape = {"width": options.width, "blocks": options.blocks}
    student = network.build(pieces[0][0].clean.shape[1], options.size, **shape)
    heard = _heard(by_file)
    hours = sum(heard.values()) / 3600
    _say(f"{len(pieces)} pieces, {hours:.1f} hours; the student has {student.count_params():,} parameters")
    started, errors = time.monotonic(), {}

    def say(epoch: int, now: dict[str, float]) -> None:
        errors.update({name: round(value, 4) for name, value in now.items()})
        line = ", ".join(f"{name} {value:.3f}" for name, value in now.items())
        _say(f"epoch {epoch}/{options.epochs}: not explained: {line}; {time.monotonic() - started:.0f} s")

    chosen = {"epochs": options.epochs, "learning_rate": options.learning_rate, "seed": config.seed}
    training.distil(student, targets, onto, report=say, weight_decay=0.01, **chosen)
    export.turn_evenly(student, config.seed)
    export.write(student, options.out / "encoder.onnx")
    made = {
        "teacher": f"{Path(options.teacher).name}, layers {', '.join(map(str, options.layers))}",
        "speech_seconds": heard, "left_out": options.leave_out, "not_explained": errors, **shape, **chosen,
    }  # fmt: skip
    (options.out / "encoder.json").write_text(json.dumps(made, indent=1) + "\n", encoding="utf8")
    _say(f"written: {options.out / 'encoder.onnx'}, encoder.json")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _heard(by_file: Mapping[str, list]) -> dict[str, int]:
    """Return corpus or folder -> seconds of speech in it."""
    seconds: dict[str, float] = {}
    for id_, pieces in by_file.items():
        group = id_.partition("/")[0]
        seconds[group] = seconds.get(group, 0) + sum(len(piece[0].clean) for piece in pieces) / FRAMES_PER_SECOND
    return {group: round(value) for group, value in seconds.items()}


if __name__ == "__main__":
    cli.run(main)
