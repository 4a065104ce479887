"""A figure as a file, or as the bytes of a PNG."""

import io
from pathlib import Path

from matplotlib.figure import Figure

from utils.errors import ConfigError
from utils.plots.style import darken

SUFFIXES = (".png", ".svg", ".pdf")


def png(figure: Figure, *, dark: bool = False) -> bytes:
    """Return the figure as a PNG, in the colours for a dark page if asked for."""
    if dark:
        darken(figure)
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def save(figure: Figure, path: Path | str) -> None:
    """Write the figure as PNG, SVG or PDF, by the path's suffix; missing folders are made.

    Raises:
        ConfigError: another suffix.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{path}: a plot's name must end in .png, .svg or .pdf.")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
