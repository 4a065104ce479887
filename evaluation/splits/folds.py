"""Splits: which clips train and which test, with a speaker and every duplicate on one side only."""

import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.splits.groups import corpus_of, deal, resolve, take_clips, take_speakers
from utils.dataset import Dataset
from utils.errors import ConfigError
from utils.plugins import nearest

PUBLISHED = {  # test actors of RAVDESS, a fold each
    # EmoBox, Ma et al. 2024, arXiv:2406.07162
    "emobox": (
        (1, 11, 20, 21), (4, 10, 12, 14), (8, 9, 19, 23), (3, 5, 7, 24), (2, 15, 16, 18), (6, 13, 17, 22),
    ),
    # Luna-Jimenez et al. 2022, doi 10.3390/app12010327
    "luna_jimenez": (
        (2, 5, 14, 15, 16), (3, 6, 7, 13, 18), (10, 11, 12, 19, 20), (8, 17, 21, 23, 24), (1, 4, 9, 22),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Fold:
    """One division of the clips.

    Attributes:
        train: (n,) int64, ascending indices of the training part, validation included.
        test: (m,) int64, ascending indices of the test part.
        name: what is tested, e.g. "fold 1", "ravdess/05", "emodb".
    """

    train: np.ndarray
    test: np.ndarray
    name: str


def draw_folds(data: Dataset, split: Mapping, *, seed: int) -> list[Fold]:
    """Return the folds of a config's ``split`` section, as indices into data.

    Speakers under ``holdout`` are in no fold. Training clips whose digest occurs in the test part are
    left out, and every class is in every training part. Clips under ``train_only`` test nothing; where their speaker,
    session or corpus is tested, they do not train either.

    Args:
        data: all clips, the held-out ones too; features are not looked at.
        split: ``by`` with its arguments: speaker, listed, session, corpus, official or random.
        seed: decides which speakers (or, by random, which clips) share a fold.

    Raises:
        ConfigError: unknown names, too few speakers, speakers that are not known, a class that a training
            part lacks.
    """
    by = split.get("by")
    if by not in SPLITS:
        known = ", ".join(SPLITS)
        raise ConfigError(f"split.by: {by!r} is not a known split.{nearest(by, SPLITS)} Known: {known}.")
    rest, _ = holdout(data, split)
    part = data[rest]
    scored = ~_only_trains(part, split)
    folds = []
    for name, test in SPLITS[by](part, split, np.random.default_rng(seed)):
        train = np.flatnonzero(~test & ~np.isin(part.digests, part.digests[test]))
        if not (test & scored).any():
            continue
        need_classes(part, train, name)
        folds.append(Fold(rest[train], rest[np.flatnonzero(test & scored)], name))
    return folds


def holdout(data: Dataset, split: Mapping) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices to work with and those of the speakers under ``holdout``.

    A clip of another speaker whose audio also occurs among the held-out ones is in neither, nor is a held-out
    speaker's clip under ``train_only``.

    Raises:
        ConfigError: a speaker that is unknown, ambiguous or named twice, or nothing is left.
    """
    names = split.get("holdout") or []
    if not names:
        return np.arange(len(data)), np.arange(0)
    held = np.isin(data.speakers, resolve(data, [names], "split.holdout")[0])
    rest = ~held & ~np.isin(data.digests, data.digests[held])
    if not rest.any():
        raise ConfigError("split.holdout: names every speaker; nobody is left to train on.")
    return np.flatnonzero(rest), np.flatnonzero(held & ~_only_trains(data, split))


def _only_trains(data: Dataset, split: Mapping) -> np.ndarray:
    """Return the mask (n,) of the clips under ``train_only``.

    Raises:
        ConfigError: no regular expression, or it matches no clip or every clip.
    """
    pattern = split.get("train_only")
    if not pattern:
        return np.zeros(len(data), bool)
    try:
        matches = np.array([re.match(pattern, name) is not None for name in data.ids.tolist()])
    except re.error as error:
        raise ConfigError(f"split.train_only: {pattern!r} is no regular expression ({error}).") from error
    if matches.all() or not matches.any():
        which = "every clip" if matches.all() else "no clip"
        raise ConfigError(f"split.train_only: {pattern!r} matches {which}; clip ids look like {data.ids[0]}.")
    return matches


def validation_rows(
    data: Dataset, train_indices: np.ndarray, split_by: str, *, seed: int, share: float = 0.15
) -> tuple[np.ndarray, np.ndarray, str]:
    """Divide a training part into the clips to fit on and those that early stopping looks at.

    Whole speakers are taken, the sexes in turn where known. Where that cannot be (split by random, one
    speaker, speakers not known, or a class would be lost), clips are, stratified by class. By official,
    the corpus's own validation part is taken if it has one.

    Args:
        data: all clips.
        train_indices: (n,) indices into data, a Fold's ``train``.
        split_by: the ``by`` of the split.
        seed: with the training part itself it decides who is taken.
        share: of the speakers (or clips) to take; at least one is.

    Returns:
        Fit indices, validation indices, and the kind: "speakers", "clips" or "official".

    Raises:
        ConfigError: no class has two different clips.
    """
    train_indices = np.sort(np.asarray(train_indices, dtype=np.int64))
    part = data[train_indices]
    rng = np.random.default_rng([seed, zlib.crc32(train_indices.tobytes())])
    taken, kind = np.zeros(len(part), bool), "clips"
    if split_by == "official" and "split" in part.facts:
        taken, kind = part.facts["split"] == "validation", "official"
    elif split_by != "random" and (part.speakers != "").all():
        taken, kind = take_speakers(part, share, rng), "speakers"
    if not taken.any():
        taken, kind = take_clips(part, share, rng), "clips"
    fit = ~taken & ~np.isin(part.digests, part.digests[taken])
    return train_indices[fit], train_indices[taken], kind


Tests = list[tuple[str, np.ndarray]]  # name and mask (n,) of each test part


def _by_speaker(data: Dataset, split: Mapping, rng: np.random.Generator) -> Tests:
    _need_speakers(data, "speaker")
    number, known = split.get("folds", 5), np.unique(data.speakers)
    if number == "all" or len(known) < 2:
        return _leave_one_out(data.speakers, "speaker")
    if _count(number) > len(known):
        raise ConfigError(f"split.folds: {number} folds of {len(known)} speakers. At most that many, or all.")
    return _numbered(deal(data, data.speakers, number, rng), number)


def _by_list(data: Dataset, split: Mapping, rng: np.random.Generator) -> Tests:
    _need_speakers(data, "listed")
    lists, known = split.get("folds"), set(data.speakers.tolist())
    if isinstance(lists, str):
        if lists not in PUBLISHED:
            hint = f"{nearest(lists, PUBLISHED)} Known: {', '.join(PUBLISHED)}"
            raise ConfigError(f"split.folds: {lists!r} is not a known list of folds.{hint}.")
        # a part of the corpus is enough: the songs lack actor 18, a holdout or a trial some more
        named = [[f"ravdess/{actor:02}" for actor in actors] for actors in PUBLISHED[lists]]
        lists = [present for actors in named if (present := [a for a in actors if a in known])]
    elif not isinstance(lists, Sequence) or not all(isinstance(names, Sequence) and names for names in lists):
        raise ConfigError(f"split.folds: by listed takes [[1, 2], [3], ...] or {' or '.join(PUBLISHED)}.")
    tested = resolve(data, lists, "split.folds")
    if missing := sorted(known - {speaker for speakers in tested for speaker in speakers}):
        raise ConfigError(f"split.folds: {', '.join(missing)} in no fold. List all, or use by: speaker.")
    if len(tested) < 2:
        raise ConfigError("split.folds: one list of speakers leaves nobody to train on. Give at least two.")
    return [(f"fold {i}", np.isin(data.speakers, speakers)) for i, speakers in enumerate(tested, 1)]


def _by_session(data: Dataset, split: Mapping, rng: np.random.Generator) -> Tests:
    _need_speakers(data, "session")
    sessions = np.asarray(data.facts.get("session", np.full(len(data), ""))).astype(str)
    if (sessions == "").any():
        raise ConfigError("split: by session, but not every clip has a session. Use by: speaker.")
    return _leave_one_out(np.char.add(np.char.add(corpus_of(data), "/"), sessions), "session")


def _by_corpus(data: Dataset, split: Mapping, rng: np.random.Generator) -> Tests:
    return _leave_one_out(corpus_of(data), "corpus")


def _by_official(data: Dataset, split: Mapping, rng: np.random.Generator) -> Tests:
    parts = np.asarray(data.facts.get("split", np.full(len(data), ""))).astype(str)
    if unfit := sorted(set(parts.tolist()) - {"train", "validation", "test"}):
        raise ConfigError(
            f"split: by official, but {np.sum(parts == unfit[0])} clips are marked {unfit[0]!r}, not train, "
            "validation or test. Where the corpus has no official split use by: speaker."
        )
    if not (parts == "test").any():
        raise ConfigError("split: by official, but no clip is marked test. Use by: speaker.")
    return [("official", parts == "test")]


def _by_chance(data: Dataset, split: Mapping, rng: np.random.Generator) -> Tests:
    number, different = _count(split.get("folds", 5)), len(np.unique(data.digests))
    if number > different:
        raise ConfigError(f"split.folds: {number} folds of {different} different clips. At most that many.")
    return _numbered(deal(data, data.digests, number, rng), number)


SPLITS: Mapping[str, Callable[[Dataset, Mapping, np.random.Generator], Tests]] = {
    "speaker": _by_speaker,
    "listed": _by_list,
    "session": _by_session,
    "corpus": _by_corpus,
    "official": _by_official,
    "random": _by_chance,
}


def _numbered(fold_of: np.ndarray, number: int) -> Tests:
    return [(f"fold {i + 1}", fold_of == i) for i in range(number)]


def _leave_one_out(groups: np.ndarray, word: str) -> Tests:
    known = np.unique(groups)
    if len(known) < 2:
        other = "random (speaker-dependent)" if word == "speaker" else "speaker"
        raise ConfigError(f"split: by {word} needs two, but all clips are of {known[0]}. Use by: {other}.")
    return [(str(name), groups == name) for name in known]


def _count(number: object) -> int:
    if not isinstance(number, int) or number < 2:
        raise ConfigError(
            f"split.folds: a number from 2 on, or all by speaker, got {number!r}. Lists of speakers, "
            f"{' and '.join(PUBLISHED)} go with by: listed."
        )
    return number


def _need_speakers(data: Dataset, by: str) -> None:
    if (unknown := data.speakers == "").any():
        raise ConfigError(
            f"split: by {by}, but {unknown.sum()} clips of {', '.join(np.unique(corpus_of(data)[unknown]))} "
            r"have no speaker. Give the folders corpus a pattern, speaker: '^(\w+?)_', or use by: random."
        )


def need_classes(data: Dataset, train: np.ndarray, name: str) -> None:
    """Raise ConfigError unless every class is in the training part ``train`` (n,) of the test that has this name."""
    counts = np.bincount(data.truth[train], minlength=len(data.labels))
    if missing := [label for label, count in zip(data.labels, counts, strict=True) if not count]:
        raise ConfigError(
            f"split: the training part of {name} has no clip of {', '.join(missing)}. "
            "Drop or merge these labels, or use smaller test parts."
        )
