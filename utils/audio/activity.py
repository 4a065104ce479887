"""Speech activity by level: where a wave is louder than its pauses, so that level and silence can be made equal.

Unlike ``voice_activity``, which decides what is speech in a long recording, this follows the noise floor of one clip
and needs no library. Levels are those of 25 ms every 10 ms, averaged over 7; a frame is active if it is within 30 dB of
the loud frames and clearly above the quiet ones.
"""

import numpy as np

from utils.audio.limits import LARGEST_BLOCK, spans

WINDOW_MS, HOP_MS = 25, 10
SMOOTH = 7  # frames
LOUD, QUIET = 0.95, 0.05  # quantiles of the levels that stand for speech and for the noise floor
SPEECH_DB, FLOOR_DB = 30.0, 60.0  # active frames are so near the loud ones; the floor is at most so far below them
ABOVE_FLOOR = 0.45  # of the way from the floor to the loud frames
LOWEST_HZ = 60.0  # below lies no speech, but hum and handling
MARGIN_S = 0.1  # kept before and after the active part
TARGET_DB = -26.0  # level of the active frames, dB of full scale (ITU-T P.56 speech level of telephony)
SHORTEST_S = 0.25  # what is left of a clip by trimming is at least that long


def without_rumble(wave: np.ndarray, rate: int) -> np.ndarray:
    """Return the wave (n,) float32 with frequencies below 60 Hz taken away, without delay.

    The gain over frequency is that of a Butterworth high-pass of second order. A long wave is filtered in blocks, each
    with a second of its neighbours: the filter's response has died away by then.
    """
    if len(wave) <= LARGEST_BLOCK:
        return _high_passed(wave, rate)
    filtered = np.empty(len(wave), np.float32)
    for span in spans(len(wave)):
        first = max(0, span.start - rate)
        part = _high_passed(wave[first : span.stop + rate], rate)
        filtered[span] = part[span.start - first : span.stop - first]
    return filtered


def _high_passed(wave: np.ndarray, rate: int) -> np.ndarray:
    from scipy.fft import irfft, next_fast_len, rfft

    size = next_fast_len(len(wave) + round(rate / LOWEST_HZ), real=True)  # the end does not wrap onto the beginning
    ratio = np.fft.rfftfreq(size, 1 / rate) / LOWEST_HZ
    gain = np.square(ratio) / np.sqrt(1 + ratio**4)
    return irfft(rfft(wave, size) * gain.astype(np.float32), size)[: len(wave)].astype(np.float32)


def smoothed_power(wave: np.ndarray, rate: int) -> np.ndarray:
    """Return the power (T,) of 25 ms every 10 ms of a wave, averaged over 7 frames; the last are padded by the edge."""
    window, hop = WINDOW_MS * rate // 1000, HOP_MS * rate // 1000
    wave = np.pad(wave, (0, max(0, window - len(wave))))
    frames = 1 + (len(wave) - window) // hop
    powers = []
    for span in spans(frames, LARGEST_BLOCK // hop):
        part = wave[span.start * hop : (span.stop - 1) * hop + window]
        total = np.concatenate([[0.0], np.cumsum(np.square(part, dtype=np.float64))])
        starts = np.arange(span.stop - span.start) * hop
        powers.append((total[starts + window] - total[starts]) / window)
    power = np.concatenate(powers)
    return np.convolve(np.pad(power, SMOOTH // 2, mode="edge"), np.ones(SMOOTH) / SMOOTH, "valid")


def active(power: np.ndarray) -> np.ndarray:
    """Return the mask (T,) of the active frames, for the powers of ``smoothed_power``."""
    level = 10 * np.log10(power + 1e-12)
    loud, quiet = np.quantile(level, LOUD), np.quantile(level, QUIET)
    quiet = max(quiet, loud - FLOOR_DB)
    return level > max(loud - SPEECH_DB, quiet + ABOVE_FLOOR * (loud - quiet))


def trimmed(wave: np.ndarray, rate: int) -> np.ndarray:
    """Return the wave from .1 s before its first active frame to .1 s after its last."""
    frames = np.flatnonzero(active(smoothed_power(wave, rate)))
    if not len(frames):
        return wave
    hop, window, margin = HOP_MS * rate // 1000, WINDOW_MS * rate // 1000, round(MARGIN_S * rate)
    start, end = max(0, frames[0] * hop - margin), min(len(wave), frames[-1] * hop + window + margin)
    return wave[start:end] if end - start > SHORTEST_S * rate else wave


def levelled(wave: np.ndarray, rate: int) -> np.ndarray:
    """Return the wave with its active frames at -26 dB of full scale, cut off at full scale.

    Raises nothing for silence: it stays silent.
    """
    power = smoothed_power(wave, rate)
    mask = active(power)
    loud = power[mask].mean() if mask.any() else power.mean()
    return np.clip(wave * np.float32(10 ** (TARGET_DB / 20) / np.sqrt(loud + 1e-12)), -1.0, 1.0).astype(np.float32)
