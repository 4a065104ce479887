"""The log-mel spectrogram that Whisper reads, as frames at 100 Hz: the input of the network ``whisper``.

16 kHz, Hann window of 25 ms every 10 ms, bands of Slaney's mel scale from 0 to 8000 Hz, log10 of the power within
80 dB of the clip's loudest value, (x + 4) / 4. The clip is not padded to 30 s. Radford et al. 2022, arXiv 2212.04356.
"""

import numpy as np

from extract_feats import Grid, Layout, mono
from extract_feats.dsp.whisper_mel import HOP, N_FFT, RATE, log_mel
from utils.errors import ConfigError

VERSION = "1"


def extract(wave: np.ndarray, rate: int, *, n_mels: int = 80) -> np.ndarray:
    """Return (n // 160, n_mels) float32 of a mono wave (n,); frame i is centred on 10 ms * i.

    Args:
        rate: Hz, 16,000.
        n_mels: bands; 80, of whisper-large-v3 128.

    Raises:
        ConfigError: another rate, or no bands.
        DataError: fewer than 400 samples.
    """
    layout(n_mels=n_mels)
    _need_rate(rate)
    return np.ascontiguousarray(log_mel(mono(wave, rate, N_FFT), n_mels).T)


def layout(*, n_mels: int = 80) -> Layout:
    """Return the layout."""
    if not 1 <= n_mels <= 128:
        raise ConfigError(f"whisper_logmel: n_mels must be from 1 to 128, got {n_mels}. Whisper has 80 or 128.")
    return Layout(f"{n_mels}", True, {"n_mels": n_mels}, VERSION, Grid(hop=HOP, start=0, unit="samples"))


def names(rate: int, *, n_mels: int = 80) -> list[str]:
    """Return mel_0, mel_1, ... from the lowest band.

    Raises:
        ConfigError: as ``extract``.
    """
    layout(n_mels=n_mels)
    _need_rate(rate)
    return [f"mel_{i}" for i in range(n_mels)]


def _need_rate(rate: int) -> None:
    if rate != RATE:
        raise ConfigError(f"whisper_logmel takes audio at {RATE} Hz, got {rate}. Set rate: {RATE}.")
