"""Waves made by a formula, whose log-mel by transformers is stored in whisper_log_mel.npz.

That file was made with transformers 5.24.0 (numpy 2.4.6), without padding to 30 s:

    extractor = WhisperFeatureExtractor(feature_size=80)
    mels = {n: extractor._np_extract_fbank_features(speech_like(**a)[None], "cpu")[0] for n, a in WAVES.items()}
    numpy.savez_compressed("tests/whisper_log_mel.npz", **mels)
"""

import numpy as np

RATE = 16000  # Hz
WAVES = {
    "low voice": {"seconds": 0.6, "pitch": 110.0, "noise": 0.002, "seed": 1},
    "high voice in noise": {"seconds": 0.4, "pitch": 240.0, "noise": 0.05, "seed": 2},
    "soft, no whole number of frames": {"seconds": 0.5033, "pitch": 170.0, "noise": 1e-5, "seed": 3, "gain": 0.003},
}


def speech_like(*, seconds: float, pitch: float, noise: float, seed: int, gain: float = 0.3) -> np.ndarray:
    """Return harmonics of a gliding pitch under syllables of 4 Hz, plus uniform noise, (n,) float32 at 16 kHz.

    Args:
        pitch: Hz, at the start; it rises by 20 %.
        noise, gain: of the noise and of the voice, full scale 1.
    """
    time = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * pitch * (time + 0.1 * time**2 / seconds)
    harmonics = sum(np.sin(k * phase + k) / k for k in range(1, 30)) / 3
    syllables = np.sin(np.pi * 4 * time) ** 2
    hiss = np.random.default_rng(seed).uniform(-noise, noise, len(time))
    return (gain * harmonics * syllables + hiss).astype(np.float32)
