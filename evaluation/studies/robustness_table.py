"""The results of ``evaluation.studies.robustness`` as a table, a CSV file and a picture."""

from collections.abc import Sequence
from pathlib import Path

from evaluation.checkpoint import tables
from evaluation.scores.significance import FEWEST
from evaluation.studies.robustness import CLEAN, ConditionScores
from utils import plots
from utils.plots import robustness as robustness_plots
from utils.text_table import text_table

HINT = "hint_"  # begins the columns of hints


def lines(rows: Sequence[ConditionScores]) -> list[str]:
    """Return two tables, 80 columns: UAR and differences; share of the clips with each hint."""
    out = text_table(_header(rows), map(_cells, rows))
    if not rows[0].interval.informative:
        out.append(f"intervals over fewer than {FEWEST} speakers mean little")
    given = [key for key in rows[0].hints if any(row.hints[key] for row in rows)]
    names = [key.removeprefix(HINT).replace("_", " ").split()[0] for key in given]
    shares = ([row.condition, *(f"{row.hints[key]:.0%}" for key in given)] for row in rows)
    return [*out, "", "share of the clips for which predict.py gives a hint:", *text_table(("", *names), shares)]


def _header(rows: Sequence[ConditionScores]) -> list[str]:
    return ["", "UAR", "95 % interval", "to clean", *(("against", "gain", "p") if rows[0].gain else ())]


def _cells(row: ConditionScores) -> list[str]:
    difference = "" if row.condition == CLEAN else f"{row.to_clean.difference:+.3f}"
    cells = [row.condition, f"{row.uar:.3f}", f"[{row.interval.lo:.3f}, {row.interval.hi:.3f}]", difference]
    if row.gain:
        p = f"{row.gain.p:.2f}" if row.interval.informative else ""
        cells += [f"{row.against_uar:.3f}", f"{row.gain.difference:+.3f}", p]
    return cells


def write(folder: Path, rows: Sequence[ConditionScores], *, title: str, name: str, against: str | None) -> str:
    """Write robustness.csv, robustness.txt and robustness.png; return the text.

    Args:
        folder: the checkpoint.
        rows: of ``robustness.scores`` or ``robustness.compared``.
        title: heads text and picture.
        name: of the run.
        against: name of the other run, None without one.
    """
    table = [row.row() for row in rows]
    tables.write_csv(folder / "robustness.csv", list(table[0]), [list(row.values()) for row in table])
    plots.save(robustness_plots.channels(table, name, against, title=title), folder / "robustness.png")
    text = "\n".join([title, "", *lines(rows)])
    (folder / "robustness.txt").write_text(text + "\n", encoding="utf8")
    return text
