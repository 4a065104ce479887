"""Which clips and which words an experiment keeps: merging, dropping, ordering, a small part for a trial."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice, zip_longest

from corpora.base.utterance import EMOTIONS, Utterance
from utils.errors import ConfigError
from utils.plugins import nearest


def relabel(
    utterances: Sequence[Utterance],
    merge: Mapping[str, str],
    drop: Sequence[str],
    labels: Sequence[str] | None = None,
) -> tuple[list[Utterance], tuple[str, ...]]:
    """Return the utterances that are left, and their class names in order.

    First ``merge`` renames, then ``drop`` leaves out. The order is that of EMOTIONS, then the corpus's own
    words sorted, unless ``labels`` gives another.

    Raises:
        ConfigError: a word of ``merge`` or ``drop`` does not occur, nothing is left, or ``labels`` is not
            exactly what is left.
    """
    _all_occur("merge", merge, {u.emotion for u in utterances})
    merged = [replace(u, emotion=merge[u.emotion]) if u.emotion in merge else u for u in utterances]
    _all_occur("drop", drop, {u.emotion for u in merged})
    left = [u for u in merged if u.emotion not in drop]
    if not left:
        raise ConfigError("drop: leaves no clip; at least two emotions must stay.")
    names = order({u.emotion for u in left})
    if labels is None:
        return left, names
    _must_equal(labels, names)
    return left, tuple(labels)


def order(words: Iterable[str]) -> tuple[str, ...]:
    """Return the words once each: the canonical ones in the order of EMOTIONS, then the others sorted.

    >>> order({"sad", "angry", "bored stiff"})
    ('angry', 'sad', 'bored stiff')
    """
    words = set(words)
    return tuple(e for e in EMOTIONS if e in words) + tuple(sorted(words.difference(EMOTIONS)))


def limit(utterances: Sequence[Utterance], n: int) -> list[Utterance]:
    """Return n clips per class, in their original order: one of each speaker in turn, speakers sorted.

    Raises:
        ConfigError: n is less than 1.
    """
    if n < 1:
        raise ConfigError(f"limit: must be at least 1 clip a class, got {n}.")
    speakers: dict[str, dict[str, list[Utterance]]] = defaultdict(lambda: defaultdict(list))
    for utterance in utterances:
        speakers[utterance.emotion][utterance.speaker].append(utterance)
    chosen = set()
    for emotion in speakers.values():
        turns = chain.from_iterable(zip_longest(*(emotion[name] for name in sorted(emotion))))
        chosen.update(u.id for u in islice((u for u in turns if u), n))
    return [u for u in utterances if u.id in chosen]


def _all_occur(key: str, words: Iterable[str], occurring: Collection[str]) -> None:
    for word in words:
        if word not in occurring:
            hint, listed = nearest(word, occurring), ", ".join(order(occurring))
            raise ConfigError(f"{key}: no clip is labelled {word!r}.{hint} There are: {listed}.")


def _must_equal(labels: Sequence[str], names: Sequence[str]) -> None:
    if sorted(labels) == sorted(names):
        return
    differences = {
        "not in the data": [w for w in labels if w not in names],
        "in the data but not in labels": [w for w in names if w not in labels],
        "stated twice": sorted({w for w in labels if list(labels).count(w) > 1}),
    }
    listed = "; ".join(f"{what}: {', '.join(words)}" for what, words in differences.items() if words)
    raise ConfigError(f"labels: must be what merge and drop leave ({', '.join(names)}); {listed}.")
