"""Get an open corpus and put it where its parser finds it.

The licence is shown first. A broken download goes on where it ended when the
same command is run again. The corpus takes its place only when its clips are
counted as published. The others are answered with where to apply for them.

The addresses come from the corpora's own pages and their hosts' manuals. They
have not been tried with this program, which is tested against its own server.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from corpora.download.install import get
from utils import cli, plugins


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    known = ", ".join(name for name, plugin in plugins.every("corpora").items() if "DOWNLOAD" in plugin.constants)
    parser = cli.parser(__doc__, "python -m corpora.download ravdess --to ~/corpora")
    parser.add_argument("corpus", help=f"one of {known}; for another: where to apply for it")
    data = Path(os.environ.get("SER_DATA") or plugins.ROOT / "data")
    parser.add_argument("--to", type=Path, default=data, metavar="DIR", help="holds the corpora ($SER_DATA, or data/)")
    parser.add_argument("--mirror", default="", metavar="URL", help="a server with the paths of the original ones")
    options = parser.parse_args(argv)

    def say(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    get(options.corpus, options.to.expanduser(), say=say, mirror=options.mirror)
    return 0


if __name__ == "__main__":
    cli.run(main)
