"""What is said of a recording over time: as one document for table, JSON, TextGrid and picture, or live, hop by hop."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from prediction.smoothing import Chain, spells
from prediction.timeline import Grid, Hop, answered, features_of, hops, sampled
from utils.audio.decode import title
from utils.audio.stream import Stream, open_file
from utils.audio.voice_activity import VoiceActivity, segments
from utils.errors import ConfigError

if TYPE_CHECKING:
    from prediction.predictor import Predictor, Speaker


def channel_names(given: Sequence[str], channels: int, where: object) -> list[str]:
    """Return the names of a recording's channels: those given, or mono; left, right; channel1, ...

    Raises:
        ConfigError: not one name a channel, or one twice.
    """
    if given and (len(given) != channels or len(set(given)) < channels):
        raise ConfigError(f"{where}: has {channels} channels; --channels names {','.join(given)}. One name for each.")
    few = {1: ["mono"], 2: ["left", "right"]}
    return list(given) or few.get(channels) or [f"channel{number}" for number in range(1, channels + 1)]


def listen(
    path: Path | BinaryIO,
    predictor: "Predictor",
    extract: Callable,
    *,
    grid: Grid,
    dwell: float,
    least: float,
    names: Sequence[str] = (),
    adapt: bool = False,
    report: Callable[[float, float], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Return what a model says of a recording, as --timeline writes it; memory does not grow with the audio.

    What is kept are, a channel, 50 flags a second and one row of probabilities a hop.

    Args:
        path: the recording, or it open as a binary file; every channel is judged for itself.
        predictor: the model.
        extract: ``prediction.extractor.Extractor.window``.
        grid: windows and hops.
        dwell: seconds that an emotion lasts on average, for the smoothing; 0: none.
        least: seconds of speech that a new emotion must last to count as a change.
        names: of the channels.
        adapt: scale the features by each channel's own voice; for models with ``normalise: speaker``.
        report: is told the seconds done and in all.

    Raises:
        DataError: a file that cannot be read.
        ConfigError: not one name a channel; to adapt a model that cannot be.
    """
    stream = open_file(path)
    names = channel_names(names, stream.channels, title(path))
    voices = voices_of(path, predictor, extract, grid=grid) if adapt else ()
    stream = open_file(path) if adapt else stream  # an open file has one position, now at its end
    hearing = VoiceActivity(stream.rate, stream.channels)
    found: list[Hop] = []
    for hop in answered(hops(stream, grid, hearing), predictor, extract, stream.rate, voices=voices):
        found.append(hop)
        report(round(hop.end), round(stream.seconds or hop.end))
    times = np.array([[hop.start, hop.end] for hop in found]).reshape(-1, 2)
    raw = np.array([hop.raw for hop in found]).reshape(len(found), stream.channels, len(predictor.labels))
    chain = Chain(len(predictor.labels), hop=grid.hop, window=grid.window, dwell=dwell)
    return {
        "file": title(path),
        "model": predictor.card["name"],
        "seconds": round(float(times[-1, 1]), 3) if found else 0.0,
        "window": grid.window,
        "hop": grid.hop,
        "dwell": dwell,
        "least": least,
        "adapted": adapt,
        "labels": predictor.labels,
        "channels": [
            {
                "name": name,
                "speech": segments(hearing.flags[channel]),
                "unusable": int(sum(hop.speaks[channel] and np.isnan(hop.raw[channel]).any() for hop in found)),
                **_told(times, raw[:, channel], chain, predictor.labels, least),
            }
            for channel, name in enumerate(names)
        ],
    }


def voices_of(
    path: Path | BinaryIO, predictor: "Predictor", extract: Callable, *, grid: Grid, windows: int = 40, seed: int = 1
) -> list["Speaker | None"]:
    """Return what adapts a model to the voice on each channel, from so many windows of it, unlabelled.

    The file is read once more for it. Every window is then measured by the voice's own mean: right where it shows
    several emotions, wrong where it keeps to one, which becomes its normal.

    Raises:
        ConfigError: a model that was not trained with ``normalise: speaker``.
    """
    predictor.need_speaker()
    stream = open_file(path)
    found = hops(stream, grid, VoiceActivity(stream.rate, stream.channels))
    heard = sampled(found, stream.channels, windows=windows, rng=np.random.default_rng(seed))
    features = [[features_of(samples, extract, stream.rate) for samples in channel] for channel in heard]
    usable = [[values for values in channel if values is not None] for channel in features]
    return [predictor.enrolled(channel) if channel else None for channel in usable]


def live(
    stream: Stream, predictor: "Predictor", extract: Callable, *, grid: Grid, dwell: float, names: Sequence[str] = ()
) -> Iterator[dict[str, Any]]:
    """Yield what is said of each hop of each channel as soon as its audio has come; smoothed by the past alone.

    Where no one speaks, ``emotion`` and ``probabilities`` are None. Arguments and errors as of ``listen``.
    """
    names = channel_names(names, stream.channels, "the stream")
    hearing = VoiceActivity(stream.rate, stream.channels)
    chain = Chain(len(predictor.labels), hop=grid.hop, window=grid.window, dwell=dwell)
    beliefs = [chain.start] * stream.channels
    for hop in answered(hops(stream, grid, hearing), predictor, extract, stream.rate, batch=1):
        for channel, name in enumerate(names):
            beliefs[channel] = chain.step(beliefs[channel], hop.raw[channel])
            said = entry(predictor.labels, hop.start, hop.end, beliefs[channel])
            silent = {"emotion": None, "probabilities": None} if np.isnan(hop.raw[channel]).any() else {}
            yield {"channel": name} | said | silent


def _told(times: np.ndarray, raw: np.ndarray, chain: Chain, labels: Sequence[str], least: float) -> dict[str, list]:
    spoken = ~np.isnan(raw).any(axis=1)
    times, smooth = times[spoken], chain.smooth(raw)[spoken] if spoken.any() else raw[:0]
    held = spells(times, smooth, least=least)
    return {
        "changes": [round(float(spell.start), 3) for spell in held if spell.change],
        "spells": [entry(labels, spell.start, spell.end, spell.probabilities, spell.label) for spell in held],
        "hops": [entry(labels, start, end, row) for (start, end), row in zip(times, smooth, strict=True)],
    }


def entry(labels: Sequence[str], start: float, end: float, row: np.ndarray, label: int | None = None) -> dict[str, Any]:
    """Return what is said of a stretch of time; without a label the most probable one."""
    return {
        "start": round(float(start), 3),
        "end": round(float(end), 3),
        "emotion": labels[int(row.argmax()) if label is None else label],
        "probabilities": {name: round(float(p), 4) for name, p in zip(labels, row, strict=True)},
    }
