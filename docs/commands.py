"""The commands of the zoo, found by their files, and their argparse parsers."""

import argparse
import ast
import importlib
from functools import lru_cache
from pathlib import Path
from unittest import mock

from utils.errors import ConfigError
from utils.plugins import ROOT

PACKAGES = ("corpora", "extract_feats", "models", "evaluation", "utils")
FIRST = ("preprocess", "train", "predict")  # in the order they are used; the others follow by name


@lru_cache
def names() -> dict[str, str]:
    """Return module -> how it is called ("python train.py", "python -m evaluation.audit"), scripts first.

    A script is any Python file at the top. One without a ``main(argv)``, such as a Streamlit page, has no parser.
    """
    stems = sorted({path.stem for path in ROOT.glob("*.py")} - set(FIRST))
    scripts = {stem: f"python {stem}.py" for stem in (*FIRST, *stems)}
    modules = {}
    for path in sorted(path for package in PACKAGES for path in (ROOT / package).glob("*.py")):
        if _main(path) and "__main__" in path.read_text(encoding="utf8"):
            modules[f"{path.parent.name}.{path.stem}"] = f"python -m {path.parent.name}.{path.stem}"
    return scripts | modules


def path(module: str) -> Path:
    """Return a command's file."""
    return ROOT / f"{module.replace('.', '/')}.py"


def docstring(module: str) -> str:
    """Return what a command's file says of itself."""
    return ast.get_docstring(ast.parse(path(module).read_text(encoding="utf8"))) or ""


@lru_cache
def parser(module: str) -> argparse.ArgumentParser | None:
    """Return the parser that a command's main builds, caught where it would begin to parse; None if it has none."""
    if not _main(path(module)):
        return None

    def catch(self, *_):
        raise _Caught(self)

    with mock.patch.object(argparse.ArgumentParser, "parse_args", catch):
        try:
            importlib.import_module(module).main([])
        except _Caught as caught:
            found = caught.args[0]
            found.prog = names()[module]
            return found
    raise ConfigError(f"{path(module)}: its main must begin by parsing its arguments.")


class _Caught(Exception):
    """Carries a parser out of the main that built it."""


def _main(source: Path) -> bool:
    """Whether a file has a main that takes the arguments of a command line."""
    functions = ast.parse(source.read_text(encoding="utf8")).body
    return any(isinstance(f, ast.FunctionDef) and f.name == "main" and f.args.args for f in functions)
