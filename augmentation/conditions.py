"""On audio: a random recording condition, so that a model meets many rooms, lines and microphones in training.

One line makes a model robust: ``augment: [{name: conditions}]``. Each copy draws an equaliser, a room, noise (steady or
modulated as talk is, from white to brown, or babble made of the clip itself), a narrow band, a telephone line or MP3,
clipping, and the level. Multi-condition training: Ko et al. 2017, doi 10.1109/ICASSP.2017.7953152.
"""

import numpy as np

from augmentation import mp3, reverberation, telephone
from augmentation.gaussian_noise import mixed
from utils.plugins import Range

ON = "audio"
VERSION = "1"
LIMITS = {"rt60": (0.05, 10.0), "snr_db": (-10.0, 60.0)}
KNOTS_HZ = (0, 150, 400, 900, 1800, 3200, 5000, 8000)  # of the equaliser's curve
LOUDEST, PEAK = (0.05, 0.9), 1e-6  # peak of the wave that a telephone line codes
VOICES = 5  # of the babble


def augment(
    wave: np.ndarray,
    rate: int,
    rng: np.random.Generator,
    *,
    equaliser_db: float = 6.0,
    rt60: Range = [0.15, 0.8],
    snr_db: Range = [5.0, 30.0],
    gain_db: Range = [-15.0, 6.0],
    p_equaliser: float = 0.7,
    p_room: float = 0.4,
    p_noise: float = 0.7,
    p_telephone: float = 0.2,
    p_codec: float = 0.1,
    p_band: float = 0.3,
    p_clipping: float = 0.15,
) -> np.ndarray:
    """Return the wave (n,) float32 under a random condition.

    Args:
        equaliser_db: largest gain and loss of the equaliser, dB.
        rt60: seconds in which the room's reverberation falls by 60 dB.
        snr_db: signal-to-noise ratio, dB.
        gain_db: change of the level at the end, dB.
        p_equaliser, p_room, p_noise: probability of each, 0 to 1.
        p_telephone, p_codec, p_band: probability of a telephone line, of MP3, or of a narrow band; one at most.
        p_clipping: probability that the loudest .1 to 3 % of the samples are cut off.

    Raises:
        ConfigError: a rate that MP3 does not have.
    """
    if rng.random() < p_equaliser:
        wave = through_equaliser(wave, rate, rng, equaliser_db)
    if rng.random() < p_room:
        wave = reverberation.augment(wave, rate, rng, rt60=rt60, direct_db=[0.0, 12.0])
    if rng.random() < p_noise:
        wave = mixed(wave, noise(wave, rate, rng), rng.uniform(*snr_db))
    wave = _line(wave, rate, rng, rng.random(), (p_telephone, p_codec, p_band))
    if rng.random() < p_clipping:
        limit = np.quantile(np.abs(wave), 1 - rng.uniform(0.001, 0.03))
        wave = np.clip(wave, -limit, limit)
    return (wave * np.float32(10 ** (rng.uniform(*gain_db) / 20))).astype(np.float32)


def through_equaliser(wave: np.ndarray, rate: int, rng: np.random.Generator, depth_db: float) -> np.ndarray:
    """Return the wave (n,) with each of eight frequencies raised or lowered by up to ``depth_db``."""
    spectrum = np.fft.rfft(wave)
    curve = np.interp(np.fft.rfftfreq(len(wave), 1 / rate), KNOTS_HZ, rng.uniform(-depth_db, depth_db, len(KNOTS_HZ)))
    return np.fft.irfft(spectrum * 10 ** (curve / 20), len(wave)).astype(np.float32)


def noise(wave: np.ndarray, rate: int, rng: np.random.Generator) -> np.ndarray:
    """Return noise (n,): babble, or noise whose power falls with frequency to the power 0 to 2.5."""
    n = len(wave)
    if rng.random() < 0.25:
        return babble(wave, rng)
    exponent = float(rng.integers(3)) if rng.random() < 0.6 else rng.uniform(0, 2.5)
    size = 1 << int(n - 1).bit_length()
    spectrum = np.fft.rfft(rng.standard_normal(size))
    frequency = np.maximum(np.arange(len(spectrum)), 30 * size / rate)  # no more power below 30 Hz
    coloured = np.fft.irfft(spectrum * frequency ** (-exponent / 2), size)[:n]
    if rng.random() < 0.4:  # louder and softer ten times a second
        knots = np.arange(0, n + rate // 5, rate // 10)
        coloured = coloured * np.interp(np.arange(n), knots, rng.uniform(0.1, 1, len(knots)))
    return coloured.astype(np.float32)


def babble(wave: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return babble (n,) made of the wave itself: shifted, half of the voices backwards, .8 to 1.25 times as fast."""
    n, total = len(wave), np.zeros(len(wave))
    for voice in range(VOICES):
        places = np.arange(0, n - 1, rng.uniform(0.8, 1.25))
        other = np.interp(places, np.arange(n), wave)
        other = other[::-1] if voice % 2 else other
        total += np.resize(np.roll(other, rng.integers(len(other))), n) * rng.uniform(0.5, 1)
    return total.astype(np.float32)


def _line(
    wave: np.ndarray, rate: int, rng: np.random.Generator, draw: float, shares: tuple[float, float, float]
) -> np.ndarray:
    """Send the wave through a telephone line, MP3 or a narrow band, as a draw from 0 to 1 decides, or through none."""
    telephone_end, codec_end, band_end = np.cumsum(shares)
    if draw < telephone_end:
        peak = rng.uniform(*LOUDEST)  # a line codes a soft voice in fewer steps
        return telephone.augment((wave / max(np.abs(wave).max(), PEAK) * peak).astype(np.float32), rate, rng)
    if draw < codec_end:
        return mp3.augment(wave, rate, rng, kbit=[16.0, 64.0])
    if draw < band_end:
        return _narrow(wave, rate, rng)
    return wave


def _narrow(wave: np.ndarray, rate: int, rng: np.random.Generator) -> np.ndarray:
    """Return the wave between 40 to 400 and 2800 to 7600 Hz, with slopes of 6 to 18 dB per octave, without delay."""
    frequency = np.fft.rfftfreq(len(wave), 1 / rate)
    low, high, order = np.exp(rng.uniform(np.log(40), np.log(400))), rng.uniform(2800, 7600), int(rng.integers(1, 4))
    gain = 1 / np.sqrt(1 + (low / np.maximum(frequency, 1e-3)) ** (2 * order))
    gain /= np.sqrt(1 + (frequency / high) ** (2 * order))
    return np.fft.irfft(np.fft.rfft(wave) * gain, len(wave)).astype(np.float32)
