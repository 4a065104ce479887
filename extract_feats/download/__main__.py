"""Get the encoder of a published Whisper, and make the graph that the feature whisper reads.

The licence is shown first. Only the encoder's tensors are fetched, of the blocks
that are asked for. A broken download goes on where it ended when the same
command is run again. The sha256 of what was fetched is written beside it; a
later run compares the file with it.

The address is the hub's. It has not been tried with this program, which is
tested against its own server.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from extract_feats import whisper
from extract_feats.download.whisper import get
from utils import cli, plugins


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = cli.parser(
        __doc__,
        "python -m extract_feats.download whisper-base",
        "python -m extract_feats.download whisper-base --precision int8",
    )
    parser.add_argument("encoder", help=f"one of {', '.join(whisper.SIZES)}")
    parser.add_argument(
        "--blocks", type=cli.positive, default=4, metavar="N", help="only the first N blocks (4); the middle ones serve"
    )
    parser.add_argument("--precision", choices=tuple(whisper.FILES), default="full", help="of the graph (full)")
    here = Path(os.environ.get("SER_PRETRAINED") or plugins.ROOT / "pretrained")
    parser.add_argument(
        "--to", type=Path, default=here, metavar="DIR", help="holds the encoders ($SER_PRETRAINED, or pretrained/)"
    )
    parser.add_argument("--mirror", default="", metavar="URL", help="a server with the paths of the original one")
    options = parser.parse_args(argv)

    def say(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    chosen = {"blocks": options.blocks, "precision": options.precision, "mirror": options.mirror}
    get(options.encoder, options.to.expanduser(), say=say, **chosen)
    return 0


if __name__ == "__main__":
    cli.run(main)
