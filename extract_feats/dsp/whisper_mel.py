"""The log-mel spectrogram that Whisper reads. Radford et al. 2022, arXiv 2212.04356, section 2.2."""

import numpy as np

from extract_feats.dsp.filters import hann, mel_filters
from utils.audio.limits import spans

RATE, N_FFT, HOP = 16000, 400, 160  # Hz, samples
BLOCK = 10_000  # frames transformed at a time
FLOOR, RANGE = 1e-10, 8.0  # smallest power; the logarithms stay within 8 (80 dB) of the largest


def log_mel(wave: np.ndarray, n_mels: int = 80) -> np.ndarray:
    """Return Whisper's log-mel spectrogram (n_mels, n // 160) float32 of a mono wave (n,), without padding.

    Equal to that of transformers' WhisperFeatureExtractor within 1e-4 for a clip of the same length.

    Args:
        wave: at 16,000 Hz, at least 201 samples.
        n_mels: bands of Slaney's mel scale from 0 to 8000 Hz; 80, of the newest large model 128.
    """
    from scipy.fft import rfft  # not for reading a layout

    padded = np.pad(wave.astype(np.float64), N_FFT // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP][: len(wave) // HOP]  # (T, 400)
    window, table = hann(N_FFT, N_FFT), mel_filters(RATE, N_FFT, n_mels).astype(np.float64)
    powers = (np.square(np.abs(rfft(frames[span] * window, axis=1))) for span in spans(len(frames), BLOCK))  # (t, 201)
    mel = np.log10(np.maximum(np.concatenate([power @ table for power in powers]), FLOOR))  # (T, n_mels)
    mel = np.maximum(mel, mel.max() - RANGE)
    return np.ascontiguousarray((mel.T + 4) / 4, dtype=np.float32)
