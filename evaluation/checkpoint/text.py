"""metrics.txt: what metrics.json says, for people, in 80 columns."""

import textwrap
from collections.abc import Mapping
from typing import Any

from evaluation.checkpoint import analysis, protocol
from evaluation.checkpoint.metrics_json import uar_text
from evaluation.leakage.text import verdict_line
from evaluation.scores import glossary, guessing, speaker_emotions


def text(scored: Mapping[str, Any]) -> str:
    """Return metrics.json in words: protocol, scores, audit, UAR by information on the speaker, a table per class."""
    stated = scored["protocol"]
    lines = [
        scored["name"],
        *textwrap.wrap(protocol.read(stated).describe(), 80),
        f"{scored['n_clips']} clips, {scored['n_speakers']} speakers, validation: {stated['validation']}",
        "",
        f"UAR                {uar_text(scored)}",
        _score("chance", scored["chance"], guessing.remark(scored)),
        *(_score(key, scored[key]) for key in ("accuracy", "macro_f1", "weighted_f1")),
        _score("ece", scored["ece"], _temperature_note(scored["calibration"])),
        *([verdict_line(scored["audit"])] if "audit" in scored else []),  # an evaluation trains nothing
        *_training_data(scored),
        *analysis.lines(scored),
    ]
    known = {name: value for name, value in scored["by_information"].items() if value is not None}
    if len(known) > 1:
        lines += ["", "UAR by what is known of the test speaker:"]
        lines += [f"  {name.replace('_', ' '):<17}{value:.3f}" for name, value in known.items()]
    if held_out := scored.get("holdout"):
        lines += ["", f"held-out speakers: UAR {held_out['uar']:.3f}, {held_out['n_clips']} clips"]
        lines += textwrap.wrap(", ".join(held_out["speakers"]), 80, initial_indent="  ", subsequent_indent="  ")
    return "\n".join([*lines, "", *_per_class(scored["per_class"])])


def _score(metric: str, value: float, remark: str = "") -> str:
    """A number with its name and what it is."""
    return f"{glossary.name(metric):<19}{value:.3f}  {remark or glossary.TERMS[metric].brief}"


def _training_data(scored: Mapping[str, Any]) -> list[str]:
    """What the training data lacks; of an evaluation nothing."""
    sentences = [speaker_emotions.warning(scored), speaker_emotions.missing_sentence(scored)]
    lines = [line for sentence in sentences for line in textwrap.wrap(sentence, 80)]
    return ["", *lines] if lines else []


def _temperature_note(calibration: Mapping[str, Any] | None) -> str:
    if not calibration:
        return ""
    return f"({calibration['ece']['before']:.3f} before temperature {calibration['temperature']:.2f})"


def _per_class(per_class: Mapping[str, Mapping]) -> list[str]:
    width = max(len(label) for label in per_class) + 2
    lines = [f"{'':<{width}}precision  recall     F1  clips"]
    for label, row in per_class.items():
        figures = f"{row['precision']:9.3f}{row['recall']:8.3f}{row['f1']:7.3f}{row['support']:7d}"
        lines.append(f"{label:<{width}}{figures}")
    return lines
