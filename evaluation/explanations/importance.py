"""How important a family of features is to a model: the UAR that is lost when its values are shuffled between clips."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from evaluation.explanations.unseen import ModelAndClips
from evaluation.scores import metrics, significance

REPEATS = 3


def permutation_importance(
    parts: Sequence[ModelAndClips],
    families: Mapping[str, np.ndarray],
    *,
    seed: int,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> list[dict[str, Any]]:
    """Return each family's permutation importance, the highest first.

    The columns of a family are shuffled together between the clips of a part: they keep their relation to one another
    and lose their relation to the clip (Breiman 2001, doi 10.1023/A:1010933404324; in groups: Gregorutti, Michel &
    Saint-Pierre 2015, doi 10.1016/j.csda.2015.04.002). Redundant families can replace each other, so each loses
    little; ``alone`` is the UAR where every other family is shuffled instead.

    Args:
        parts: models, each with clips that it was not trained on; features are vectors.
        families: name -> columns.
        seed: of the shuffles.
        report: called with families done and families to do.

    Returns:
        for each family ``family``, ``n_features``; ``loss``, ``loss_ci95`` and ``p`` over speakers (over clips where
        fewer than two speakers are known), ``p_holm``; ``alone``.
    """
    truth = np.concatenate([data.truth for _, data in parts])
    units = _units(parts)
    n_classes = len(parts[0][1].labels)
    whole = np.concatenate([model.probabilities(data.features).argmax(axis=1) for model, data in parts])
    every, rows = np.arange(parts[0][1].features.shape[1]), []
    truth, whole, units = (np.tile(column, REPEATS) for column in (truth, whole, units))
    for number, (family, columns) in enumerate(families.items()):
        rng = np.random.default_rng([seed, number])
        without = _shuffled(parts, columns, rng)
        alone = _shuffled(parts, np.setdiff1d(every, columns), rng)
        lost = significance.uar_difference(truth, whole, without, units, n_classes, seed=seed)
        rows.append({
            "family": family, "n_features": len(columns), "loss": lost.difference, "loss_ci95": [lost.lo, lost.hi],
            "p": lost.p, "alone": metrics.uar_score(truth, alone, n_classes),
        })  # fmt: skip
        report(number + 1, len(families))
    for row, p in zip(rows, significance.holm([row["p"] for row in rows]), strict=True):
        row["p_holm"] = float(p)
    return sorted(rows, key=lambda row: -row["loss"])


def _units(parts: Sequence[ModelAndClips]) -> np.ndarray:
    """Return the speaker of each clip; where they are not known the clip's id, so that its repeats stay one unit."""
    speakers = np.concatenate([data.speakers for _, data in parts])
    known = len(np.unique(speakers)) > 1 and not (speakers == "").any()
    return speakers if known else np.concatenate([data.ids for _, data in parts])


def _shuffled(parts: Sequence[ModelAndClips], columns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the predicted classes (REPEATS * n,) with these columns shuffled between the clips of each part."""
    predicted = []
    for _ in range(REPEATS):
        for model, data in parts:
            features = data.features.copy()
            features[:, columns] = features[rng.permutation(len(features))][:, columns]
            predicted.append(model.probabilities(features).argmax(axis=1))
    return np.concatenate(predicted)
