"""Which keys differ between the config of a finished run and the config of a new one."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from utils.config.reading import read_mapping
from utils.config.schema import Config


def changed_keys(path: Path, config: Config) -> list[str]:
    """Return the keys, written ``a.b``, whose values differ between a finished run and a config.

    Args:
        path: the finished run's complete config, ``checkpoints/NAME/config.yaml``.
        config: of the new run.

    Raises:
        ConfigError: the finished run's config cannot be read.
    """
    finished = read_mapping(path)
    return _differences(finished, json.loads(config.model_dump_json()), "")


def _differences(old: Any, new: Any, key: str) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        names: Sequence[str] = sorted(set(old) | set(new))
        return [d for name in names for d in _differences(old.get(name), new.get(name), f"{key}.{name}".lstrip("."))]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [d for n, pair in enumerate(zip(old, new, strict=True)) for d in _differences(*pair, f"{key}.{n}")]
    return [] if old == new else [key]
