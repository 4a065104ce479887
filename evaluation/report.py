"""Write report.html and MODEL_CARD.md of a finished run.

They are made from its files: nothing is computed again, no model is loaded.
Other tools add files to a checkpoint (evaluations, the honesty table,
robustness, explanations); build the report again and they are in it.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from evaluation.pages import report
from utils import cli


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    for folder in options.checkpoint:
        path = report.write(folder, audio=options.audio)
        sys.stdout.write(f"{path}: {path.stat().st_size / 1e6:.1f} MB; {path.with_name(report.CARD)}\n")
    return 0


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.parser(__doc__, "python -m evaluation.report --checkpoint checkpoints/demo_svm")
    parser.add_argument("--checkpoint", nargs="+", type=Path, required=True, metavar="DIR", help="finished runs")
    parser.add_argument("--no-audio", dest="audio", action="store_false", help="leave out the clips it gets wrong")
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main)
