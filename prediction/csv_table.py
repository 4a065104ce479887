"""The table of a batch (--csv), written as the answers come: a kill, a full disk or a later error loses none of it."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from prediction.answers import Answer, DecisionRule, csv_text
from utils.errors import ConfigError

PART = ".part"  # added to the table's name until it is complete


@contextmanager
def open_table(path: Path | None, labels: Sequence[str], rule: DecisionRule) -> Iterator[Callable[[Answer], None]]:
    """Give a function that adds an answer to the table; the columns are those of ``prediction.answers.csv_text``.

    Rows go to ``<path>.part``, which replaces ``path`` at the end and stays if the batch does not come to it. What is
    no regular file (/dev/stdout) is written as it is; None is not written. Where a file name is no text, its bytes are
    written as escapes.

    Raises:
        ConfigError: it cannot be written, which is tried at once; or no longer, as the disk is full.
    """
    if path is None:
        yield lambda answer: None
        return
    if path.is_dir():
        raise ConfigError(f"--csv {path}: a folder. Name a file, e.g. {path / 'answers.csv'}")
    whole = not path.exists() or path.is_file()
    path = Path(os.path.realpath(path)) if whole else path  # a link stays one
    part = path.with_name(path.name + PART) if whole else path
    with _refused(part):
        if path.exists() and not os.access(path, os.W_OK):
            raise PermissionError(0, "Permission denied")
        path.parent.mkdir(parents=True, exist_ok=True)
        file = part.open("w", newline="", encoding="utf8", errors="backslashreplace")
    header = csv_text([], labels, rule)

    def write(text: str) -> None:
        with _refused(part):
            file.write(text)
            file.flush()

    try:
        write(header)
        yield lambda answer: write(csv_text([answer], labels, rule).removeprefix(header))
    finally:
        with _refused(part):
            file.close()
    if whole:
        with _refused(path):
            os.replace(part, path)


@contextmanager
def _refused(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(f"--csv {path}: cannot be written: {error.strerror or error}.") from error
