"""Audio files to samples: one decoder, one digest and one preparation for training and prediction."""

import hashlib
import io
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from utils.audio.containers import open_container
from utils.errors import DataError

CONTAINERS = (".mp4", ".m4a", ".webm", ".mkv", ".mov", ".aac", ".wma")  # what libsndfile does not read
SHORTEST = 0.05  # seconds; no emotion can be heard in less, and most extractors need two frames
SILENT_PEAK = 1e-3  # -60 dB of full scale
ABSURD_PEAK = 1e9  # samples of 32 bits that were never scaled are below it
FULL_SCALE = 0.999  # 16-bit full scale is 32767/32768
STREAMED = 0x7FFFF000  # a wav written to a pipe states this or more as its length: it was not known


@dataclass(frozen=True)
class Sound:
    """What a file's decoded samples say of themselves.

    Attributes:
        digest: 32 hex digits over samples, rate and channels: equal for exact duplicates, whatever the container.
        seconds: duration.
        rate: Hz, as stored.
        channels: 1 mono, 2 stereo, ...
        peak: largest absolute sample, full scale = 1.
        rms_db: level in dB of full scale.
        clipped: share of the samples at full scale, 0 to 1.
    """

    digest: str
    seconds: float
    rate: int
    channels: int
    peak: float
    rms_db: float
    clipped: float


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


def inspect(samples: np.ndarray, rate: int) -> Sound:
    """Return the facts of (n, channels) samples.

    Raises:
        DataError: shorter than 0.05 s, silent, beyond all scales, or not finite.
    """
    seconds = len(samples) / rate
    if seconds < SHORTEST:
        raise DataError(f"too short: {seconds * 1000:.0f} ms, at least {SHORTEST * 1000:.0f} ms are needed.")
    if not np.isfinite(samples).all():
        raise DataError("holds samples that are not finite.")
    magnitude = np.abs(samples)
    peak = float(magnitude.max())
    if peak > ABSURD_PEAK:
        raise DataError(f"no sound: its samples reach {peak:.0e}, where 1 is full scale.")
    if peak < SILENT_PEAK:
        raise DataError(f"silent: its peak is {20 * np.log10(max(peak, 1e-9)):.0f} dB of full scale.")
    digest = hashlib.blake2b(f"{rate} {samples.shape[1]} ".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(samples))
    rms = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
    clipped = float(np.mean(magnitude >= FULL_SCALE))
    return Sound(digest.hexdigest(), seconds, rate, samples.shape[1], peak, 20 * np.log10(rms), clipped)


def prepare(
    samples: np.ndarray,
    source_rate: int,
    rate: int,
    *,
    offset: float = 0.0,
    seconds: float | None = None,
    trim_db: float | None = None,
    level: str | None = None,
) -> np.ndarray:
    """Return the mono wave (n,) float32 at ``rate`` Hz that an extractor gets.

    Args:
        samples: (n, channels), full scale 1; channels are averaged.
        source_rate: Hz of the samples.
        rate: Hz wanted; resampled by soxr at high quality.
        offset: seconds to skip; then at most ``seconds`` are kept.
        trim_db: silence at both ends this far below the loudest frame is cut, as librosa.effects.trim does.
        level: "peak" scales the peak to 1, "rms" the level to -25 dB of full scale.

    Raises:
        DataError: too little is left after offset and trimming, or, where a level is wanted, silence.
    """
    wave = samples.mean(axis=1) if samples.shape[1] > 1 else samples[:, 0]
    if source_rate != rate:
        import soxr

        wave = soxr.resample(wave, source_rate, rate, quality="HQ")
    wave = wave[round(offset * rate) :]
    if seconds is not None:
        wave = wave[: round(seconds * rate)]
    if trim_db is not None and len(wave):
        wave = _trim(wave, trim_db)
    if len(wave) < SHORTEST * rate:
        raise DataError(f"too short: {len(wave) / rate:.2f} s are left after offset {offset} s and trimming.")
    if level and not wave.any():
        raise DataError(f"silent: nothing but zeros is left after offset {offset} s and trimming.")
    if level == "peak":
        wave = wave / np.abs(wave).max()
    elif level == "rms":
        wave = wave * (10 ** (-25 / 20) / np.sqrt(np.mean(np.square(wave, dtype=np.float64))))
    return np.ascontiguousarray(wave, dtype=np.float32)


def _trim(wave: np.ndarray, top_db: float, frame: int = 2048, hop: int = 512) -> np.ndarray:
    padded = np.pad(wave, frame // 2)
    power = np.square(np.lib.stride_tricks.sliding_window_view(padded, frame)[::hop]).mean(axis=1)
    loud = np.flatnonzero(power > power.max() * 10 ** (-top_db / 10))
    return wave[loud[0] * hop : min(len(wave), (loud[-1] + 1) * hop)] if len(loud) else wave[:0]


def read(path: Path | str | BinaryIO, rate: int, **clip) -> np.ndarray:
    """Return the wave of a file, decoded, inspected and prepared; ``clip`` as for ``prepare``.

    Raises:
        DataError: unreadable, silent or too short; the message begins with the file.
    """
    name = title(path)
    samples, source_rate = decode(path)
    try:
        inspect(samples, source_rate)
        return prepare(samples, source_rate, rate, **clip)
    except DataError as error:
        raise DataError(f"{name}: {error}") from error
