"""What a recording is like whatever is said in it: length, level, noise, bandwidth, clipping. No feature of emotion.

preprocess.py keeps it of a corpus's clips, so that a model knows which recordings it is used to and prediction can
say when one is unlike them (``prediction.out_of_domain``). As a feature of a config it tells how much the channel gives
away of a corpus's labels.
"""

import numpy as np

from extract_feats import Layout, mono
from utils.audio.limits import LARGEST_BLOCK, spans

VERSION = "1"
NAMES = ("seconds", "level_db", "snr_db", "bandwidth_hz", "crest_db")
FRAME_MS = 32.0
LOUD, QUIET = 0.95, 0.05  # quantiles of the frames' levels that stand for speech and for what lies under it
SPEECH_DB, LOUDEST_DB = 25.0, 10.0  # frames so far below the loud ones still hold speech, are still loud
EDGE_DB = 50.0  # what lies further below the strongest frequency is counted as nothing
MOST_DB = 90.0  # of 16 bits; the pauses of a coded clip can be zero


def extract(wave: np.ndarray, rate: int) -> np.ndarray:
    """Return (5,) float32 of a mono wave (n,), as ``NAMES`` has them.

    seconds: duration. level_db: of the loud frames, dB of full scale, at least -90. snr_db: these over the quiet
    frames, 0 to 90 dB; an estimate that needs a pause in the clip. bandwidth_hz: highest frequency of the speech that
    is less than 50 dB below its strongest, 0 to rate / 2. crest_db: peak over the power of the loudest frames; about
    14 in speech, 7 once 1 % of the samples are cut off flat.

    Raises:
        DataError: shorter than one frame of 32 ms.
    """
    size = round(FRAME_MS * rate / 1000)
    wave = mono(wave, rate, size)
    frames = np.lib.stride_tricks.sliding_window_view(wave, size)[:: size // 2]  # (T, size)
    blocks = list(spans(len(frames), LARGEST_BLOCK // size))
    power = np.concatenate([np.square(frames[span]).mean(axis=1) for span in blocks]) + 1e-12  # (T,)
    level = 10 * np.log10(power)
    loud, quiet = np.quantile(level, LOUD), np.quantile(level, QUIET)
    spectrum = _spectrum(frames, np.flatnonzero(level > loud - SPEECH_DB))  # (size // 2 + 1,)
    highest = np.flatnonzero(spectrum >= spectrum.max() * 10 ** (-EDGE_DB / 10))[-1]
    peak = np.square(np.abs(wave).max()) + 1e-12
    crest = 10 * np.log10(peak / power[level > loud - LOUDEST_DB].mean())
    measures = (len(wave) / rate, max(loud, -MOST_DB), min(loud - quiet, MOST_DB), highest * rate / size, crest)
    return np.array(measures, np.float32)


def _spectrum(frames: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the mean power spectrum of some of the frames; of a long recording in blocks."""
    window = np.hanning(frames.shape[1]).astype(np.float32)
    blocks = [rows[span] for span in spans(len(rows), LARGEST_BLOCK // frames.shape[1])]
    means = [np.square(np.abs(np.fft.rfft(frames[block] * window, axis=1))).mean(axis=0) for block in blocks]
    if len(means) == 1:
        return means[0]  # to the last bit, whatever longer recordings need
    return np.average(means, axis=0, weights=[len(block) for block in blocks])


def layout() -> Layout:
    """Return the layout: one vector."""
    return Layout("", False, {}, VERSION)


def names(rate: int) -> list[str]:
    """Return the names of the five values."""
    return list(NAMES)
