"""Reading a config file: strict YAML with limits, then the KEY=VALUE overrides of --set."""

import math
import re
from pathlib import Path
from typing import Any

import yaml

from utils import plugins
from utils.config.checking import check
from utils.config.schema import Config
from utils.errors import ConfigError, short

LONGEST = 500_000  # characters of a YAML text; a complete config has about 2,000
MOST = 20_000  # values in it, an alias counted as all that it stands for
DEEPEST = 30  # levels of lists and mappings
LARGEST = 2**63 - 1  # whole numbers beyond are no setting, and NumPy cannot hold them
_NUMBER = "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
_DATE = "tag:yaml.org,2002:timestamp"


class _Loader(yaml.SafeLoader):
    """Reads the types of JSON alone, within the limits above.

    It reads 1e-3 as a number and 2024-01-01 as text, as YAML 1.2 does. A key that is given twice or is not text is an
    error, and so is a number that is not finite.
    """

    yaml_constructors: dict = {}  # noqa: RUF012
    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _DATE]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, text: str):
        super().__init__(text)
        self._depth, self._values = 0, 0
        self._sizes: dict[yaml.Node, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node:
        """Return the next node; PyYAML's own method would follow any depth and any number of aliases."""
        line, alias, before = self.peek_event().start_mark.line + 1, self.check_event(yaml.AliasEvent), self._values
        if self._depth == DEEPEST:
            raise yaml.YAMLError(f"line {line}: more than {DEEPEST} levels")
        self._depth, self._values = self._depth + 1, self._values + 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        if alias and node not in self._sizes:
            raise yaml.YAMLError(f"line {line}: an alias within what it stands for")
        self._values += self._sizes[node] if alias else 0
        if self._values > MOST:
            raise yaml.YAMLError(f"line {line}: more than {MOST} values")
        self._sizes.setdefault(node, self._values - before)
        return node


class _Dumper(yaml.SafeDumper):
    """Writes what ``_Loader`` reads back: text that looks like a number in quotes, and no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Loader.add_implicit_resolver(*_NUMBER)
_Dumper.add_implicit_resolver(*_NUMBER)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict:
    lines: dict[str, int] = {}
    for key_node, _ in node.value:
        key, line = loader.construct_object(key_node, deep=True), key_node.start_mark.line + 1
        if not isinstance(key, str):
            raise yaml.YAMLError(f"line {line}: the key {short(key)} is not text; put it in quotes")
        if key in lines:
            raise yaml.YAMLError(f"line {line}: {short(key)} is given twice")
        lines[key] = line
    return loader.construct_mapping(node, deep=True)


def _number(loader: _Loader, node: yaml.ScalarNode) -> int | float:
    try:
        value = getattr(loader, f"construct_yaml_{node.tag.rpartition(':')[2]}")(node)
        if -LARGEST <= value <= LARGEST if isinstance(value, int) else math.isfinite(value):
            return value
    except (ValueError, IndexError):  # other text that is tagged as a number, or thousands of digits
        pass
    line = node.start_mark.line + 1
    raise yaml.YAMLError(f"line {line}: {short(node.value)} is no finite number, or no whole one within 2^63")


def _text(loader: _Loader, node: yaml.ScalarNode) -> str:
    text = loader.construct_scalar(node)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise yaml.YAMLError(f"line {node.start_mark.line + 1}: {short(text)} holds half a character") from error
    return text


def _bool(loader: _Loader, node: yaml.ScalarNode) -> bool:
    try:
        return loader.construct_yaml_bool(node)
    except KeyError as error:
        raise yaml.YAMLError(f"line {node.start_mark.line + 1}: {short(node.value)} is not true or false") from error


_CONSTRUCTORS = {
    "null": yaml.SafeLoader.construct_yaml_null, "bool": _bool, "int": _number, "float": _number, "str": _text,
    "seq": yaml.SafeLoader.construct_yaml_seq, "map": _mapping, None: yaml.SafeLoader.construct_undefined,
}  # fmt: skip
for _kind, _constructor in _CONSTRUCTORS.items():
    _Loader.add_constructor(_kind and f"tag:yaml.org,2002:{_kind}", _constructor)


def parse_yaml(text: str, where: str) -> Any:
    """Return the content of a YAML text: mappings, lists, texts, finite numbers, true, false and null.

    Raises:
        ConfigError: it is not YAML, holds other types, or is beyond the limits of this module; one line that begins
            with ``where``.
    """
    if len(text) > LONGEST:
        raise ConfigError(f"{where}: is too long to be a config: {len(text)} characters, at most {LONGEST}.")
    loader = None
    try:
        loader = _Loader(text)
        return loader.get_single_data()
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # the last two: an escape beyond Unicode
        reason = str(error)
        if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
            reason = f"line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1}: {error.problem}"
        raise ConfigError(f"{where}: not valid YAML: {' '.join(reason.split())[:200]}.") from error
    finally:
        if loader:
            loader.dispose()


def dump_yaml(content: Any) -> str:
    """Return a YAML text, keys in their order, from which ``parse_yaml`` reads the same."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def read_mapping(path: Path) -> dict:
    """Return the content of a YAML file whose top level is a mapping, such as ``checkpoints/NAME/config.yaml``.

    Raises:
        ConfigError: no such file, not UTF-8, not YAML, beyond the limits, or no mapping.
    """
    try:
        if path.stat().st_size > 4 * LONGEST:  # bytes of the longest text in UTF-8
            raise ConfigError(f"{path}: is too long to be a config: {path.stat().st_size} bytes.")
        raw = parse_yaml(path.read_text(encoding="utf8"), str(path))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text (byte {error.start}). Save it as UTF-8.") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}.") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: holds no 'key: value' lines. Copy one of config/*.yaml to begin.")
    return raw


def read(path: Path | str, overrides: list[str] = ()) -> Config:
    """Return the experiment of a YAML file, ``KEY=VALUE`` overrides applied (``corpora.0.root=EMO-DB``).

    Raises:
        ConfigError: no such file, not YAML, an unknown key, a wrong type, an unknown plug-in or argument.
    """
    path = Path(path)
    if not path.is_file():
        names = sorted(p.stem for p in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
        raise ConfigError(f"{path}: no such config.{plugins.nearest(path.stem, names)} See train.py --list configs.")
    raw = read_mapping(path)
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
