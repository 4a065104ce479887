"""Uploads: sounds in memory, within limits, and names that are only shown.

Nothing is written to disk, and a name is never used as a path.
"""

import io
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from utils.audio.stream import open_file
from utils.errors import DataError

MOST_FILES = 50
MOST_MB = 50  # per file; .streamlit/config.toml says the same to the server
CLIP_SECONDS = 60  # up to here a file is judged as one clip; longer ones over time
LONGEST_SECONDS = 20 * 60
MOST_CHANNELS, MOST_HZ = 8, 192_000  # a second of more would not fit beside other visitors' sounds
MOST_SAMPLES = CLIP_SECONDS * 48_000 * 2  # of one clip, which is decoded as a whole: a minute of stereo
LONGEST_NAME = 60
MEDIA = {  # sent to a browser; never the type that another browser stated
    ".wav": "audio/wav", ".flac": "audio/flac", ".mp3": "audio/mpeg", ".ogg": "audio/ogg", ".oga": "audio/ogg",
    ".opus": "audio/ogg", ".m4a": "audio/mp4", ".mp4": "audio/mp4", ".aac": "audio/aac", ".webm": "audio/webm",
}  # fmt: skip


@dataclass(frozen=True)
class Clip:
    """A sound that somebody sent.

    Attributes:
        key: of this upload, unlike that of any other.
        name: as ``shown``.
        content: the file's bytes.
    """

    key: str
    name: str
    content: bytes

    def open(self) -> BinaryIO:
        """Return it as an open file, which errors call by its name."""
        file = io.BytesIO(self.content)
        file.name = self.name
        return file

    @property
    def media_type(self) -> str:
        return MEDIA.get(PurePosixPath(self.name).suffix.lower(), "audio/wav")


def shown(name: str) -> str:
    r"""Return a browser's name for a file so that it can be shown: without folders, control characters and length.

    >>> shown("C:\\calls\\../one\u202e.wav\n")
    'one.wav'
    """
    last = re.split(r"[/\\]", name)[-1]
    kept = "".join(letter for letter in last if letter.isprintable()).strip()
    return kept if len(kept) <= LONGEST_NAME else f"{kept[: LONGEST_NAME - 9]}…{kept[-8:]}"


def seconds(clip: Clip) -> float:
    """Return how long a sound is; it is read through once, and never held as a whole.

    Raises:
        DataError: empty, too big, no sound that can be read, or too long; begins with the name.
    """
    megabytes = len(clip.content) / 2**20
    if megabytes > MOST_MB:
        raise DataError(f"{clip.name}: too big: {megabytes:.0f} MB, at most {MOST_MB} MB are taken.")
    stream = open_file(clip.open())
    if stream.channels > MOST_CHANNELS or stream.rate > MOST_HZ:
        raise DataError(
            f"{clip.name}: {stream.channels} channels at {stream.rate} Hz; at most {MOST_CHANNELS} "
            f"at {MOST_HZ} Hz are taken."
        )
    samples = 0
    for block in stream.blocks:  # a header can say anything
        samples += len(block)
        if samples > LONGEST_SECONDS * stream.rate:
            raise DataError(f"{clip.name}: too long: at most {LONGEST_SECONDS // 60} minutes are taken.")
    if not samples:
        raise DataError(f"{clip.name}: holds no audio samples.")
    if samples <= CLIP_SECONDS * stream.rate and samples * stream.channels > MOST_SAMPLES:
        raise DataError(
            f"{clip.name}: {samples / stream.rate:.0f} s of {stream.channels} channels at {stream.rate} Hz; a clip may "
            f"hold as much as {CLIP_SECONDS} s of stereo at 48000 Hz."
        )
    return samples / stream.rate
