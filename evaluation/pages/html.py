"""Self-contained HTML pages from the templates beside this file.

A page is one file: its pictures and sounds lie inside as data URIs, it loads nothing and runs no script. It reads on a
phone and prints. A template escapes whatever it is given, unless it is ``Markup``, which another template returned.
"""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from markupsafe import Markup

from evaluation.scores import glossary

TEMPLATES = Path(__file__).with_name("templates")
KINDS = {".png": "image/png", ".svg": "image/svg+xml", ".mp3": "audio/mpeg"}


class Section(NamedTuple):
    """A part of a page under a title."""

    title: str
    content: Markup


def number(value: float) -> str:
    """Return a count as it is, anything else with three digits.

    >>> number(1440), number(0.12345)
    ('1,440', '0.123')
    """
    return f"{value:.3f}" if isinstance(value, float) else f"{value:,}"


def anchor(title: str) -> str:
    """Return the id of a section.

    >>> anchor("Who it works for")
    'who-it-works-for'
    """
    return "-".join("".join(c if c.isalnum() else " " for c in title.lower()).split())


def data_uri(content: Path | bytes, suffix: str | None = None) -> str:
    """Return a file, or content of this kind (a suffix of KINDS), as a URI."""
    if isinstance(content, Path):
        content, suffix = content.read_bytes(), content.suffix
    return f"data:{KINDS[suffix]};base64,{base64.b64encode(content).decode('ascii')}"


def is_number(value: object) -> bool:
    """Return whether a value of a table is a number."""
    return isinstance(value, int | float)


def numeric_columns(rows: Sequence[Sequence[object]], columns: int) -> list[bool]:
    """Return for each column whether it holds numbers only; None stands for a number that is missing."""
    return [all(is_number(row[column]) or row[column] is None for row in rows) for column in range(columns)]


def prefixed(text: str, prefix: str) -> str:
    """Return the text with a word before it."""
    return f"{prefix}{text}"


def figures(metrics: dict[str, Any], keys: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return name, number and meaning of the metrics that are not None."""
    return [
        (glossary.name(key), number(metrics[key]), glossary.meaning(key))
        for key in keys
        if metrics.get(key) is not None
    ]


environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(TEMPLATES),
    autoescape=lambda name: name is None or ".html" in name,  # None: a macro that Python calls
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
environment.filters |= {
    "number": number, "anchor": anchor, "data_uri": data_uri, "numeric_columns": numeric_columns, "figures": figures,
    "prefixed": prefixed,
}  # fmt: skip
environment.tests["a_number"] = is_number
environment.globals["glossary"] = glossary


def macros(template: str) -> Any:
    """Return a template's macros as functions that return ``Markup``.

    >>> str(macros("parts.html.jinja").bullets(["a < b"])).split()
    ['<ul>', '<li>a', '&lt;', 'b</li>', '</ul>']
    """
    return environment.get_template(template).module


def page(title: str, sections: Sequence[Section], *, head: Markup, foot: str = "") -> str:
    """Return a whole document.

    Args:
        title: of the document.
        sections: its parts, which a list of contents leads to.
        head: what stands above that list.
        foot: below everything.
    """
    style = Markup((TEMPLATES / "page.css").read_text(encoding="utf8"))
    template = environment.get_template("page.html.jinja")
    return template.render(title=title, sections=sections, head=head, foot=foot, style=style)
