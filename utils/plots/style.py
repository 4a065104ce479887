"""The look of the plots: colours, an empty figure, axes without clutter, words that do not collide.

The colours stay apart under every common colour blindness (Okabe & Ito 2008, jfly.uni-koeln.de/color).
"""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, to_hex, to_rgba, to_rgba_array
from matplotlib.figure import Figure
from matplotlib.text import Text

INK, GREY, LINE = "#22303c", "#66717b", "#d9dfe4"
BLUE, ORANGE = "#0072b2", "#d55e00"
BLUES = LinearSegmentedColormap.from_list("blues", ["#f3f6f9", "#9cc9e6", BLUE, "#003a5d"])
DIVERGING = LinearSegmentedColormap.from_list("diverging", [ORANGE, "#f7f7f7", BLUE])  # below and above 0
NIGHT = {INK: "#e8ecef", GREY: "#a9b3bc", LINE: "#3d464e", BLUE: "#56a9dc", "#ffffff": "#17191b"}  # on a dark page
LATIN = "\u2e7f"  # from here on East Asian letters, which these fonts of the usual systems have
WIDE = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "WenQuanYi Zen Hei", "Microsoft YaHei", "PingFang SC",
    "Hiragino Sans", "Yu Gothic", "Malgun Gothic", "Arial Unicode MS",
)  # fmt: skip
DPI, SIDE = 125, 6.4  # dots an inch, inches: 800 dots


def new_figure(width: float, height: float, *, layout: str | None = "constrained") -> Figure:
    """Return an empty white figure, inches; what is added is laid out so that nothing is cut off."""
    figure = _Literal(figsize=(width, height), dpi=DPI, facecolor="white", layout=layout)
    FigureCanvasAgg(figure)
    if layout:
        figure.get_layout_engine().set(w_pad=0.12, h_pad=0.12)
    return figure


class _Literal(Figure):
    """A figure in whose words a dollar is a dollar: names of files, speakers and emotions are no formulas."""

    def draw(self, renderer) -> None:
        for text in self.findobj(Text):
            literal(text)
        super().draw(renderer)


def literal(text: Text) -> None:
    """Have a text drawn as it is written: a dollar is no formula, letters that the font lacks are found elsewhere."""
    text.set_parse_math(False)
    if any(letter > LATIN for letter in text.get_text()):
        installed = font_manager.fontManager.get_font_names()
        text.set_fontfamily(["DejaVu Sans", *(name for name in WIDE if name in installed)])


def darken(figure: Figure) -> None:
    """Set what a figure has in the colours above for a dark page; images and other colours stay.

    What is transparent stays as transparent as it is.
    """
    behind = [text.get_bbox_patch() for text in figure.findobj(Text) if text.get_bbox_patch()]
    names = ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor")
    for artist in [*figure.findobj(), *behind]:
        for name in names:
            if not hasattr(artist, f"get_{name}") or (name == "color" and hasattr(artist, "get_facecolor")):
                continue
            given = to_rgba_array(getattr(artist, f"get_{name}")())
            shades = [
                (*to_rgba(NIGHT[to_hex(shade)])[:3], shade[3]) if to_hex(shade) in NIGHT else shade for shade in given
            ]
            if len(shades) and not np.array_equal(shades, given):
                getattr(artist, f"set_{name}")(shades if len(shades) > 1 else shades[0])


def text_size(figure: Figure, text: Text) -> np.ndarray:
    """Return width and height of a text in inches."""
    literal(text)
    box = text.get_window_extent(figure.canvas.get_renderer())
    return np.array([box.width, box.height]) / figure.dpi


def shrink(figure: Figure, text: Text, width: float) -> None:
    """Set a text smaller if it is wider than this many inches."""
    text.set_size(text.get_size() * min(1, width / text_size(figure, text)[0]))


def wrap(label: str) -> str:
    """Return the label in lines of about 14 letters, underscores as spaces."""
    return "\n".join(textwrap.wrap(label.replace("_", " "), 14, break_long_words=False)) or label


def tidy(axes: Axes, *, grid: bool = True) -> None:
    """Leave of the frame what is needed to read values off, in grey."""
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(LINE)
    axes.tick_params(color=LINE, labelcolor=GREY, labelsize=9, left=False)
    if grid:
        axes.grid(axis="y", color=LINE, linewidth=0.8)
        axes.set_axisbelow(True)


def label_ends(axes: Axes, ends: Mapping[str, tuple[str, float]]) -> None:
    """Write each word right of where its lines end, apart from one another."""
    low, high = axes.get_ylim()
    apart, below = 0.08 * (high - low), -np.inf
    for word, (colour, height) in sorted(ends.items(), key=lambda item: item[1][1]):
        height = max(height, below + apart)
        below = height
        axes.annotate(
            word,
            (1.02, height),
            xycoords=("axes fraction", "data"),
            color=colour,
            size=10,
            va="center",
            annotation_clip=False,
        )


def colour_bar(
    figure: Figure, image: ScalarMappable, axes: Axes | Sequence[Axes], label: str, *, aspect: float, ticks: Any = None
) -> None:
    """Add the colour scale of an image, without a frame, right of its axes.

    Args:
        figure: that holds them.
        image: whose colours are explained.
        axes: beside which it stands.
        label: what the colours mean, with the unit.
        aspect: its height over its width.
        ticks: a locator, or None for matplotlib's choice.
    """
    bar = figure.colorbar(image, ax=axes, pad=0.015, aspect=aspect, ticks=ticks)
    bar.set_label(label, color=GREY, size=9)
    bar.ax.tick_params(color=LINE, labelcolor=GREY, labelsize=8)
    bar.outline.set_visible(False)
