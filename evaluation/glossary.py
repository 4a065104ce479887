"""Print what every number means, as the report, metrics.txt, the workbook and the model card say it."""

import sys
from collections.abc import Sequence

from evaluation.scores import glossary
from utils import cli


def main(argv: Sequence[str] | None = None) -> int:
    cli.parser(__doc__, "python -m evaluation.glossary").parse_args(argv)
    sys.stdout.write("\n".join(glossary.lines()) + "\n")
    return 0


if __name__ == "__main__":
    cli.run(main)
