"""The report and the model card of a finished run: report.html and MODEL_CARD.md.

They are made from its files: nothing is computed again, no model is loaded.
Other tools add files to a checkpoint (evaluations, the honesty table,
robustness, explanations); build the report again and they are in it.
"""

from pathlib import Path

from evaluation.checkpoint import finished
from evaluation.checkpoint.finished import Finished
from evaluation.pages import html, model_card, sections
from utils.whole_file import write_text

FILE, CARD = "report.html", "MODEL_CARD.md"
SPREAD = 60.0  # seconds between the files of one run, which git and copies write in any order


def page(run: Finished, *, audio: bool = True) -> str:
    """Return the report as one self-contained document.

    Args:
        run: what the checkpoint holds.
        audio: whether the most confident errors are playable, where their recordings are at hand.
    """
    parts = [
        sections.tested(run),
        sections.scores(run),
        sections.information(run),
        sections.held_out(run),
        sections.protocol_comparison(run),
        sections.other_clips(run),
        sections.groups(run),
        sections.calibration(run),
        sections.errors(run, audio=audio),
        *sections.attached(run),
        sections.curves(run),
        sections.use(run),
        sections.made(run),
    ]
    foot = "Rebuild it with python -m evaluation.report; python -m evaluation.glossary says what every number means."
    return html.page(run.metrics["name"], [part for part in parts if part], head=sections.head(run), foot=foot)


def write(folder: Path, *, audio: bool = True) -> Path:
    """Write report.html and MODEL_CARD.md into a checkpoint; return the report's path.

    Args:
        folder: of a finished run.
        audio: as for ``page``.

    Raises:
        ConfigError: no finished run.
    """
    run = finished.read(folder)
    write_text(folder / CARD, model_card.text(run))
    write_text(folder / FILE, page(run, audio=audio))
    return folder / FILE


def lacking(folder: Path) -> bool:
    """Return whether a finished run has no report or model card, or one from before its metrics."""
    files = [folder / CARD, folder / FILE]
    if not all(file.is_file() for file in files):
        return True
    written = min(file.stat().st_mtime for file in files)
    return (folder / "metrics.json").stat().st_mtime - written > SPREAD


def refresh(folder: Path) -> None:
    """Rebuild both files after another tool has written into a checkpoint; a run yet to be trained has none."""
    if (folder / "metrics.json").is_file():
        write(folder)
