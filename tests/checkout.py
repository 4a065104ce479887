"""A copy of the checkout to run commands in, as a user who has just cloned it."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from tests.shared_python import SharedPython
from utils.plugins import ROOT

MADE = {"data", "site", "features", "explorations"}  # folders at the top that are made by running it
ALWAYS_LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".*_cache", "*.pyc.*")  # a compiled module being written
TRACKED = {"checkpoints": {"README.md", "general", "whisper"}, "pretrained": {"distilled"}}


def copy(to: Path) -> Path:
    """Copy the project without what was made in it; return where it is."""
    shutil.copytree(ROOT, to, ignore=_left_out)
    return to


def _left_out(folder: str, names: list[str]) -> set[str]:
    """Return the names in a folder that are not copied; compiled modules come along."""
    left_out = set(ALWAYS_LEFT_OUT(folder, names))
    path = Path(folder)
    if path == ROOT:
        left_out |= MADE & set(names)
    if path.parent == ROOT and path.name in TRACKED:
        left_out |= set(names) - TRACKED[path.name]
    return left_out


def blocks(text: str) -> list[list[str]]:
    """Return the commands of every block of shell lines, continued lines joined, comments left out."""
    result = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [re.sub(r"\\\n\s*", "", block).splitlines() for block in result]
    return [[command for line in block if (command := line.partition("  #")[0].strip())] for block in lines]


def run(command: str, folder: Path, *, python: SharedPython | None = None, **environment: str) -> str:
    """Run a documented command of Python in a copy of the checkout; return its output, AssertionError if it fails.

    Args:
        python: what runs it, in place of a new process.
        environment: further variables.
    """
    first, *words = shlex.split(command)
    assert first in ("python", ".venv/bin/python"), command
    known = {key: value for key, value in os.environ.items() if key != "SER_DATA"} | environment
    if python:
        done = python.run(words, known)
    else:
        new = [sys.executable, *words]
        done = subprocess.run(new, cwd=folder, env=known, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout
