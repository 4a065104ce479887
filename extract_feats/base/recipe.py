"""A recipe: all settings that change the features of a clip. Training, the cache and prediction share it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from extract_feats.base.layout import Layout
from utils import plugins
from utils.audio.prepare import equalised
from utils.errors import ConfigError, DataError

if TYPE_CHECKING:
    from augmentation.base.variants import Variant  # it imports pydantic, which prediction does not install

AUDIO_VERSION = 1  # of utils.audio.prepare: raise it when the same file would give another wave
LATER = ("trim",)  # keys of clip that older caches do not know; where they are not used, the recipe is the same


@dataclass(frozen=True, eq=False)
class Recipe:
    """All settings that change the features, apart from the audio: equal recipes, equal features.

    Attributes:
        plugin: the name of the feature plug-in.
        arguments: its arguments, complete.
        layout: what the plug-in states of its output.
        rate: Hz, of the wave that the plug-in gets.
        clip: which part of a file, at which level; as ``utils.audio.prepare`` takes it.
        variant: which augmented copy of the clips; None for the clips themselves.
    """

    plugin: str
    arguments: dict
    layout: Layout
    rate: int
    clip: dict
    variant: "Variant | None" = None

    @classmethod
    def of(cls, features: Mapping[str, Any], rate: int, clip: Mapping[str, Any]) -> "Recipe":
        """Return the recipe of a ``features`` section ``{name, argument: value}``, its arguments complete.

        Raises:
            ConfigError: no such plug-in, or as the plug-in's ``layout`` does.
        """
        layout = plugins.call("features", features, "layout")
        stated = {key: value for key, value in clip.items() if key not in LATER or value is not None}
        return cls(features["name"], plugins.settings(features), layout, rate, stated)

    @property
    def label(self) -> str:
        """Short name for people: "opensmile-IS10", "logmel", "logmel + speed 1/2"."""
        return f"{self._features} + {self.variant.label}" if self.variant else self._features

    @property
    def _features(self) -> str:
        return f"{self.plugin}-{self.layout.label}" if self.layout.label else self.plugin

    def of_variant(self, variant: "Variant") -> "Recipe":
        """Return the recipe of these features on augmented copies."""
        return replace(self, variant=variant)

    @cached_property
    def text(self) -> str:
        """The recipe as canonical JSON."""
        parts = {
            "plugin": self.plugin, "arguments": self.layout.recipe, "version": self.layout.version,
            "rate": self.rate, "clip": self.clip, "audio": AUDIO_VERSION,
        }  # fmt: skip
        if self.variant:
            parts["augment"] = self.variant.recipe
        return json.dumps(parts, sort_keys=True)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Recipe) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    @cached_property
    def folder(self) -> str:
        """The name of the recipe's folder in the cache."""
        name = f"{self._features}+{self.variant.section['name']}" if self.variant else self._features
        return f"{name}-{hashlib.blake2b(self.text.encode(), digest_size=6).hexdigest()}"

    @cached_property
    def wave(self) -> str:
        """What the prepared wave depends on, apart from the file: equal for recipes that can share it."""
        return json.dumps([self.rate, self.clip], sort_keys=True)

    @cached_property
    def copy(self) -> str:
        """What the wave that is extracted from depends on: the prepared wave, and which augmented copy of it."""
        return json.dumps([self.wave, self.variant.recipe if self.variant else None], sort_keys=True)

    def varied(self, wave: np.ndarray, digest: str) -> np.ndarray:
        """Return the wave (n,) that features are extracted from: the prepared wave, or its augmented copy (m,).

        Args:
            wave: the prepared wave (n,).
            digest: of the clip's audio; with the recipe it decides the copy.
        """
        if self.variant is None:
            return wave
        copy = self.variant.apply(wave, self.rate, digest)
        return equalised(copy, self.rate, trim=self.clip.get("trim"), level=self.clip.get("level"))

    def extract(self, wave: np.ndarray) -> np.ndarray:
        """Return the features (dims,) or (frames, dims) of one wave (n,) at this recipe's rate.

        Raises:
            DataError: as the plug-in does, or values that are not finite.
            ConfigError: the plug-in gives vectors where its layout says frames, or frames where it says a vector.
        """
        features = plugins.get("features", self.plugin).load().extract(wave, self.rate, **self.arguments)
        if features.ndim != (2 if self.layout.frames else 1):
            kind = "frames (T, dims)" if self.layout.frames else "a vector (dims,)"
            raise ConfigError(
                f"feature {self.plugin}: extract gives the shape {features.shape}, its layout says {kind}."
            )
        if not (finite := np.isfinite(features)).all():
            raise DataError(
                f"{np.size(finite) - finite.sum()} of {np.size(finite)} {self.plugin} features are not finite."
            )
        return features

    def names(self) -> list[str]:
        """Return the name of each dimension.

        Raises:
            ConfigError: the plug-in cannot work at this rate.
        """
        return plugins.get("features", self.plugin).load().names(self.rate, **self.arguments)
