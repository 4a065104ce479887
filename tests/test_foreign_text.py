"""Labels and names of other people's files command no terminal, compute nothing in a spreadsheet, are no HTML."""

import io

import pytest
from openpyxl import Workbook, load_workbook

from evaluation.checkpoint import tables
from utils import cli, foreign_text
from utils.errors import DataError

HOSTILE = ["a\x1b[2Jb", "\x07", "\ufffe", "\ud800", "\x9b31m"]
FORMULAS = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "'=1", "''=1"]


@pytest.mark.parametrize("text", [*HOSTILE, *FORMULAS])
def test_a_workbook_holds_every_label_as_text(tmp_path, text):
    book = Workbook()
    tables._sheet(book, "labels", ("label", text), [(text, 0.5)])
    book.save(tmp_path / "a.xlsx")
    cell = load_workbook(tmp_path / "a.xlsx")["labels"]["A2"]
    assert cell.data_type == "s" and cell.value == foreign_text.printable(text)


@pytest.mark.parametrize("text", FORMULAS)
def test_a_csv_file_holds_no_formula_and_gives_the_label_back(text):
    file = io.StringIO(newline="")
    foreign_text.write_records(file, ["label", text], [{"label": text, text: -0.5}])
    for line in file.getvalue().splitlines():
        assert line.lstrip('"').startswith(("'", "label"))
    file.seek(0)
    assert list(foreign_text.read_records(file)) == [{"label": text, text: "-0.5"}]


@pytest.mark.parametrize("text", ["-1", "+1", "-1.5e3", "angry", "a=b", ""])
def test_numbers_and_common_labels_stay_as_they_are(text):
    assert foreign_text.cell(text) == foreign_text.plain(text) == text


def test_a_terminal_gets_no_escape_sequence(capsys):
    cli.say("clip\x1b]52;c;aaaa\x07.wav\n\u202egnp.wav")
    cli.fail(DataError("clip\x1b[2J.wav:\nsilent"))
    out, err = capsys.readouterr()
    assert out == "clip\\x1b]52;c;aaaa\\x07.wav\n\\u202egnp.wav\n" and err == "error: clip\\x1b[2J.wav: silent\n"


def test_markdown_gets_no_html():
    made = foreign_text.markdown({"labels": ["<img src=x onerror=alert(1)>", "a|b", "a\n# b", "![](http://x)"]})
    assert made == {"labels": ["&lt;img src=x onerror=alert(1)>", "a\\|b", "a # b", "![]\\(http://x)"]}
