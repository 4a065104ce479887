"""On audio: coded as MP3 at a low bit rate and decoded again, by LAME in FFmpeg. ISO/IEC 11172-3 and 13818-3."""

import io

import numpy as np

from utils.audio.decode import decode
from utils.errors import ConfigError
from utils.plugins import Range

ON = "audio"
VERSION = "1"
LIMITS = {"kbit": (8.0, 320.0)}
FRAME = 1152  # samples, at most
RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)  # Hz that MP3 knows


def augment(wave: np.ndarray, rate: int, rng: np.random.Generator, *, kbit: Range = [16.0, 64.0]) -> np.ndarray:
    """Return the wave (n,) float32 as it comes out of the decoder, not delayed; where its frames begin is drawn too.

    Args:
        kbit: thousand bits a second, constant; LAME takes the nearest that MP3 has at this rate (at 16 kHz 8 to 160).

    Raises:
        ConfigError: a rate that MP3 does not have.
    """
    import av  # FFmpeg; only where it is asked for

    if rate not in RATES:
        raise ConfigError(f"augment: mp3 has no {rate} Hz; give a rate of {', '.join(map(str, RATES))}.")
    kbits, lead, coded = rng.uniform(*kbit), int(rng.integers(FRAME)), io.BytesIO()
    with av.open(coded, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=rate, layout="mono", format="fltp")
        stream.bit_rate = round(1000 * kbits)
        frame = av.AudioFrame.from_ndarray(np.pad(wave, (lead, 0))[None].astype(np.float32), "fltp", "mono")
        frame.sample_rate = rate
        for part in (frame, None):
            container.mux(stream.encode(part))
    coded.seek(0)
    decoded = decode(coded)[0][lead:, 0]
    return np.pad(decoded, (0, max(0, len(wave) - len(decoded))))[: len(wave)]
