"""A source-filter voice in numpy: glottal pulses and breath, shaped by the resonances of a vocal tract.

The emotions differ as the literature says they do in mean pitch, pitch range, tempo, level, jitter and
spectral tilt (Scherer 2003, doi 10.1016/S0167-6393(02)00084-5; Juslin & Laukka 2003, doi
10.1037/0033-2909.129.5.770; Burkhardt & Sendlmeier 2000, ISCA Workshop on Speech and Emotion). The directions
are theirs; the sizes are ours, with so much spread between clips and speakers that the emotions overlap.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

RATE = 16000  # Hz
HOP = 80  # samples, 5 ms: the tract moves this often
FRAME = 4 * HOP
MARGIN = 0.08  # seconds of near silence at both ends

# F1 to F3 of an adult man in Hz, means of Peterson & Barney 1952, doi 10.1121/1.1906875
VOWELS = {
    "i": (270, 2290, 3010), "e": (530, 1840, 2480), "ae": (660, 1720, 2410), "a": (730, 1090, 2440),
    "o": (570, 840, 2410), "u": (300, 870, 2240),
}  # fmt: skip
UPPER = (3500, 4500, 5500, 6500)  # F4 to F7 of a uniform tube of 17.5 cm
BANDWIDTHS = (60, 90, 120, 160, 220, 300, 400)  # Hz
SENTENCES = ("a-i-o-e-a", "u-a-e-i-o-a", "i-o-ae-u-e", "e-a-u-ae-i-o", "o-e-i-a-u", "ae-u-a-o-e-i")


class Style(NamedTuple):
    """How a clip is spoken; as an emotion's entry in STYLES, the mean over clips."""

    pitch: float  # mean F0 over the speaker's own, semitones
    span: float  # of the F0 contour, semitones
    slope: float  # of F0 from start to end, semitones
    tempo: float  # syllables per second
    level: float  # dB of full scale, RMS
    jitter: float  # standard deviation of the period, percent
    shimmer: float  # standard deviation of the pulse amplitude, percent
    tilt: float  # dB per octave above 500 Hz, on top of the glottal pulse's own
    breath: float  # dB of the breath noise against the pulses


STYLES = {
    "angry": Style(4.5, 7.0, -1.5, 4.9, -19, 1.6, 8, 1.0, -24),
    "happy": Style(5.5, 9.0, 1.0, 4.8, -21, 1.0, 6, 0.2, -24),
    "sad": Style(-1.0, 2.5, -2.0, 3.5, -29, 1.3, 8, -3.0, -16),
    "neutral": Style(0.0, 4.5, -2.0, 4.2, -25, 0.8, 5, -1.2, -24),
    "fear": Style(6.5, 4.5, 0.0, 5.2, -25, 2.2, 11, -1.0, -18),
}
SPREAD = Style(2.0, 1.6, 1.2, 0.45, 2.5, 0.45, 2.5, 1.0, 3.0)  # standard deviation between clips
LEAST = Style(-6, 0.5, -6, 3.0, -40, 0.2, 1, -6, -40)  # no clip goes below


@dataclass(frozen=True)
class Voice:
    """A speaker: base pitch in Hz, tract length as a factor on all formants, habits added to every style."""

    name: str
    pitch: float
    formants: float
    habits: Style


def voice(number: int, *, seed: int) -> Voice:
    """Return the speaker of that number (from 1): odd ones female, even ones male."""
    random = np.random.default_rng([seed, number])
    female = number % 2 == 1
    pitch = (205 if female else 118) * 2 ** (random.normal(0, 1.5) / 12)
    formants = (1.16 if female else 1.0) * random.uniform(0.96, 1.02)
    return Voice(f"{'f' if female else 'm'}{number:02}", pitch, formants, _spread(random, 0.5))


def sentence(k: int) -> list[str]:
    """Return the vowels that the k-th clip (from 1) of every speaker and emotion says."""
    return SENTENCES[(k - 1) % len(SENTENCES)].split("-")


def say(speaker: Voice, emotion: str, k: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the k-th clip of a speaker and emotion, and its F0.

    Returns:
        wave (n,) float32 at 16 kHz, full scale 1, 1 to 2 s; F0 in Hz of every sample (n,), 0 where unvoiced.
    """
    random = np.random.default_rng([seed, int(speaker.name[1:]), list(STYLES).index(emotion), k])
    style = _style(STYLES[emotion], speaker.habits, _spread(random, 1.0))
    vowels = sentence(k)
    seconds = float(np.clip(len(vowels) / style.tempo, 1.05 - 2 * MARGIN, 1.95 - 2 * MARGIN))
    time = np.arange(round(seconds * RATE)) / (seconds * RATE)  # 0 to 1
    f0 = _contour(style, speaker, len(vowels), time, random)
    loudness, fricative = _syllables(len(vowels), seconds, time, random)
    pulses, opening = _pulses(f0, style, random)
    noise = random.standard_normal(len(time))
    voiced = loudness * (pulses + 10 ** (style.breath / 20) * pulses.std() * noise * (0.4 + opening))
    wave = _tract(voiced, _formants(vowels, speaker, time), style.tilt)
    wave += 0.5 * wave.std() * fricative * np.diff(random.standard_normal(len(time) + 1))  # high-pass noise
    wave = np.pad(wave / wave.std() * 10 ** (style.level / 20), round(MARGIN * RATE))
    wave += 10 ** (-66 / 20) * random.standard_normal(len(wave))  # the room
    wave *= min(1.0, 0.95 / np.abs(wave).max())
    return wave.astype(np.float32), np.pad(np.where(loudness > 0.3, f0, 0.0), round(MARGIN * RATE))


def _spread(random: np.random.Generator, factor: float) -> Style:
    return Style._make(factor * np.array(SPREAD) * random.standard_normal(len(SPREAD)))


def _style(mean: Style, *offsets: Style) -> Style:
    return Style._make(np.maximum(LEAST, np.sum([mean, *offsets], axis=0)))


def _contour(style: Style, speaker: Voice, n: int, time: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return F0 in Hz, (n,): an accent on every syllable, random in height, on a slope."""
    accents = np.clip(random.normal(0, 0.5, n), -1, 1) * style.span / 2
    knots = np.concatenate([[-style.span / 4], accents, [-style.span / 4]])
    smooth = np.interp(time, (np.arange(n + 2) - 0.5) / n, knots)
    smooth = _smoothed(smooth, round(0.06 * RATE))
    semitones = style.pitch + smooth - smooth.mean() + style.slope * (time - 0.5)
    return speaker.pitch * 2 ** (semitones / 12)


def _smoothed(curve: np.ndarray, width: int) -> np.ndarray:
    padded = np.pad(curve, (width // 2, width - width // 2), mode="edge")
    total = np.cumsum(padded)
    return (total[width:] - total[:-width]) / width


def _syllables(n: int, seconds: float, time: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the amplitude of voicing and of frication, 0 to 1; every syllable starts with a consonant."""
    position = time * n % 1
    index = np.minimum((time * n).astype(int), n - 1)
    stress = random.uniform(0.6, 1.0, n)[index]
    hissing = (random.random(n) < 0.4)[index]
    onset = np.where(hissing, 0.3, 0.12)  # share of the syllable that the consonant takes
    voicing = np.where(position < onset, np.where(hissing, 0.0, 0.25), stress)
    frication = np.where(hissing & (position < 0.85 * onset), 1.0, 0.0)
    edge = np.clip(np.minimum(time, 1 - time) * seconds / 0.03, 0, 1)  # fade in and out, 30 ms
    ramp = round(0.025 * RATE)
    return edge * _smoothed(voicing, ramp), edge * _smoothed(frication, ramp // 2)


def _pulses(f0: np.ndarray, style: Style, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the derivative of a Rosenberg 1971 glottal flow (doi 10.1121/1.1912389), and the flow, 0 to 1.

    Jitter and shimmer change from cycle to cycle. The derivative is the flow's step between samples: its
    mean over a sample, which aliases little.
    """
    cycles = np.concatenate([[0.0], np.cumsum(f0) / RATE])  # (n + 1,)
    n = int(cycles[-1]) + 3
    starts = np.arange(n) + style.jitter / 100 * random.standard_normal(n)
    phase = np.interp(cycles, starts, np.arange(n))
    height = np.maximum(0.2, 1 + style.shimmer / 100 * random.standard_normal(n))[phase.astype(int)]
    phase %= 1
    rise, fall = 0.42, 0.16  # of the cycle: opening and closing
    opening = np.where(phase < rise, 0.5 - 0.5 * np.cos(np.pi * phase / rise), 0.0)
    closing = (phase >= rise) & (phase < rise + fall)
    opening[closing] = np.cos(0.5 * np.pi * (phase[closing] - rise) / fall)
    return np.diff(height * opening), opening[:-1]


def _formants(vowels: list[str], speaker: Voice, time: np.ndarray) -> np.ndarray:
    """Return the formants in Hz of every hop, gliding from vowel to vowel: (hops, 7)."""
    targets = np.array([VOWELS[v] + UPPER for v in vowels], float) * speaker.formants
    n = len(vowels)
    steps = (np.arange(n)[:, None] + [0.3, 0.85]).ravel() / n  # steady between the two, gliding elsewhere
    held = np.repeat(targets, 2, axis=0)
    return np.stack([np.interp(time[::HOP], steps, track) for track in held.T], axis=1)


def _tract(source: np.ndarray, formants: np.ndarray, tilt: float) -> np.ndarray:
    """Return the source filtered by a cascade of digital resonators (Klatt 1980, doi 10.1121/1.383940).

    Every hop has its own filter; Hann-windowed frames are filtered in the frequency domain and overlap-added.
    """
    size = 1024  # the slowest resonance has died away by 70 dB when the padding ends
    hz = np.fft.rfftfreq(size, 1 / RATE)
    delay = np.exp(-2j * np.pi * hz / RATE)
    gain, poles = np.ones((len(formants), 1)), np.ones((len(formants), len(hz)), complex)
    for track, bandwidth in zip(formants.T[:, :, None], BANDWIDTHS, strict=True):
        c = -np.exp(-2 * np.pi * bandwidth / RATE)
        b = 2 * np.sqrt(-c) * np.cos(2 * np.pi * track / RATE)
        gain *= 1 - b - c
        poles *= (1 - c * delay**2) - b * delay
    response = (np.maximum(hz, 500) / 500) ** (tilt / 6.02) * gain / poles  # (hops, size / 2 + 1)
    padded = np.pad(source, (FRAME // 2, FRAME))
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP][: len(formants)]
    window = np.hanning(FRAME + 1)[:-1] / 2  # four overlapping frames sum to 1
    filtered = np.fft.irfft(np.fft.rfft(frames * window, size) * response)
    wave = np.zeros(len(padded) + size + HOP)
    for i, frame in enumerate(filtered):
        wave[i * HOP : i * HOP + size] += frame
    return wave[FRAME // 2 : FRAME // 2 + len(source)]
