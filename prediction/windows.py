"""A stream cut into hops and their windows, and the model's probabilities of each: the same for a file and live.

Only where someone speaks is anything judged.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from prediction.extractor import ClipFeatures
from prediction.out_of_domain import is_unfamiliar
from prediction.predictor import Predictor, SpeakerStatistics
from prediction.timeline_settings import TimelineSettings
from utils.audio.stream import Stream, pieces
from utils.errors import DataError

BATCH = 64  # hops that are kept until the model is asked
SPEECH_SHARE = 0.3  # of a hop that must be speech for it to be judged

Extract = Callable[[np.ndarray, int], ClipFeatures]  # ``prediction.extractor.Extractor.window``


class SpeechDetector(Protocol):
    """What tells speech from silence: ``utils.audio.voice_activity.VoiceActivity``."""

    def feed(self, piece: np.ndarray, *, last: bool = False) -> None: ...

    def share(self, start: float, end: float) -> np.ndarray: ...


@dataclass
class Hop:
    """One hop of a stream.

    Attributes:
        start, end: seconds.
        samples: (n, channels) of its window; empty once it is judged.
        speaks: (channels,) bool.
        probabilities: (channels, classes); NaN where there is no speech or the window cannot be used.
        unfamiliar: (channels,) bool, whether the window's features are unlike those of the training clips.
    """

    start: float
    end: float
    samples: np.ndarray = field(repr=False)
    speaks: np.ndarray
    probabilities: np.ndarray | None = None
    unfamiliar: np.ndarray | None = None


def hops(stream: Stream, settings: TimelineSettings, detector: SpeechDetector) -> Iterator[Hop]:
    """Yield every hop as soon as its window is there; at both ends of a recording windows are cut off."""
    size, rate = round(settings.hop * stream.rate), stream.rate
    ahead, back = round(settings.ahead * rate), round((settings.window - settings.ahead) * rate)
    buffer = np.empty((0, stream.channels), np.float32)
    received = done = 0  # samples; the buffer ends at ``received``

    def hop(end: int) -> Hop:
        start, first = end - size, received - len(buffer)
        window = buffer[max(end - back, first) - first : min(end + ahead, received) - first]
        speaks = detector.share(start / rate, min(end, received) / rate) >= SPEECH_SHARE
        return Hop(start / rate, min(end, received) / rate, window.copy(), speaks)

    for piece in pieces(stream.blocks, size):
        detector.feed(piece)
        buffer = np.concatenate([buffer[-(back + ahead + size) :], piece])
        received += len(piece)
        while done + size + ahead <= received:
            done += size
            yield hop(done)
    detector.feed(buffer[:0], last=True)
    while done < received:
        done += size
        yield hop(done)


def judged(
    stream_hops: Iterable[Hop],
    predictor: Predictor,
    extract: Extract,
    rate: int,
    *,
    speakers: Sequence[SpeakerStatistics | None] = (),
    batch: int = BATCH,
) -> Iterator[Hop]:
    """Yield the hops, ``batch`` at a time, with ``probabilities`` and ``unfamiliar`` filled in and their samples gone.

    Args:
        stream_hops: what ``hops`` yields.
        predictor: the model.
        extract: (samples (n, 1), rate) -> features; where it raises DataError the window is not judged.
        rate: Hz of the samples.
        speakers: one per channel, what ``predictor.enrolled`` gives; (): nothing is known of who speaks.
        batch: hops that are kept until the model is asked.
    """
    waiting: list[Hop] = []
    features: dict[int, dict[int, ClipFeatures]] = {}  # by channel, then by place in waiting
    for hop in stream_hops:
        for channel in np.flatnonzero(hop.speaks):
            if (values := window_features(hop.samples[:, [channel]], extract, rate)) is not None:
                features.setdefault(int(channel), {})[len(waiting)] = values
        hop.samples = np.empty((0, hop.samples.shape[1]), np.float32)  # a slice of it would keep all of it
        waiting.append(hop)
        if len(waiting) == batch:
            yield from _with_probabilities(waiting, features, predictor, speakers)
            waiting, features = [], {}
    yield from _with_probabilities(waiting, features, predictor, speakers)


def window_features(samples: np.ndarray, extract: Extract, rate: int) -> ClipFeatures | None:
    """Return a window's features; None where it cannot be judged: too quiet, too short once trimmed, not finite."""
    try:
        return extract(samples, rate)
    except DataError:
        return None


def _with_probabilities(
    waiting: list[Hop],
    features: dict[int, dict[int, ClipFeatures]],
    predictor: Predictor,
    speakers: Sequence[SpeakerStatistics | None],
) -> list[Hop]:
    for hop in waiting:
        hop.probabilities = np.full((len(hop.speaks), len(predictor.labels)), np.nan, np.float32)
        hop.unfamiliar = np.zeros(len(hop.speaks), bool)
    for channel, by_place in features.items():
        rows = predictor.probabilities(list(by_place.values()), speakers[channel] if speakers else None)
        for (place, window), row in zip(by_place.items(), rows, strict=True):
            waiting[place].probabilities[channel] = row
            waiting[place].unfamiliar[channel] = is_unfamiliar(predictor.card, window)
    return waiting


def sample_windows(
    stream_hops: Iterable[Hop], channels: int, *, windows: int, rng: np.random.Generator
) -> list[list[np.ndarray]]:
    """Return for each channel the samples (n, 1) of so many windows with speech, each as likely as any other.

    Vitter 1985, "Random sampling with a reservoir", algorithm R, doi 10.1145/3147.3165: in one pass, of any length.
    """
    reservoirs: list[list[np.ndarray]] = [[] for _ in range(channels)]
    seen = [0] * channels
    for hop in stream_hops:
        for channel in np.flatnonzero(hop.speaks):
            reservoir = reservoirs[channel]
            seen[channel] += 1
            place = int(rng.integers(seen[channel])) if seen[channel] > windows else len(reservoir)
            if place < windows:
                reservoir[place : place + 1] = [hop.samples[:, [channel]]]
    return reservoirs
