"""Text of other people's files (labels, file names, speakers) where it is shown: terminals, tables, Markdown.

Such text may hold escape sequences of a terminal, formulas of a spreadsheet or HTML. It is kept as it is in JSON, and
made harmless where something would act on it.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TextIO

# control characters, halves of characters, marks that reverse the direction of writing, and what is no character
_UNSHOWABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffe\uffff]")
_FORMULA = re.compile(r"'*[=+\-@\t\r]")  # how a spreadsheet program tells a formula from text; quotes: see ``cell``


def printable(text: str) -> str:
    r"""Return a text with what a terminal would act on, or XML cannot hold, written as an escape; lines stay lines.

    >>> printable("a\x1b[2Jb\nc")
    'a\\x1b[2Jb\nc'
    """
    return _UNSHOWABLE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def cell(value: Any) -> Any:
    """Return the value for a cell of a CSV file: text that a spreadsheet would compute gets a quote before it.

    Numbers in text, such as "-1", stay. ``plain`` is the inverse.

    >>> cell("=1+1"), cell("-1"), cell("angry"), cell(-0.5)
    ("'=1+1", '-1', 'angry', -0.5)
    """
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) and not _number(value) else value


def plain(text: str) -> str:
    """Return the text of a cell that ``cell`` wrote."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


class Writer:
    """Writes rows of a CSV file as ``csv.writer`` does, through ``cell``."""

    def __init__(self, file: TextIO):
        self._writer = csv.writer(file)

    def writerow(self, row: Iterable[Any]) -> None:
        """Write one row."""
        self._writer.writerow([cell(value) for value in row])

    def writerows(self, rows: Iterable[Iterable[Any]]) -> None:
        """Write many rows."""
        for row in rows:
            self.writerow(row)


def write_records(file: TextIO, columns: Sequence[str], records: Iterable[Mapping[str, Any]]) -> None:
    """Write a header and a row for each mapping, through ``cell``."""
    writer = Writer(file)
    writer.writerow(columns)
    writer.writerows([record.get(name, "") for name in columns] for record in records)


def read_records(file: TextIO) -> Iterator[dict[str, str]]:
    """Yield the rows that ``Writer`` wrote under a header, column -> text."""
    rows = ([plain(text) for text in row] for row in csv.reader(file))
    header = next(rows, [])
    yield from (dict(zip(header, row, strict=False)) for row in rows if row)


def markdown(value: Any) -> Any:
    r"""Return a value of JSON whose texts, keys too, are plain text in Markdown: no HTML, links, cells or lines.

    >>> markdown({"a|b": ["<img src=x>", "[a](b)", 1]})
    {'a\\|b': ['&lt;img src=x>', '[a]\\(b)', 1]}
    """
    if isinstance(value, str):
        line = " ".join(printable(value).split())
        return line.replace("<", "&lt;").replace("|", "\\|").replace("](", "]\\(")
    if isinstance(value, Mapping):
        return {markdown(key): markdown(content) for key, content in value.items()}
    return [markdown(content) for content in value] if isinstance(value, list | tuple) else value


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
