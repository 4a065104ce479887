"""Audio files to the samples that they store; wav, flac, ogg, mp3 by libsndfile, video containers by FFmpeg."""

import io
import os
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from utils.audio.containers import open_container
from utils.audio.files import CONTAINERS
from utils.errors import DataError

STREAMED = 0x7FFFF000  # a wav written to a pipe states this or more as its length: it was not known


def title(source: Path | str | BinaryIO) -> str:
    """Return what errors call a file: its path, or the name of an open one, if it has one."""
    return str(source if isinstance(source, (str, Path)) else getattr(source, "name", "standard input"))


def decode(path: Path | str | BinaryIO) -> tuple[np.ndarray, int]:
    """Return the samples as stored, (n, channels) float32 with full scale 1, and their rate in Hz.

    Raises:
        DataError: not there, empty, a Git-LFS pointer, truncated, or no audio that libsndfile or FFmpeg can read.
    """
    name = title(path)
    try:
        if isinstance(path, (str, Path)):
            path = Path(path)
            with path.open("rb") as file:
                refuse_unfinished(file, path.stat().st_size, name)
            if path.suffix.lower() in CONTAINERS:
                return _decode_container(path, name)
        else:
            path = io.BytesIO(path.read())
            refuse_unfinished(path, path.getbuffer().nbytes, name)
            path.seek(0)
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        return samples, need_rate(rate, name)
    except OSError as error:
        raise DataError(f"{name}: {error.strerror or error}.") from error
    except soundfile.LibsndfileError as error:
        if isinstance(path, io.BytesIO):
            path.seek(0)
            return _decode_container(path, name)
        raise DataError(f"{name}: not audio that can be read ({error.error_string.rstrip('.')}).") from error


def refuse_unfinished(file: BinaryIO, size: int, path: Path | str) -> None:
    """Refuse what libsndfile would not name (a pointer) or would read without a word (half a wav)."""
    head = file.read(40)
    if str(path).lower().endswith(".raw"):
        raise DataError(f"{path}: samples without a header; nobody knows their rate. Give a wav.")
    if not size:
        raise DataError(f"{path}: empty file.")
    if head.startswith(b"version https://git-lfs"):
        raise DataError(f"{path}: a Git-LFS pointer, not audio. Run 'git lfs pull' in the corpus's clone.")
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        file.seek(12)
        while len(header := file.read(8)) == 8:
            chunk, length = struct.unpack("<4sI", header)
            if chunk == b"data":
                missing = file.tell() + length - size
                if missing > 0 and length < STREAMED:
                    raise DataError(f"{path}: truncated: the header promises {missing} bytes more than the file has.")
                return
            file.seek(length + length % 2, os.SEEK_CUR)


def need_rate(rate: int, name: object) -> int:
    """Return a sampling rate in Hz; DataError if a broken header has none."""
    if rate < 1:
        raise DataError(f"{name}: its header states a sampling rate of {rate} Hz.")
    return rate


def _decode_container(path: Path | BinaryIO, name: str) -> tuple[np.ndarray, int]:
    rate, _, blocks = open_container(path, name)
    return np.ascontiguousarray(np.concatenate(list(blocks)), dtype=np.float32), rate
