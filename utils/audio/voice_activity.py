"""Voice activity: which 20 ms of a recording are speech, by WebRTC's detector (github.com/wiseman/py-webrtcvad)."""

import numpy as np

from utils.errors import ConfigError

RATE = 16000  # Hz; what the detector gets
FRAME_SECONDS = 0.02
SCALE = 32767.0


class VoiceActivity:
    """The detector on every channel of a stream, fed piece by piece; ``flags`` holds (frames,) bool per channel.

    Frame i lies i * 0.02 s from the start. Where the rate is not 16 kHz, the flags come about 20 ms late.
    """

    def __init__(self, rate: int, channels: int, *, strictness: int = 2):
        """Prepare for audio at ``rate`` Hz; strictness 0 to 3, 3 calls the least speech.

        Raises:
            ConfigError: the detector is not installed.
        """
        try:
            import webrtcvad
        except ImportError as error:
            raise ConfigError("voice activity needs a detector: pip install webrtcvad-wheels") from error

        self._detectors = [webrtcvad.Vad(strictness) for _ in range(channels)]
        self._left = np.empty((0, channels), np.float32)
        self._resample = None
        if rate != RATE:
            import soxr

            self._resample = soxr.ResampleStream(rate, RATE, channels, dtype="float32", quality="HQ").resample_chunk
        self._flags: list[bytearray] = [bytearray() for _ in range(channels)]

    @property
    def flags(self) -> list[np.ndarray]:
        return [np.frombuffer(bytes(flags), bool) for flags in self._flags]

    def feed(self, piece: np.ndarray, *, last: bool = False) -> None:
        """Take (n, channels) more samples, full scale 1; what is not finite counts as silence."""
        piece = np.nan_to_num(piece, posinf=0.0, neginf=0.0)
        if self._resample:
            piece = self._resample(piece, last=last)
        waiting = np.concatenate([self._left, piece])
        size = round(FRAME_SECONDS * RATE)
        whole = len(waiting) - len(waiting) % size
        self._left = waiting[whole:]
        frames = (np.clip(waiting[:whole], -1, 1) * SCALE).astype("<i2").T  # (channels, n)
        for detector, flags, samples in zip(self._detectors, self._flags, frames, strict=True):
            raw = np.ascontiguousarray(samples).tobytes()
            flags.extend(detector.is_speech(raw[i : i + 2 * size], RATE) for i in range(0, len(raw), 2 * size))

    def share(self, start: float, end: float) -> np.ndarray:
        """Return the share of speech (channels,), 0 to 1, from start to end in seconds, as far as samples have come."""
        part = slice(round(start / FRAME_SECONDS), round(end / FRAME_SECONDS))
        return np.array([sum(flags[part]) / max(len(flags[part]), 1) for flags in self._flags])


def speech_segments(flags: np.ndarray, *, min_pause: float = 0.3, min_speech: float = 0.2) -> list[tuple[float, float]]:
    """Return start and end of speech in seconds: shorter pauses are bridged, then shorter bursts dropped.

    >>> speech_segments(np.array([0] * 10 + [1] * 20 + [0] * 10 + [1] * 20 + [0] * 30 + [1] * 5, bool))
    [(0.2, 1.2)]

    Args:
        flags: (frames,) bool of 20 ms each.
        min_pause: seconds; a shorter pause does not end a segment.
        min_speech: seconds; a shorter segment does not count.
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    apart = (starts[1:] - ends[:-1]) * FRAME_SECONDS >= min_pause - 1e-9
    starts, ends = starts[np.append(True, apart)[: len(starts)]], ends[np.append(apart, True)[: len(ends)]]
    segments = np.round(np.stack([starts, ends], axis=1) * FRAME_SECONDS, 3)
    return [(float(start), float(end)) for start, end in segments if end - start >= min_speech - 1e-9]
