"""Which features are strongest, how they are correlated, by families; and the clips in two dimensions."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from evaluation.explanations.feature_groups import families
from evaluation.exploration.standardise import sample, scaled
from utils.errors import DataError

COMPONENTS = 50  # principal components that t-SNE starts from
FEWEST = 5  # clips that a map needs
REDUNDANT = 0.9  # features with a higher absolute correlation measure nearly the same


def distinct(values: np.ndarray, order: Sequence[int], *, most: int) -> list[int]:
    """Return the first ``most`` columns of an order whose absolute correlation with each one before is low enough.

    Args:
        values: (n, columns).
        order: columns, the most wanted first; constant ones are left out.
        most: how many.
    """
    chosen: list[int] = []
    z = scaled(values)
    for column in order:
        if len(chosen) == most:
            break
        if not z[:, column].any():
            continue
        if not chosen or np.abs(z[:, chosen].T @ z[:, column]).max() <= REDUNDANT * len(z):
            chosen.append(int(column))
    return chosen


def correlations(values: np.ndarray, columns: Sequence[int]) -> tuple[np.ndarray, list[int]]:
    """Return the correlations (m, m) of these columns, and the columns in an order with similar ones side by side.

    Average linkage over 1 - abs(r), its leaves ordered by Bar-Joseph et al. 2001,
    doi 10.1093/bioinformatics/17.suppl_1.S22.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    z = scaled(values[:, list(columns)]).astype(np.float64)
    r = (z.T @ z / len(z)).clip(-1, 1)
    if len(r) < 3:
        return r, list(columns)
    distances = 1 - np.abs((r + r.T) / 2)
    np.fill_diagonal(distances, 0)
    leaves = leaves_list(linkage(squareform(distances, checks=False), "average", optimal_ordering=True))
    return r[np.ix_(leaves, leaves)], [int(columns[leaf]) for leaf in leaves]


def by_family(names: Sequence[str], shares: Mapping[str, np.ndarray], *, opensmile: bool) -> list[dict[str, Any]]:
    """Return one row per family of features: ``family``, ``features`` (their number), and the mean of each share.

    Args:
        names: of the columns.
        shares: name -> eta squared (columns,); the rows are sorted by the first.
        opensmile: whether the names are openSMILE's.
    """
    rows = [
        {"family": family, "features": len(columns)}
        | {by: float(share[columns].mean()) for by, share in shares.items()}
        for family, columns in families(names, opensmile=opensmile).items()
    ]
    return sorted(rows, key=lambda row: -row[next(iter(shares))])


def projections(values: np.ndarray, *, seed: int) -> dict[str, Any]:
    """Return the clips in two dimensions, by principal components and by t-SNE.

    van der Maaten & Hinton 2008, Visualizing data using t-SNE, jmlr.org/papers/v9/vandermaaten08a.html; over the first
    COMPONENTS principal components of the standardised features, initialised with the first two.

    Args:
        values: (n, columns).
        seed: of the sample, the principal components and t-SNE.

    Returns:
        ``pca`` (n, 2), ``explained`` shares of the variance (components,), and of at most MOST_COMPARED clips
        ``rows`` (m,) and ``tsne`` (m, 2).

    Raises:
        DataError: fewer than FEWEST clips, or no feature that varies.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    z = scaled(values)
    if len(z) < FEWEST or not z.any():
        what = f"only {len(z)} clips" if len(z) < FEWEST else f"no feature differs between {len(z)} clips"
        raise DataError(f"{what}: a picture of them needs {FEWEST} or more that differ.")
    fitted = PCA(min(COMPONENTS, *z.shape), random_state=seed).fit(z)
    components = fitted.transform(z)
    if components.shape[1] < 2:  # one feature gives one dimension
        components = np.pad(components, ((0, 0), (0, 1)))
    rows = sample(len(z), seed=seed)
    near = min(30.0, (len(rows) - 1) / 3)  # the perplexity: neighbours of a clip
    with threadpool_limits(1, "openmp"):  # threads add in another order each time, and the map would change
        tsne = TSNE(perplexity=near, init="pca", random_state=seed).fit_transform(components[rows])
    return {"pca": components[:, :2], "explained": fitted.explained_variance_ratio_, "rows": rows, "tsne": tsne}
