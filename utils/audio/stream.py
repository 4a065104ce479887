"""Audio block by block: files of any length, a pipe, a microphone; memory does not grow with the length."""

import struct
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from utils.audio.blocks import open_blocks
from utils.audio.decode import title
from utils.audio.limits import LONGEST_HOURS, check_format
from utils.errors import ConfigError, DataError

BLOCK_SECONDS = 2.0
READ_BYTES = 1 << 14
WAV_SAMPLES = {(1, 16): "<i2", (1, 32): "<i4", (3, 32): "<f4"}  # format tag and bits; 1 integers, 3 floats


@dataclass(frozen=True)
class Stream:
    """Audio that is read block by block.

    Attributes:
        rate: Hz.
        channels: 1 mono, 2 stereo, ...
        blocks: yields (n, channels) float32, full scale 1, n as it comes; can be read once.
        seconds: how long it is; None where that is not known.
    """

    rate: int
    channels: int
    blocks: Iterator[np.ndarray]
    seconds: float | None = None


def pieces(blocks: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Yield the same samples in pieces of ``size``, each as soon as it is there; the last may be shorter."""
    waiting: list[np.ndarray] = []
    samples = 0  # of them all
    for block in blocks:
        waiting.append(block)
        samples += len(block)
        if samples >= size:
            joined = np.concatenate(waiting)
            whole = samples - samples % size
            for start in range(0, whole, size):
                yield joined[start : start + size]
            waiting, samples = [joined[whole:]], samples - whole
    if samples:
        yield np.concatenate(waiting)


def open_file(source: Path | BinaryIO) -> Stream:
    """Return the audio of a file: a path, or an open binary file that can seek, which is read from its beginning.

    Raises:
        DataError: as ``utils.audio.blocks.open_blocks``, or longer than 24 hours; while it is read, too.
    """
    name = title(source)
    rate, channels, seconds, read = open_blocks(source, name)
    return Stream(rate, channels, _bounded(read(round(BLOCK_SECONDS * rate)), rate, name), seconds)


def _bounded(blocks: Iterator[np.ndarray], rate: int, name: str) -> Iterator[np.ndarray]:
    """Yield the blocks of a file; what little a reader keeps of a second must not go on without end."""
    samples = 0
    for block in blocks:
        samples += len(block)
        if samples > LONGEST_HOURS * 3600 * rate:
            raise DataError(f"{name}: too long: more than {LONGEST_HOURS} hours. Cut it.")
        yield block


def open_pipe(pipe: BinaryIO, *, rate: int | None = None, channels: int = 1) -> Stream:
    """Return the audio of a pipe: a wav, or, without its header, 16-bit little-endian samples, interleaved.

    Args:
        pipe: buffered, e.g. ``sys.stdin.buffer``; every byte is used as soon as it has come.
        rate: Hz of samples without a header, which states its own.
        channels: of samples without a header.

    Raises:
        ConfigError: no header and no rate.
        DataError: nothing comes, or a wav of another sample format.
    """
    head = pipe.read(4)
    if not head:
        raise DataError("standard input: empty; no audio has come.")
    if head == b"RIFF":
        rate, channels, dtype = _header(pipe)
        head = b""
    elif rate is None:
        raise ConfigError("standard input: no wav header; for 16-bit samples (s16le) say --rate, e.g. --rate 16000.")
    else:
        dtype = "<i2"
    return Stream(rate, channels, _decoded(pipe, head, np.dtype(dtype), channels))


def _header(pipe: BinaryIO) -> tuple[int, int, str]:
    """Read a wav's header from after "RIFF" to its first sample; return rate, channels and sample type."""
    pipe.read(8)
    rate = channels = dtype = None
    while len(chunk := pipe.read(8)) == 8:
        name, length = struct.unpack("<4sI", chunk)
        if name == b"data" and dtype:
            return rate, channels, dtype
        content = _taken(pipe, length + length % 2)
        if name == b"fmt " and len(content) >= 16:
            tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", content[:16])
            tag = struct.unpack("<H", content[24:26])[0] if tag == 0xFFFE and len(content) >= 26 else tag
            dtype = WAV_SAMPLES.get((tag, bits))
            if not dtype:
                raise DataError(f"standard input: a wav of format {tag} with {bits} bits; 16-bit PCM will do.")
            check_format(rate, channels, "standard input")
    raise DataError("standard input: a wav header without its format or its samples.")


def _taken(pipe: BinaryIO, size: int) -> bytes:
    """Read so many bytes of a pipe, and return the first of them: a header may state any length."""
    head = pipe.read(min(size, READ_BYTES))
    size -= len(head)
    while size > 0 and (more := pipe.read(min(size, READ_BYTES))):
        size -= len(more)
    return head


def _decoded(pipe: BinaryIO, head: bytes, dtype: np.dtype, channels: int) -> Iterator[np.ndarray]:
    size, left = dtype.itemsize * channels, head
    scale = 1.0 if dtype.kind == "f" else 2.0 ** (8 * dtype.itemsize - 1)
    while new := pipe.read1(READ_BYTES):  # what there is, without waiting for more
        left += new
        whole = len(left) - len(left) % size
        yield (np.frombuffer(left[:whole], dtype).reshape(-1, channels) / scale).astype(np.float32)
        left = left[whole:]


def open_microphone(rate: int = 16000) -> Stream:
    """Return the audio of the default microphone, mono, until it is interrupted.

    Raises:
        ConfigError: sounddevice or PortAudio is not installed, or there is no microphone.
    """
    try:
        import sounddevice
    except (ImportError, OSError) as error:
        raise ConfigError(
            f"--live: the microphone needs sounddevice and PortAudio ({error}): pip install sounddevice, apt install "
            "libportaudio2. Or pipe into --live -."
        ) from error
    try:
        device = sounddevice.InputStream(samplerate=rate, channels=1, dtype="float32")
    except sounddevice.PortAudioError as error:
        raise ConfigError(f"--live: no microphone that gives {rate} Hz ({error}). Pipe into --live -.") from error

    def blocks() -> Iterator[np.ndarray]:
        with device:
            while True:
                samples, lost = device.read(rate // 20)
                if lost:
                    warnings.warn("audio was lost: this machine is too slow for the hop; raise --hop", stacklevel=2)
                yield samples

    return Stream(rate, 1, blocks())
