"""The commands of the zoo, read from their files, and their argparse parsers."""

import argparse
import ast
import importlib
from functools import lru_cache
from pathlib import Path
from unittest import mock

from utils.errors import ConfigError
from utils.plugins import ROOT

PACKAGES = ("corpora", "extract_feats", "models", "distillation", "evaluation", "utils")
FIRST = ("preprocess", "train", "predict")  # in the order of their use; the others follow by name


@lru_cache
def names() -> dict[str, str]:
    """Return module -> how it is called ("python train.py", "python -m evaluation.audit"), scripts first.

    A script is any Python file at the top. One without a ``main(argv)``, such as a Streamlit page, has no parser.
    """
    stems = sorted({path.stem for path in ROOT.glob("*.py")} - set(FIRST))
    scripts = {stem: f"python {stem}.py" for stem in (*FIRST, *stems)}
    modules = {}
    files = [f for package in PACKAGES for f in (ROOT / package).glob("*.py")]
    files += [f for package in PACKAGES for f in (ROOT / package).glob("*/__main__.py")]  # a folder run as a command
    for file in files:
        if _has_main(file) and "__main__" in file.read_text(encoding="utf8"):
            module = file.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__main__")
            modules[module] = f"python -m {module}"
    return scripts | dict(sorted(modules.items()))


def path(module: str) -> Path:
    """Return a command's file."""
    stem = ROOT / module.replace(".", "/")
    return stem / "__main__.py" if stem.is_dir() else stem.with_suffix(".py")


def docstring(module: str) -> str:
    """Return the docstring of a command's file."""
    return ast.get_docstring(ast.parse(path(module).read_text(encoding="utf8"))) or ""


@lru_cache
def parser(module: str) -> argparse.ArgumentParser | None:
    """Return the parser that a command's main builds; None if it has none.

    Main is called, and stopped where it begins to parse.

    Raises:
        ConfigError: its main ends without parsing its arguments.
    """
    if not _has_main(path(module)):
        return None

    def catch(self, *_):
        raise _Caught(self)

    with mock.patch.object(argparse.ArgumentParser, "parse_args", catch):
        try:
            importlib.import_module(".".join(path(module).relative_to(ROOT).with_suffix("").parts)).main([])
        except _Caught as caught:
            (built,) = caught.args
            built.prog = names()[module]
            return built
    raise ConfigError(f"{path(module)}: its main must begin by parsing its arguments.")


class _Caught(Exception):
    """Carries a parser out of the main that built it."""


def _has_main(source: Path) -> bool:
    """Whether a file has a main that takes the arguments of a command line."""
    functions = ast.parse(source.read_text(encoding="utf8")).body
    return any(isinstance(f, ast.FunctionDef) and f.name == "main" and f.args.args for f in functions)
