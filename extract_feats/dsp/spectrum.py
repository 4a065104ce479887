"""One clip's spectrogram, made once and shared by every descriptor.

Frames are centred on multiples of the hop, with zeros before and after the wave: n samples give
``1 + n // hop`` frames. Each descriptor is librosa 0.11's of the same name, transposed to
(frames, dims), within 1e-4 of its scale.
"""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import scipy.fft

from extract_feats.base.layout import mono
from extract_feats.dsp import filters, pitch
from utils.audio.limits import LARGEST_BLOCK, spans
from utils.errors import ConfigError

LOWEST_POWER = 1e-10
RANGE_DB = 80.0


def decibels(power: np.ndarray, floor: float = LOWEST_POWER, range_db: float | None = RANGE_DB) -> np.ndarray:
    """Return 10 log10 of the power, at least ``floor`` and at most ``range_db`` below the largest."""
    level = 10 * np.log10(np.maximum(power, np.float32(floor)))
    return level if range_db is None else np.maximum(level, level.max() - range_db)


def delta(frames: np.ndarray, order: int = 1) -> np.ndarray:
    """Return the derivative over 9 frames, (frames, dims) as given; order 2 for the second.

    The first and last four frames repeat the nearest full fit; a clip of under nine is extended by its ends.
    """
    kernel, half = filters.delta_kernel(order), filters.DELTA_WIDTH // 2
    if len(frames) < filters.DELTA_WIDTH:
        frames, half = np.pad(frames, ((half, half), (0, 0)), mode="edge"), 0
    n = len(frames) - len(kernel) + 1
    inner = sum(weight * frames[i : i + n] for i, weight in enumerate(kernel))
    return np.pad(inner, ((half, half), (0, 0)), mode="edge")


class Spectrum:
    """The descriptors of one wave, each computed when first asked for, all from one transform.

    Args:
        wave: (n,) mono float32, at least one window long.
        rate: Hz.
        n_fft: transform length in samples.
        hop: samples from frame to frame.
        window: samples of Hann window within n_fft; n_fft if None.
        n_mels, fmin, fmax: mel bands and their range in Hz; fmax None is half the rate.

    Raises:
        DataError: the wave is shorter than one window.
        ConfigError: sizes that make no frame.
    """

    def __init__(
        self,
        wave: np.ndarray,
        rate: int,
        *,
        n_fft: int = 2048,
        hop: int = 512,
        window: int | None = None,
        n_mels: int = 128,
        fmin: float = 0.0,
        fmax: float | None = None,
    ):
        window = window or n_fft
        check_sizes(n_fft, hop, window, n_mels)
        self.wave = mono(wave, rate, shortest=window)
        self.rate, self.n_fft, self.hop = rate, n_fft, hop
        self.window = filters.hann(window, n_fft)
        self.mel_bands = (n_mels, fmin, fmax)

    @cached_property
    def frames(self) -> np.ndarray:
        """(T, n_fft) samples, a view of the wave between zeros."""
        padded = np.pad(self.wave, self.n_fft // 2)
        return np.lib.stride_tricks.sliding_window_view(padded, self.n_fft)[:: self.hop]

    @cached_property
    def magnitude(self) -> np.ndarray:
        """(T, n_fft // 2 + 1), absolute value of the short-time Fourier transform."""
        return np.concatenate(list(self._magnitudes()))

    def _magnitudes(self) -> Iterator[np.ndarray]:
        """Yield the magnitude in blocks of frames, of which a clip of a minute has one or two."""
        for span in self._spans:
            # in double: in single precision the rounding noise of loud bins would show in the quiet ones
            yield np.abs(scipy.fft.rfft(self.frames[span] * self.window, axis=1).astype(np.complex64))

    @property
    def _spans(self) -> list[slice]:
        return list(spans(len(self.frames), LARGEST_BLOCK // self.n_fft))

    @cached_property
    def power(self) -> np.ndarray:
        """(T, n_fft // 2 + 1), squared magnitude."""
        return self.magnitude**2

    @cached_property
    def mel(self) -> np.ndarray:
        """(T, n_mels), power in Slaney's mel bands."""
        table = filters.mel_filters(self.rate, self.n_fft, *self.mel_bands)
        if len(self._spans) == 1:
            return self.power @ table
        return np.concatenate([block**2 @ table for block in self._magnitudes()])  # the whole power may not be needed

    @cached_property
    def mel_db(self) -> np.ndarray:
        """(T, n_mels), dB, no lower than 80 dB below the clip's maximum."""
        return decibels(self.mel)

    @cached_property
    def cepstrum(self) -> np.ndarray:
        """(T, n_mels), orthonormal cosine transform (DCT-II) of ``mel_db``: the MFCC."""
        return scipy.fft.dct(self.mel_db, axis=1, norm="ortho")

    @cached_property
    def tuning(self) -> float:
        """Deviation from A440 in semitones."""
        return pitch.tuning(self.power, self.rate)

    def chroma(self, tuning: float | None = None) -> np.ndarray:
        """Return (T, 12), energy of the pitch classes from C, 0 to 1, silence 0. None: estimated tuning."""
        table = filters.chroma_filters(self.rate, self.n_fft, self.tuning if tuning is None else tuning)
        energy = self.power @ table
        largest = energy.max(axis=1, keepdims=True)
        return energy / np.where(largest < np.finfo(np.float32).tiny, 1, largest)

    @cached_property
    def contrast(self) -> np.ndarray:
        """(T, 7), dB between the strongest and the weakest bins of each octave band (Jiang et al. 2002)."""
        bands = filters.contrast_bands(self.rate, self.n_fft)
        peak = np.empty((len(self.magnitude), len(bands)), np.float32)
        valley = np.empty_like(peak)
        for k, (first, end, count) in enumerate(bands):
            ordered = np.sort(self.magnitude[:, first:end], axis=1)  # numpy sorts faster than it partitions
            valley[:, k] = ordered[:, :count].mean(axis=1)
            peak[:, k] = ordered[:, -count:].mean(axis=1)
        return decibels(peak) - decibels(valley)

    @cached_property
    def zcr(self) -> np.ndarray:
        """(T, 1), share of the samples of a frame at which the sign changes, 0 to 1."""
        padded = np.pad(self.wave, self.n_fft // 2, mode="edge")
        negative = padded < -1e-10
        crossings = np.concatenate([[0, 0], np.cumsum(negative[1:] != negative[:-1])])  # before sample i
        start = np.arange(0, len(padded) - self.n_fft + 1, self.hop)
        rate = (crossings[start + self.n_fft] - crossings[start + 1]) / self.n_fft
        return rate[:, None].astype(np.float32)

    @cached_property
    def rms(self) -> np.ndarray:
        """(T, 1), root mean square of each frame of n_fft samples, full scale 1."""
        return np.sqrt(np.einsum("tn,tn->t", self.frames, self.frames) / self.n_fft)[:, None]

    @cached_property
    def centroid(self) -> np.ndarray:
        """(T, 1), mean frequency in Hz weighted by magnitude; silence is 0."""
        frequency = np.fft.rfftfreq(self.n_fft, 1 / self.rate).astype(np.float32)
        total = self.magnitude.sum(axis=1)
        return ((self.magnitude @ frequency) / np.where(total < np.finfo(np.float32).tiny, 1, total))[:, None]

    @cached_property
    def flatness(self) -> np.ndarray:
        """(T, 1), geometric over arithmetic mean of the power, 0 (a tone) to 1 (white)."""
        power = np.maximum(self.power, np.float32(LOWEST_POWER))
        return (np.exp(np.log(power).mean(axis=1)) / power.mean(axis=1))[:, None]

    @cached_property
    def f0(self) -> np.ndarray:
        """(T,), fundamental frequency in Hz, 0 where unvoiced."""
        return pitch.fundamental(self.power, self.rate, self.window)


def check_sizes(n_fft: int, hop: int, window: int, n_mels: int) -> None:
    """Refuse frame sizes that make no spectrogram.

    Raises:
        ConfigError: names the size and its range.
    """
    if n_fft < 16 or n_fft % 2:
        raise ConfigError(f"n_fft must be an even number of samples, at least 16, got {n_fft}.")
    if not 1 <= hop <= window:
        raise ConfigError(f"hop must be 1 to {window} samples (no longer than the window), got {hop}.")
    if not 1 < window <= n_fft:
        raise ConfigError(f"window must be 2 to {n_fft} samples (no longer than n_fft), got {window}.")
    if not 1 <= n_mels <= n_fft // 2:
        raise ConfigError(f"n_mels must be 1 to {n_fft // 2} (half of n_fft), got {n_mels}.")
