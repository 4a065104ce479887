"""The maps that a model has (attention, occlusion, integrated gradients), and the map of one clip."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from evaluation.explanations import attention, feature_groups, maps
from evaluation.explanations.maps import Blocks, Map
from models.common import EmotionModel
from utils import plugins
from utils.config import Config
from utils.dataset import Frames

TIMES = {"attention": 20, "occlusion": 10, "gradients": 10}  # blocks of time


class Method(NamedTuple):
    """A way to make a map: how a clip is cut into blocks, and what gives each block its worth."""

    blocks: Blocks
    make: Map


class ClipMap(NamedTuple):
    """One clip's map.

    Attributes:
        worth: (blocks,) of the class that the model predicts.
        curves: (2, 1 + orders, steps + 1) deletion and insertion, by the map's own order first, then by random ones.
    """

    worth: np.ndarray
    curves: tuple[np.ndarray, np.ndarray]


def feature_families(config: Config, *, frames: bool) -> dict[str, np.ndarray]:
    """Return the families of a config's features, name -> columns; wide families of frames come in parts."""
    names = plugins.call("features", config.features, "names", config.rate)
    group = feature_groups.bands if frames else feature_groups.families
    return group(names, opensmile=config.features["name"] == "opensmile")


def methods(model: EmotionModel, families: Mapping[str, np.ndarray], *, frames: bool) -> dict[str, Method]:
    """Return the methods that a model allows: occlusion always, attention and gradients where it has them."""
    available: dict[str, Method] = {}
    if frames and attention.has_attention(model):
        all_features = {"all features": np.concatenate(list(families.values()))}
        blocks = Blocks.of(all_features, TIMES["attention"])
        available["attention"] = Method(blocks, attention.attention_map(model, blocks))
    blocks = Blocks.of(families, TIMES["occlusion"] if frames else 1)
    available["occlusion"] = Method(blocks, lambda clip, label: maps.occlusion(model, clip, label, blocks))
    if model.file == "model.keras":
        from models.gradients import integrated_gradients

        attribute = integrated_gradients(model)
        available["gradients"] = Method(blocks, lambda clip, label: blocks.sums(attribute(clip, label)))
    return available


def clip_map(
    model: EmotionModel, clip: np.ndarray, method: Method, rng: np.random.Generator, *, random_orders: int
) -> ClipMap:
    """Return one clip's map of the class that the model predicts, and its curves beside those of random orders."""
    label = int(model.probabilities(one_clip(clip))[0].argmax())
    worth = method.make(clip, label)
    random = [rng.permutation(len(method.blocks)) for _ in range(random_orders)]
    strongest_first = np.argsort(-worth, kind="stable")
    return ClipMap(worth, maps.curves(model, clip, label, method.blocks, [strongest_first, *random]))


def one_clip(clip: np.ndarray) -> Frames | np.ndarray:
    """Return a clip, (frames, dims) or (dims,), as features of one clip."""
    return Frames([clip]) if clip.ndim == 2 else clip[None]
