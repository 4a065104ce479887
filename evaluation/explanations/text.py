"""Explanations in words: what was asked, what came out, and which map does not deserve belief."""

import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np

from evaluation.scores.significance import FEWEST

WHAT = {
    "attention": "attention: the network's own weight of each twentieth of the time",
    "occlusion": "occlusion: what the answer's probability loses without a block",
    "gradients": "integrated gradients: what a block adds to the answer's probability",
}

ENOUGH = 0.95  # share of the random orders that one clip's map must beat
SILENCE = (
    "A random order takes silence as often as speech, so a map beats it that does no more than tell the two apart: "
    "faithful means that the answer rests on these blocks, not that they are where the emotion is."
)


def text(found: Mapping[str, Any]) -> str:
    """Return explanations.txt for the content of explanations.json; lines of at most 80 letters."""
    lines = [f"What {found['name']} answers by"]
    lines += _wrapped(f"Explained: {found['models']}. {found['n_clips']} clips, UAR {found['uar']:.3f}.")
    if "importance" in found:
        lines += ["", *_importance(found["importance"], found["n_speakers"])]
    if "attention" in found:
        lines += ["", *_attention(found["attention"])]
    for name, one in found["maps"].items():
        lines += ["", *_wrapped(f"{WHAT[name]} ({one['n_clips']} clips)"), *_strongest(one), *verdict(one)]
    if any(one["times"] > 1 for one in found["maps"].values()):
        lines += ["", *_wrapped(SILENCE)]
    return "\n".join(lines) + "\n"


def of_clip(found: Mapping[str, Any], title: str) -> str:
    """Return what is said of one recording, for what ``explanations.of_clip`` found."""
    lines, least = [title], round(ENOUGH * found["random_orders"])
    for name, one in found["maps"].items():
        deletion, insertion = one["deletion_beats"], one["insertion_beats"]
        word = "faithful" if min(deletion, insertion) >= least else "NOT shown to be faithful"
        lines.append(f"  {name:<10} beats {deletion} and {insertion} of {found['random_orders']} random orders: {word}")
    return "\n".join([*lines, "  (by deletion and by insertion)"])


def _importance(found: list[Mapping[str, Any]], n_speakers: int) -> list[str]:
    lines = ["UAR lost when a family of features changes clips, 95 % over speakers; and the"]
    lines += ["UAR of that family alone", f"  {'family':<22}{'features':>8}  {'lost':<24}{'p (Holm)':>8}{'alone':>8}"]
    for line in found:
        lo, hi = line["loss_ci95"]
        lost = f"{line['loss']:+.3f} [{lo:+.3f}, {hi:+.3f}]"
        lines.append(
            f"  {line['family'][:21]:<22}{line['n_features']:>8}  {lost:<24}{line['p_holm']:>8.3f}{line['alone']:>8.3f}"
        )
    note = "Families that say the same cover for one another: a small loss does not mean that a family says nothing."
    if 1 < n_speakers < FEWEST:
        note += f" With {n_speakers} speakers no p can come below .05: ask for more --folds."
    return [*lines, *_wrapped(note)]


def _attention(found: Mapping[str, Any]) -> list[str]:
    thirds = [np.array_split(curve, 3) for curve in (found["right"], found["wrong"]) if curve]
    words = [
        f"{word} ({found[f'n_{word}']}): " + ", ".join(f"{part.mean():.2f}" for part in third)
        for word, third in zip([w for w in ("right", "wrong") if found[w]], thirds, strict=True)
    ]
    return _wrapped(
        f"Attention in the first, middle and last third of a clip, 1 the average. {'; '.join(words)}. That a network "
        "attends to a frame does not prove that its answer needs it; the curves below ask that."
    )


def _strongest(one: Mapping[str, Any]) -> list[str]:
    mean = np.array(one["mean"])
    if len(one["families"]) == 1:
        return [f"  weight by time, start to end: {' '.join(f'{100 * w:.0f}' for w in mean[:, 0])} %"]
    by_family = sorted(zip(mean.sum(axis=0), one["families"], strict=True), reverse=True)[:5]
    return _wrapped("strongest: " + ", ".join(f"{family} {worth:+.3f}" for worth, family in by_family), indent="  ")


def verdict(one: Mapping[str, Any]) -> list[str]:
    """Return in words whether a map's order of blocks beats random ones."""
    faith, lines = one["faithfulness"], []
    short = []
    for name in ("deletion", "insertion"):
        part = faith[name]
        limits = part["gain_ci95"]
        said = f"[{limits[0]:+.3f}, {limits[1]:+.3f}]" if limits else "of one clip"
        areas = f"area {part['area']:.3f}, at random {part['random']:.3f}"
        lines.append(f"  {name:<9} {areas}: better by {part['gain']:+.3f} {said}")
        if not limits or limits[0] <= 0:
            short.append(name)
    if not short:
        return [*lines, "  Faithful: both beat chance (95 % over clips)."]
    reason = (
        f"NOT shown to be faithful: by {' and '.join(short)} it is no better than a random order (95 % over clips)."
    )
    return [*lines, *_wrapped(f"{reason} Do not read reasons into it.", indent="  ")]


def _wrapped(sentence: str, *, indent: str = "") -> list[str]:
    return textwrap.wrap(sentence, 80, initial_indent=indent, subsequent_indent=indent)
