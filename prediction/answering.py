"""What a model says of clips: answers, in what they are unlike the training clips, and what its figure is worth."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from prediction import out_of_domain as familiarity
from prediction.answers import Answer, Wanted
from utils.errors import ConfigError

if TYPE_CHECKING:
    from prediction.predictor import Predictor, Speaker


def answers(
    predictor: "Predictor", found: Iterable[tuple[str, Any]], speaker: "Speaker | None", wanted: Wanted
) -> Iterator[Answer]:
    """Yield what is said of files.

    Args:
        predictor: the model.
        found: file and what ``prediction.extractor.Extractor.read`` gave, or the reason (str) why nothing was read.
        speaker: what ``predictor.enrolled`` gave, if anybody is enrolled.
        wanted: what is said beside the probabilities.
    """
    found = list(found)
    features = [read[0] for _, read in found if not isinstance(read, str)]
    rows = iter(predictor.probabilities(features, speaker) if features else ())
    for file, read in found:
        if isinstance(read, str):
            yield Answer(file, error=read)
        else:
            by_label = {label: round(float(p), 6) for label, p in zip(predictor.labels, next(rows), strict=True)}
            yield Answer(file, by_label, wanted=wanted, hints=hints(predictor.card, *read))


def hints(card: Mapping[str, Any], features: Any, channel: Sequence[Mapping[str, float]]) -> list[dict[str, Any]]:
    """Return in what a clip is unlike those that the model, or any member of an ensemble, was trained on."""
    members = list(zip(card["members"], features, channel, strict=True)) if "members" in card else None
    found = {}
    for member, part, heard in members or [(card, features, channel[0])]:
        one = familiarity.hints(member.get("familiar"), [part], {name: [value] for name, value in heard.items()})
        found = {hint["hint"]: hint for hint in one[0]} | found
    return list(found.values())


def least(card: Mapping[str, Any], coverage: float | None) -> float | None:
    """Return the least probability of a label in a set at this coverage; None if no sets are asked for.

    Raises:
        ConfigError: the checkpoint knows no such coverage.
    """
    if coverage is None:
        return None
    known = card.get("conformal") or {}
    if not known:
        raise ConfigError(f"--coverage: {card['name']} has no thresholds: train it again, on clips of known speakers.")
    if f"{coverage:g}" not in known:
        raise ConfigError(f"--coverage {coverage:g}: {card['name']} has thresholds for {', '.join(known)}.")
    return known[f"{coverage:g}"]["threshold"]


def coverage_text(card: Mapping[str, Any], coverage: float) -> str:
    """Return how often the label sets of a coverage held the truth, and for whom."""
    held = card["conformal"][f"{coverage:g}"]
    whom = "strangers" if card["protocol"]["speaker_disjoint"] else "speakers that were trained on"
    return (
        f"label sets at {coverage:.0%}: {held['coverage']:.1%} held the truth for {whom}, "
        f"{held['lowest']:.1%} for the one they suited least"
    )


def window_note(card: Mapping[str, Any]) -> str:
    """Return why a model that judges windows of a recording should have been trained otherwise; "" if it was not."""
    silent = any(member["clip"]["trim_db"] is None for member in card.get("members", [card]))
    words = "trained on clips with their silence; for windows of speech train with clip.trim_db, e.g. 30"
    return words if silent else ""


def provenance(card: Mapping[str, Any], coverage: float | None) -> str:
    """Return the model's UAR with its protocol, its notes, and what its label sets are worth, a line each."""
    lines = [f"{card['name']}: {card['evidence']}", *(f"note: {note}" for note in card["notes"])]
    return "\n".join(lines if coverage is None else [*lines, coverage_text(card, coverage)])
