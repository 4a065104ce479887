"""Features of clips under a condition (a telephone line, noise, ...), cached as augmented copies are."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from augmentation.base.variants import variants
from extract_feats.base.recipe import Recipe
from extract_feats.cache.fill import fill
from extract_feats.cache.scan import scan
from extract_feats.cache.store import FeatureStore, key
from extract_feats.cache.task import Task
from utils.config import Config
from utils.dataset import Dataset, Features


def recipe(clean: Recipe, section: Mapping[str, Any], seed: int) -> Recipe:
    """Return the recipe of the features ``clean`` under an augmentation ``{name, argument: value}``, complete.

    It is the recipe of the first copy that ``augment: [{name, ...}]`` makes, so training can have made it already.

    Raises:
        ConfigError: a folder of recordings that is not there or holds none.
    """
    return clean.of_variant(variants([{**section, "copies": 1}], seed)[0])


def extract(
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
        jobs: processes; -1 one per core.
        report: called with clips done and clips to do, of each corpus.
    """
    wanted = set(ids)
    for corpus in scan(config):
        some = replace(corpus, chosen=[u for u in corpus.chosen if u.id in wanted])
        fill([Task(some, recipe) for recipe in recipes], features, jobs=jobs, progress=report)


def stored(recipe: Recipe, data: Dataset, features: Path) -> np.ndarray:
    """Return for each clip whether its features are cached under this recipe, (n,) bool."""
    return FeatureStore(features, recipe).has([key(digest) for digest in data.digests])


def read(recipe: Recipe, data: Dataset, features: Path) -> Features:
    """Return the features of n clips under this recipe.

    Raises:
        KeyError: some are not cached.
    """
    return FeatureStore(features, recipe).read([key(digest) for digest in data.digests])
