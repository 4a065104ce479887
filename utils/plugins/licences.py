"""The licences of what a model is made with, as the docstrings of the plug-ins state them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from utils import plugins

USERS = "your own recordings: yours to know, and the speakers' consent with them"


def stated(names: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return title and licence of each plug-in; of corpora always, of others where they state one.

    Args:
        names: kind and name, as ("corpora", "ravdess"). A corpus that is no plug-in is the user's own folder.
    """
    licences = []
    for kind, name in sorted(set(names)):
        plugin = plugins.every(kind).get(name)
        licence = plugin.licence if plugin else ""
        if kind == "corpora":
            licences.append((name, licence or USERS))
        elif licence:
            licences.append((plugin.summary.partition(":")[0].rstrip("."), licence))
    return licences


def used(card: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Return kind and name of the models and features that a ``model.json`` names, an ensemble's members included."""
    members = card.get("members", [])
    names = {("features", name) for part in members or [card] for name in _features(part["features"])}
    # the members of a checkpoint that was written before this was asked do not name their models
    return names | {("models", part["model"]["name"]) for part in (card, *members) if "model" in part}


def _features(section: Mapping[str, Any]) -> Iterator[str]:
    """Yield the plug-ins of a ``features`` section: its own, and those of the parts that it joins."""
    yield section["name"]
    for part in section.get("parts", []):
        yield from _features(part)


def of_card(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return title and licence of all that a shipped model is made with, by its ``model.json``."""
    return stated({("corpora", name) for name in card["corpora"]} | used(card))
