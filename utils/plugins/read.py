"""Plug-in files, read without importing them: what a file states, and whether it keeps the contract of its kind.

Reading the source text keeps listings and error messages quick: nothing loads TensorFlow.
"""

import ast
import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from utils.errors import ConfigError
from utils.plugins.annotations import unreadable

REQUIRED = object()
LICENCE = re.compile(r"^(?:- )?Licence: (.+?)(?=\n\n|\n- |\Z)", re.MULTILINE | re.DOTALL)  # in a docstring
NOT_LITERAL = (ValueError, TypeError, SyntaxError)  # what ast.literal_eval raises


class Kind(NamedTuple):
    """One kind of plug-in: its word in messages, the packages that hold it, the function that every file has."""

    word: str
    packages: tuple[str, ...]
    function: str


KINDS = {
    "corpora": Kind("corpus", ("corpora",), "utterances"),
    "features": Kind("feature", ("extract_feats",), "extract"),
    "models": Kind("model", ("models.dnn", "models.ml"), "build"),
    "augment": Kind("augmentation", ("augmentation",), "augment"),
}


class Contract(NamedTuple):
    """What every file of a package must define at its top level.

    Attributes:
        functions: name -> positional parameters. The first one's keyword-only arguments are the plug-in's settings.
        constants: name -> permitted values; () permits any text.
    """

    functions: Mapping[str, tuple[str, ...]]
    constants: Mapping[str, tuple[str, ...]]


CONTRACTS = {
    "corpora": Contract({"utterances": ("root",)}, {"SOURCE": (), "GRAMMAR": ()}),
    "extract_feats": Contract({"extract": ("wave", "rate"), "layout": (), "names": ("rate",)}, {}),
    "models.dnn": Contract({"build": ("frame_shape", "n_classes")}, {"INPUT": ("frames", "vector", "either")}),
    "models.ml": Contract({"build": ()}, {"INPUT": ("vector", "members")}),
    "augmentation": Contract({"augment": ("wave", "rate", "rng")}, {"ON": ("audio", "frames", "either")}),
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
    """A plug-in file, read without importing it.

    Attributes:
        kind: what it is.
        name: of the file, without ``.py``; what a config calls it.
        package: where the file is, e.g. "models.dnn".
        summary: the first line of its docstring.
        arguments: its settings.
        constants: its top-level constants that are literals.
        licence: of the data, the weights or the library, as the docstring states it; "" if it states none.
    """

    kind: Kind
    name: str
    package: str
    summary: str
    arguments: Mapping[str, Argument]
    constants: Mapping[str, Any] = field(default_factory=dict)
    licence: str = ""

    def load(self) -> ModuleType:
        """Import the plug-in's module."""
        return importlib.import_module(f"{self.package}.{self.name}")


def read(path: Path, kind: Kind, package: str, root: Path) -> Plugin:
    """Return what a plug-in file states.

    Args:
        path: the file.
        kind: the kind of its folder.
        package: its folder as a package, e.g. "models.dnn".
        root: the checkout; the error names the file below it.

    Raises:
        ConfigError: the file does not keep the contract; one line that names file and line and what would be right.
    """
    source = _Source(path.relative_to(root).as_posix(), path)
    functions, constants = source.functions(), source.constants()
    contract = CONTRACTS[package]
    signatures = dict(contract.functions)
    if constants.get("ON") in ("frames", "either"):
        signatures["augment"] = ("clips", "targets", "rng")
    for name, positional in signatures.items():
        source.need_function(functions.get(name), name, positional)
    if package == "augmentation":
        source.need_first(functions["augment"], signatures["augment"])
    settings = source.settings(functions[kind.function])
    for name in contract.functions:
        source.need_keywords(functions[name], settings, kind.function)
    wanted = dict(contract.constants)
    if constants.get("ON") == "audio":
        wanted["VERSION"] = ()  # part of the key of cached copies
    for name, values in wanted.items():
        source.need_constant(name, values, constants)
    source.need_limits(constants.get("LIMITS", {}), settings)
    docstring = ast.get_docstring(source.tree) or ""
    licence = LICENCE.search(docstring)
    stated = " ".join(licence[1].split()).rstrip(".") if licence else ""
    return Plugin(kind, path.stem, package, docstring.partition("\n")[0], settings, constants, stated)


class _Source:
    """A parsed plug-in file; its errors begin with file and line."""

    def __init__(self, name: str, path: Path):
        self.name = name
        try:
            self.tree = ast.parse(path.read_text(encoding="utf8"), filename=name)
        except SyntaxError as error:
            raise self.error(error.lineno or 1, f"cannot be parsed: {error.msg}.") from error
        except ValueError as error:  # bytes that are not UTF-8, or zeros
            raise self.error(1, f"cannot be parsed: {error}. It must be Python in UTF-8.") from error

    def error(self, line: int, reason: str) -> ConfigError:
        return ConfigError(f"{self.name}:{line}: {reason}")

    def functions(self) -> dict[str, ast.FunctionDef]:
        return {node.name: node for node in self.tree.body if isinstance(node, ast.FunctionDef)}

    def _assignments(self) -> dict[str, ast.expr]:
        """Return the value of every top-level ``NAME = value`` and ``NAME: type = value``, the last one of a name."""
        values = {}
        for node in self.tree.body:
            target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
            if isinstance(target, ast.Name) and getattr(node, "value", None):
                values[target.id] = node.value
        return values

    def constants(self) -> dict[str, Any]:
        """Return the constants that are literals; others are computed at import, and not needed here."""
        literals = {}
        for name, value in self._assignments().items():
            try:
                literals[name] = ast.literal_eval(value)
            except NOT_LITERAL:
                continue
        return literals

    def need_function(self, function: ast.FunctionDef | None, name: str, positional: tuple[str, ...]) -> None:
        right = f"def {name}({', '.join([*positional, '*', '...'])})"
        if function is None:
            raise self.error(1, f"has no function {name}. Every plug-in of its folder needs {right}.")
        given = function.args
        if len(given.posonlyargs + given.args) != len(positional) or given.vararg:
            wrong = f"{name}({ast.unparse(given)})"
            raise self.error(
                function.lineno, f"{wrong} must be {right}: settings are keyword-only arguments, after the *."
            )

    def need_first(self, function: ast.FunctionDef, positional: tuple[str, ...]) -> None:
        """Refuse an augmentation of audio that says ON = "frames", or the other way round."""
        first = function.args.args[0].arg
        if first != positional[0]:
            right = f"augment({', '.join(positional)}, *, ...)"
            raise self.error(function.lineno, f"augment({first}, ...) must be {right} for what ON says it works on.")

    def settings(self, function: ast.FunctionDef) -> dict[str, Argument]:
        """Return the keyword-only arguments, which must be readable from the text."""
        given = function.args
        if given.kwarg:
            raise self.error(function.lineno, f"{function.name}(**{given.kwarg.arg}) must name each of its settings.")
        settings = {}
        for argument, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
            where = f"{function.name}: the argument {argument.arg}"
            if argument.annotation is None:
                raise self.error(
                    argument.lineno, f"{where} has no annotation; write its type, e.g. {argument.arg}: int."
                )
            annotation = ast.unparse(argument.annotation)
            if reason := unreadable(annotation):
                raise self.error(argument.lineno, f"{where} has the annotation {annotation}, {reason}")
            try:
                value = REQUIRED if default is None else ast.literal_eval(default)
            except NOT_LITERAL as error:
                shown = ast.unparse(default)
                raise self.error(
                    default.lineno, f"{where} has the default {shown}, which must be a literal, e.g. 3, 0.5 or 'x'."
                ) from error
            settings[argument.arg] = Argument(annotation, value)
        return settings

    def need_keywords(self, function: ast.FunctionDef, settings: Mapping[str, Argument], main: str) -> None:
        """Refuse a second function that does not take the settings of the main one."""
        taken = {argument.arg for argument in function.args.kwonlyargs}
        lacking = [name for name in settings if name not in taken]
        if lacking and not function.args.kwarg:
            raise self.error(
                function.lineno, f"{function.name} must take every setting of {main}; it lacks {', '.join(lacking)}."
            )

    def need_constant(self, name: str, values: tuple[str, ...], constants: Mapping[str, Any]) -> None:
        right = f"one of {', '.join(map(repr, values))}" if values else "a text"
        assigned = self._assignments().get(name)
        if assigned is None:
            raise self.error(1, f"has no constant {name}. Every plug-in of its folder needs {name} = ..., {right}.")
        given = constants.get(name)
        if not isinstance(given, str) or (values and given not in values):
            raise self.error(assigned.lineno, f"{name} = {ast.unparse(assigned)} must be {right}, written out.")

    def need_limits(self, limits: Any, settings: Mapping[str, Argument]) -> None:
        ranges = [name for name, argument in settings.items() if argument.annotation == "Range"]
        right = isinstance(limits, dict) and all(
            name in ranges and isinstance(pair, tuple) and len(pair) == 2 for name, pair in limits.items()
        )
        if not right:
            line = self._assignments()["LIMITS"].lineno
            known = ", ".join(ranges) or "there is none"
            raise self.error(line, f"LIMITS must be {{argument: (low, high)}} of arguments that are a Range ({known}).")
