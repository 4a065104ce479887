"""Explanations in words: which clips, what the models answer by, and which maps to ignore."""

import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np

from evaluation.scores.significance import FEWEST
from utils.text_table import text_table

WHAT = {
    "attention": "attention: the weight that the network gives each twentieth of the time",
    "occlusion": "occlusion: how much the answer's probability falls without a block",
    "gradients": "integrated gradients: how much a block adds to the answer's probability",
}
ENOUGH = 0.95  # share of the random orders that one clip's map must beat
SILENCE = (
    "Random orders remove silence as often as speech, so a map that only separates speech from silence beats them. "
    "Faithful means that the answer depends on these blocks, not that the emotion is in them."
)


def of_run(explanation: Mapping[str, Any]) -> str:
    """Return explanations.txt for the content of explanations.json; lines of at most 80 letters."""
    lines = [f"What {explanation['name']} answers by"]
    n_clips, uar = explanation["n_clips"], explanation["uar"]
    lines += _wrapped(f"Explained: {explanation['models']}. {n_clips} clips, UAR {uar:.3f}.")
    if "importance" in explanation:
        lines += ["", *_importance(explanation["importance"], explanation["n_speakers"])]
    if "attention" in explanation:
        lines += ["", *_attention(explanation["attention"])]
    for name, one in explanation["maps"].items():
        lines += ["", *_wrapped(f"{WHAT[name]} ({one['n_clips']} clips)"), *_strongest(one), *verdict(one)]
    if any(one["times"] > 1 for one in explanation["maps"].values()):
        lines += ["", *_wrapped(SILENCE)]
    return "\n".join(lines) + "\n"


def of_clip(explanation: Mapping[str, Any], title: str) -> str:
    """Return the lines on one recording, for what ``explain.explain_clip`` returns."""
    orders = explanation["random_orders"]
    lines = [title]
    for name, one in explanation["maps"].items():
        deletion, insertion = one["deletion_beats"], one["insertion_beats"]
        faithful = min(deletion, insertion) >= round(ENOUGH * orders)
        word = "faithful" if faithful else "NOT shown to be faithful"
        lines.append(f"  {name:<10} beats {deletion} and {insertion} of {orders} random orders: {word}")
    return "\n".join([*lines, "  (by deletion and by insertion)"])


def _importance(rows: list[Mapping[str, Any]], n_speakers: int) -> list[str]:
    lines = _wrapped(
        "UAR lost when the values of a family of features are shuffled between clips, with its 95 % interval over "
        "speakers; and the UAR of that family alone"
    )
    header = ("family", "lost", "features", "p (Holm)", "alone")
    lines += text_table(header, [_importance_cells(row) for row in rows], left=(0, 1), indent=2)
    note = (
        "Redundant families can replace each other, so each looks less important: a small loss does not mean that a "
        "family carries no information."
    )
    if 1 < n_speakers < FEWEST:
        note += f" With {n_speakers} speakers no p can come below .05: ask for more --folds."
    return [*lines, *_wrapped(note)]


def _importance_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    lo, hi = row["loss_ci95"]
    lost = f"{row['loss']:+.3f} [{lo:+.3f}, {hi:+.3f}]"
    return row["family"][:21], lost, str(row["n_features"]), f"{row['p_holm']:.3f}", f"{row['alone']:.3f}"


def _attention(curves: Mapping[str, Any]) -> list[str]:
    answers = [(word, np.array_split(curves[word], 3)) for word in ("right", "wrong") if curves[word]]
    words = [
        f"{word} ({curves[f'n_{word}']}): " + ", ".join(f"{part.mean():.2f}" for part in thirds)
        for word, thirds in answers
    ]
    return _wrapped(
        "Attention in the first, middle and last third of a clip, 1 is the average, for right and wrong answers. "
        f"{'; '.join(words)}. A frame with much attention is not always one that the answer depends on; the tests "
        "below measure that."
    )


def _strongest(one: Mapping[str, Any]) -> list[str]:
    mean = np.array(one["mean"])
    if len(one["families"]) == 1:
        return [f"  weight by time, start to end: {' '.join(f'{100 * w:.0f}' for w in mean[:, 0])} %"]
    by_family = sorted(zip(mean.sum(axis=0), one["families"], strict=True), reverse=True)[:5]
    return _wrapped("strongest: " + ", ".join(f"{family} {worth:+.3f}" for worth, family in by_family), indent="  ")


def verdict(one: Mapping[str, Any]) -> list[str]:
    """Return in words whether a map's order of blocks beats random ones.

    Args:
        one: a map with its ``faithfulness``, as of ``maps.faithfulness``.
    """
    lines, not_better = [], []
    for name in ("deletion", "insertion"):
        part = one["faithfulness"][name]
        limits = part["gain_ci95"]
        interval = f"[{limits[0]:+.3f}, {limits[1]:+.3f}]" if limits else "of one clip"
        areas = f"area {part['area']:.3f}, at random {part['random']:.3f}"
        lines.append(f"  {name:<9} {areas}: better by {part['gain']:+.3f} {interval}")
        if not limits or limits[0] <= 0:
            not_better.append(name)
    if not not_better:
        return [*lines, "  Faithful: both beat chance (95 % over clips)."]
    reason = (
        f"NOT shown to be faithful: by {' and '.join(not_better)} it is no better than a random order (95 % over "
        "clips)."
    )
    return [*lines, *_wrapped(f"{reason} Ignore this map.", indent="  ")]


def _wrapped(sentence: str, *, indent: str = "") -> list[str]:
    return textwrap.wrap(sentence, 80, initial_indent=indent, subsequent_indent=indent)
