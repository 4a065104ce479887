"""Opening a file of sound and reading it block by block: wav, flac, ogg, mp3 by libsndfile, all else by FFmpeg.

Whatever a broken file makes the libraries raise becomes a ``DataError`` that begins with its name.
"""

import io
import os
import stat
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import soundfile

from utils.audio.containers import open_container
from utils.audio.files import CONTAINERS, NOT_LISTED
from utils.audio.limits import LONGEST_HOURS, check_format
from utils.errors import BROKEN_FILE, DataError, library_words

STREAMED = 0x7FFFF000  # a wav written to a pipe states this or more as its length: it was not known
MOST_CHUNKS = 10_000  # of a wav before its samples; a few are usual
KINDS = {  # what is no regular file: reading one of these may wait forever
    stat.S_ISFIFO: "a named pipe; give its sound on standard input: -",
    stat.S_ISCHR: "a device, not a file", stat.S_ISBLK: "a device, not a file", stat.S_ISSOCK: "a socket, not a file",
}  # fmt: skip


class Blocks(NamedTuple):
    """An open file of sound.

    Attributes:
        rate: Hz.
        channels: 1 mono, 2 stereo, ...
        seconds: its length as the header states it; None where that is not known.
        read: called with a number of frames, yields (n, channels) float32, full scale 1, n at most so many where
            libsndfile reads; can be called once.
    """

    rate: int
    channels: int
    seconds: float | None
    read: Callable[[int], Iterator[np.ndarray]]


def open_blocks(source: Path | BinaryIO, name: str) -> Blocks:
    """Return a file of sound, open; a binary file must be at its beginning and able to seek.

    Raises:
        DataError: not there, no regular file, empty, a Git-LFS pointer, truncated, beyond ``utils.audio.limits``, or no
            sound that can be read; while it is read, too.
    """
    with one_line(name):
        if isinstance(source, Path):
            refuse_irregular(source, name)
            with source.open("rb") as file:
                refuse_unfinished(file, source.stat().st_size, name)
        else:
            refuse_unfinished(source, source.seek(0, os.SEEK_END), name)
            source.seek(0)
        if isinstance(source, Path) and source.suffix.lower() in CONTAINERS:
            return _by_ffmpeg(source, name)
        try:
            sound = soundfile.SoundFile(
                os.fsencode(source) if isinstance(source, Path) and os.name == "posix" else source
            )
        except soundfile.LibsndfileError:
            if isinstance(source, Path):
                raise
            source.seek(0)  # its name says nothing of what it is
            return _by_ffmpeg(source, name)
        return _of_sound(sound, source, name)


def _of_sound(sound: soundfile.SoundFile, source: Path | BinaryIO, name: str) -> Blocks:
    rate, channels, frames = sound.samplerate, sound.channels, sound.frames
    try:
        check_format(rate, channels, name)
    except DataError:
        sound.close()
        raise
    if frames > LONGEST_HOURS * 3600 * rate:  # a stream without a length, or a lie: libsndfile fails at its end
        sound.close()
        if not isinstance(source, Path):
            source.seek(0)
        return _by_ffmpeg(source, name)

    def read(size: int) -> Iterator[np.ndarray]:
        done = 0
        with sound, one_line(name, lambda: f"broken after {done / rate:.1f} s" if done else ""):
            if sound.seekable():  # GSM 6.10 is not
                sound.seek(0)  # as soundfile.read does: mp3 is decoded otherwise in its last bits, and known by them
            while len(block := sound.read(size, dtype="float32", always_2d=True)):
                yield block
                done += len(block)
                if len(block) < size:
                    break

    return Blocks(rate, channels, frames / rate, read)


def _by_ffmpeg(source: Path | BinaryIO, name: str) -> Blocks:
    rate, channels, blocks = open_container(source, name)
    try:
        check_format(rate, channels, name)
    except DataError:
        blocks.close()
        raise

    def read(size: int) -> Iterator[np.ndarray]:
        with one_line(name):
            yield from blocks

    return Blocks(rate, channels, None, read)


@contextmanager
def one_line(name: str, where: Callable[[], str] = lambda: "") -> Iterator[None]:
    """Turn what a broken file makes libsndfile, FFmpeg and numpy raise into a DataError that begins with ``name``."""
    try:
        yield
    except soundfile.LibsndfileError as error:
        reason = error.error_string.rstrip(".")
        raise DataError(f"{name}: {where() or 'not audio that can be read'} ({reason}).") from error
    except OSError as error:
        raise DataError(f"{name}: {error.strerror or error}.") from error
    except BROKEN_FILE as error:
        raise DataError(f"{name}: {where() or 'cannot be read'} ({library_words(error)}).") from error


def refuse_irregular(path: Path, name: str) -> None:
    """Refuse folders, and pipes, devices and sockets: reading one may wait forever.

    Raises:
        DataError: says what it is.
        OSError: not there.
    """
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        try:
            os.scandir(path).close()
        except OSError as error:
            raise DataError(f"{name}: {NOT_LISTED.format(error.strerror or error)}") from error
    for is_kind, words in KINDS.items():
        if is_kind(mode):
            raise DataError(f"{name}: {words}.")


def refuse_unfinished(file: BinaryIO, size: int, name: str) -> None:
    """Refuse what libsndfile would not name (a pointer) or would read without a word (half a wav)."""
    file.seek(0)
    head = file.read(40)
    if name.lower().endswith(".raw"):
        raise DataError(f"{name}: samples without a header; nobody knows their rate. Give a wav.")
    if not size:
        raise DataError(f"{name}: empty file.")
    if head.startswith(b"version https://git-lfs"):
        raise DataError(f"{name}: a Git-LFS pointer, not audio. Run 'git lfs pull' in the corpus's clone.")
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        file.seek(12)
        for _ in range(MOST_CHUNKS):
            header = file.read(8)
            if len(header) < 8:
                return
            chunk, length = struct.unpack("<4sI", header)
            if chunk == b"data":
                missing = file.tell() + length - size
                if missing > 0 and length < STREAMED:
                    raise DataError(f"{name}: truncated: the header promises {missing} bytes more than the file has.")
                return
            file.seek(length + length % 2, os.SEEK_CUR)
        raise DataError(f"{name}: not audio that can be read (a wav of more than {MOST_CHUNKS} chunks).")


def in_memory(file: BinaryIO, name: str, most: int) -> BinaryIO:
    """Return the content of a binary file, which may be a pipe, as one that can seek.

    Raises:
        DataError: more than ``most`` bytes, or it cannot be read.
    """
    with one_line(name):
        content = file.read(most + 1)
        if len(content) > most:
            raise DataError(f"{name}: more than {most >> 20} MiB; give a shorter clip, or a file.")
        return io.BytesIO(content)
