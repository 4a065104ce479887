"""Plug-in lookup: a plug-in is a file, its one function's keyword-only arguments are its settings.

Signatures are read from the source text, never by importing, so that listing the models or
refusing a mistyped argument does not load TensorFlow.
"""

import ast
import difflib
import importlib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple

from utils.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
REQUIRED = object()
LICENCE = re.compile(r"^(?:- )?Licence: (.+?)(?=\n\n|\n- |\Z)", re.MULTILINE | re.DOTALL)  # in a docstring
Section = dict[str, Any]  # {"name": plug-in, argument: value, ...}; an argument list[Section] holds more of the kind
Range = list[float]  # [low, high], within the plug-in's LIMITS if it has any
Folder = str  # whose content the numbers depend on
WORDS = {"Literal": Literal, "Any": Any, "Section": Section, "Range": Range, "Folder": Folder}  # of annotations


class Kind(NamedTuple):
    word: str
    packages: tuple[str, ...]
    function: str


KINDS = {
    "corpora": Kind("corpus", ("corpora",), "utterances"),
    "features": Kind("feature", ("extract_feats",), "extract"),
    "models": Kind("model", ("models.dnn", "models.ml"), "build"),
    "augment": Kind("augmentation", ("augmentation",), "augment"),
}


@dataclass(frozen=True)
class Argument:
    """One keyword-only argument as its source states it."""

    annotation: str
    default: Any = REQUIRED

    def __str__(self) -> str:
        return self.annotation if self.default is REQUIRED else f"{self.annotation} = {self.default!r}"


@dataclass(frozen=True)
class Plugin:
    """A plug-in file, read without importing it."""

    kind: Kind
    name: str
    package: str
    summary: str
    arguments: Mapping[str, Argument]
    constants: Mapping[str, Any] = field(default_factory=dict)
    licence: str = ""  # of the data, the weights or the library, as the docstring states it

    def load(self) -> ModuleType:
        """Import the plug-in's module."""
        return importlib.import_module(f"{self.package}.{self.name}")


def _read(path: Path, kind: Kind, package: str) -> Plugin | None:
    tree = ast.parse(path.read_text(encoding="utf8"), filename=str(path))
    functions = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == kind.function]
    if not functions:
        return None  # a helper module of the folder
    signature = functions[0].args
    arguments = {
        a.arg: Argument(
            ast.unparse(a.annotation) if a.annotation else "Any",
            REQUIRED if default is None else ast.literal_eval(default),
        )
        for a, default in zip(signature.kwonlyargs, signature.kw_defaults, strict=True)
    }
    constants = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                constants[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                continue  # computed at import: not readable from the text, and not needed here
    docstring = ast.get_docstring(tree) or ""
    summary, licence = docstring.partition("\n")[0], LICENCE.search(docstring)
    stated = " ".join(licence[1].split()).rstrip(".") if licence else ""
    return Plugin(kind, path.stem, package, summary, arguments, constants, stated)


@lru_cache
def every(kind: str) -> dict[str, Plugin]:
    """Return the plug-ins of a kind ("corpora", "features", "models" or "augment") by name, sorted."""
    found = {}
    for package in KINDS[kind].packages:
        for path in sorted(ROOT.joinpath(*package.split(".")).glob("*.py")):
            plugin = _read(path, KINDS[kind], package)
            if plugin:
                found[plugin.name] = plugin
    return dict(sorted(found.items()))


def nearest(word: str, known: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the closest known word, or nothing."""
    words = {str(k).lower(): k for k in known}
    match = difflib.get_close_matches(str(word).lower(), words, n=1, cutoff=0.5)
    return f" Did you mean {words[match[0]]!r}?" if match else ""


def get(kind: str, name: str) -> Plugin:
    """Return the plug-in of that name.

    Raises:
        ConfigError: no such file; names the nearest and all valid ones.
    """
    known = every(kind)
    if name not in known:
        raise ConfigError(
            f"{name!r} is not a known {KINDS[kind].word}.{nearest(name, known)} Known: {', '.join(known)}."
        )
    return known[name]


def arguments(kind: str, section: Mapping[str, Any]) -> dict[str, Any]:
    """Return the section's arguments for its plug-in, checked, defaults filled in.

    Args:
        kind: "corpora", "features", "models" or "augment".
        section: ``{"name": plug-in, argument: value, ...}`` as a config states it.

    Raises:
        ConfigError: unknown plug-in, unknown or missing argument, or a value of the wrong type.
    """
    from pydantic import TypeAdapter, ValidationError  # prediction never gets here

    plugin = get(kind, section["name"])
    given = {key: value for key, value in section.items() if key != "name"}
    where = f"{plugin.kind.word} {plugin.name}"
    known = plugin.arguments
    for key in given:
        if key not in known:
            listed = ", ".join(known) or "it takes none"
            raise ConfigError(f"{where}: {key!r} is not a known argument.{nearest(key, known)} Known: {listed}.")
    filled = {}
    for key, argument in known.items():
        if key not in given:
            if argument.default is REQUIRED:
                raise ConfigError(f"{where}: {key!r} must be given ({argument.annotation}).")
            filled[key] = argument.default
            continue
        types = eval(argument.annotation, WORDS)  # our own source, not the user's
        try:
            filled[key] = TypeAdapter(types).validate_python(given[key], strict=True)
        except ValidationError as error:
            allowed = getattr(types, "__args__", ())
            hint = nearest(given[key], [a for a in allowed if isinstance(a, str)])
            wanted = argument.annotation.replace("Literal[", "one of [").replace("None", "null")
            wanted = wanted.replace("Range", "[low, high]").replace("Folder", "a folder's name")
            raise ConfigError(f"{where}: {key} must be {wanted}, got {given[key]!r}.{hint}") from error
    for key in (key for key, argument in known.items() if argument.annotation == "Range"):
        _check_range(filled[key], plugin.constants.get("LIMITS", {}).get(key), f"{where}: {key}")
    for key in (key for key, argument in known.items() if argument.annotation == "list[Section]"):
        filled[key] = [_section(kind, part, f"{where}: {key}") for part in filled[key]]
    return filled


def _check_range(given: Range, limits: tuple[float, float] | None, where: str) -> None:
    low, high = limits or (-math.inf, math.inf)
    if len(given) != 2 or not low <= given[0] <= given[1] <= high or not all(map(math.isfinite, given)):
        within = f" within {low:g} and {high:g}" if limits else ""
        raise ConfigError(f"{where} must be [low, high]{within}, got {given!r}.")


def _section(kind: str, part: Section, where: str) -> Section:
    if "name" not in part:
        raise ConfigError(f"{where}: {part!r} has no name. Known: {', '.join(every(kind))}.")
    return {"name": part["name"], **arguments(kind, part)}
