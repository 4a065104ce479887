"""The report and the model card of a finished run: report.html and MODEL_CARD.md.

They are made from its files: nothing is computed again, no model is loaded.
Other tools add files to a checkpoint (evaluations, the honesty table,
robustness, explanations); build the report again and they are in it.
"""

from pathlib import Path

from evaluation.checkpoint import finished
from evaluation.checkpoint.finished import Finished
from evaluation.pages import html, model_card, sections

FILE, CARD = "report.html", "MODEL_CARD.md"


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
    (folder / CARD).write_text(model_card.text(run), encoding="utf8")
    (folder / FILE).write_text(page(run, audio=audio), encoding="utf8")
    return folder / FILE


def refresh(folder: Path) -> None:
    """Rebuild both files after another tool has written into a checkpoint; a run yet to be trained has none."""
    if (folder / "metrics.json").is_file():
        write(folder)
