"""A recording of any length to emotions over time: windows, probabilities, smoothing, changes.

The same way for a file and live. Only where someone speaks is anything answered.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from utils.audio.stream import Stream, pieces
from utils.errors import ConfigError, DataError

if TYPE_CHECKING:
    from prediction.predictor import Predictor, Speaker

BATCH = 64
SPEECH_SHARE = 0.3  # of a hop that must be speech for it to be answered


class Hearing(Protocol):
    """What tells speech from silence: ``utils.audio.voice_activity.VoiceActivity``."""

    def feed(self, piece: np.ndarray, *, last: bool = False) -> None: ...

    def share(self, start: float, end: float) -> np.ndarray: ...


@dataclass(frozen=True)
class Grid:
    """When windows are. Hop k lasts from k * hop to (k + 1) * hop seconds and is answered from one window.

    Attributes:
        window: seconds.
        hop: seconds, at most the window.
        centred: the window has its middle in the hop's; else it ends where the hop ends, and nothing waits.
    """

    window: float = 3.0
    hop: float = 1.0
    centred: bool = True

    def __post_init__(self):
        if not 0.1 <= self.hop <= self.window <= 60:
            raise ConfigError(f"--window {self.window:g} --hop {self.hop:g}: needs 0.1 <= hop <= window <= 60 seconds.")

    @property
    def ahead(self) -> float:
        """Seconds after the end of its hop that a window ends."""
        return (self.window - self.hop) / 2 if self.centred else 0.0


@dataclass
class Hop:
    """One hop: its time in seconds, its window's samples, who speaks, and what the model says of it.

    ``raw`` is (channels, classes); NaN where there is no speech or the window cannot be used.
    """

    start: float
    end: float
    samples: np.ndarray = field(repr=False)  # (n, channels)
    speaks: np.ndarray  # (channels,) bool
    raw: np.ndarray | None = None


def hops(stream: Stream, grid: Grid, hearing: Hearing) -> Iterator[Hop]:
    """Yield every hop as soon as its window is there; at both ends of a recording windows are cut off."""
    size, rate = round(grid.hop * stream.rate), stream.rate
    ahead, back = round(grid.ahead * rate), round((grid.window - grid.ahead) * rate)
    kept = np.empty((0, stream.channels), np.float32)
    heard = done = 0  # samples; ``kept`` ends at ``heard``

    def hop(end: int) -> Hop:
        start, first = end - size, heard - len(kept)
        part = kept[max(end - back, first) - first : min(end + ahead, heard) - first]
        spoken = hearing.share(start / rate, min(end, heard) / rate) >= SPEECH_SHARE
        return Hop(start / rate, min(end, heard) / rate, part.copy(), spoken)

    for piece in pieces(stream.blocks, size):
        hearing.feed(piece)
        kept = np.concatenate([kept[-(back + ahead + size) :], piece])
        heard += len(piece)
        while done + size + ahead <= heard:
            done += size
            yield hop(done)
    hearing.feed(kept[:0], last=True)
    while done < heard:
        done += size
        yield hop(done)


def answered(
    found: Iterable[Hop],
    predictor: "Predictor",
    extract: Callable,
    rate: int,
    *,
    voices: Sequence["Speaker | None"] = (),
    batch: int = BATCH,
) -> Iterator[Hop]:
    """Yield the hops with ``raw`` filled in and their samples gone, ``batch`` hops at a time.

    Args:
        found: what ``hops`` yields.
        predictor: the model.
        extract: (samples (n, 1), rate) -> features; its DataError leaves the window unanswered.
        rate: Hz of the samples.
        voices: one a channel, what ``predictor.enrolled`` gives; without them nothing is known of who speaks.
        batch: hops that are kept until the model is asked.
    """
    waiting: list[Hop] = []
    features: dict[int, dict[int, Any]] = {}  # by channel, then by place in waiting
    for hop in found:
        for channel in np.flatnonzero(hop.speaks):
            if (values := features_of(hop.samples[:, [channel]], extract, rate)) is not None:
                features.setdefault(int(channel), {})[len(waiting)] = values
        hop.samples = np.empty((0, hop.samples.shape[1]), np.float32)  # a slice of it would keep all of it
        waiting.append(hop)
        if len(waiting) == batch:
            yield from _filled(waiting, features, predictor, voices)
            waiting, features = [], {}
    yield from _filled(waiting, features, predictor, voices)


def features_of(samples: np.ndarray, extract: Callable, rate: int) -> Any | None:
    """Return a window's features; None where it cannot be judged: too quiet, too short once trimmed, not finite."""
    try:
        return extract(samples, rate)
    except DataError:
        return None


def _filled(
    waiting: list[Hop], features: dict[int, dict[int, Any]], predictor: "Predictor", voices: Sequence["Speaker | None"]
) -> list[Hop]:
    for hop in waiting:
        hop.raw = np.full((len(hop.speaks), len(predictor.labels)), np.nan, np.float32)
    for channel, windows in features.items():
        said = predictor.probabilities(list(windows.values()), voices[channel] if voices else None)
        for place, row in zip(windows, said, strict=True):
            waiting[place].raw[channel] = row
    return waiting


def sampled(found: Iterable[Hop], channels: int, *, windows: int, rng: np.random.Generator) -> list[list[np.ndarray]]:
    """Return for each channel the samples (n, 1) of so many windows with speech, each as likely as any other.

    Vitter 1985, "Random sampling with a reservoir", algorithm R, doi 10.1145/3147.3165: in one pass, of any length.
    """
    kept: list[list[np.ndarray]] = [[] for _ in range(channels)]
    seen = [0] * channels
    for hop in found:
        for channel in np.flatnonzero(hop.speaks):
            seen[channel] += 1
            place = int(rng.integers(seen[channel])) if seen[channel] > windows else len(kept[channel])
            if place < windows:
                kept[channel][place : place + 1] = [hop.samples[:, [channel]]]
    return kept
