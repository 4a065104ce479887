"""Which emotions each training speaker has clips of. Where pairs are missing, a model can take one for the other."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from utils.dataset import Dataset

MOST = 3  # names, and emotions, that a sentence lists
CONFOUNDED = "show one emotion only: the score can be that of a speaker recogniser."


def scores(train: Dataset) -> dict[str, Any]:
    """Return ``n_training_speakers``, the known ones, and ``missing_pairs`` of metrics.json.

    ``missing_pairs``: emotion -> the speakers without a clip of it, sorted; an emotion that all have is left out.

    Args:
        train: the clips that the shipped model is trained on.
    """
    names = sorted(set(train.speakers.tolist()) - {""})
    occur = set(zip(train.truth.tolist(), train.speakers.tolist(), strict=True))
    lacking = {
        label: [name for name in names if (number, name) not in occur] for number, label in enumerate(train.labels)
    }
    return {
        "n_training_speakers": len(names),
        "missing_pairs": {label: speakers for label, speakers in lacking.items() if speakers},
    }


def warning(scored: Mapping[str, Any]) -> str:
    """Return that speaker and emotion cannot be told apart, "" if most speakers show several emotions.

    >>> one_each = {"sad": ["08"], "angry": ["09"]}
    >>> warning({"labels": ["sad", "angry"], "n_training_speakers": 2, "missing_pairs": one_each})
    'Each speaker shows one emotion only: the score can be that of a speaker recogniser.'
    """
    lacks = Counter(name for speakers in scored.get("missing_pairs", {}).values() for name in speakers)
    single = sum(number == len(scored["labels"]) - 1 for number in lacks.values())
    speakers = scored.get("n_training_speakers", 0)
    if speakers < 2 or single <= speakers / 2:
        return ""
    if single == speakers:
        return f"Each speaker {CONFOUNDED.replace('show', 'shows', 1)}"
    return f"{single} of {speakers} speakers {CONFOUNDED}"


def missing_sentence(scored: Mapping[str, Any]) -> str:
    """Return which pairs are missing, the emotions that most speakers lack first; "" if none, or all but one each.

    >>> missing_sentence({"labels": ["sad", "angry"], "n_training_speakers": 10, "missing_pairs": {"sad": ["08"]}})
    'In the training data 1 of 10 speakers has no clip of sad (08).'
    """
    speakers = scored.get("n_training_speakers", 0)
    pairs = sorted(scored.get("missing_pairs", {}).items(), key=lambda pair: -len(pair[1]))
    if not pairs or warning(scored).startswith("Each"):
        return ""
    parts = [
        f"{len(names)} of {speakers} speakers {'has' if len(names) == 1 else 'have'} no clip of {label} ({_few(names)})"
        for label, names in pairs
    ]
    more = len(parts) - MOST
    rest = [f"so with {more} more emotion{'s' * (more > 1)}"] if more > 0 else []
    return f"In the training data {'; '.join(parts[:MOST] + rest)}."


def _few(names: Sequence[str]) -> str:
    more = len(names) - MOST
    return ", ".join(names[:MOST]) + (f" and {more} more" if more > 0 else "")
