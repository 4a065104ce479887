"""What a trained model reads of a file: the features of training, from audio, as its card says."""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from extract_feats import channel
from extract_feats.base.recipe import Recipe
from utils.audio.decode import title
from utils.audio.prepare import inspect, prepare, read_wave
from utils.errors import ConfigError, DataError

READ = ("name", "rate", "clip", "features", "feature_version")  # of a card, all that is read here


class Extractor:
    """The features of a file exactly as in training: same rate, same part of the clip, same plug-in.

    With ``prediction.predictor.Predictor`` it answers for any checkpoint, an ensemble's as well:
    ``predictor.probabilities([Extractor(predictor.card)(file)])``.
    """

    def __init__(self, card: Mapping[str, Any]):
        """Prepare for a model whose ``model.json`` says this.

        Raises:
            ConfigError: the features here are of another version than in training.
        """
        self._alone = "members" not in card
        try:
            parts = [{name: part[name] for name in READ} for part in ([card] if self._alone else card["members"])]
        except (KeyError, TypeError) as error:
            raise ConfigError(f"model.json: damaged, it lacks {error}. Train the model again.") from error
        self.card = parts[0] if self._alone else {"members": parts}
        self._recipes = [_recipe(part) for part in parts]

    def __reduce__(self) -> tuple:
        """Another process gets the card, and makes of it one extractor for all files."""
        return _rebuilt, (json.dumps(self.card),)

    def __call__(self, source: str | Path | BinaryIO) -> np.ndarray | list[np.ndarray]:
        """Return the features (dims,) or (frames, dims) of an audio file, for an ensemble one such array a member.

        Args and errors: as ``read``.
        """
        return self.read(source)[0]

    def read(self, source: str | Path | BinaryIO) -> tuple[np.ndarray | list[np.ndarray], list[dict[str, float]]]:
        """Return the features of an audio file, and for each member (or the one model) the channel that it hears.

        Audio is decoded once for each rate and part of the clip, and equal recipes are extracted once.

        Args:
            source: a path, or an open binary file, which errors call by its ``name``, else standard input.

        Raises:
            DataError: no audio that can be used; begins with the file.
        """
        waves: dict[str, np.ndarray] = {}
        heard: dict[str, dict[str, float]] = {}
        for recipe in self._recipes:
            if recipe.wave not in waves:
                if waves and not isinstance(source, (str, Path)):
                    source.seek(0)
                wave = waves[recipe.wave] = read_wave(source, recipe.rate, **recipe.clip)
                values = channel.extract(wave, recipe.rate).tolist()
                heard[recipe.wave] = dict(zip(channel.NAMES, values, strict=True))
        return self._extracted(waves, source), [heard[recipe.wave] for recipe in self._recipes]

    def window(self, samples: np.ndarray, rate: int) -> np.ndarray | list[np.ndarray]:
        """Return what a file of these samples (n, channels), full scale 1, at ``rate`` Hz would give.

        But for the ``offset`` of the training clips, which skips their beginnings: a window has none.

        Raises:
            DataError: silent, or too short.
        """
        inspect(samples, rate)
        waves: dict[str, np.ndarray] = {}
        for recipe in self._recipes:
            if recipe.wave not in waves:
                waves[recipe.wave] = prepare(samples, rate, recipe.rate, **(recipe.clip | {"offset": 0.0}))
        return self._extracted(waves, "window")

    def _extracted(self, waves: Mapping[str, np.ndarray], source: str | Path | BinaryIO):
        extracted: dict[Recipe, np.ndarray] = {}
        for recipe in self._recipes:
            if recipe not in extracted:
                try:
                    extracted[recipe] = recipe.extract(waves[recipe.wave])
                except DataError as error:
                    raise DataError(f"{title(source)}: {error}") from error
        features = [extracted[recipe] for recipe in self._recipes]
        return features[0] if self._alone else features


@lru_cache(maxsize=4)
def _rebuilt(card: str) -> Extractor:
    return Extractor(json.loads(card))


def _recipe(card: Mapping[str, Any]) -> Recipe:
    """Return how one model's features are made.

    Raises:
        ConfigError: the features here are of another version than in training.
    """
    recipe = Recipe.of(card["features"], card["rate"], card["clip"])
    version = recipe.layout.version
    if version != card["feature_version"]:
        raise ConfigError(
            f"{card['name']} was trained on features of version {card['feature_version']}; here it is {version}. "
            "Install the requirements it was trained with, or preprocess and train again."
        )
    return recipe
