"""Tables as text: aligned, unbroken whatever the length, without markup or colour."""

from utils.text_table import text_table


def test_words_go_to_the_left_and_figures_to_the_right():
    rows = [("svm", "0.512", "[0.4, 0.6]"), ("random_forest", "12", "[0.4, 0.6]?")]
    assert text_table(("run", "UAR", "interval"), rows, left=(0, 2)) == [
        "run              UAR  interval",
        "svm            0.512  [0.4, 0.6]",
        "random_forest     12  [0.4, 0.6]?",
    ]


def test_cells_are_printed_as_they_are(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    (head, line) = text_table(("", "[bold]"), [("x" * 200, ":smile:")])
    assert line == "x" * 200 + "  :smile:" and head.endswith("[bold]")


def test_wide_letters_take_two_columns():
    head, line = text_table(("run", "UAR"), [("\u6f22\u5b57", "0.5")], indent=2)
    assert head == "  run   UAR" and line == "  \u6f22\u5b57  0.5"
