"""What a trained model reads of a file: the features of training, from audio, as its card says."""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from extract_feats import channel
from utils import plugins
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
        self._recipes = [_Recipe(part) for part in parts]

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
        found: dict[str, np.ndarray] = {}
        for recipe in self._recipes:
            if recipe.key not in found:
                found[recipe.key] = recipe.extract(waves[recipe.wave], source)
        features = [found[recipe.key] for recipe in self._recipes]
        return features[0] if self._alone else features


@lru_cache(maxsize=4)
def _rebuilt(card: str) -> Extractor:
    return Extractor(json.loads(card))


class _Recipe:
    """How one model's features are made; ``wave`` and ``key`` are equal where the wave and the features are."""

    def __init__(self, card: Mapping[str, Any]):
        self.rate, self.clip = card["rate"], card["clip"]
        self.arguments = {key: value for key, value in card["features"].items() if key != "name"}
        self.module = plugins.get("features", card["features"]["name"]).load()
        version = self.module.layout(**self.arguments).version
        if version != card["feature_version"]:
            raise ConfigError(
                f"{card['name']} was trained on features of version {card['feature_version']}; here it is {version}. "
                "Install the requirements it was trained with, or preprocess and train again."
            )
        self.wave = repr((self.rate, sorted(self.clip.items())))
        self.key = repr((self.wave, sorted(card["features"].items())))

    def extract(self, wave: np.ndarray, source: str | Path | BinaryIO) -> np.ndarray:
        try:
            return self.module.extract(wave, self.rate, **self.arguments)
        except DataError as error:
            raise DataError(f"{title(source)}: {error}") from error
