"""Made-up sound whose channel is measured."""

import numpy as np

from extract_feats import channel

RATE = 16000


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def measured(wave: np.ndarray, rate: int = RATE) -> dict[str, float]:
    return dict(zip(channel.names(rate), channel.extract(np.float32(wave), rate).tolist(), strict=True))


def speech(seconds: float = 2.0, floor: float = 1e-4, rate: int = RATE, seed: int = 1) -> np.ndarray:
    """Return noise up to 8 kHz whose level is that of syllables with a pause a second, over a floor."""
    time = np.arange(round(seconds * rate)) / rate
    buzz = rng(seed).standard_normal(len(time)) * np.maximum(np.sin(2 * np.pi * time), 0) ** 2
    return (0.1 * buzz + floor * rng(seed + 1).standard_normal(len(time))).astype(np.float32)
