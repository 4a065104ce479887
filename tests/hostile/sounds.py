"""Damaged sound files: whole ones of each kind, and what is done to their headers and bytes. A seed gives the file."""

import io
import struct
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import pairwise

import numpy as np
import soundfile

RATE, SECONDS = 16000, 0.4
KINDS = {  # kind -> suffix, and format and subtype of libsndfile
    "wav 16 bits": (".wav", "WAV", "PCM_16"),
    "wav float": (".wav", "WAVEX", "FLOAT"),
    "wav gsm": (".wav", "WAV", "GSM610"),
    "wav adpcm": (".wav", "WAV", "MS_ADPCM"),
    "aiff": (".aiff", "AIFF", "PCM_24"),
    "flac": (".flac", "FLAC", "PCM_16"),
    "ogg vorbis": (".ogg", "OGG", "VORBIS"),
    "ogg opus": (".opus", "OGG", "OPUS"),
    "mp3": (".mp3", "MP3", None),
}
EXTREME = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)


@lru_cache
def whole(kind: str) -> bytes:
    """Return an undamaged file."""
    _, container, subtype = KINDS[kind]
    wave = 0.1 * np.random.default_rng(0).standard_normal((round(SECONDS * RATE), 1 if "gsm" in kind else 2))
    file = io.BytesIO()
    soundfile.write(file, wave, RATE, subtype, format=container)
    return file.getvalue()


def fields(kind: str, content: bytes) -> Iterator[tuple[int, int, str]]:
    """Yield place, bytes and byte order of the numbers in a file's headers."""
    if kind.startswith(("wav", "aiff")):
        order, name = ("<", b"fmt ") if kind.startswith("wav") else (">", b"COMM")
        yield 4, 4, order
        at = 12
        while at + 8 <= len(content):
            length = struct.unpack(order + "I", content[at + 4 : at + 8])[0]
            yield at + 4, 4, order
            if content[at : at + 4] == name:
                yield from ((at + 8 + place, 2, order) for place in range(0, min(length, 40), 2))
            at += 8 + length + length % 2
    elif kind == "flac":
        yield from ((place, 2, ">") for place in range(4, 42))  # STREAMINFO
    elif kind.startswith("ogg"):
        for at in _found(content, b"OggS"):
            yield from ((at + place, size, "<") for place, size in ((4, 1), (5, 1), (6, 4), (10, 4), (14, 4), (26, 1)))
        yield from ((place, 2, "<") for place in range(28, 60))  # the codec's own header
    else:
        yield from ((place, 2, ">") for place in range(0, 40))
        yield from ((at + 8, 4, ">") for at in _found(content, b"Xing"))


def _found(content: bytes, word: bytes) -> Iterator[int]:
    at = -1
    while (at := content.find(word, at + 1)) >= 0:
        yield at


def damaged(kind: str, seed: int) -> bytes:
    """Return a file with one to three kinds of damage; the pages of an Ogg then have the checksums of their content."""
    rng = np.random.default_rng([seed, list(KINDS).index(kind)])
    content = bytearray(whole(kind))
    for _ in range(rng.integers(1, 4)):
        rng.choice(DAMAGE)(content, kind, rng)
    if kind.startswith("ogg") and rng.random() < 0.8:  # or nothing behind the checksum is ever reached
        _checksum(content)
    return bytes(content)


def _number(content: bytearray, kind: str, rng: np.random.Generator) -> None:
    known = list(fields(kind, bytes(content)))
    if not known:
        return
    place, size, order = known[rng.integers(len(known))]
    value = int(rng.choice(EXTREME)) if rng.random() < 0.7 else int(rng.integers(1 << 32))
    packed = struct.pack(order + {1: "B", 2: "H", 4: "I"}[size], value & ((1 << 8 * size) - 1))
    content[place : place + size] = packed


def _bits(content: bytearray, kind: str, rng: np.random.Generator) -> None:
    end = len(content) if rng.random() < 0.5 else min(200, len(content))
    for place in rng.integers(0, max(end, 1), rng.integers(1, 30)) if content else ():
        content[place] ^= 1 << int(rng.integers(8))


def _cut(content: bytearray, kind: str, rng: np.random.Generator) -> None:
    del content[rng.integers(len(content) + 1) :]


def _hole(content: bytearray, kind: str, rng: np.random.Generator) -> None:
    start = int(rng.integers(len(content) + 1))
    del content[start : start + int(rng.integers(1, 2000))]


def _zeros(content: bytearray, kind: str, rng: np.random.Generator) -> None:
    start = int(rng.integers(len(content) + 1))
    content[start : start + int(rng.integers(1, 3000))] = bytes(int(rng.integers(0, 5000)))


def _repeat(content: bytearray, kind: str, rng: np.random.Generator) -> None:
    start = int(rng.integers(len(content) + 1))
    content[start:start] = bytes(content[start : start + int(rng.integers(1, 3000))]) * int(rng.integers(1, 20))


def _splice(content: bytearray, kind: str, rng: np.random.Generator) -> None:
    other = whole(str(rng.choice(list(KINDS))))
    content[int(rng.integers(len(content) + 1)) :] = other[int(rng.integers(len(other))) :]


DAMAGE: list[Callable[[bytearray, str, np.random.Generator], None]] = [
    _number, _number, _number, _bits, _cut, _hole, _zeros, _repeat, _splice,
]  # fmt: skip


@lru_cache
def _table() -> list[int]:
    table = []
    for value in range(256):
        value <<= 24
        for _ in range(8):
            value = (value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)
        table.append(value & 0xFFFFFFFF)
    return table


def _checksum(content: bytearray) -> None:
    """Write the checksum of each page of an Ogg (RFC 3533, section 6)."""
    starts = [*_found(bytes(content), b"OggS"), len(content)]
    for start, end in pairwise(starts):
        if end - start < 27:
            continue
        segments = content[start + 27 : start + 27 + content[start + 26]]
        end = min(end, start + 27 + len(segments) + sum(segments))
        content[start + 22 : start + 26] = bytes(4)
        crc = 0
        for byte in content[start:end]:
            crc = (crc << 8 & 0xFFFFFFFF) ^ _table()[crc >> 24 ^ byte]
        content[start + 22 : start + 26] = struct.pack("<I", crc)
