"""Self-contained HTML pages without a template language: parts that escape what they are given, and one style.

A page is one file: its pictures and sounds lie inside as data URIs, it loads nothing and runs no script. It reads
on a phone and prints. Every part takes text, which it escapes, or ``Markup``, which another part returned.
"""

import base64
import html
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

STYLE = Path(__file__).with_name("page.css")
KINDS = {".png": "image/png", ".svg": "image/svg+xml", ".mp3": "audio/mpeg"}


class Markup(str):
    """Text that is HTML already."""


DASH = Markup("&ndash;")


class Section(NamedTuple):
    """A part of a page; ``section`` makes it."""

    title: str
    content: Markup


def escaped(content: object) -> Markup:
    """Return text as HTML; ``Markup`` as it is.

    >>> escaped("a < b")
    'a &lt; b'
    """
    return content if isinstance(content, Markup) else Markup(html.escape(str(content)))


def tag(name: str, /, *content: object, **attributes: object) -> Markup:
    """Return an element; an attribute that is a Python word ends in ``_``, and one that is None is left out.

    >>> tag("p", "a < ", tag("b", "b"), class_="lead")
    '<p class="lead">a &lt; <b>b</b></p>'
    """
    stated = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{stated}>{''.join(map(escaped, content))}</{name}>")


def lone(name: str, /, **attributes: object) -> Markup:
    """Return an element that holds nothing, as ``img``."""
    return Markup(tag(name, **attributes).removesuffix(f"</{name}>"))


def join(parts: Iterable[object]) -> Markup:
    """Return the parts one after the other, None left out."""
    return Markup("\n".join(escaped(part) for part in parts if part is not None))


def bullets(items: Iterable[object]) -> Markup:
    """Return a list."""
    return tag("ul", *(tag("li", item) for item in items))


def number(value: float) -> str:
    """Return a count as it is, anything else with three digits."""
    return f"{value:.3f}" if isinstance(value, float) else f"{value:,}"


def table(header: Sequence[object], rows: Iterable[Sequence[object]]) -> Markup:
    """Return a table that scrolls by itself where it is too wide; numbers stand right, None is a dash."""
    cells = [list(row) for row in rows]
    right = [_numeric([row[column] for row in cells]) for column in range(len(header))]
    head = [tag("th", name, scope="col", class_="n" if n else None) for name, n in zip(header, right, strict=True)]
    body = [tag("tr", *(_cell(value, n) for value, n in zip(row, right, strict=True))) for row in cells]
    whole = tag("table", tag("thead", tag("tr", *head)), tag("tbody", *body))
    return tag("div", whole, class_="wide", tabindex="0", role="region", aria_label="table")


def _numeric(column: Sequence[object]) -> bool:
    return all(isinstance(value, int | float) or value is None for value in column)


def _cell(value: object, right: bool) -> Markup:
    text = DASH if value is None else number(value) if isinstance(value, int | float) else value
    return tag("td", text, class_="n" if right else None)


def figures(rows: Iterable[tuple[object, object, object]]) -> Markup:
    """Return (name, number, meaning) as a list in three columns, on a phone the meaning below."""
    return tag(
        "dl",
        *(
            tag("div", tag("dt", name), tag("dd", value, class_="n"), tag("dd", meaning, class_="meaning"))
            for name, value, meaning in rows
        ),
        class_="figures",
    )


def image(path: Path, alt: str, *, caption: str = "") -> Markup:
    """Return a picture with its content inside, and what it shows in words.

    Args:
        path: a PNG or SVG.
        alt: for those who do not see it.
        caption: below.
    """
    shown = lone("img", src=data_uri(path.read_bytes(), path.suffix), alt=alt)
    return tag("figure", shown, *([tag("figcaption", caption)] if caption else []))


def audio(content: bytes, *, suffix: str = ".mp3") -> Markup:
    """Return a player of an encoded sound that lies inside the page."""
    return tag("audio", controls="", preload="none", src=data_uri(content, suffix))


def data_uri(content: bytes, suffix: str) -> str:
    """Return the content as a URI; the suffix is one of KINDS."""
    return f"data:{KINDS[suffix]};base64,{base64.b64encode(content).decode('ascii')}"


def interval(value: float, low: float, high: float, *, mark: float, says: str) -> Markup:
    """Return a bar from 0 to 1 with an interval, a value in it and a mark, as a drawing.

    Args:
        value: the dot, 0 to 1.
        low: where the band begins.
        high: where it ends.
        mark: a line, as what guessing gives.
        says: the same in words.
    """
    shapes = (
        tag("rect", x=0, y=9, width=1000, height=2, class_="track"),
        tag("rect", x=round(1000 * low), y=4, width=round(1000 * (high - low)), height=12, class_="band"),
        tag("rect", x=round(1000 * mark) - 1, y=1, width=3, height=18, class_="mark"),
        tag("rect", x=round(1000 * value) - 4, y=1, width=8, height=18, class_="dot"),
    )
    return tag("svg", *shapes, viewBox="0 0 1000 20", preserveAspectRatio="none", role="img", aria_label=says)


def folded(summary: str, *content: object) -> Markup:
    """Return content that is shown when its summary is opened."""
    return tag("details", tag("summary", summary), *content)


def anchor(title: str) -> str:
    """Return the id of a section.

    >>> anchor("Who it works for")
    'who-it-works-for'
    """
    return "-".join("".join(c if c.isalnum() else " " for c in title.lower()).split())


def section(title: str, *content: object | None) -> Section:
    """Return a part of a page under its title; None is left out."""
    return Section(title, tag("section", tag("h2", title), join(content), id=anchor(title)))


def page(title: str, sections: Sequence[Section], *, head: object, foot: object = "") -> str:
    """Return a whole document.

    Args:
        title: of the document.
        sections: its parts, which a list of contents leads to.
        head: what stands above that list.
        foot: below everything.
    """
    contents = tag("nav", *(tag("a", part.title, href=f"#{anchor(part.title)}") for part in sections))
    body = join([tag("header", head), contents, tag("main", *(part.content for part in sections)), tag("footer", foot)])
    style = Markup(f"<style>\n{STYLE.read_text(encoding='utf8')}</style>")
    metas = [
        lone("meta", charset="utf-8"),
        lone("meta", name="viewport", content="width=device-width, initial-scale=1"),
    ]
    return "<!doctype html>\n" + tag(
        "html", tag("head", *metas, tag("title", title), style), tag("body", body), lang="en"
    )
