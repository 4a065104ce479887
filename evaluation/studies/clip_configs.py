"""Configs of the clips that a finished model is tested on: which clips, under the model's own feature recipe."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from utils.config import Clip, Config
from utils.errors import ConfigError


def of_folder(
    card: Mapping[str, Any], folder: Path, *, corpus: str, speaker: str | None, name: str | None
) -> dict[str, Any]:
    """Return the content of a config that reads a folder of labelled recordings for a checkpoint.

    Args:
        card: model.json of the checkpoint.
        folder: the recordings.
        corpus: plug-in that reads them.
        speaker: pattern of the speaker in a file name, None if unknown.
        name: of the config; the folder's unless given.
    """
    entry = {"name": corpus, "root": str(folder.resolve())} | ({"speaker": speaker} if speaker else {})
    own = re.sub(r"[^A-Za-z0-9._-]+", "_", folder.resolve().name).lstrip("._-") or "folder"
    features = {} if "members" in card else {"features": card["features"]}
    return {"name": name or own, "corpora": [entry], "model": card["model"], **features}


def relabelled(configs: Sequence[Config], merge: Mapping[str, str], drop: Sequence[str]) -> list[Config]:
    """Return the configs with more labels merged and dropped.

    Raises:
        ConfigError: two configs of one name.
    """
    counts = Counter(config.name for config in configs)
    name, most = counts.most_common(1)[0]
    if most > 1:
        raise ConfigError(f"two configs are named {name!r}; each needs a name of its own.")
    return [c.model_copy(update={"merge": c.merge | dict(merge), "drop": c.drop + list(drop)}) for c in configs]


def with_recipe(config: Config, card: Mapping[str, Any]) -> Config:
    """Return a config that reads its clips under the feature recipe of a checkpoint, or of a member of an ensemble.

    Args:
        config: which clips.
        card: model.json of the checkpoint, or the member's part of it.
    """
    recipe = {"features": card["features"], "rate": card["rate"], "clip": Clip(**card["clip"])}
    return config.model_copy(update=recipe | {"normalise": card["normalise"], "augment": [], "balance": "none"})
