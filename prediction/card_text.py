"""What a model's card says of its answers: the score and its protocol, notes, how often label sets are right."""

from collections.abc import Mapping
from typing import Any


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
    untrimmed = any(member["clip"]["trim_db"] is None for member in card.get("members", [card]))
    note = "trained on clips with their silence; for windows of speech train with clip.trim_db, e.g. 30"
    return note if untrimmed else ""


def provenance(card: Mapping[str, Any], coverage: float | None = None) -> str:
    """Return the model's UAR with its protocol, its notes and, for a coverage, ``coverage_text``; a line each."""
    lines = [f"{card['name']}: {card['evidence']}", *(f"note: {note}" for note in card["notes"])]
    return "\n".join(lines if coverage is None else [*lines, coverage_text(card, coverage)])
