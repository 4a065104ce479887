"""The space of a search: which keys of a config may take which values.

    model.C: {low: 0.001, high: 100, log: true}
    model.units: {choices: [64, 128]}
    train.warmup_epochs: {low: 0, high: 5, step: 1}

Every value is tried on the config when the space is read, so that no mistake waits for the hundredth trial.
"""

import itertools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from utils import config as configs
from utils.config import Config
from utils.errors import ConfigError
from utils.plugins import nearest

FIXED = ("name", "seed", "tuned", "corpora", "merge", "drop", "labels", "split")  # what is scored, and on whom
RECIPE = ("features", "rate", "clip", "augment")  # what the cache must hold for every trial
RANGE = ("low", "high", "log", "step")
EXAMPLE = "{choices: [64, 128]}, {low: 1, high: 4, step: 1} or {low: 0.001, high: 100, log: true}"


@dataclass(frozen=True)
class Space:
    """Keys of a config and the values that they may take.

    Attributes:
        distributions: key -> Optuna's distribution.
        meanings: key -> the value of the config that each category stands for; of keys with choices only.
        file: where the space is written, for error messages.
    """

    distributions: dict[str, BaseDistribution]
    meanings: dict[str, list]
    file: str

    def values(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return key -> value of the config for the parameters of a trial."""
        values = dict(parameters)
        for key, meanings in self.meanings.items():
            values[key] = meanings[self.distributions[key].choices.index(parameters[key])]
        return values

    def grid(self) -> list[dict[str, Any]]:
        """Return every point, as parameters of trials.

        Raises:
            ConfigError: a range without a step.
        """
        steps = {key: _points(key, distribution) for key, distribution in self.distributions.items()}
        return [dict(zip(steps, point, strict=True)) for point in itertools.product(*steps.values())]

    def recipes(self) -> list[dict[str, Any]]:
        """Return every combination of the keys that decide which features are read; {} if the space has none."""
        keys = {key: values for key, values in self.meanings.items() if key.partition(".")[0] in RECIPE}
        return [dict(zip(keys, point, strict=True)) for point in itertools.product(*keys.values())]


def with_values(base: Config, values: Mapping[str, Any], where: str) -> Config:
    """Return the config with these dotted keys replaced, checked like one that was read.

    Raises:
        ConfigError: an unknown key or a value it cannot take; begins with ``where``.
    """
    raw = base.model_dump()
    for key, value in values.items():
        *parents, last = key.split(".")
        here = raw
        for parent in parents:
            here = here.setdefault(parent, {})
            if not isinstance(here, dict):
                raise ConfigError(f"{where}: {key}: {parent!r} holds a single value, nothing lies below it.")
        here[last] = value
    return configs.check(raw, where)


def read_space(path: Path | str, base: Config) -> Space:
    """Return the space of a YAML file for this config.

    Raises:
        ConfigError: no such file, not YAML, a key or value that the config does not take, a range that is none.
    """
    path = Path(path)
    if not path.is_file():
        known = sorted(p.stem for p in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
        raise ConfigError(f"{path}: no such space.{nearest(path.stem, known)} Examples: config/spaces/*.yaml.")
    raw = configs.read_mapping(path)
    if not raw:
        raise ConfigError(f"{path}: holds no 'key: range' lines, e.g. model.C: {{low: 0.001, high: 100, log: true}}.")
    return parse(raw, base, str(path))


def parse(raw: Mapping[str, Any], base: Config, where: str) -> Space:
    """Return the space of an already parsed mapping; errors begin with ``where``."""
    distributions, meanings = {}, {}
    for key, entry in raw.items():
        first = key.partition(".")[0]
        if first in FIXED:
            raise ConfigError(f"{where}: {key} decides what is scored and cannot be searched over. Use --set {key}=...")
        if below := [other for other in raw if other.startswith(f"{key}.")]:
            raise ConfigError(f"{where}: {below[0]} lies within {key}. Give one of the two.")
        if not isinstance(entry, dict):
            raise ConfigError(f"{where}: {key} must be {EXAMPLE}, got {entry!r}.")
        if "choices" in entry:
            meanings[key] = _choices(key, entry, base, where)
            distributions[key] = CategoricalDistribution([_category(value) for value in meanings[key]])
        elif first in RECIPE:
            raise ConfigError(f"{where}: {key} decides which cached features are read: give choices, not a range.")
        else:
            distributions[key] = _range(key, entry, base, where)
    return Space(distributions, meanings, where)


def _category(value: Any) -> Any:
    """Return a choice as Optuna can store it: single values as they are, lists and sections as text."""
    return json.dumps(value) if isinstance(value, (list, dict)) else value


def _choices(key: str, entry: dict, base: Config, where: str) -> list:
    choices = entry["choices"]
    if len(entry) > 1 or not isinstance(choices, list) or not choices:
        raise ConfigError(f"{where}: {key} must be a list of values alone, {{choices: [64, 128]}}, got {entry!r}.")
    if twice := [value for i, value in enumerate(choices) if value in choices[:i]]:
        raise ConfigError(f"{where}: {key}: the choice {twice[0]!r} is given twice.")
    for value in choices:
        with_values(base, {key: value}, where)
    return choices


def _range(key: str, entry: dict, base: Config, where: str) -> BaseDistribution:
    for word in entry:
        if word not in RANGE:
            raise ConfigError(
                f"{where}: {key}: {word!r} is not known.{nearest(word, ('choices', *RANGE))} Give {EXAMPLE}."
            )
    low, high, log, step = (entry.get(word) for word in RANGE)
    numbers = [low, high] if step is None else [low, high, step]
    if not all(isinstance(n, (int, float)) and not isinstance(n, bool) and math.isfinite(n) for n in numbers):
        raise ConfigError(f"{where}: {key}: low, high and step must be numbers, got {entry!r}.")
    if not isinstance(log, bool | None) or low >= high or (step is not None and (step <= 0 or log)):
        raise ConfigError(f"{where}: {key}: needs low < high, step > 0, log: true or false, not both; got {entry!r}.")
    if log and low <= 0:
        raise ConfigError(f"{where}: {key}: on a logarithmic scale low must be above 0, got {low!r}.")
    for value in (low, high):
        with_values(base, {key: value}, where)
    if step is not None:  # values above the last step are never drawn
        high = _round(low + int((high - low) / step + 1e-9) * step)
    if all(isinstance(n, int) for n in numbers) and (step is not None or not _takes(base, key, low + 0.5)):
        return IntDistribution(low, high, log=bool(log), step=step or 1)
    with_values(base, {key: low + (high - low) / math.pi}, where)  # a key of whole numbers refuses it
    return FloatDistribution(low, high, log=bool(log), step=step)


def _takes(base: Config, key: str, value: Any) -> bool:
    try:
        with_values(base, {key: value}, "")
    except ConfigError:
        return False
    return True


def _points(key: str, distribution: BaseDistribution) -> list:
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    if distribution.step is None or distribution.log:
        raise ConfigError(f"--sampler grid: {key} has no step. Give it choices or a step, or use tpe or random.")
    count = int((distribution.high - distribution.low) / distribution.step + 1e-9) + 1
    return [_round(distribution.low + i * distribution.step) for i in range(count)]


def _round(value: float) -> float:
    """0.1 + 2 * 0.1 is 0.3; whole numbers stay whole."""
    return round(value, 12)
