"""Shared by the scripts: help, common options, one-line errors."""

import argparse
import errno
import os
import re
import shlex
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from utils.errors import UserError
from utils.foreign_text import printable
from utils.plugins import ROOT

USERS_ERRORS = (  # a folder given in an option that cannot be written to, a name that is too long, a full disk
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOSPC, errno.EDQUOT,
    errno.ENAMETOOLONG, errno.ELOOP, errno.EFBIG,
)  # fmt: skip


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}. See {self.prog} --help.\n")  # one line, without the usage


class _Help(argparse.RawDescriptionHelpFormatter):
    def _fill_text(self, text: str, width: int, indent: str) -> str:
        """Wrap paragraphs of prose; those that are indented are code, which stays as it is."""
        parts = textwrap.dedent(text).strip().split("\n\n")
        code = re.compile("^ ", re.MULTILINE)
        return "\n\n".join(part if code.search(part) else textwrap.fill(part, width) for part in parts)


def parser(description: str, *examples: str) -> argparse.ArgumentParser:
    """Return a parser whose --help ends with working examples, and whose errors are one line.

    Args:
        description: paragraphs, wrapped to the width of the terminal; indented ones are left as they are.
        examples: whole commands, at most 78 characters per line.
    """
    shown = "\n".join(f"  {line}" for example in examples for line in example.splitlines())
    head = "example:" if len(examples) == 1 else "examples:"
    module = re.match(r"python (-m \S+)", examples[0])
    prog = f"python {module[1]}" if module else None  # argparse would name the file alone
    return _Parser(prog, description=description, epilog=f"{head}\n{shown}", formatter_class=_Help)


def add_experiment_options(to: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add --config, --set, --features and --limit."""
    to.add_argument(
        "--config", nargs="+", required=required, default=[], metavar="YAML", help="experiments, config/*.yaml"
    )
    to.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a key of --config, e.g. corpora.0.root=EMO-DB",
    )
    to.add_argument("--features", type=Path, default=ROOT / "features", metavar="DIR", help="the cache (features/)")
    to.add_argument("--limit", type=positive, metavar="N", help="only N clips per class, for a trial")


def add_checkpoints_option(to: argparse.ArgumentParser) -> None:
    """Add --checkpoints."""
    to.add_argument(
        "--checkpoints", type=Path, default=ROOT / "checkpoints", metavar="DIR", help="trained models (checkpoints/)"
    )


def positive(text: str) -> int:
    """Return a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text!r}")
    return int(text)


def jobs(text: str) -> int:
    """Return a number of processes: 1 or more, or -1 for one per core."""
    return -1 if text == "-1" else positive(text)


def preprocess_command(options: argparse.Namespace) -> str:
    """Return the preprocess command that fills the cache for these options."""
    return command("preprocess.py", options)


def command(script: str, options: argparse.Namespace, **changed: Sequence) -> str:
    """Return the command that runs another script for these options, ``config`` or ``set`` changed."""
    config, overrides = changed.get("config", options.config), changed.get("set", options.set)
    parts = ["python", script, "--config", *map(str, config)]
    for override in overrides:
        parts += ["--set", override]
    if options.features != ROOT / "features":
        parts += ["--features", str(options.features)]
    if script == "train.py" and options.checkpoints != ROOT / "checkpoints":
        parts += ["--checkpoints", str(options.checkpoints)]
    if options.limit:
        parts += ["--limit", str(options.limit)]
    return shlex.join(parts)


def say(text: str) -> None:
    """Print what a command found; labels and file names in it cannot command the terminal."""
    print(printable(text), flush=True)


def fail(error: object) -> None:
    """Print an error as one line on stderr."""
    print(f"error: {printable(' '.join(str(error).split()))}", file=sys.stderr, flush=True)


def run(main: Callable[[Sequence[str] | None], int]) -> None:
    """Call a script's main and exit with its status; a user's error is one line on stderr and status 2."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # a file name that the terminal cannot show must not stop the work
    try:
        sys.exit(main(None))
    except UserError as error:
        fail(error)
        sys.exit(2)
    except BrokenPipeError:  # the reader of a pipe has seen enough; nothing is left to flush to it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if error.errno not in USERS_ERRORS:
            raise
        where = f"{error.filename}: " if error.filename else ""
        fail(f"{where}{error.strerror}")
        sys.exit(2)
    except KeyboardInterrupt:
        print("stopped; what was finished is kept", file=sys.stderr)
        sys.exit(130)
