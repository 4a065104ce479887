"""What the teacher would say of the emotion of a piece: scores of classifiers on its pooled frames.

A classifier per corpus learns from the labelled clips and answers for all speech, also for the speech without labels.
The student has to give the same scores, so that it learns of the teacher's frames what tells emotions apart (Hinton et
al. 2015, arXiv 1503.02531).
"""

from collections.abc import Sequence

import numpy as np

STRENGTH = 0.01  # inverse of the regularisation, as models/ml/logistic_regression.py has it
ITERATIONS = 500


def scores(pooled: np.ndarray, labels: Sequence[str], rows: np.ndarray, seed: int) -> np.ndarray:
    """Return (n, K) float32 scores of mean 0 and deviation 1, K the number of labels in all corpora; (n, 0) if none.

    Args:
        pooled: (n, D) means over time of the teacher's scaled frames.
        labels: n times corpus/emotion, or "" where none is known.
        rows: numbers of the pieces that the classifiers may learn from.
        seed: of the classifiers.
    """
    from sklearn.linear_model import LogisticRegression

    names = np.array(labels)
    corpus = np.array([name.partition("/")[0] for name in labels])
    columns = [np.empty((len(pooled), 0), np.float32)]
    for group in sorted(set(corpus[rows]) - {""}):
        given = rows[corpus[rows] == group]
        model = LogisticRegression(C=STRENGTH, max_iter=ITERATIONS, class_weight="balanced", random_state=seed)
        columns.append(model.fit(pooled[given], names[given]).decision_function(pooled).reshape(len(pooled), -1))
    joined = np.concatenate(columns, axis=1)
    return ((joined - joined.mean(axis=0)) / (joined.std(axis=0) + 1e-9)).astype(np.float32)
