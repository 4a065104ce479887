"""On audio: slower or faster speech at the same pitch, by waveform-similarity overlap-add (WSOLA).

Verhelst & Roelands 1993, doi 10.1109/ICASSP.1993.319366. It keeps the waveform of a voice, which a phase vocoder
smears, and needs no library: librosa's takes 5 s in every process at its first call.
"""

import numpy as np

from utils.plugins import Range

ON = "audio"
VERSION = "1"
LIMITS = {"factor": (0.25, 4.0)}
HOP, SEARCH = 0.02, 0.01  # seconds; frames are two hops, and a search each way spans the period of the lowest voice


def augment(wave: np.ndarray, rate: int, rng: np.random.Generator, *, factor: Range = [0.8, 1.2]) -> np.ndarray:
    """Return (round(factor * n),) float32.

    Args:
        factor: the new length over the old one; above 1 is slower, 0.25 to 4.
    """
    return stretched(wave, rate, rng.uniform(*factor))


def stretched(wave: np.ndarray, rate: int, factor: float) -> np.ndarray:
    """Return a wave (n,) of another length, round(factor * n), at the same pitch."""
    hop, search = round(HOP * rate), round(SEARCH * rate)
    size, length = 2 * hop, round(factor * len(wave))
    padded = np.pad(wave, (hop + search, size + hop + search)).astype(np.float32)
    energy = np.concatenate([[0], np.cumsum(np.square(padded, dtype=np.float64))])
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)).astype(np.float32)  # half-overlapped, sums to 1
    out = np.zeros(length + 2 * size, np.float32)
    wanted = padded[search : search + size]
    for place in range(0, length + hop, hop):  # the middle of a frame in the output
        low = round(place / factor)  # of padded: the search begins here, and an unmoved frame SEARCH later
        scores = np.correlate(padded[low : low + size + 2 * search], wanted, "valid")
        power = energy[low + size : low + size + 2 * search + 1] - energy[low : low + 2 * search + 1]
        best = low + int(np.argmax(scores / np.sqrt(np.maximum(power, 1e-9))))
        out[place : place + size] += window * padded[best : best + size]
        wanted = padded[best + hop : best + hop + size]  # what would follow naturally
    return out[hop : hop + length]
