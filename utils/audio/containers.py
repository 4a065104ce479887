"""What FFmpeg reads for us: sound in mp4, m4a, webm and the like, and nothing that names other files."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from utils.errors import DataError

# Formats that hold their sound themselves: a playlist would have FFmpeg open files and addresses that it names.
FORMATS = "mov,matroska,webm,aac,asf,amr,wav,mp3,ogg,flac,avi,caf"


def open_container(source: Path | BinaryIO, name: str) -> tuple[int, int, Iterator[np.ndarray]]:
    """Return the rate in Hz, the channels, and blocks (n, channels) of float32 samples of the first audio stream.

    Raises:
        DataError: no sound that can be read, or one that changes its rate or channels, while it is read, too; PyAV is
            not installed.
    """
    try:
        import av  # FFmpeg; only for what libsndfile does not read
    except ImportError as error:
        raise DataError(f"{name}: libsndfile does not read it; with FFmpeg it may be read: pip install av.") from error
    try:
        container = av.open(
            str(source) if isinstance(source, Path) else source,
            options={"format_whitelist": FORMATS}, metadata_errors="replace",
        )  # fmt: skip
    except av.FFmpegError as error:
        raise DataError(f"{name}: not audio that can be read ({error.strerror}).") from error
    audio = next(iter(container.streams.audio), None)
    if audio is None or audio.codec_context is None:
        container.close()
        raise DataError(f"{name}: holds no audio stream" + (" that can be decoded." if audio else "."))
    decoded = container.decode(audio)
    try:
        first = next(decoded, None)
    except av.FFmpegError as error:
        container.close()
        raise DataError(f"{name}: not audio that can be read ({error.strerror}).") from error
    if first is None:
        container.close()
        raise DataError(f"{name}: holds no audio samples.")
    rate, channels = first.sample_rate, first.layout.nb_channels

    def blocks() -> Iterator[np.ndarray]:
        planar = av.AudioResampler(format="fltp", layout=first.layout, rate=rate)
        try:
            with container:
                yield from _planar(planar, first)
                for frame in decoded:
                    if (frame.sample_rate, frame.layout.nb_channels) != (rate, channels):
                        raise DataError(f"{name}: changes its rate or its channels on the way.")
                    yield from _planar(planar, frame)
                yield from _planar(planar, None)
        except av.FFmpegError as error:
            raise DataError(f"{name}: broken on the way ({error.strerror}).") from error

    return rate, channels, blocks()


def _planar(resampler, frame) -> Iterator[np.ndarray]:
    yield from (part.to_ndarray().T for part in resampler.resample(frame))
