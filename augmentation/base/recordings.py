"""The user's own recordings of noise or of rooms: a folder of audio files, below $SER_DATA or absolute."""

import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np

from utils.audio.files import audio_files
from utils.audio.prepare import read_wave
from utils.config import Config
from utils.errors import ConfigError


def listed(folder: str) -> list[Path]:
    """Return the audio files below a folder in a stable order.

    Raises:
        ConfigError: there are none.
    """
    root = Path(Config.data_folder(), Path(folder).expanduser())
    files = list(audio_files(root)) if root.is_dir() else []
    if not files:
        raise ConfigError(f"augment: {root} holds no recordings. folder: is one of audio files, below $SER_DATA.")
    return files


def digest(folder: str) -> str:
    """Return a digest of what the files of a folder hold, and of their order; other files are other features."""
    return _digest(tuple(_stamped(path) for path in listed(folder)))


def chosen(folder: str, rate: int, rng: np.random.Generator) -> np.ndarray:
    """Return one of the recordings at random, mono (n,) float32 at ``rate`` Hz.

    Raises:
        DataError: it cannot be read, or is silent.
    """
    files = listed(folder)
    return _wave(_stamped(files[rng.integers(len(files))]), rate)


def _stamped(path: Path) -> tuple[Path, int, int]:
    status = path.stat()
    return path, status.st_size, status.st_mtime_ns  # a file that is replaced while a process runs is read again


@lru_cache(maxsize=16)
def _wave(stamped: tuple[Path, int, int], rate: int) -> np.ndarray:
    wave = read_wave(stamped[0], rate)
    wave.flags.writeable = False  # others get the same one
    return wave


@lru_cache
def _digest(stamped: tuple[tuple[Path, int, int], ...]) -> str:
    hashed = hashlib.blake2b(digest_size=16)
    for path, size, _ in stamped:
        hashed.update(f"{size} ".encode())
        with path.open("rb") as file:
            hashed.update(hashlib.file_digest(file, "blake2b").digest())
    return hashed.hexdigest()
