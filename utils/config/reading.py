"""Reading a config file: strict YAML, then the KEY=VALUE overrides of --set."""

import re
from pathlib import Path
from typing import Any

import yaml

from utils import plugins
from utils.config.checking import check
from utils.config.schema import Config
from utils.errors import ConfigError


class _Loader(yaml.SafeLoader):
    """Reads 1e-3 as a number, as YAML 1.2 does; a key that is given twice or is not text is an error."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict:
    keys = [loader.construct_object(key) for key, _ in node.value]
    for key in keys:
        line = node.value[len(keys) - 1 - keys[::-1].index(key)][0].start_mark.line + 1
        if keys.count(key) > 1:
            raise yaml.YAMLError(f"line {line}: {key!r} is given twice")
        if not isinstance(key, str):
            raise yaml.YAMLError(f"line {line}: the key {key!r} is not text; put it in quotes")
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def parse_yaml(text: str, where: str) -> Any:
    """Return the content of a YAML text.

    Raises:
        ConfigError: it is not YAML; one line that begins with ``where``.
    """
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        reason = str(error)
        if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
            reason = f"line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1}: {error.problem}"
        raise ConfigError(f"{where}: not valid YAML: {' '.join(reason.split())}.") from error


def read(path: Path | str, overrides: list[str] = ()) -> Config:
    """Return the experiment of a YAML file, ``KEY=VALUE`` overrides applied (``corpora.0.root=EMO-DB``).

    Raises:
        ConfigError: no such file, not YAML, an unknown key, a wrong type, an unknown plug-in or argument.
    """
    path = Path(path)
    if not path.is_file():
        names = sorted(p.stem for p in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
        raise ConfigError(f"{path}: no such config.{plugins.nearest(path.stem, names)} See train.py --list configs.")
    try:
        raw = parse_yaml(path.read_text(encoding="utf8"), str(path))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text (byte {error.start}). Save it as UTF-8.") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: holds no 'key: value' lines. Copy one of config/*.yaml to begin.")
    for override in overrides:
        _override(raw, override)
    return check(raw, str(path))


def _override(raw: dict, override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals:
        raise ConfigError(f"--set {override}: must be KEY=VALUE, e.g. --set split.folds=10.")
    *parents, last = key.split(".")
    here: Any = raw
    for step in parents:
        place = _place(here, step, override)
        if isinstance(here, dict) and here.get(step) is None:
            here[step] = {}
        here = here[place]
        if not isinstance(here, (dict, list)):
            raise ConfigError(f"--set {override}: {step!r} is a single value and has no keys of its own.")
    here[_place(here, last, override)] = parse_yaml(value, f"--set {override}")


def _place(here: dict | list, step: str, override: str) -> str | int:
    if isinstance(here, dict):
        return step
    if not step.isdecimal() or int(step) >= len(here):
        raise ConfigError(f"--set {override}: {step!r} is not a place in a list of {len(here)}, counted from 0.")
    return int(step)
