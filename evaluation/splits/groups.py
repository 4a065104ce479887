"""Groups of clips that stay together: speakers by name, dealt into folds, or taken out to validate."""

from collections.abc import Iterable

import numpy as np

from utils.dataset import Dataset
from utils.errors import ConfigError
from utils.plugins import nearest


def corpus_of(data: Dataset) -> np.ndarray:
    """Return the corpus (n,) of each clip, the first part of its id."""
    return np.array([str(name).partition("/")[0] for name in data.ids], dtype=str)


def deal(data: Dataset, groups: np.ndarray, number: int, rng: np.random.Generator) -> np.ndarray:
    """Return the fold (n,) of each clip, groups kept together, classes, sexes and corpora balanced.

    The greedy rule of scikit-learn's StratifiedGroupKFold, which is not used as it refuses classes smaller
    than the number of folds and takes seconds where every clip is its own group. No fold stays empty.

    Args:
        data: n clips.
        groups: (n,) what must not be divided, a speaker or a digest.
        number: of folds, at most that of the groups.
        rng: decides among groups of equal size.
    """
    strata = [data.truth, data.facts.get("sex", data.truth), corpus_of(data), np.zeros(len(data))]
    names, group = np.unique(groups, return_inverse=True)
    tables = []
    for column in strata:
        kinds, kind = np.unique(column, return_inverse=True)
        cells = np.bincount(group * len(kinds) + kind, minlength=len(names) * len(kinds))
        tables.append(cells.reshape(len(names), len(kinds)))
    counts = np.concatenate(tables, axis=1)  # (groups, strata), the last column their sizes
    order = rng.permutation(len(counts))
    order = order[np.argsort(-counts[order, -1], kind="stable")]  # large groups first
    shares = counts / counts.sum(axis=0)
    filled, fold_of = np.zeros((number, shares.shape[1])), np.empty(len(counts), np.int64)
    for g in order:
        fold_of[g] = np.argmin(filled @ shares[g])  # the least growth of the sum of squares
        filled[fold_of[g]] += shares[g]
    return fold_of[group]


def resolve(data: Dataset, lists: Iterable[Iterable], where: str) -> list[list[str]]:
    """Return the speakers that these names ("5", 5, "05", "ravdess/05") mean.

    Raises:
        ConfigError: a name that is unknown or ambiguous, or a speaker named twice; begins with ``where``.
    """
    known = [str(speaker) for speaker in np.unique(data.speakers) if speaker]
    resolved = [[_speaker(name, known, where) for name in names] for names in lists]
    flat = [speaker for speakers in resolved for speaker in speakers]
    if twice := sorted({speaker for speaker in flat if flat.count(speaker) > 1}):
        raise ConfigError(f"{where}: {', '.join(twice)} named twice. Name each speaker once.")
    return resolved


def _speaker(name: object, known: list[str], where: str) -> str:
    corpus, _, own = str(name).rpartition("/")

    def same(speaker: str) -> bool:
        prefix, _, tail = speaker.partition("/")
        numbers = own.isdecimal() and tail.isdecimal()
        return corpus in ("", prefix) and (int(own) == int(tail) if numbers else own == tail)

    matches = [speaker for speaker in known if same(speaker)]
    if len(matches) > 1:
        raise ConfigError(f"{where}: speaker {name!r} may be {' or '.join(matches)}. Write the one meant.")
    if not matches:
        closest = nearest(name, known) or nearest(name, [s.partition("/")[2] for s in known])
        raise ConfigError(f"{where}: no speaker {name!r} in the data.{closest} Known: {', '.join(known)}.")
    return matches[0]


def take_speakers(data: Dataset, share: float, rng: np.random.Generator) -> np.ndarray:
    """Return the mask (n,) of whole speakers, about ``share`` of them, the sexes in turn where known.

    No class is taken away altogether; where every speaker is needed for one, nobody is taken.
    """
    speakers, first = np.unique(data.speakers, return_index=True)
    sexes = np.asarray(data.facts.get("sex", np.full(len(data), "")))[first]
    order = rng.permutation(len(speakers))
    queues = [[i for i in order if sexes[i] == sex] for sex in rng.permutation(np.unique(sexes))]
    turns = sorted((place, q, i) for q, queue in enumerate(queues) for place, i in enumerate(queue))
    taken, wanted = np.zeros(len(data), bool), max(1, round(share * len(speakers)))
    for *_, i in turns:
        more = taken | (data.speakers == speakers[i])
        fit = ~more & ~np.isin(data.digests, data.digests[more])
        if wanted and set(data.truth[fit]) == set(data.truth):
            taken, wanted = more, wanted - 1
    return taken


def take_clips(data: Dataset, share: float, rng: np.random.Generator) -> np.ndarray:
    """Return the mask (n,) of about this share of each class, at least one clip and never all of them.

    Duplicates are taken together.

    Raises:
        ConfigError: no class has two different clips.
    """
    chosen = []
    for c in np.unique(data.truth):
        different = rng.permutation(np.unique(data.digests[data.truth == c]))
        chosen += list(different[: min(max(1, round(share * len(different))), len(different) - 1)])
    if not chosen:
        raise ConfigError("validation: no class has two different clips to keep one for early stopping.")
    return np.isin(data.digests, chosen)
