"""Audio to the features that a trained model takes: those of its training, as its card says."""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from extract_feats import channel
from extract_feats.base.recipe import Recipe
from utils.audio.decode import decode, title
from utils.audio.prepare import inspect, prepare
from utils.errors import ConfigError, DataError, short

READ = ("name", "rate", "clip", "features", "feature_version")  # of a card, all that is read here
ONE_AT_A_TIME = threading.Lock()  # for extraction: openSMILE's code is not made for threads, and the web page has some

ClipFeatures = np.ndarray | list[np.ndarray]  # (dims,) or (frames, dims); of an ensemble one such array per member


@dataclass(frozen=True)
class Reading:
    """What was read of one clip.

    Attributes:
        file: its name in the answer.
        features: None if nothing was read.
        channel: the measures of ``extract_feats.channel`` by name, a mapping for each member (or the one model).
        error: why nothing was read, beginning with the file; "" if something was.
    """

    file: str
    features: ClipFeatures | None = None
    channel: list[dict[str, float]] = field(default_factory=list)
    error: str = ""


class Extractor:
    """The features of a clip exactly as in training: same rate, same part of the clip, same plug-in."""

    def __init__(self, card: Mapping[str, Any]):
        """Prepare for a model with this ``model.json``.

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

    def __call__(self, source: str | Path | BinaryIO) -> ClipFeatures:
        """Return the features (dims,) or (frames, dims) of an audio file; for an ensemble one such array per member.

        Args and errors: as ``read``.
        """
        return self.read(source).features

    def read(self, source: str | Path | BinaryIO, file: str = "") -> Reading:
        """Return features and channel of an audio file, which is decoded once.

        Args:
            source: a path, or an open binary file, which errors call by its ``name``, else standard input.
            file: its name in the answer, unless as errors call it.

        Raises:
            DataError: no audio that can be used; begins with the file.
        """
        samples, rate = decode(source)
        try:
            return self.read_samples(samples, rate, file or title(source))
        except DataError as error:
            raise DataError(f"{title(source)}: {error}") from error

    def read_samples(self, samples: np.ndarray, rate: int, file: str) -> Reading:
        """Return features and channel of samples (n, channels), full scale 1, at ``rate`` Hz.

        Equal recipes are extracted once.

        Raises:
            DataError: silent, or too short.
        """
        inspect(samples, rate)
        waves = self._waves(samples, rate)
        measures = {}
        for recipe in self._recipes:
            if recipe.wave not in measures:
                values = channel.extract(waves[recipe.wave], recipe.rate).tolist()
                measures[recipe.wave] = dict(zip(channel.NAMES, values, strict=True))
        return Reading(file, self._extracted(waves), [measures[recipe.wave] for recipe in self._recipes])

    def window(self, samples: np.ndarray, rate: int) -> ClipFeatures:
        """Return the features of a window: samples (n, channels), full scale 1, at ``rate`` Hz.

        They are those of a file with these samples, but for the ``offset`` of the training clips, which skips their
        beginnings: a window has none.

        Raises:
            DataError: silent, or too short.
        """
        inspect(samples, rate)
        return self._extracted(self._waves(samples, rate, offset=0.0))

    def _waves(self, samples: np.ndarray, rate: int, **changed: float) -> dict[str, np.ndarray]:
        """Return each recipe's wave (n,) by ``recipe.wave``."""
        waves: dict[str, np.ndarray] = {}
        for recipe in self._recipes:
            if recipe.wave not in waves:
                waves[recipe.wave] = prepare(samples, rate, recipe.rate, **(recipe.clip | changed))
        return waves

    def _extracted(self, waves: Mapping[str, np.ndarray]) -> ClipFeatures:
        by_recipe: dict[Recipe, np.ndarray] = {}
        for recipe in self._recipes:
            if recipe not in by_recipe:
                with ONE_AT_A_TIME:
                    by_recipe[recipe] = recipe.extract(waves[recipe.wave])
        features = [by_recipe[recipe] for recipe in self._recipes]
        return features[0] if self._alone else features


@lru_cache(maxsize=4)
def _rebuilt(card: str) -> Extractor:
    return Extractor(json.loads(card))


def _recipe(card: Mapping[str, Any]) -> Recipe:
    """Return how one model's features are made.

    Raises:
        ConfigError: the features here are of another version than in training.
    """
    try:
        recipe = Recipe.of(card["features"], card["rate"], card["clip"])
        version = recipe.layout.version
    except (TypeError, ValueError, KeyError, AttributeError, IndexError) as error:  # arguments of a wrong kind
        raise ConfigError(
            f"{card['name']}: model.json: features {short(card['features'])} cannot be made here ({error}). "
            "Train the model again."
        ) from error
    if version != card["feature_version"]:
        raise ConfigError(
            f"{card['name']} was trained on features of version {card['feature_version']}; here it is {version}. "
            "Install the requirements it was trained with, or preprocess and train again."
        )
    return recipe
