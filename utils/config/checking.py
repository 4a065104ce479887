"""From a parsed YAML mapping to a complete Config; each mistake is one line that names the key and what is allowed."""

import re
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from utils import plugins
from utils.config import steps
from utils.config.schema import COMPARED_KEYS, MEMBER_KEYS, Config
from utils.errors import ConfigError, short

EXAMPLES = {
    "features": "{name: opensmile, set: IS10}",
    "model": "{name: svm, C: 10.0}",
    "augment": "[{name: time_mask}]",
    "corpora": "[{name: ravdess, root: RAVDESS}]",
}
WANTED = {  # pydantic's types of error in a user's words
    "dict_type": "a mapping, {key: value}",
    "model_type": "a mapping, {key: value}",
    "list_type": "a list, [a, b]",
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "too_short": "at least one entry",
    "string_too_long": "at most 128 characters",  # the name of a folder
    "string_pattern_mismatch": "letters, digits, '.', '_' and '-' only",
}


def check(raw: dict, where: str) -> Config:
    """Return the experiment of a parsed YAML mapping, every default filled in.

    Args:
        raw: key -> value, as YAML has it.
        where: the beginning of every error message, such as the file's path.

    Raises:
        ConfigError: an unknown key, a wrong type, an unknown plug-in or argument.
    """
    try:
        config = Config.model_validate(raw)
        _require_names(config)
        filled = {
            "model": {"name": config.model["name"], **plugins.arguments("models", config.model)},
            "features": _features(config),
            "augment": [steps.complete(step) for step in config.augment],
            "corpora": [_corpus(entry) for entry in config.corpora],
        }
        steps.check(filled["augment"], config.balance)
    except ValidationError as error:
        raise ConfigError(f"{where}: {_message(error, raw)}") from error
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
    return config.model_copy(update=filled)


def _require_names(config: Config) -> None:
    sections = [("features", config.features)] if config.features is not None else []
    sections += [("model", config.model), *(("augment", step) for step in config.augment)]
    for key, section in sections:
        if not isinstance(section.get("name"), str):
            raise ConfigError(f"{key}: 'name' must be given, e.g. {key}: {EXAMPLES[key]}.")


def _features(config: Config) -> dict | None:
    """Return the complete section; None for an ensemble, whose members have features and training of their own."""
    if plugins.get("models", config.model["name"]).constants["INPUT"] == "members":
        if len(set(config.members)) < max(2, len(config.members)):
            raise ConfigError(f"model.members: must be two or more different runs, got {short(config.members)}.")
        stated = [key for key in MEMBER_KEYS if getattr(config, key) != Config.model_fields[key].default]
        if stated:
            raise ConfigError(
                f"{', '.join(stated)}: the members of an ensemble bring their own. Leave it out; "
                f"{', '.join(COMPARED_KEYS)} must be the same as in the members' configs."
            )
        return None
    if config.features is None:
        raise ConfigError(f"'features' must be given: {_meaning(['features'])}.")
    return {"name": config.features["name"], **plugins.arguments("features", config.features)}


def _corpus(entry: dict) -> dict:
    for key in ("name", "root"):
        if not isinstance(entry.get(key), str):
            raise ConfigError(f"corpora: each needs '{key}', e.g. {EXAMPLES['corpora']}; got {short(entry)}.")
    rest = {key: value for key, value in entry.items() if key != "root"}
    return {"name": entry["name"], "root": entry["root"], **plugins.arguments("corpora", rest)}


def _message(error: ValidationError, raw: dict) -> str:
    """Return one line on the first of pydantic's errors, and how many more keys are wrong."""
    errors = error.errors()
    first = errors[0]
    others = len({entry["loc"][:1] for entry in errors}) - 1
    more = f" ({others} more key{'s' * (others > 1)} to correct)" if others else ""
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = list(_fields(first["loc"][:-1]))
        hint = plugins.nearest(first["loc"][-1], known)
        return f"{short(where)} is not a known key.{hint} Known: {', '.join(known)}.{more}"
    if first["type"] == "missing":
        return f"{where!r} must be given: {_meaning(first['loc'])}.{more}"
    path = _path(first["loc"], raw)
    where, example = ".".join(str(part) for part in path), EXAMPLES.get(path[0], "")
    if len(path) < len(first["loc"]):  # none of several allowed kinds
        wanted = f"must be {_meaning(path)}"
    elif first["type"] in WANTED:
        wanted = f"must be {WANTED[first['type']]}"
    else:
        wanted = first["msg"].replace("Input should be", "must be")
    hint = plugins.nearest(first["input"], re.findall(r"'(\w+)'", wanted)) if first["type"] == "literal_error" else ""
    return f"{where}: {wanted}{f', e.g. {example}' if example else ''}, got {short(first['input'])}.{hint}{more}"


def _path(location: tuple, raw: Any) -> list[str | int]:
    """Return the keys that lead to the mistake, without the kinds that pydantic tried there."""
    path, here = [], raw
    for part in location:
        if not (part in here if isinstance(here, dict) else isinstance(here, list) and isinstance(part, int)):
            break
        here = here[part]
        path.append(part)
    return path


def _fields(location: Sequence) -> dict:
    section: Any = Config
    for part in location:
        section = section.model_fields[part].annotation
    return section.model_fields


def _meaning(path: Sequence) -> str:
    """Return what a key is for, as the schema describes it."""
    depth = 2 if path[0] in ("clip", "split", "train") else 1
    return _fields(path[: depth - 1])[path[depth - 1]].description
