"""Which files hold audio, and all of them below a folder."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from utils.errors import DataError

AUDIO_SUFFIXES = (
    ".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff",
    ".mp4", ".m4a", ".aac", ".webm", ".mkv", ".mov", ".wma",
)  # fmt: skip
CONTAINERS = (".mp4", ".m4a", ".webm", ".mkv", ".mov", ".aac", ".wma")  # what libsndfile does not read

NOT_LISTED = "the folder cannot be listed: {}."


def audio_files(root: Path, unlisted: Callable[[OSError], None] | None = None) -> Iterator[Path]:
    """Yield the audio files below root in a stable order, linked folders included, hidden names left out.

    Args:
        root: the folder.
        unlisted: called for each folder that cannot be listed; None: that is an error.

    Raises:
        DataError: a folder cannot be listed.
    """
    seen = set()
    for folder, folders, names in os.walk(root, onerror=unlisted or _refuse, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:  # a link back up, or to a folder that was there already
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.lower().endswith(AUDIO_SUFFIXES) and not name.startswith("."):
                yield Path(folder, name)


def _refuse(error: OSError) -> None:
    raise DataError(f"{error.filename}: {NOT_LISTED.format(error.strerror or error)}") from error


def expand(names: Iterable[str]) -> list[str]:
    """Return every file named and the audio files below every folder named; "-", standard input, stays.

    A folder that cannot be listed stands for what is in it: reading it says why.

    Raises:
        DataError: a folder that holds no audio files.
    """
    files = []
    for name in names:
        if name != "-" and os.path.isdir(name):
            closed: list[OSError] = []
            below = [str(path) for path in audio_files(Path(name), closed.append)]
            below += [str(error.filename) for error in closed]
            if not below:
                raise DataError(f"{name}: holds no audio files.")
            files += below
        else:
            files.append(name)
    return files
