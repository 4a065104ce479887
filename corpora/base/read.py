"""Reading a corpus: the utterances of a plug-in, checked and named, and the files that cannot be used."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from corpora.base.utterance import Published, Rejected, Utterance
from utils import plugins
from utils.audio.files import audio_files
from utils.errors import ConfigError, DataError


def read(entry: Mapping[str, Any], data: Path) -> tuple[list[Utterance], list[Rejected]]:
    """Return a corpus's utterances, ids and speakers as ``corpus/...``, and the files that cannot be used.

    Args:
        entry: ``{"name": plug-in, "root": folder, argument: value, ...}`` as a config states it.
        data: the folder that holds the corpora; an absolute root is taken as it is.

    Raises:
        ConfigError: unknown corpus or argument.
        DataError: the folder is missing or empty, or no file in it is one of the corpus.
    """
    plugin, arguments = _arguments(entry)
    root = find(entry, data)
    named_by_folder = plugin.constants.get("NAMED_BY_FOLDER", False)
    corpus = root.resolve().name if named_by_folder else plugin.name
    utterances, rejected = [], []
    for item in _unique(plugin.load().utterances(root, **arguments)):
        if isinstance(item, Rejected):
            rejected.append(item)
        else:
            speaker = item.speaker and f"{corpus}/{item.speaker}"
            utterances.append(replace(item, id=f"{corpus}/{item.id}", speaker=speaker, corpus=corpus))
    if not utterances:
        raise DataError(_nothing_found(plugin, root, arguments, rejected))
    return utterances, rejected


def find(entry: Mapping[str, Any], data: Path) -> Path:
    """Return the corpus's folder.

    Raises:
        ConfigError: the entry has no root.
        DataError: the folder is not there; says where to get the corpus and where to put it.
    """
    plugin = plugins.get("corpora", entry["name"])
    if not isinstance(entry.get("root"), (str, Path)) or not str(entry["root"]):
        raise ConfigError(f"corpus {plugin.name}: 'root' must be given: its folder, below $SER_DATA or absolute.")
    root = Path(data, Path(entry["root"]).expanduser())
    if not root.is_dir():
        beside = [p.name for p in root.parent.iterdir() if p.is_dir()] if root.parent.is_dir() else []
        hint = plugins.nearest(root.name, beside)
        raise DataError(
            f"corpus {plugin.name}: no folder {root}.{hint} {plugin.constants['SOURCE']} "
            "Put it there, or point $SER_DATA at the folder that holds your corpora."
        )
    return root


def published(entry: Mapping[str, Any]) -> Published | None:
    """Return what the corpus's paper says it holds under these arguments, or None where nothing is published.

    Raises:
        ConfigError: unknown corpus or argument.
    """
    plugin, arguments = _arguments(entry)
    known = getattr(plugin.load(), "published", None)
    return known(**arguments) if known else None


def _arguments(entry: Mapping[str, Any]) -> tuple[plugins.Plugin, dict[str, Any]]:
    if "name" not in entry:
        raise ConfigError(f"corpora: every entry needs a name. Known: {', '.join(plugins.every('corpora'))}.")
    section = {key: value for key, value in entry.items() if key != "root"}
    return plugins.get("corpora", entry["name"]), plugins.arguments("corpora", section)


def _unique(items: Iterable[Utterance | Rejected]) -> Iterator[Utterance | Rejected]:
    """Yield the items, a file met twice as Rejected, other clips of an id met before under a longer id."""
    paths, ids = set(), set()
    for item in items:
        if isinstance(item, Utterance) and any("\udc80" <= letter <= "\udcff" for letter in str(item.path)):
            item = Rejected(item.path, "its name is not UTF-8 text; rename it")
        if isinstance(item, Utterance):
            if item.path in paths:
                item = Rejected(item.path, "listed more than once; the first line counts")
            elif item.id in ids:
                item = replace(item, id=_longer(item, ids))
        if isinstance(item, Utterance):
            paths.add(item.path)
            ids.add(item.id)
        yield item


def _longer(item: Utterance, ids: set[str]) -> str:
    name, n = item.id + item.path.suffix, 2
    while name in ids:
        name, n = f"{item.id}{item.path.suffix}~{n}", n + 1
    return name


def _nothing_found(plugin: plugins.Plugin, root: Path, arguments: dict, rejected: list[Rejected]) -> str:
    where, expected = f"corpus {plugin.name}: {root}", f"Expected {plugin.constants['GRAMMAR']}."
    if rejected:
        names = ", ".join(r.path.name for r in rejected[:2])
        reason = rejected[0].reason.partition("; expected")[0]
        return f"{where}: none of {len(rejected)} files can be used, e.g. {names} ({reason}). {expected}"
    n_files = sum(1 for _ in audio_files(root))
    if n_files:
        chosen = ", ".join(f"{key}: {value}" for key, value in arguments.items())
        return f"{where}: none of its {n_files} audio files is asked for by {chosen}."
    return f"{where} holds no audio file. {plugin.constants['SOURCE']} {expected}"
