"""The arguments of a config's section, checked against the signature of its plug-in."""

import math
from collections.abc import Mapping
from typing import Any

from utils.errors import ConfigError, short
from utils.plugins.annotations import Range, Section, type_of
from utils.plugins.find import every, get, nearest, settings
from utils.plugins.read import REQUIRED, Argument


def arguments(kind: str, section: Mapping[str, Any]) -> dict[str, Any]:
    """Return the section's arguments for its plug-in, checked, defaults filled in.

    Args:
        kind: "corpora", "features", "models" or "augment".
        section: ``{"name": plug-in, argument: value, ...}`` as a config states it.

    Raises:
        ConfigError: unknown plug-in, unknown or missing argument, or a value of the wrong type.
    """
    plugin = get(kind, section["name"])
    given = settings(section)
    where = f"{plugin.kind.word} {plugin.name}"
    known = plugin.arguments
    for key in given:
        if key not in known:
            listed = ", ".join(known) or "it takes none"
            raise ConfigError(f"{where}: {short(key)} is not a known argument.{nearest(key, known)} Known: {listed}.")
    filled = {}
    for key, argument in known.items():
        if key not in given and argument.default is REQUIRED:
            raise ConfigError(f"{where}: {key!r} must be given ({argument.annotation}).")
        filled[key] = _checked(given[key], argument, f"{where}: {key}") if key in given else argument.default
        if argument.annotation == "Range":
            _check_range(filled[key], plugin.constants.get("LIMITS", {}).get(key), f"{where}: {key}")
        elif argument.annotation == "list[Section]":
            filled[key] = [_section(kind, part, f"{where}: {key}") for part in filled[key]]
    return filled


def _checked(value: Any, argument: Argument, where: str) -> Any:
    from pydantic import TypeAdapter, ValidationError  # prediction never gets here

    types = type_of(argument.annotation)
    try:
        return TypeAdapter(types, config={"allow_inf_nan": False}).validate_python(value, strict=True)
    except ValidationError as error:
        allowed = getattr(types, "__args__", ())
        hint = nearest(value, [a for a in allowed if isinstance(a, str)])
        wanted = argument.annotation.replace("Literal[", "one of [").replace("None", "null")
        wanted = wanted.replace("Range", "[low, high]").replace("Folder", "a folder's name")
        raise ConfigError(f"{where} must be {wanted}, got {short(value)}.{hint}") from error


def _check_range(given: Range, limits: tuple[float, float] | None, where: str) -> None:
    low, high = limits or (-math.inf, math.inf)
    if len(given) != 2 or not low <= given[0] <= given[1] <= high or not all(map(math.isfinite, given)):
        within = f" within {low:g} and {high:g}" if limits else ""
        raise ConfigError(f"{where} must be [low, high]{within}, got {short(given)}.")


def _section(kind: str, part: Section, where: str) -> Section:
    if "name" not in part:
        raise ConfigError(f"{where}: {short(part)} has no name. Known: {', '.join(every(kind))}.")
    return {"name": part["name"], **arguments(kind, part)}
