"""The licences of what a model is made with, as the docstrings of the plug-ins state them."""

from collections.abc import Iterable, Mapping
from typing import Any

from utils import plugins

OWN = "your own recordings: yours to know, and the speakers' consent with them"


def stated(names: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return what each plug-in is called and its licence; of corpora always, of others where they state one.

    Args:
        names: kind and name, as ("corpora", "ravdess"). A corpus that is no plug-in is a folder of one's own.
    """
    found = []
    for kind, name in sorted(set(names)):
        if kind == "corpora":
            plugin = plugins.every(kind).get(name)
            found.append((name, plugin.licence if plugin and plugin.licence else OWN))
        elif (plugin := plugins.get(kind, name)).licence:
            found.append((plugin.summary.partition(":")[0].rstrip("."), plugin.licence))
    return found


def features(section: Mapping[str, Any]) -> list[str]:
    """Return the plug-ins of a ``features`` section: its own, and those of the parts it joins."""
    return [section["name"], *(name for part in section.get("parts", []) for name in features(part))]


def of_card(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the same of a shipped model, by its ``model.json``."""
    names = [("corpora", name) for name in card["corpora"]]
    names += [("features", name) for one in card.get("members", [card]) for name in features(one["features"])]
    return stated(names)
