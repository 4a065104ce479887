"""Augmented copies of clips: which a config asks for, and what each of them depends on."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from augmentation.base import recordings
from utils import plugins
from utils.config.steps import section as step_section


@dataclass(frozen=True)
class Variant:
    """One augmented copy of every clip.

    Attributes:
        section: ``{name, argument: value}`` of a plug-in on audio, complete.
        content: the same, what its folders hold in the place of their names; what the numbers depend on.
        seed: the config's.
        copy: number among the copies of this section, from 1.
        copies: how many there are, for people: one more leaves the others as they are.
    """

    section: Mapping[str, Any]
    content: Mapping[str, Any]
    seed: int
    copy: int
    copies: int

    @property
    def label(self) -> str:
        return f"{self.section['name']} {self.copy}/{self.copies}"

    @property
    def recipe(self) -> dict[str, Any]:
        """Return what makes it another set of features than the clips' own."""
        return {"section": self.content, "seed": self.seed, "copy": self.copy}

    def apply(self, wave: np.ndarray, rate: int, digest: str) -> np.ndarray:
        """Return the copy (m,) float32 of a prepared wave (n,); the clip's digest and the recipe decide its draws."""
        text = json.dumps([self.recipe, digest], sort_keys=True)
        seed = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest())
        return applied(self.section, wave, rate, np.random.default_rng(seed))


def applied(section: Mapping[str, Any], wave: np.ndarray, rate: int, rng: np.random.Generator) -> np.ndarray:
    """Return what a section ``{name, argument: value}`` makes of a wave (n,), contiguous float32."""
    return np.ascontiguousarray(plugins.call("augment", section, "augment", wave, rate, rng), np.float32)


def variants(steps: Sequence[Mapping[str, Any]], seed: int) -> list[Variant]:
    """Return the copies that a config's steps on audio ask for, ``{name, copies, argument: value}`` each.

    Raises:
        ConfigError: a folder of recordings that is not there or holds none.
    """
    copies = []
    for step in steps:
        section = step_section(step)
        content = _content(section)
        copies += [Variant(section, content, seed, n, step["copies"]) for n in range(1, step["copies"] + 1)]
    return copies


def _content(section: Mapping[str, Any]) -> dict[str, Any]:
    plugin = plugins.get("augment", section["name"])
    content = dict(section) | {"version": plugin.constants["VERSION"]}
    for key, argument in plugin.arguments.items():
        if argument.annotation == "list[Section]":
            content[key] = [_content(part) for part in section[key]]
        elif argument.annotation.startswith("Folder") and section[key] is not None:
            content[key] = recordings.digest(section[key])
    return content
