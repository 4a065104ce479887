"""Reading the cache: an experiment's data set, without its audio."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path

import numpy as np

import corpora
from augmentation.base.variants import variants
from corpora import Utterance
from extract_feats.base.recipe import Recipe
from extract_feats.cache.corpus_lists import read_clips
from extract_feats.cache.store import FeatureStore, key
from utils.config import Config
from utils.dataset import Dataset, Features, Frames
from utils.errors import ConfigError

FACTS = (
    "sex", "intensity", "text", "session", "split", "corpus",
    "age", "dialogue", "votes", "valence", "arousal", "dominance",
)  # fmt: skip


def recipe_of(config: Config) -> Recipe:
    """Return the feature recipe of an experiment.

    Raises:
        ConfigError: an ensemble, which reads its members' probabilities.
    """
    if config.features is None:
        raise ConfigError(
            f"{config.name}: an ensemble has no features of its own. Give its members' configs: "
            f"{' '.join(f'config/{name}.yaml' for name in config.members)}."
        )
    return Recipe.of(config.features, config.rate, config.clip.model_dump())


def recipes_of(config: Config) -> list[Recipe]:
    """Return the recipe of an experiment's clips, and those of the augmented copies it trains on.

    Raises:
        ConfigError: an augmentation's folder of recordings does not exist or holds no recording.
    """
    recipe = recipe_of(config)
    return [recipe, *(recipe.of_variant(variant) for variant in variants(config.augmentation(audio=True), config.seed))]


def channel_recipe(config: Config) -> Recipe:
    """Return the recipe of what the recordings are like that an experiment's clips come from."""
    return Recipe.of({"name": "channel"}, config.rate, config.clip.model_dump())


def identity(config: Config) -> str:
    """Return all that an experiment's numbers depend on, apart from its clips."""
    return "\n".join(recipe.text for recipe in recipes_of(config))


def choose(config: Config, utterances: Iterable[Utterance], limit: int | None) -> tuple[list[Utterance], tuple]:
    """Return what merge, drop and limit leave of an experiment's utterances, and the class names in order."""
    chosen, labels = corpora.relabel(list(utterances), config.merge, config.drop, config.labels)
    return (corpora.limit(chosen, limit) if limit else chosen), labels


def dataset(config: Config, features: Path, *, command: str, limit: int | None = None) -> Dataset:
    """Return an experiment's clips and features from the cache alone; no audio is read.

    Args:
        features: the features folder.
        command: the preprocess command that an error should name.
        limit: clips per class, for a trial.

    Raises:
        ConfigError: features are missing; says which command makes them.
    """
    recipe, *augmented = recipes_of(config)
    read = [read_clips(config, entry, features, command) for entry in config.corpora]
    chosen, labels = choose(config, chain.from_iterable(utterances for utterances, _, _ in read), limit)
    sounds = {identity: sound for _, by_id, _ in read for identity, sound in by_id.items()}
    refused = set().union(*(rejected for _, _, rejected in read))
    chosen = [u for u in chosen if (u.path, recipe.folder) not in refused] if refused else chosen
    store = FeatureStore(features, recipe)
    digests = [sounds[u.id][0] for u in chosen]
    missing = sum(not digest for digest in digests)
    keys = [key(digest) for digest in digests if digest]
    missing += int((~store.has(keys)).sum())
    if missing or not chosen:
        count = f"{missing} of {len(chosen)} clips have" if chosen else "no clip has"
        raise _not_cached(config, count, recipe, command)
    clips = store.read(keys)
    variants = []
    for copy in (FeatureStore(features, recipe) for recipe in augmented):
        needed = np.array([(u.path, copy.recipe.folder) not in refused for u in chosen])
        if missing := int((~copy.has(keys) & needed).sum()):
            raise _not_cached(config, f"{missing} of {len(chosen)} clips have", copy.recipe, command)
        variants.append(_read_copies(copy, keys, clips))
    facts = {name: np.array([getattr(u, name) for u in chosen]) for name in FACTS}
    facts["seconds"] = np.array([sounds[u.id][1] for u in chosen])
    facts["path"] = np.array([str(u.path) for u in chosen])
    facts |= _channel(FeatureStore(features, channel_recipe(config)), keys)
    index = {label: number for number, label in enumerate(labels)}
    return Dataset(
        features=clips,
        labels=labels,
        truth=np.array([index[u.emotion] for u in chosen], np.int64),
        ids=np.array([u.id for u in chosen]),
        speakers=np.array([u.speaker for u in chosen]),
        digests=np.array(digests),
        facts=facts,
        variants=tuple(variants),
        recipe=identity(config),
    )


def _channel(store: FeatureStore, keys: Sequence[bytes]) -> dict[str, np.ndarray]:
    """Return ``heard_seconds``, ``heard_level_db``, ... (n,), NaN for clips that were not measured."""
    measured, names = store.has(keys), store.recipe.names()
    measures = np.full((len(keys), len(names)), np.nan)
    if measured.any():
        measures[measured] = store.read([k for k, stored in zip(keys, measured, strict=True) if stored])
    return {f"heard_{name}": column for name, column in zip(names, measures.T, strict=True)}


def _not_cached(config: Config, count: str, recipe: Recipe, command: str) -> ConfigError:
    return ConfigError(f"{config.name}: {count} no cached {recipe.label} features. Run: {command}")


def _read_copies(store: FeatureStore, keys: Sequence[bytes], clips: Features) -> Features:
    """Return a variant's features; where no copy of a clip could be made, the clip itself is used."""
    has_copy = store.has(keys)
    if has_copy.all():
        return store.read(keys)
    if not has_copy.any():
        return clips
    made = store.read([k for k, stored in zip(keys, has_copy, strict=True) if stored])
    if isinstance(clips, Frames):
        copies = iter(made.clips)
        return Frames([next(copies) if stored else clip for clip, stored in zip(clips.clips, has_copy, strict=True)])
    vectors = clips.copy()
    vectors[has_copy] = made
    return vectors


def exported(config: Config, features: Path, *, command: str) -> Sequence[dict]:
    """Return the cached clips of an experiment, under its labels, as rows for ``extract_feats.cache.store.export``."""
    read = [read_clips(config, entry, features, command) for entry in config.corpora]
    chosen, _ = choose(config, chain.from_iterable(utterances for utterances, _, _ in read), None)
    sounds = {identity: sound for _, by_id, _ in read for identity, sound in by_id.items()}
    return [asdict(u) | {"path": str(u.path), "digest": sounds[u.id][0]} for u in chosen]
