"""Tables for a terminal and for text files, laid out by rich."""

from collections.abc import Collection, Iterable, Sequence
from io import StringIO

from rich.console import Console
from rich.table import Table

WIDEST = 1000  # columns: a long name makes the lines longer, it does not break them


def text_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, left: Collection[int] = (0,), indent: int = 0
) -> list[str]:
    """Return the lines of a table, the header first, each as wide as its cells need.

    Args:
        header: names of the columns.
        rows: cells as text, as many as the header has.
        left: numbers of the columns that go to the left, as words do; the others, of figures, go to the right.
        indent: blanks before each line.

    >>> print("\\n".join(text_table(("run", "UAR"), [("svm", "0.512"), ("random_forest", "0.498")])))
    run              UAR
    svm            0.512
    random_forest  0.498
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for number, name in enumerate(header):
        table.add_column(name, justify="left" if number in left else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console = Console(
        file=StringIO(), width=WIDEST, color_system=None, markup=False, emoji=False, highlight=False,
        force_jupyter=False,  # in a notebook rich would show the table and write nothing to the file
    )  # fmt: skip
    console.print(table)
    return [" " * indent + line.rstrip() for line in console.file.getvalue().splitlines()]
