"""Features of clips under a condition (a telephone line, noise, ...), cached as augmented copies are."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from augmentation.base.variants import variants
from extract_feats.base.recipe import Recipe
from extract_feats.cache import fill as cache
from extract_feats.cache.store import FeatureStore, key
from utils.config import Config
from utils.dataset import Dataset, Features


def recipe(own: Recipe, section: Mapping[str, Any], seed: int) -> Recipe:
    """Return the recipe of the features ``own`` under an augmentation ``{name, argument: value}``, complete.

    It is the recipe of the first copy that ``augment: [{name, ...}]`` makes, so training can have made it already.

    Raises:
        ConfigError: a folder of recordings that is not there or holds none.
    """
    return own.of_variant(variants([{**section, "copies": 1}], seed)[0])


def fill(
    config: Config,
    recipes: Sequence[Recipe],
    ids: Sequence[str],
    features: Path,
    *,
    jobs: int = -1,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Extract what is not cached yet of these clips of an experiment's corpora.

    Args:
        config: the experiment.
        recipes: what to extract.
        ids: of the clips, ``corpus/id``.
        features: the features folder.
        jobs: processes; -1 one a core.
        report: called with recipes done and recipes to do.
    """
    wanted = set(ids)
    scans = [replace(found, chosen=[u for u in found.chosen if u.id in wanted]) for found in cache.scan(config)]
    for number, wanted_recipe in enumerate(recipes, 1):
        for found in scans:
            cache.fill(found, wanted_recipe, features, jobs=jobs)
        report(number, len(recipes))


def stored(recipe: Recipe, data: Dataset, features: Path) -> np.ndarray:
    """Return for each clip whether its features are cached under this recipe, (n,) bool."""
    return FeatureStore(features, recipe).has([key(digest) for digest in data.digests])


def read(recipe: Recipe, data: Dataset, features: Path) -> Features:
    """Return the features of n clips under this recipe.

    Raises:
        KeyError: some are not cached.
    """
    return FeatureStore(features, recipe).read([key(digest) for digest in data.digests])
