"""The confusion matrix and the unweighted average recall, the main score of this project."""

import numpy as np


def confusion(truth: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the (C, C) int64 counts, rows truth, columns predicted.

    >>> confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 2)
    array([[1, 1],
           [0, 1]])
    """
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    cells = np.bincount(truth * n_classes + predicted, minlength=n_classes**2)
    return cells.reshape(n_classes, n_classes)


def uar(confusion: np.ndarray) -> np.ndarray | float:
    """Return the unweighted average recall, 0 to 1: the mean recall over the classes that have clips.

    A class without clips has no recall and is left out of the mean, as in scikit-learn's
    balanced_accuracy_score. It is never the mean over folds: predictions are pooled first
    (Forman & Scholz 2010, doi 10.1145/1882471.1882479).

    Args:
        confusion: (..., C, C) counts; the result has the leading shape, and is nan where there are no clips.
    """
    support = confusion.sum(axis=-1)
    recall = ratio(np.diagonal(confusion, axis1=-2, axis2=-1), support)
    return ratio(recall.sum(axis=-1), (support > 0).sum(axis=-1), empty=np.nan)[()]


def uar_score(truth: np.ndarray, predicted: np.ndarray, n_classes: int) -> float:
    """Return the unweighted average recall of predictions, 0 to 1; nan where there are no clips.

    Args:
        truth: (n,) class index.
        predicted: (n,) class index.
        n_classes: C.

    >>> uar_score(np.array([0, 0, 1]), np.array([0, 1, 1]), 2)
    0.75
    """
    return float(uar(confusion(truth, predicted, n_classes)))


def ratio(part: np.ndarray, whole: np.ndarray, *, empty: float = 0.0) -> np.ndarray:
    """Return part / whole, and ``empty`` where whole is 0."""
    return np.divide(part, whole, where=whole > 0, out=np.full(np.shape(whole), empty))
