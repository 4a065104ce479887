"""Colours of emotions and of other groups, the same in every picture."""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex

from utils.plots.style import BLUE, ORANGE

# Okabe & Ito's colours first; what they do not reach in lighter and darker shades. Calm and neutral are pale.
COLOURS = {
    "angry": "#d55e00", "happy": "#f0c418", "sad": "#0072b2", "neutral": "#c3cad1", "fear": "#8458a8",
    "disgust": "#009e73", "surprise": "#e58fbd", "calm": "#a6dcef", "boredom": "#8a7660", "excited": "#f39a1e",
    "frustrated": "#7a2e12",
}  # fmt: skip
OTHERS = ("#56b4e9", "#0b5d4a", "#b8396b", "#4d4d4d", "#b5bd3c", "#5c6bc0")
MANY = 12  # groups that can still be told by colour and named in a legend
DISTINCT = (
    BLUE, ORANGE, "#009e73", "#f0c418", "#8458a8", "#56b4e9", "#7a2e12", "#e58fbd", "#4d4d4d", "#b5bd3c", "#0b5d4a",
    "#b8396b",
)  # fmt: skip


def colours(labels: Sequence[str]) -> dict[str, str]:
    """Return one colour a label; labels of one's own get what is left, in their order."""
    own = [label for label in labels if label not in COLOURS]
    spare = {label: OTHERS[number % len(OTHERS)] for number, label in enumerate(own)}
    return {label: COLOURS.get(label) or spare[label] for label in labels}


def palette(names: Sequence[str], *, emotions: bool = False) -> list[str]:
    """Return a colour a group: emotions have their own, others distinct ones, more than MANY a place on a spectrum."""
    if len(names) > MANY:
        return [to_hex(colormaps["turbo"](place)) for place in np.linspace(0, 1, len(names))]
    return list(colours(names).values()) if emotions else list(DISTINCT[: len(names)])
