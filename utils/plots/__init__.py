"""Plots: each function returns a matplotlib Figure and touches no global state; ``save`` writes it.

pyplot is never imported: it keeps every figure in a global list.
"""

from utils.plots.confusion_matrix import confusion
from utils.plots.learning_curves import curves
from utils.plots.output import SUFFIXES, png, save
from utils.plots.radar_chart import radar
from utils.plots.sound import levels, spectrogram, waveform

__all__ = ["SUFFIXES", "confusion", "curves", "levels", "png", "radar", "save", "spectrogram", "waveform"]
