"""The pictures of an explanation: of a run's models over many clips, and of one recording."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.explanations import attention
from models.common import EmotionModel
from utils import plots
from utils.config import Config
from utils.plots import explanations


def write_run(explanation: Mapping[str, Any], folder: Path) -> None:
    """Draw the content of explanations.json into a folder: a PNG per map, faithfulness, attention and importance."""
    name = explanation["name"]
    figures = {
        method: explanations.mean_maps(one, title=f"{name}: {method}")
        for method, one in explanation["maps"].items()
        if method != "attention"
    }
    figures["faithfulness"] = explanations.deletion_and_insertion(explanation["maps"], title=name)
    if "attention" in explanation:
        curves = explanation["attention"]
        figures["attention"] = explanations.attention_over_time(curves, title=f"{name}: attention")
    if "importance" in explanation:
        figures["importance"] = explanations.family_importance(explanation["importance"], title=name)
    for stem, figure in figures.items():
        plots.save(figure, folder / f"{stem}.png")


def write_clip(
    explanation: Mapping[str, Any],
    model: EmotionModel,
    clip: np.ndarray,
    wave: np.ndarray,
    config: Config,
    *,
    title: str,
    path: Path,
) -> None:
    """Draw what ``explain.explain_clip`` returned below the clip's spectrogram.

    Args:
        explanation: of this clip.
        model: that was explained.
        clip: features (frames, dims) or (dims,).
        wave: the clip, mono at the config's rate.
        config: of the run.
        title: above the picture.
        path: of the PNG.
    """
    seconds = len(wave) / config.rate
    decibels, khz = plots.levels(wave, config.rate)
    weights = attention.over_seconds(model, clip, config, seconds) if "attention" in explanation["maps"] else None
    figure = explanations.clip_explanation(decibels, seconds, khz, explanation["maps"], attention=weights, title=title)
    plots.save(figure, path)
