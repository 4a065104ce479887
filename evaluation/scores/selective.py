"""What the top probability is worth: the accuracy of a model that may abstain, and its most confident errors."""

from typing import TypedDict

import numpy as np

from utils.dataset import Dataset

STEPS = tuple(n / 10 for n in range(10, 0, -1))  # shares of the clips answered
ERRORS = 20
QUARTER = 0.25


class Abstaining(TypedDict):
    """A model that abstains where its top probability is lower than a threshold.

    Keys:
        coverage: share of the clips answered, 0 to 1.
        below: the threshold, as ``predict.py --abstain-below`` takes it.
        n_clips: clips answered.
        accuracy: on these clips, 0 to 1.
    """

    coverage: float
    below: float
    n_clips: int
    accuracy: float


class Ranking(TypedDict):
    """Whether the answers of the highest probability are right more often than all answers.

    Keys:
        ranks: whether they are; also where all answers are right, and nothing is left to rank.
        quarter: accuracy of the most confident quarter of the clips, 0 to 1.
        all: accuracy of all clips, 0 to 1.
        n_clips: clips in the quarter; more than a quarter where top probabilities are equal.
    """

    ranks: bool
    quarter: float
    all: float
    n_clips: int


class ConfidentError(TypedDict):
    """A wrong prediction.

    Keys:
        id: of the clip.
        path: of its file, "" if unknown.
        truth: its label.
        predicted: the label predicted.
        p: probability of the predicted label.
        p_truth: probability of the true label.
    """

    id: str
    path: str
    truth: str
    predicted: str
    p: float
    p_truth: float


def risk_coverage(truth: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the risk-coverage curve: share of clips answered, and accuracy on them, for every threshold.

    El-Yaniv & Wiener 2010, jmlr.org/papers/v11/el-yaniv10a. Clips of equal top probability are answered together.

    Args:
        truth: (n,) class index.
        probabilities: (n, C).

    Returns:
        coverage (k,), ascending to 1, and accuracy (k,), both 0 to 1, for k different top probabilities.
    """
    confidence = probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    hits = np.cumsum((probabilities.argmax(axis=1) == truth)[order])
    last = np.append(np.diff(confidence[order]) != 0, True)  # of equal probabilities
    answered = np.arange(1, len(order) + 1)
    return answered[last] / len(order), hits[last] / answered[last]


def abstaining(truth: np.ndarray, probabilities: np.ndarray) -> list[Abstaining]:
    """Return thresholds by which 100, 90, ... 10 % of the clips are answered, and the accuracy on these.

    Where clips have equal top probabilities, more are answered.

    Args:
        truth: (n,) class index.
        probabilities: (n, C).
    """
    return [_answered(truth, probabilities, share) for share in STEPS]


def ranking(truth: np.ndarray, probabilities: np.ndarray) -> Ranking:
    """Return whether confidence ranks the answers; arguments as of ``abstaining``."""
    whole, quarter = (_answered(truth, probabilities, share) for share in (1.0, QUARTER))
    ranks = quarter["accuracy"] > whole["accuracy"] or whole["accuracy"] == 1
    return {"ranks": ranks, "quarter": quarter["accuracy"], "all": whole["accuracy"], "n_clips": quarter["n_clips"]}


def ranking_sentence(ranking: Ranking) -> str:
    """Return in words whether confidence ranks the answers.

    >>> ranking_sentence({"ranks": True, "quarter": 0.62, "all": 0.45, "n_clips": 50})
    'The most confident quarter of the answers is right for 62 % (all: 45 %).'
    """
    if not ranking["ranks"]:
        return "Confidence does not rank the answers on this data: do not use --abstain-below."
    shares = f"{100 * ranking['quarter']:.0f} % (all: {100 * ranking['all']:.0f} %)"
    return f"The most confident quarter of the answers is right for {shares}."


def _answered(truth: np.ndarray, probabilities: np.ndarray, share: float) -> Abstaining:
    """Return the threshold by which this share of the clips, or a little more, is answered."""
    confidence = probabilities.max(axis=1)
    hit, ordered = probabilities.argmax(axis=1) == truth, np.sort(confidence)[::-1]
    below = ordered[int(np.ceil(round(share * len(ordered), 9))) - 1]
    answered = confidence >= below
    return Abstaining(
        coverage=float(answered.mean()),
        below=float(below),
        n_clips=int(answered.sum()),
        accuracy=float(hit[answered].mean()),
    )


def errors(data: Dataset, probabilities: np.ndarray, *, most: int = ERRORS) -> list[ConfidentError]:
    """Return the errors with the highest probability, the highest first.

    Args:
        data: the n clips.
        probabilities: (n, C), out of fold.
        most: number of errors at most.
    """
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != data.truth)
    wrong = wrong[np.argsort(-confidence[wrong], kind="stable")][:most]
    paths = data.facts.get("path", np.full(len(data), ""))
    return [
        {
            "id": str(data.ids[row]),
            "path": str(paths[row]),
            "truth": data.labels[data.truth[row]],
            "predicted": data.labels[predicted[row]],
            "p": round(float(confidence[row]), 6),
            "p_truth": round(float(probabilities[row, data.truth[row]]), 6),
        }
        for row in wrong
    ]
