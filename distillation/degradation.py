"""Random changes of a log-mel spectrogram in dB, drawn anew in each epoch: what a room, a microphone or a line does.

They cost a thousandth of what the same costs on audio, and come on top of it. Masks: SpecAugment, Park et al. 2019,
doi 10.21437/Interspeech.2019-2680.
"""

import numpy as np

EMPTY_DB = (-95.0, -75.0)  # level of bands that a line does not carry


def degrade(mel: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a log-mel (T, bands) float32 in dB with an equaliser, noise, a narrow band, another gain, and masks."""
    frames, bands = mel.shape
    if rng.random() < 0.7:
        mel = mel + _curve(rng.uniform(-6, 6, 6), bands)
    if rng.random() < 0.5:
        mel = _power_sum(mel, _noise(mel, rng))
    mel = mel + np.float32(rng.uniform(-3, 3))
    mel = np.array(mel, np.float32)
    kind = rng.random()
    if kind < 0.2:
        mel[:, rng.integers(bands * 3 // 5, bands) :] = rng.uniform(*EMPTY_DB)
    if kind < 0.08:
        mel[:, : rng.integers(2, bands // 9)] = rng.uniform(*EMPTY_DB)
    if rng.random() < 0.4:
        start = rng.integers(bands)
        mel[:, start : start + rng.integers(1, bands // 7)] = mel.mean()
    if rng.random() < 0.4:
        start = rng.integers(frames)
        mel[start : start + rng.integers(1, 16)] = mel.mean()
    return mel


def _noise(mel: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return noise (T, bands) in dB, 3 to 35 dB below the mean power; its spectrum is smooth, in half it fluctuates."""
    frames, bands = mel.shape
    level = 10 * np.log10((10 ** (mel / 10)).mean()) - rng.uniform(3, 35)
    spectrum = _curve(rng.uniform(-12, 6, 4), bands)
    depth = rng.uniform(0, 8) * (rng.random() < 0.5)
    loudness = _curve(depth * rng.uniform(-1, 1, frames // 25 + 2), frames)
    grain = 10 * np.log10(rng.gamma(3, 1 / 3, mel.shape) + 1e-3)  # power of a band of few bins
    return level + spectrum + loudness[:, None] + grain


def _power_sum(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return (10 * np.log10(10 ** (first / 10) + 10 ** (second / 10))).astype(np.float32)


def _curve(knots: np.ndarray, n: int) -> np.ndarray:
    return np.interp(np.linspace(0, len(knots) - 1, n), np.arange(len(knots)), knots).astype(np.float32)
