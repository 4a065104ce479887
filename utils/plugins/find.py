"""Plug-ins by kind and name, and calling their functions."""

import difflib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from utils.errors import ConfigError
from utils.plugins.read import KINDS, Plugin, read

ROOT = Path(__file__).resolve().parents[2]


def every(kind: str) -> dict[str, Plugin]:
    """Return the plug-ins of a kind ("corpora", "features", "models" or "augment") by name, sorted.

    Files that do not keep the contract of their kind are left out: see ``broken``.
    """
    return _read(kind, ROOT)[0]


def broken(kind: str) -> dict[str, str]:
    """Return name -> one line that names file, line and defect, of the files that are no working plug-in."""
    return _read(kind, ROOT)[1]


@lru_cache
def _read(kind: str, root: Path) -> tuple[dict[str, Plugin], dict[str, str]]:
    plugins, defects = {}, {}
    for package in KINDS[kind].packages:
        for path in sorted(root.joinpath(*package.split(".")).glob("*.py")):
            if path.stem == "__init__":
                continue
            try:
                plugin = read(path, KINDS[kind], package, root)
                if path.stem in plugins:
                    other = plugins[path.stem].package.replace(".", "/")
                    raise ConfigError(f"{path.relative_to(root).as_posix()}:1: {other} has a file of the same name.")
                plugins[path.stem] = plugin
            except ConfigError as error:
                defects.setdefault(path.stem, str(error))
    return dict(sorted(plugins.items())), dict(sorted(defects.items()))


def nearest(word: str, known: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the closest known word, or nothing."""
    words = {str(k).lower(): k for k in known}
    match = difflib.get_close_matches(str(word).lower(), words, n=1, cutoff=0.5)
    return f" Did you mean {words[match[0]]!r}?" if match else ""


def get(kind: str, name: str) -> Plugin:
    """Return the plug-in of that name.

    Raises:
        ConfigError: no such file; names the nearest and all valid ones. Or a file that does not keep the contract.
    """
    known = every(kind)
    if name not in known:
        if name in broken(kind):
            raise ConfigError(broken(kind)[name])
        raise ConfigError(
            f"{name!r} is not a known {KINDS[kind].word}.{nearest(name, known)} Known: {', '.join(known)}."
        )
    return known[name]


def settings(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a section ``{"name": plug-in, argument: value, ...}``: all but the name."""
    return {key: value for key, value in section.items() if key != "name"}


def call(kind: str, section: Mapping[str, Any], function: str, *args: Any, **more: Any) -> Any:
    """Return what a function of the section's plug-in returns.

    Args:
        kind: "corpora", "features", "models" or "augment".
        section: ``{"name": plug-in, argument: value, ...}``, complete; its arguments are passed by keyword.
        function: e.g. "extract", "layout", "build".
        args: the positional arguments.
        more: further keyword arguments.

    Raises:
        ConfigError: no such plug-in.
    """
    return getattr(get(kind, section["name"]).load(), function)(*args, **settings(section), **more)
