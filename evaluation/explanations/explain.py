"""What models answer by, on clips that they were not trained on: the content of explanations.json."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from evaluation.explanations import attention, importance, maps
from evaluation.explanations.maps import Blocks
from evaluation.explanations.methods import Method, clip_map, feature_families, methods, one_clip
from evaluation.explanations.unseen import ModelAndClips, Progress
from evaluation.scores import metrics
from models.common import EmotionModel
from utils.config import Config
from utils.dataset import Frames

ORDERS_OF_MANY = 4  # random orders per clip that a map's own order is compared with, over many clips
ORDERS_OF_ONE = 20  # the same where there is one clip only


def explain_run(
    parts: Sequence[ModelAndClips],
    config: Config,
    which: str,
    *,
    limit: int,
    progress: Callable[[str, str], AbstractContextManager[Progress]],
) -> dict[str, Any]:
    """Return what a run's models answer by, the content of explanations.json.

    Args:
        parts: models with clips that they were not trained on.
        config: of the run.
        which: these models, in words.
        limit: number of clips per class whose maps are made.
        progress: called with what is done and in what unit, as ``utils.bars.progress``.

    Returns:
        ``name``, ``models`` (which), ``n_clips``, ``n_speakers`` and ``uar`` of all the clips; ``maps``, as of
        ``mean_maps``; ``attention``, as of ``attention.over_time``, of a network that has it; ``importance``, as of
        ``importance.permutation_importance``, of vectors.
    """
    frames = isinstance(parts[0].data.features, Frames)
    families = feature_families(config, frames=frames)
    truth = np.concatenate([data.truth for _, data in parts])
    predicted = np.concatenate([model.probabilities(data.features).argmax(axis=1) for model, data in parts])
    explanation = {
        "name": config.name,
        "models": which,
        "n_clips": len(truth),
        "n_speakers": len(set(np.concatenate([data.speakers for _, data in parts])) - {""}),
        "uar": metrics.uar_score(truth, predicted, len(parts[0].data.labels)),
    }
    with progress("maps", "clips") as report:
        explanation["maps"] = mean_maps(parts, families, limit=limit, seed=config.seed, report=report)
    if "attention" in explanation["maps"]:
        explanation["attention"] = attention.over_time(parts)
    if not frames:
        with progress("importance", "families") as report:
            explanation["importance"] = importance.permutation_importance(
                parts, families, seed=config.seed, report=report
            )
    return explanation


def explain_clip(model: EmotionModel, clip: np.ndarray, config: Config) -> dict[str, Any]:
    """Return what a model answers for one clip, and its maps.

    Returns:
        ``answer``, ``probability``, ``random_orders``, and ``maps``: method -> ``families``, ``times``, ``mean``
        (times, families), and how many random orders the map's own order beats, ``deletion_beats`` and
        ``insertion_beats``.
    """
    probabilities = model.probabilities(one_clip(clip))[0]
    frames = clip.ndim == 2
    available = methods(model, feature_families(config, frames=frames), frames=frames)
    return {
        "answer": model.labels[probabilities.argmax()],
        "probability": float(probabilities.max()),
        "random_orders": ORDERS_OF_ONE,
        "maps": {name: _map_of_one(model, clip, method, config.seed) for name, method in available.items()},
    }


def _map_of_one(model: EmotionModel, clip: np.ndarray, method: Method, seed: int) -> dict[str, Any]:
    one = clip_map(model, clip, method, np.random.default_rng(seed), random_orders=ORDERS_OF_ONE)
    deletion, insertion = map(maps.area, one.curves)
    return {
        "families": list(method.blocks.names),
        "times": method.blocks.times,
        "mean": one.worth.reshape(method.blocks.times, -1).tolist(),
        "deletion_beats": int((deletion[0] < deletion[1:]).sum()),
        "insertion_beats": int((insertion[0] > insertion[1:]).sum()),
    }


def choose_clips(parts: Sequence[ModelAndClips], limit: int, *, seed: int) -> list[tuple[int, int]]:
    """Return (part, clip) of at most ``limit`` clips of each class, at random."""
    rng, chosen = np.random.default_rng(seed), []
    for k in range(len(parts[0].data.labels)):
        candidates = [(p, c) for p, part in enumerate(parts) for c in np.flatnonzero(part.data.truth == k)]
        chosen += [candidates[i] for i in rng.permutation(len(candidates))[:limit]]
    return chosen


def mean_maps(
    parts: Sequence[ModelAndClips],
    families: Mapping[str, np.ndarray],
    *,
    limit: int,
    seed: int,
    report: Progress = lambda done, total: None,
) -> dict[str, Any]:
    """Return the mean maps of each method, and whether they are faithful.

    A map is of the class that the model predicts, whatever the truth is.

    Args:
        parts: models with clips that they were not trained on.
        families: name -> columns.
        limit: number of clips per class.
        seed: of the choice of clips, and of the random orders.
        report: called with clips done and clips to do.

    Returns:
        method -> ``families``, ``times``, ``n_clips``; ``mean`` (times, families) over all clips and ``classes``
        {label: the same over the clips of that class}; ``faithfulness``, as of ``maps.faithfulness``.
    """
    clips = choose_clips(parts, limit, seed=seed)
    each = [methods(part.model, families, frames=isinstance(part.data.features, Frames)) for part in parts]
    worth: dict[str, list] = {name: [] for name in each[0]}
    curves: dict[str, list] = {name: [] for name in each[0]}
    for done, (p, c) in enumerate(clips):
        clip, rng = parts[p].data.features[c], np.random.default_rng([seed, done])
        for name, method in each[p].items():
            one = clip_map(parts[p].model, clip, method, rng, random_orders=ORDERS_OF_MANY)
            worth[name].append(one.worth)
            curves[name].append(one.curves)
        report(done + 1, len(clips))
    truth = np.array([parts[p].data.truth[c] for p, c in clips])
    return {
        name: _summary(blocks, np.stack(worth[name]), np.array(curves[name]), truth, parts[0].data.labels)
        for name, (blocks, _) in each[0].items()
    }


def _summary(
    blocks: Blocks, worth: np.ndarray, curves: np.ndarray, truth: np.ndarray, labels: Sequence[str]
) -> dict[str, Any]:
    by_clip = worth.reshape(len(worth), blocks.times, len(blocks.names))
    return {
        "families": list(blocks.names),
        "times": blocks.times,
        "n_clips": len(worth),
        "mean": by_clip.mean(axis=0).tolist(),
        "classes": {
            label: by_clip[truth == k].mean(axis=0).tolist() for k, label in enumerate(labels) if (truth == k).any()
        },
        "faithfulness": maps.faithfulness(curves[:, 0], curves[:, 1]),
    }
