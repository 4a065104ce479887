"""Clips small enough to lie inside a page: 16 kHz mono MP3, which every browser plays, phones included."""

import io
from pathlib import Path

from utils.audio.prepare import read_wave
from utils.errors import DataError

RATE, LONGEST = 16000, 10.0  # Hz, seconds: of a longer clip its beginning


def encoded(path: Path) -> bytes | None:
    """Return a file's first ten seconds as MP3, about 3 kB a second; None where it is not at hand or unreadable."""
    import soundfile

    try:
        wave = read_wave(path, RATE, seconds=LONGEST)
    except DataError:
        return None
    held = io.BytesIO()
    soundfile.write(held, wave, RATE, format="MP3", subtype="MPEG_LAYER_III", compression_level=0.5)
    return held.getvalue()
