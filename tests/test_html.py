"""Pages are one file, escape what they are given, and are well-formed."""

import base64
from html.parser import HTMLParser

import pytest
from markupsafe import Markup

from evaluation.pages import html
from evaluation.pages.html import Section

PARTS = html.macros("parts.html.jinja")
VOID = {"img", "meta"}
PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==")


class Document(HTMLParser):
    """What a browser sees: text, elements with their attributes, ids; tags that do not match are an error."""

    def __init__(self, text: str):
        super().__init__()
        self.open, self.elements, self.words = [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def values(self, attribute: str) -> list[str]:
        return [attributes[attribute] for _, attributes in self.elements if attribute in attributes]

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


def stands_alone(document: Document) -> bool:
    """Whether a page loads nothing and runs nothing."""
    inside = all(link.startswith("data:") for link in document.values("src"))
    return inside and all(link.startswith("#") for link in document.values("href")) and not document.count("script")


def test_whatever_is_no_markup_is_escaped():
    evil = "<script>alert('&')</script>"
    parts = [
        PARTS.table([evil], [[evil]]), PARTS.figures([(evil, evil, evil)]), PARTS.bullets([evil]),
        PARTS.folded(evil, evil), PARTS.interval(0.5, 0.4, 0.6, 0.1, evil),
        html.page(evil, [Section(evil, evil)], head=evil, foot=evil),
    ]  # fmt: skip
    for part in parts:
        document = Document(part)
        assert not document.count("script")
        assert evil in document.text or evil in document.values("aria-label")
    assert "<b>x</b>" in PARTS.folded("s", Markup("<b>x</b>")) and isinstance(PARTS.bullets([]), Markup)


def test_numbers_of_a_table_stand_right_with_three_digits_and_none_is_a_dash():
    drawn = PARTS.table(("who", "UAR", "clips"), [("a", 0.12345, 1440), ("b", None, 7)])
    cells = [attributes.get("class") for tag, attributes in Document(drawn).elements if tag == "td"]
    assert cells == [None, "n", "n"] * 2
    assert ">0.123<" in drawn and ">1,440<" in drawn and ">&ndash;<" in drawn


def test_a_picture_lies_inside_with_its_words(tmp_path):
    (tmp_path / "a.png").write_bytes(PIXEL)
    figure = Document(PARTS.image(tmp_path / "a.png", "a <dot>", caption="seen"))
    (source,) = figure.values("src")
    assert base64.b64decode(source.removeprefix("data:image/png;base64,")) == PIXEL
    assert figure.values("alt") == ["a <dot>"] and figure.text == "seen"


def test_a_page_lists_its_sections_and_stands_alone(tmp_path):
    (tmp_path / "a.png").write_bytes(PIXEL)
    sections = [Section("For whom?", PARTS.image(tmp_path / "a.png", "dot")), Section("How", "x < y")]
    document = Document(html.page("a & b", sections, head="a & b"))
    assert stands_alone(document)
    assert document.values("href") == ["#for-whom", "#how"]
    assert {link[1:] for link in document.values("href")} == set(document.values("id"))
    assert "viewport" in document.values("name") and ("html", {"lang": "en"}) in document.elements
    assert "x < y" in document.text and "None" not in document.text


@pytest.mark.parametrize(("low", "value", "high"), [(0.0, 0.1, 1.0), (0.495, 0.55, 0.603)])
def test_an_interval_is_drawn_to_scale(low, value, high):
    bars = {a["class"]: a for tag, a in Document(PARTS.interval(value, low, high, 0.125, "")).elements[1:]}
    assert float(bars["band"]["x"]) == pytest.approx(1000 * low, abs=1)
    assert float(bars["band"]["width"]) == pytest.approx(1000 * (high - low), abs=1)
    assert float(bars["dot"]["x"]) + 4 == pytest.approx(1000 * value, abs=1)
    assert float(bars["mark"]["x"]) + 1 == pytest.approx(125, abs=1)
