"""What the clips and features of an experiment look like before any model: numbers, from the cache alone.

Everything is asked of the emotions and of the speakers alike, side by side: features that lie closer by voice than by
feeling are what makes a score on known speakers too good to be true.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from evaluation.explanations.feature_groups import families
from models.moments import moments, safe_std
from utils.dataset import Dataset, Features, Frames
from utils.errors import DataError

MAPPED = 3000  # clips that silhouettes, nearest neighbours and t-SNE look at; of more a random part
COMPONENTS = 50  # principal components that t-SNE starts from
FEWEST = 5  # clips that a map needs
ALIKE = 0.9  # features correlated more than this say the same
SCALED = "emotion, speakers scaled"
NOBODY = -1  # group of a clip of which it is not known


def pooled(features: Features, names: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """Return vectors as they are, and of frames the mean and the standard deviation over time.

    Args:
        features: (n, dims) or Frames of n clips.
        names: of the dims.

    Returns:
        (n, columns) float32 and the names of the columns.
    """
    if not isinstance(features, Frames):
        return features, list(names)
    rows = [np.concatenate([clip.mean(axis=0, dtype=np.float64), clip.std(axis=0)]) for clip in features.clips]
    return np.stack(rows).astype(np.float32), [f"{name} ({of})" for of in ("mean", "std") for name in names]


def scaled(values: np.ndarray) -> np.ndarray:
    """Return columns of mean 0 and deviation 1, (n, columns) float32; one that stands still is 0."""
    mean, std = moments([values])
    return (values - mean) / safe_std(std, np.abs(mean), np.inf)


def scaled_by(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return the same with each group, as a speaker, scaled by itself; a clip of no known group is 0.

    Args:
        values: (n, columns).
        groups: (n,) whole numbers from 0; NOBODY where not known.
    """
    found = np.zeros(values.shape, np.float32)
    for group in np.unique(groups[groups != NOBODY]):
        found[groups == group] = scaled(values[groups == group])
    return found


def codes(words: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Return the group of each clip and the names of the groups, sorted; "" is NOBODY.

    >>> codes(np.array(["b", "", "a", "b"]))[0].tolist()
    [1, -1, 0, 1]
    """
    names = sorted(set(words.tolist()) - {""})
    index = {name: number for number, name in enumerate(names)} | {"": NOBODY}
    return np.array([index[word] for word in words.tolist()], np.int64), names


def eta_squared(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return the share of each column's variance that lies between the groups, (columns,) 0 to 1.

    Of k groups of n clips chance alone gives (k - 1) / (n - 1). A column that stands still has 0. Fisher's correlation
    ratio squared; Cohen 1973, Eta-squared and partial eta-squared in fixed factor ANOVA designs,
    doi 10.1177/001316447303300111.

    Args:
        values: (n, columns).
        groups: (n,) whole numbers; clips of NOBODY are left out.
    """
    z = scaled(values[groups != NOBODY])
    _, own, counts = np.unique(groups[groups != NOBODY], return_inverse=True, return_counts=True)
    sums = np.stack([z[own == group].sum(axis=0, dtype=np.float64) for group in range(len(counts))])  # (k, columns)
    rest = np.square(sums.sum(axis=0)) / len(z)  # rounding left of a mean of 0
    total = np.einsum("ij,ij->j", z, z, dtype=np.float64) - rest
    between = (np.square(sums) / counts[:, None]).sum(axis=0) - rest
    return np.divide(between, total, out=np.zeros_like(total), where=total > 0).clip(0, 1)


def chance(groups: np.ndarray, scaled_groups: int = 1) -> float:
    """Return the eta squared that these groups give a column by chance, on average.

    Args:
        groups: (n,) whole numbers; clips of NOBODY are left out.
        scaled_groups: how many groups of clips were scaled each by itself, which takes a mean from each.
    """
    known = groups[groups != NOBODY]
    free = len(known) - scaled_groups
    return min(1.0, (len(np.unique(known)) - 1) / free) if free > 0 else 0.0


def some(n: int, *, seed: int) -> np.ndarray:
    """Return the numbers of at most MAPPED of n clips, in their order, by chance."""
    return np.sort(np.random.default_rng(seed).permutation(n)[:MAPPED])


def separation(
    values: np.ndarray, groups: np.ndarray, speakers: np.ndarray, *, seed: int, scaled_groups: int = 1
) -> dict[str, Any]:
    """Return how far the features tell the groups apart.

    Args:
        values: (n, columns).
        groups: (n,) whole numbers; clips of NOBODY are left out.
        speakers: (n,) likewise, of whom the clips are; not asked for where it is NOBODY's.
        seed: of the clips that are looked at where there are more than MAPPED.
        scaled_groups: as of ``chance``; with more than one, what the nearest would be by chance is not told.

    Returns:
        ``groups`` and ``n_clips``; ``variance``, the mean eta squared over the columns that move, and
        ``variance_chance``; over the standardised features ``silhouette`` (-1 to 1, Rousseeuw 1987,
        doi 10.1016/0377-0427(87)90125-7); ``nearest``, the share of the clips whose nearest other clip is of their
        group, and ``nearest_chance``; ``stranger``, the same of the nearest clip by another speaker. None where it
        means nothing: fewer than two groups, a group for every clip, one speaker a group.
    """
    known = groups != NOBODY
    values, groups, speakers = values[known], groups[known], speakers[known]
    n, k = len(groups), len(np.unique(groups))
    keys = ("variance", "variance_chance", "silhouette", "nearest", "nearest_chance", "stranger")
    found = {"groups": k, "n_clips": n} | dict.fromkeys(keys)
    if not 2 <= k < n:
        return found
    z = scaled(values)
    moving = z.any(axis=0)
    if not moving.any():
        return found
    found |= {
        "variance": float(eta_squared(values, groups)[moving].mean()),
        "variance_chance": chance(groups, scaled_groups),
    }
    chosen = some(n, seed=seed)
    found |= _neighbours(z[chosen], groups[chosen], speakers[chosen])
    return found if scaled_groups == 1 else found | {"nearest_chance": None}


def _neighbours(z: np.ndarray, groups: np.ndarray, speakers: np.ndarray) -> dict[str, float]:
    from sklearn.metrics import pairwise_distances, silhouette_score

    counts = np.unique(groups, return_counts=True)[1]
    n, k = len(groups), len(counts)
    if not 2 <= k < n:  # a small part of many clips
        return {}
    far = pairwise_distances(z)  # (n, n)
    np.fill_diagonal(far, 0)
    found = {
        "silhouette": float(silhouette_score(far, groups, metric="precomputed")),
        "nearest_chance": float((counts * (counts - 1)).sum() / (n * (n - 1))),
    }
    np.fill_diagonal(far, np.inf)
    found["nearest"] = float((groups[far.argmin(axis=1)] == groups).mean())
    of = speakers != NOBODY
    mixed = any(len(np.unique(speakers[of & (groups == group)])) > 1 for group in np.unique(groups))
    if mixed:
        far = np.where(speakers[of, None] == speakers[None, of], np.inf, far[np.ix_(of, of)])
        found["stranger"] = float((groups[of][far.argmin(axis=1)] == groups[of]).mean())
    return found


def structure(values: np.ndarray, data: Dataset, *, seed: int) -> list[dict[str, Any]]:
    """Return a row a grouping: by emotion, by speaker, by corpus where there are several, and by emotion once each
    speaker is scaled by itself; the same for each of several corpora alone, where ``corpus`` names it.
    """
    corpora = np.unique(data.facts["corpus"])
    parts = {"": np.full(len(data), True)}
    if len(corpora) > 1:
        parts |= {str(name): data.facts["corpus"] == name for name in corpora}
    rows = []
    for corpus, mine in parts.items():
        speakers, names = codes(data.speakers[mine])
        found = {"emotion": separation(values[mine], data.truth[mine], speakers, seed=seed)}
        if len(names) > 1:
            found["speaker"] = separation(values[mine], speakers, speakers, seed=seed)
            found[SCALED] = _scaled_separation(values[mine], data.truth[mine], speakers, seed=seed)
        if not corpus and len(corpora) > 1:
            found["corpus"] = separation(values, codes(data.facts["corpus"])[0], speakers, seed=seed)
        rows += [{"corpus": corpus, "by": name} | row for name, row in found.items()]
    return rows


def _scaled_separation(values: np.ndarray, truth: np.ndarray, speakers: np.ndarray, *, seed: int) -> dict[str, Any]:
    """Return the same by emotion once each speaker is scaled by itself; who has one clip says nothing then."""
    voices, own, counts = np.unique(speakers, return_inverse=True, return_counts=True)
    usable_voice = (voices != NOBODY) & (counts > 1)
    known = np.where(usable_voice[own], truth, NOBODY)
    z = scaled_by(values, speakers)
    return separation(z, known, speakers, seed=seed, scaled_groups=max(1, int(usable_voice.sum())))


def crossed(truth: np.ndarray, speakers: np.ndarray) -> tuple[int, int]:
    """Return how many pairs of a known speaker and an emotion occur, and of how many."""
    known = speakers != NOBODY
    pairs = set(zip(truth[known].tolist(), speakers[known].tolist(), strict=True))
    return len(pairs), len(set(truth[known].tolist())) * len(set(speakers[known].tolist()))


def distinct(values: np.ndarray, order: Sequence[int], *, most: int) -> list[int]:
    """Return the first columns of an order that are not correlated above ALIKE, either way, with one before them."""
    chosen: list[int] = []
    z = scaled(values)
    for column in order:
        if len(chosen) == most:
            break
        if not z[:, column].any():
            continue
        if not chosen or np.abs(z[:, chosen].T @ z[:, column]).max() <= ALIKE * len(z):
            chosen.append(int(column))
    return chosen


def correlations(values: np.ndarray, columns: Sequence[int]) -> tuple[np.ndarray, list[int]]:
    """Return the correlations (m, m) of these columns and their order in which like stands by like.

    Average linkage over 1 - abs(r), its leaves ordered by Bar-Joseph et al. 2001,
    doi 10.1093/bioinformatics/17.suppl_1.S22.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    z = scaled(values[:, list(columns)]).astype(np.float64)
    r = (z.T @ z / len(z)).clip(-1, 1)
    if len(r) < 3:
        return r, list(columns)
    apart = 1 - np.abs((r + r.T) / 2)
    np.fill_diagonal(apart, 0)
    leaves = leaves_list(linkage(squareform(apart, checks=False), "average", optimal_ordering=True))
    return r[np.ix_(leaves, leaves)], [int(columns[leaf]) for leaf in leaves]


def projections(values: np.ndarray, *, seed: int) -> dict[str, Any]:
    """Return the clips on a plane, by principal components and by t-SNE.

    van der Maaten & Hinton 2008, Visualizing data using t-SNE, jmlr.org/papers/v9/vandermaaten08a.html; over the first
    COMPONENTS principal components of the standardised features, begun from the first two.

    Returns:
        ``pca`` (n, 2), ``explained`` shares of the variance (components,), and of at most MAPPED clips ``rows`` (m,)
        and ``tsne`` (m, 2).

    Raises:
        DataError: fewer than FEWEST clips, or no feature that moves.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    z = scaled(values)
    if len(z) < FEWEST or not z.any():
        what = f"only {len(z)} clips" if len(z) < FEWEST else f"no feature differs between {len(z)} clips"
        raise DataError(f"{what}: a picture of them needs {FEWEST} or more that differ.")
    fitted = PCA(min(COMPONENTS, *z.shape), random_state=seed).fit(z)
    components = fitted.transform(z)
    if components.shape[1] < 2:  # one feature is a line
        components = np.pad(components, ((0, 0), (0, 1)))
    rows = some(len(z), seed=seed)
    near = min(30.0, (len(rows) - 1) / 3)  # the perplexity: neighbours of a clip
    with threadpool_limits(1, "openmp"):  # threads add up in another order each time, and the map drifts
        tsne = TSNE(perplexity=near, init="pca", random_state=seed).fit_transform(components[rows])
    return {"pca": components[:, :2], "explained": fitted.explained_variance_ratio_, "rows": rows, "tsne": tsne}


def by_family(names: Sequence[str], shares: Mapping[str, np.ndarray], *, opensmile: bool) -> list[dict[str, Any]]:
    """Return a row a family of features: its size and the mean of each eta squared over it, the first highest first."""
    found = families(names, opensmile=opensmile)
    rows = [
        {"family": family, "features": len(columns)}
        | {by: float(share[columns].mean()) for by, share in shares.items()}
        for family, columns in found.items()
    ]
    return sorted(rows, key=lambda row: -row[next(iter(shares))])
