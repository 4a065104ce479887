"""model.json, read and checked: a checkpoint of somebody else is answered by one line, not by a traceback."""

import json
import math
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from utils import plugins
from utils.errors import ConfigError, short

FILE = "model.json"
LARGEST_FILE = 64 << 20  # bytes; a card is large by the means and deviations of thousands of features
MOST_MEMBERS, MOST_LABELS = 100, 1000
PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")  # of a run: a member's graph is found by it
MODEL = ("name", "features", "feature_version", "frames", "rate", "clip")  # of each model, to make its features
ANSWER = ("name", "labels", "evidence", "notes", "protocol")  # of a checkpoint, to answer with
CLIP = ("offset", "seconds", "trim_db", "trim", "level")
REMEDY = "Train it again, or copy the whole folder."


class _Rule(NamedTuple):
    holds: Callable[[Any], bool]
    wanted: str


def read_card(checkpoint: Path, needed: Collection[str] = ("labels",)) -> dict[str, Any]:
    """Return the content of a checkpoint's ``model.json``, every key that is there of the right kind.

    Args:
        checkpoint: the folder.
        needed: keys that must be there.

    Raises:
        ConfigError: no such file, not JSON, a key that is missing or not what it must be; one line.
    """
    path = checkpoint / FILE
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ConfigError(f"{path}: is too large to be a card: at most {LARGEST_FILE >> 20} MiB.")
        card = json.loads(path.read_text(encoding="utf8"), parse_constant=_no_number)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{checkpoint}: damaged ({FILE} is no JSON: {short(str(error))}). {REMEDY}") from error
    if defect := _defect(card, needed):
        raise ConfigError(f"{checkpoint}: damaged ({FILE}: {defect}). {REMEDY}")
    return card


def need_answers(card: Mapping[str, Any]) -> None:
    """Refuse a checked card that lacks what an answer for audio takes.

    Raises:
        ConfigError: keys are missing.
    """
    parts = card.get("members", [card])
    if lacking := [*_lacking(card, ANSWER), *(key for part in parts for key in _lacking(part, MODEL))]:
        raise ConfigError(f"{FILE}: damaged, it lacks {', '.join(dict.fromkeys(lacking))}. {REMEDY}")


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number in JSON")


def _defect(card: Any, needed: Collection[str]) -> str:
    """Return what is wrong with the card of a checkpoint, "" if nothing is."""
    if not isinstance(card, dict):
        return f"must be a mapping, got {short(card)}"
    if wrong := _lacking(card, needed):
        return f"it lacks {', '.join(wrong)}"
    if wrong := _wrong(card):
        return wrong
    for number, member in enumerate(card.get("members", [])):
        if lacking := _lacking(member, MODEL):
            return f"members.{number} lacks {', '.join(lacking)}"
        if wrong := _wrong(member):
            return f"members.{number}.{wrong}"
    return _wrong_counts(card)


def _lacking(card: Mapping[str, Any], keys: Collection[str]) -> list[str]:
    return [key for key in keys if key not in card]


def _wrong(card: Mapping[str, Any]) -> str:
    for key, (holds, wanted) in RULES.items():
        if key in card and not holds(card[key]):
            return f"{key} must be {wanted}, got {short(card[key], 60)}"
    return ""


def _wrong_counts(card: Mapping[str, Any]) -> str:
    """Return which numbers do not fit the number of labels or members."""
    classes, members = len(card.get("labels", ())), len(card.get("members", ()))
    adaptation, combination = card.get("adaptation"), card.get("combination", {})
    if adaptation and "labels" in card and len(adaptation["mean"]) != classes:
        return f"adaptation.mean must have a number per label, {classes}, got {len(adaptation['mean'])}"
    if not members:
        return ""
    if "weights" in combination:
        right = _numbers(combination["weights"], members)
        return "" if right else f"combination.weights must be {members} numbers, one per member"
    rows = combination.get("coefficients")
    right = isinstance(rows, list) and len(rows) == classes and all(_numbers(row, members * classes) for row in rows)
    if not right or not _numbers(combination.get("intercept"), classes):
        return f"combination must have weights, or coefficients ({classes}, {members * classes}) and intercept"
    return ""


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _labels(value: Any) -> bool:
    return _texts(value) and 2 <= len(value) == len(set(value)) <= MOST_LABELS and all(value)


def _name(value: Any) -> bool:
    return _text(value) and PLAIN_NAME.fullmatch(value) is not None


def _members(value: Any) -> bool:
    return isinstance(value, list) and 2 <= len(value) <= MOST_MEMBERS and all(isinstance(one, dict) for one in value)


def _number(value: Any, low: float = -math.inf, high: float = math.inf) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _numbers(value: Any, count: int | None = None) -> bool:
    return isinstance(value, list) and count in (None, len(value)) and all(map(_number, value))


def _moments(value: Any) -> bool:
    return isinstance(value, dict) and _numbers(value.get("mean")) and _numbers(value.get("std"), len(value["mean"]))


def _familiar(value: Any) -> bool:
    if value is None:
        return True
    ranges = value.get("ranges") if isinstance(value, dict) else None
    return (
        _moments(value)
        and _number(value.get("distance"))
        and isinstance(ranges, dict)
        and all(_numbers(pair, 2) for pair in ranges.values())
    )


def _clip(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) <= set(CLIP)
        and _number(value.get("offset", 0.0), 0)
        and all(value.get(key) is None or _number(value[key], 0) for key in ("seconds", "trim_db"))
        and value.get("trim") in (None, "adaptive")
        and value.get("level") in (None, "peak", "rms", "active")
    )


def _features(value: Any) -> bool:
    """Whether it is a section of a plug-in that is there, with arguments that it knows."""
    name = value.get("name") if isinstance(value, dict) else None
    known = plugins.every("features").get(name) if _text(name) else None
    return known is not None and set(plugins.settings(value)) <= set(known.arguments)


def _sets(value: Any) -> bool:
    keys = ("threshold", "coverage", "lowest")
    return isinstance(value, dict) and all(
        isinstance(one, dict) and all(_number(one.get(key, 0)) for key in keys) for one in value.values()
    )


def _adaptation(value: Any) -> bool:
    return value is None or (
        isinstance(value, dict)
        and _numbers(value.get("mean"))
        and all(_number(value.get(key), 0) for key in ("total", "within"))
    )


RULES = {
    "name": _Rule(_name, "a plain name: up to 128 letters, digits, '.', '_' and '-'"),
    "labels": _Rule(_labels, f"2 to {MOST_LABELS} different texts"),
    "members": _Rule(_members, f"2 to {MOST_MEMBERS} mappings"),
    "combination": _Rule(lambda value: isinstance(value, dict), "a mapping"),
    "features": _Rule(_features, "a feature plug-in of this version with arguments that it knows"),
    "feature_version": _Rule(_text, "text"),
    "frames": _Rule(lambda value: isinstance(value, bool), "true or false"),
    "rate": _Rule(lambda value: isinstance(value, int) and _number(value, 4000, 192000), "4000 to 192000 Hz"),
    "clip": _Rule(_clip, f"a mapping of {', '.join(CLIP)} as a config has it"),
    "normalise": _Rule(lambda value: value in ("global", "speaker"), "global or speaker"),
    "training_statistics": _Rule(lambda value: value is None or _moments(value), "null, or as many mean as std"),
    "familiar": _Rule(_familiar, "null, or ranges, distance, mean and std"),
    "model": _Rule(lambda value: isinstance(value, dict) and _text(value.get("name")), "a mapping with a name"),
    "corpora": _Rule(_texts, "a list of texts"),
    "notes": _Rule(_texts, "a list of texts"),
    "protocol": _Rule(
        lambda value: isinstance(value, dict) and isinstance(value.get("speaker_disjoint"), bool),
        "a mapping with speaker_disjoint",
    ),
    "uar": _Rule(lambda value: _number(value, 0, 1), "a number from 0 to 1"),
    "evidence": _Rule(_text, "text"),
    "conformal": _Rule(_sets, "a mapping of coverages to numbers"),
    "adaptation": _Rule(_adaptation, "null, or mean, total and within"),
    "fingerprint": _Rule(_text, "text"),
}
