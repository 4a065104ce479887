"""What a model's card says of its answers: the score and its protocol, notes, how often label sets are right."""

from collections.abc import Mapping
from typing import Any

from models.speaker_offset import SpeakerOffset


def coverage_text(card: Mapping[str, Any], coverage: float) -> str:
    """Return how often the label sets of a coverage held the true label, and for which speakers."""
    measured = card["conformal"][f"{coverage:g}"]
    speakers = "unseen speakers" if card["protocol"]["speaker_disjoint"] else "speakers of the training data"
    return (
        f"label sets at {coverage:.0%}: {measured['coverage']:.1%} held the true label for {speakers}, "
        f"{measured['lowest']:.1%} for the speaker with the lowest share"
    )


def window_note(card: Mapping[str, Any]) -> str:
    """Return why a model that judges windows of a recording should have been trained otherwise; "" if it was not."""
    clips = [member["clip"] for member in card.get("members", [card])]
    untrimmed = any(clip["trim_db"] is None and not clip.get("trim") for clip in clips)
    note = "trained on clips with their silence; for windows of speech train with clip.trim, e.g. adaptive"
    return note if untrimmed else ""


def guessing_text(card: Mapping[str, Any]) -> str:
    """Return the UAR of guessing, and whether the model is better, which cards of older versions do not say.

    >>> guessing_text({"labels": ["angry", "sad"], "verdict": "no better than guessing"})
    'guessing: 0.500, the model is no better than guessing'
    """
    level, verdict = card.get("chance") or 1 / len(card["labels"]), card.get("verdict")
    return f"guessing: {level:.3f}" + (f", the model is {verdict}" if verdict else "")


def provenance(card: Mapping[str, Any], coverage: float | None = None, speaker: Any = None) -> str:
    """Return what a user should know before the answers, a line each.

    The model's UAR with its protocol and what guessing has; its notes; for a coverage, ``coverage_text``; for enrolled
    clips that adapt the model little, ``SpeakerOffset.note``.
    """
    lines = [f"{card['name']}: {card['evidence']}; {guessing_text(card)}"]
    lines += [f"note: {note}" for note in card["notes"]]
    if coverage is not None:
        lines.append(coverage_text(card, coverage))
    if isinstance(speaker, SpeakerOffset) and speaker.note:
        lines.append(f"note: {speaker.note}")
    return "\n".join(lines)
