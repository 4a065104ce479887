"""Audio files to the samples that they store, as a whole; wav, flac, ogg, mp3 by libsndfile, the rest by FFmpeg."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from utils.audio.blocks import in_memory, one_line, open_blocks
from utils.audio.limits import LARGEST_BLOCK, MOST_BYTES, check_length


def title(source: Path | str | BinaryIO) -> str:
    """Return what errors call a file: its path, or the name of an open one, if it has one."""
    return str(source if isinstance(source, (str, Path)) else getattr(source, "name", "standard input"))


def decode(source: Path | str | BinaryIO) -> tuple[np.ndarray, int]:
    """Return the samples as stored, (n, channels) float32 with full scale 1, and their rate in Hz.

    Raises:
        DataError: not there, no regular file, empty, a Git-LFS pointer, truncated, beyond ``utils.audio.limits``, or no
            audio that libsndfile or FFmpeg can read; begins with the file.
    """
    name = title(source)
    file = Path(source) if isinstance(source, (str, Path)) else in_memory(source, name, MOST_BYTES)
    opened = open_blocks(file, name)
    check_length((opened.seconds or 0) * opened.rate * opened.channels, name)
    with one_line(name):
        return _joined(opened.read(LARGEST_BLOCK // opened.channels), opened.channels, name), opened.rate


def _joined(blocks: Iterator[np.ndarray], channels: int, name: str) -> np.ndarray:
    """Return the blocks as one array; each is freed once it is copied, so that memory holds them once."""
    parts, samples = [], 0
    for block in blocks:
        samples += block.size
        check_length(samples, name)
        parts.append(block)
    if len(parts) == 1:
        return np.ascontiguousarray(parts[0])
    joined, done = np.empty((samples // channels, channels), np.float32), 0
    for part in _emptied(parts):
        joined[done : done + len(part)] = part
        done += len(part)
    return joined


def _emptied(parts: list[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield the parts in their order and drop each from the list."""
    parts.reverse()
    while parts:
        yield parts.pop()
