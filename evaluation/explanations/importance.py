"""What a family of features is worth to a model: the UAR that is lost when its values change clips."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from evaluation.scores import metrics
from evaluation.scores import significance as statistics
from models.common import EmotionModel
from utils.dataset import Dataset

REPEATS = 3


def permuted(
    parts: Sequence[tuple[EmotionModel, Dataset]],
    families: Mapping[str, np.ndarray],
    *,
    seed: int,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> list[dict[str, Any]]:
    """Return each family's permutation importance, the highest first.

    The columns of a family are shuffled together between the clips of a part, so that they keep what they say of one
    another and lose what they say of the clip (Breiman 2001, doi 10.1023/A:1010933404324; in groups: Gregorutti,
    Michel & Saint-Pierre 2015, doi 10.1016/j.csda.2015.04.002). A family whose content another one holds as well
    loses little; ``alone`` is the UAR where every other family is shuffled instead.

    Args:
        parts: models, each with clips that it has not learned from; features are vectors.
        families: name -> columns.
        seed: of the shuffles.
        report: called with families done and families to do.

    Returns:
        {family, n_features, loss, loss_ci95 and p over speakers (over clips where fewer than two are known), p_holm,
        alone} each.
    """
    truth = np.concatenate([data.truth for _, data in parts])
    speakers = _units(parts)
    n_classes = len(parts[0][1].labels)
    whole = np.concatenate([model.probabilities(data.features).argmax(axis=1) for model, data in parts])
    every, found = np.arange(parts[0][1].features.shape[1]), []
    truth, whole, speakers = (np.tile(column, REPEATS) for column in (truth, whole, speakers))
    for number, (family, columns) in enumerate(families.items()):
        rng = np.random.default_rng([seed, number])
        without = _shuffled(parts, columns, rng)
        alone = _shuffled(parts, np.setdiff1d(every, columns), rng)
        lost = statistics.uar_difference(truth, whole, without, speakers, n_classes, seed=seed)
        kept = metrics.uar(metrics.confusion(truth, alone, n_classes))
        found.append({
            "family": family, "n_features": len(columns), "loss": lost.difference, "loss_ci95": [lost.lo, lost.hi],
            "p": lost.p, "alone": float(kept),
        })  # fmt: skip
        report(number + 1, len(families))
    for line, p in zip(found, statistics.holm([line["p"] for line in found]), strict=True):
        line["p_holm"] = float(p)
    return sorted(found, key=lambda line: -line["loss"])


def _units(parts: Sequence[tuple[EmotionModel, Dataset]]) -> np.ndarray:
    """Return the speaker of each clip; or the clip itself, so that its repeats are not taken for clips of their own."""
    speakers = np.concatenate([data.speakers for _, data in parts])
    known = len(np.unique(speakers)) > 1 and not (speakers == "").any()
    return speakers if known else np.concatenate([data.ids for _, data in parts])


def _shuffled(parts: Sequence[tuple], columns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the answers (REPEATS * n,) with these columns shuffled between the clips of each part."""
    said = []
    for _ in range(REPEATS):
        for model, data in parts:
            features = data.features.copy()
            features[:, columns] = features[rng.permutation(len(features))][:, columns]
            said.append(model.probabilities(features).argmax(axis=1))
    return np.concatenate(said)
