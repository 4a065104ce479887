"""What models answer by, on clips that they have not learned from: attention, occlusion, gradients, importance."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.explanations import attention_curves, feature_groups, importance, maps
from evaluation.explanations.maps import Map, Part
from evaluation.scores import metrics
from evaluation.splits.folds import draw_folds, holdout
from evaluation.training import fit
from models.classes import is_network, model_class
from models.common import EmotionModel
from utils import plugins
from utils.config import Config
from utils.dataset import Dataset, Frames

TIMES = {"attention": 20, "occlusion": 10, "gradients": 10}  # blocks of time
RANDOM = 4  # orders that a map's own is compared with, a clip
ORDERS = 20  # where one clip is all there is
Progress = Callable[[int, int], None]


def shipped(folder: Path, config: Config, labels: Sequence[str]) -> EmotionModel:
    """Return the model of a checkpoint, in its own framework."""
    return model_class(config.model).load(folder, config.model, labels, normalise=config.normalise)


def unheard(
    data: Dataset,
    config: Config,
    folder: Path,
    *,
    folds: int | None = None,
    report: Progress = lambda done, total: None,
) -> tuple[list[Part], str]:
    """Return models with clips they have not learned from, and in words which these are.

    The shipped model has heard every speaker but those under ``holdout``. Where there are none, the first folds are
    trained again as they were.

    Args:
        data: all clips.
        folder: the checkpoint.
        folds: how many to train again; None: all of an estimator, one of a network.
        report: called with folds trained and folds to train.
    """
    section = config.split.model_dump()
    _, held = holdout(data, section)
    if len(held) and folds is None:
        return [Part(shipped(folder, config, data.labels), data[held])], "the shipped model, on the held-out speakers"
    parts = draw_folds(data, section, seed=config.seed)
    number = min(folds or (1 if is_network(config.model) else len(parts)), len(parts))
    fitted = []
    for n, fold in enumerate(parts[:number]):
        fitted.append(Part(fit.fit_fold(data, config, fold, n)[0], data[fold.test]))
        report(n + 1, number)
    which = f"the models of all {number} folds" if number == len(parts) else f"fold 1 to {number} of {len(parts)}"
    which = f"the model of fold 1 of {len(parts)}" if number == 1 else which
    part = "the test part of that fold" if number == 1 else "the test part of its fold, each"
    return fitted, f"{which}, trained again, on {part}: speakers or clips that it has not heard"


def of_clip(model: EmotionModel, clip: np.ndarray, config: Config) -> dict[str, Any]:
    """Return what a model answers for one clip, and each map with how many of ORDERS random orders it beats."""
    one = Frames([clip]) if clip.ndim == 2 else clip[None]
    said = model.probabilities(one)[0]
    found: dict[str, Any] = {
        "answer": model.labels[said.argmax()],
        "probability": float(said.max()),
        "random_orders": ORDERS,
        "maps": {},
    }
    groups = families(config, frames=clip.ndim == 2)
    for name, (blocks, weigh) in methods(model, groups, frames=clip.ndim == 2).items():
        rng = np.random.default_rng(config.seed)
        result = explained(model, clip, blocks, weigh, rng, ORDERS)
        deletion, insertion = map(maps.area, result["curves"])
        found["maps"][name] = {
            "families": list(blocks.names),
            "times": blocks.times,
            "mean": result["worth"].reshape(blocks.times, -1).tolist(),
            "deletion_beats": int((deletion[0] < deletion[1:]).sum()),
            "insertion_beats": int((insertion[0] > insertion[1:]).sum()),
        }
    return found


def families(config: Config, *, frames: bool) -> dict[str, np.ndarray]:
    """Return the families of a config's features, name -> columns; those of frames with wide ones in parts."""
    arguments = {key: value for key, value in config.features.items() if key != "name"}
    names = plugins.get("features", config.features["name"]).load().names(config.rate, **arguments)
    group = feature_groups.bands if frames else feature_groups.families
    return group(names, opensmile=config.features["name"] == "opensmile")


def methods(model: EmotionModel, groups: Mapping[str, np.ndarray], *, frames: bool) -> dict[str, tuple]:
    """Return the maps that a model has, name -> (blocks, map)."""
    found: dict[str, tuple[maps.Blocks, Map]] = {}
    if frames and attention_curves.attends(model):
        every = {"all features": np.concatenate(list(groups.values()))}
        blocks = maps.Blocks.of(every, TIMES["attention"])
        found["attention"] = (blocks, attention_curves.weigher(model, blocks))
    blocks = maps.Blocks.of(groups, TIMES["occlusion"] if frames else 1)
    found["occlusion"] = (blocks, lambda clip, label: maps.occlusion(model, clip, label, blocks))
    if model.file == "model.keras":
        from models import gradients

        attribute = gradients.integrated(model)
        found["gradients"] = (blocks, lambda clip, label: blocks.sums(attribute(clip, label)))
    return found


def chosen(parts: Sequence[Part], limit: int, *, seed: int) -> list[tuple[int, int]]:
    """Return (part, clip) of at most ``limit`` clips of each class, at random."""
    rng, found = np.random.default_rng(seed), []
    for k in range(len(parts[0].data.labels)):
        mine = [(p, c) for p, part in enumerate(parts) for c in np.flatnonzero(part.data.truth == k)]
        found += [mine[i] for i in rng.permutation(len(mine))[:limit]]
    return found


def mapped(
    parts: Sequence[Part],
    groups: Mapping[str, np.ndarray],
    *,
    limit: int,
    seed: int,
    report: Progress = lambda done, total: None,
) -> dict[str, Any]:
    """Return each method's mean maps, (times, families) over all clips and by true class, and its faithfulness.

    A map is of the class that the model names, whatever the truth is.
    """
    clips = chosen(parts, limit, seed=seed)
    each = [methods(part.model, groups, frames=isinstance(part.data.features, Frames)) for part in parts]
    worth: dict[str, list] = {name: [] for name in each[0]}
    tried: dict[str, list] = {name: [] for name in each[0]}
    for done, (p, c) in enumerate(clips):
        clip, rng = parts[p].data.features[c], np.random.default_rng([seed, done])
        for name, (blocks, weigh) in each[p].items():
            one = explained(parts[p].model, clip, blocks, weigh, rng, RANDOM)
            worth[name].append(one["worth"])
            tried[name].append(one["curves"])
        report(done + 1, len(clips))
    truth = np.array([parts[p].data.truth[c] for p, c in clips])
    return {
        name: _summary(blocks, np.stack(worth[name]), np.array(tried[name]), truth, parts[0].data.labels)
        for name, (blocks, _) in each[0].items()
    }


def explained(
    model: EmotionModel, clip: np.ndarray, blocks: maps.Blocks, weigh: Map, rng: np.random.Generator, orders: int
) -> dict[str, Any]:
    """Return one clip's map (blocks,) of the class it is given, and its curves, (2, 1 + orders, steps + 1)."""
    one = Frames([clip]) if clip.ndim == 2 else clip[None]
    label = int(model.probabilities(one)[0].argmax())
    worth = weigh(clip, label)
    random = [rng.permutation(len(blocks)) for _ in range(orders)]
    own = np.argsort(-worth, kind="stable")
    return {"worth": worth, "curves": maps.curves(model, clip, label, blocks, [own, *random])}


def _summary(
    blocks: maps.Blocks, worth: np.ndarray, curves: np.ndarray, truth: np.ndarray, labels: Sequence[str]
) -> dict[str, Any]:
    shape = (len(worth), blocks.times, len(blocks.names))
    by_clip = worth.reshape(shape)
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


def of_run(
    parts: Sequence[Part],
    config: Config,
    which: str,
    *,
    limit: int,
    progress: Callable[[str, str], AbstractContextManager[Progress]],
) -> dict[str, Any]:
    """Return everything that is known of what a run's models answer by; the content of explanations.json.

    Args:
        parts: models with clips that they have not learned from.
        config: of the run.
        which: these models, in words.
        limit: clips a class whose maps are made.
        progress: called with what is done and in what unit, as ``utils.bars.progress``.
    """
    frames = isinstance(parts[0].data.features, Frames)
    groups = families(config, frames=frames)
    truth = np.concatenate([data.truth for _, data in parts])
    said = np.concatenate([model.probabilities(data.features).argmax(axis=1) for model, data in parts])
    found = {
        "name": config.name,
        "models": which,
        "n_clips": len(truth),
        "n_speakers": len(set(np.concatenate([data.speakers for _, data in parts])) - {""}),
        "uar": float(metrics.uar(metrics.confusion(truth, said, len(parts[0].data.labels)))),
    }
    with progress("maps", "clips") as report:
        found["maps"] = mapped(parts, groups, limit=limit, seed=config.seed, report=report)
    if "attention" in found["maps"]:
        found["attention"] = attention_curves.over_time(parts)
    if not frames:
        with progress("importance", "families") as report:
            found["importance"] = importance.permuted(parts, groups, seed=config.seed, report=report)
    return found
