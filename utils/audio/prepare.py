"""Samples to the wave that an extractor gets: the same inspection and preparation for training and prediction."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from utils.audio import activity
from utils.audio.decode import decode, title
from utils.audio.limits import LARGEST_BLOCK, MOST_SAMPLES, spans
from utils.errors import DataError

SHORTEST = 0.05  # seconds; less holds no emotion, and most extractors need two frames
SILENT_PEAK = 1e-3  # -60 dB of full scale
ABSURD_PEAK = 1e9  # samples of 32 bits that were never scaled are below it
FULL_SCALE = 0.999  # 16-bit full scale is 32767/32768


@dataclass(frozen=True)
class Sound:
    """Measures of a file's decoded samples.

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


def inspect(samples: np.ndarray, rate: int) -> Sound:
    """Return the facts of (n, channels) samples.

    Raises:
        DataError: shorter than 0.05 s, silent, beyond all scales, or not finite.
    """
    seconds = len(samples) / rate
    if seconds < SHORTEST:
        raise DataError(f"too short: {seconds * 1000:.0f} ms, at least {SHORTEST * 1000:.0f} ms are needed.")
    peak, squares, clipped = 0.0, 0.0, 0
    digest = hashlib.blake2b(f"{rate} {samples.shape[1]} ".encode(), digest_size=16)
    for span in spans(len(samples), LARGEST_BLOCK // samples.shape[1]):
        part = np.ascontiguousarray(samples[span])
        if not np.isfinite(part).all():
            raise DataError("holds samples that are not finite.")
        magnitude = np.abs(part)
        peak = max(peak, float(magnitude.max()))
        squares += float(np.sum(np.square(part, dtype=np.float64)))
        clipped += int(np.count_nonzero(magnitude >= FULL_SCALE))
        digest.update(part)
    if peak > ABSURD_PEAK:
        raise DataError(f"no sound: its samples reach {peak:.0e}, where 1 is full scale.")
    if peak < SILENT_PEAK:
        raise DataError(f"silent: its peak is {20 * np.log10(max(peak, 1e-9)):.0f} dB of full scale.")
    rms_db = 20 * np.log10(float(np.sqrt(squares / samples.size)))
    return Sound(digest.hexdigest(), seconds, rate, samples.shape[1], peak, rms_db, clipped / samples.size)


def prepare(
    samples: np.ndarray,
    source_rate: int,
    rate: int,
    *,
    offset: float = 0.0,
    seconds: float | None = None,
    trim_db: float | None = None,
    trim: str | None = None,
    level: str | None = None,
) -> np.ndarray:
    """Return the mono wave (n,) float32 at ``rate`` Hz that an extractor gets.

    Args:
        samples: (n, channels), full scale 1; channels are averaged.
        source_rate: Hz of the samples.
        rate: Hz wanted; resampled by soxr at high quality.
        offset: seconds to skip; then at most ``seconds`` are kept.
        trim_db: silence at both ends this far below the loudest frame is cut, as librosa.effects.trim does.
        trim: "adaptive" cuts what is not speech at both ends, by a level that follows the noise (``activity``).
        level: "peak" scales the peak to 1, "rms" the level to -25 dB of full scale, "active" the level of the active
            frames to -26 dB, after frequencies below 60 Hz are taken away.

    Raises:
        DataError: too little is left after offset and trimming, or, where a level is wanted, silence; at ``rate`` it is
            longer than a clip may be.
    """
    if len(samples) / source_rate * rate > MOST_SAMPLES:
        raise DataError(f"too long for one clip: {len(samples) / source_rate / 3600:.1f} hours. Cut it.")
    wave = samples.mean(axis=1) if samples.shape[1] > 1 else samples[:, 0]
    if source_rate != rate:
        import soxr

        wave = soxr.resample(wave, source_rate, rate, quality="HQ")
    wave = wave[round(offset * rate) :]
    if seconds is not None:
        wave = wave[: round(seconds * rate)]
    if trim_db is not None and len(wave):
        wave = _trim(wave, trim_db)
    if len(wave):
        wave = equalised(wave, rate, trim=trim, level=level)
    if len(wave) < SHORTEST * rate:
        raise DataError(f"too short: {len(wave) / rate:.2f} s are left after offset {offset} s and trimming.")
    if level and not wave.any():
        raise DataError(f"silent: nothing but zeros is left after offset {offset} s and trimming.")
    if level == "peak":
        wave = wave / np.abs(wave).max()
    elif level == "rms":
        wave = wave * (10 ** (-25 / 20) / np.sqrt(np.mean(np.square(wave, dtype=np.float64))))
    return np.ascontiguousarray(wave, dtype=np.float32)


def equalised(wave: np.ndarray, rate: int, *, trim: str | None, level: str | None) -> np.ndarray:
    """Return the wave (n,) with silence and level made equal, as ``trim: adaptive`` and ``level: active`` ask for.

    The same for a clip and for an augmented copy of it, whose channel has changed both. Other values change nothing.
    """
    if level == "active":
        wave = activity.without_rumble(wave, rate)
    if trim == "adaptive":
        wave = activity.trimmed(wave, rate)
    return activity.levelled(wave, rate) if level == "active" else wave


def _trim(wave: np.ndarray, top_db: float, frame: int = 2048, hop: int = 512) -> np.ndarray:
    padded = np.pad(wave, frame // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, frame)[::hop]
    power = np.concatenate([np.square(frames[span]).mean(axis=1) for span in spans(len(frames), LARGEST_BLOCK // hop)])
    loud = np.flatnonzero(power > power.max() * 10 ** (-top_db / 10))
    return wave[loud[0] * hop : min(len(wave), (loud[-1] + 1) * hop)] if len(loud) else wave[:0]


def read_wave(path: Path | str | BinaryIO, rate: int, **clip) -> np.ndarray:
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
