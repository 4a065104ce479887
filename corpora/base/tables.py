"""The tables that some corpora bring beside their audio."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from utils.errors import DataError


def find(root: Path, name: str) -> Path | None:
    """Return the file of this name below root that lies least deep, or None."""
    return min(root.rglob(name), key=lambda path: (len(path.parts), path), default=None)


def rows(table: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Return these columns of a CSV file as stripped text, a dict a row.

    UTF-8 is tried first, then Windows-1252, in which some of them circulate.

    Raises:
        DataError: a column is missing, or the file cannot be read.
    """
    try:
        raw = table.read_bytes()
    except OSError as error:
        raise DataError(f"{table}: {error.strerror or error}.") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("cp1252", errors="replace")
    reader = csv.DictReader(io.StringIO(text, newline=""))
    known = reader.fieldnames or []
    if missing := [column for column in columns if column not in known]:
        raise DataError(f"{table}: no column {missing[0]!r}; it has: {', '.join(known) or 'nothing'}.")
    return [{column: (row[column] or "").strip() for column in columns} for row in reader]
