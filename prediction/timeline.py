"""The emotions of a recording over time: as one document for table, JSON, TextGrid and picture, or live, hop by hop."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from prediction.out_of_domain import ADAPT, warning_text
from prediction.predictor import Predictor, SpeakerStatistics
from prediction.smoothing import HiddenMarkovModel, emotion_segments
from prediction.timeline_files import ChannelTimeline, LiveEntry, Timeline, TimelineEntry
from prediction.timeline_settings import TimelineSettings
from prediction.windows import Extract, Hop, hops, judged, sample_windows, window_features
from utils.audio.decode import title
from utils.audio.stream import Stream, open_file
from utils.audio.voice_activity import VoiceActivity, speech_segments
from utils.errors import ConfigError

ADAPTATION_WINDOWS = 40  # of each channel, which measure its voice
UNFAMILIAR_SHARE = 0.5  # of the windows judged; above it the channel gets a warning

Report = Callable[[float, float], None]  # gets the seconds done and in all


def no_report(done: float, total: float) -> None:
    """Report nothing."""


def channel_names(given: Sequence[str], channels: int, where: object) -> list[str]:
    """Return the names of a recording's channels: those given, or mono; left, right; channel1, ...

    Raises:
        ConfigError: not one name per channel, or one twice.
    """
    if given and (len(given) != channels or len(set(given)) < channels):
        raise ConfigError(f"{where}: has {channels} channels; --channels names {','.join(given)}. One name for each.")
    few = {1: ["mono"], 2: ["left", "right"]}
    return list(given) or few.get(channels) or [f"channel{number}" for number in range(1, channels + 1)]


def make_timeline(
    recording: Path | BinaryIO,
    predictor: Predictor,
    extract: Extract,
    settings: TimelineSettings,
    *,
    report: Report = no_report,
) -> Timeline:
    """Return the emotions of a recording, as --timeline writes them; memory does not grow with the audio.

    In memory are, per channel, 50 flags a second and one row of probabilities per hop.

    Args:
        recording: its path, or it open as a binary file; every channel is judged for itself.
        predictor: the model.
        extract: ``prediction.extractor.Extractor.window``.
        settings: windows, hops and smoothing.
        report: is told the seconds done and in all.

    Raises:
        DataError: a file that cannot be read.
        ConfigError: not one name per channel; ``adapt`` with a model trained without ``normalise: speaker``.
    """
    stream = open_file(recording)
    names = channel_names(settings.channels, stream.channels, title(recording))
    speakers = channel_speakers(recording, predictor, extract, settings) if settings.adapt else ()
    remedy = ADAPT if predictor.adapts and not settings.adapt else ""
    stream = open_file(recording) if settings.adapt else stream  # an open file has one position, now at its end
    detector = VoiceActivity(stream.rate, stream.channels)
    done: list[Hop] = []
    for hop in judged(hops(stream, settings, detector), predictor, extract, stream.rate, speakers=speakers):
        done.append(hop)
        report(round(hop.end), round(stream.seconds or hop.end))
    return {
        "file": title(recording),
        "model": predictor.card["name"],
        "seconds": round(float(done[-1].end), 3) if done else 0.0,
        "window": settings.window,
        "hop": settings.hop,
        "dwell": settings.dwell,
        "least": settings.min_duration,
        "adapted": settings.adapt,
        "labels": predictor.labels,
        "channels": [
            _channel(name, done, channel, speech_segments(detector.flags[channel]), predictor.labels, settings, remedy)
            for channel, name in enumerate(names)
        ],
    }


def channel_speakers(
    recording: Path | BinaryIO, predictor: Predictor, extract: Extract, settings: TimelineSettings, *, seed: int = 1
) -> list[SpeakerStatistics | None]:
    """Return what adapts a model to the voice on each channel, from 40 windows of it, unlabelled; None: no speech.

    The file is read once more for it. Every window is then measured by the voice's own mean: right where it shows
    several emotions, wrong where it keeps to one, which becomes its normal.

    Raises:
        ConfigError: a model that no clips can adapt, as its training speakers are unknown.
    """
    predictor.need_adaptation()
    stream = open_file(recording)
    stream_hops = hops(stream, settings, VoiceActivity(stream.rate, stream.channels))
    rng = np.random.default_rng(seed)
    by_channel = sample_windows(stream_hops, stream.channels, windows=ADAPTATION_WINDOWS, rng=rng)
    features = [[window_features(samples, extract, stream.rate) for samples in windows] for windows in by_channel]
    judgeable = [[values for values in windows if values is not None] for windows in features]
    return [predictor.enrolled(windows) if windows else None for windows in judgeable]


def live(stream: Stream, predictor: Predictor, extract: Extract, settings: TimelineSettings) -> Iterator[LiveEntry]:
    """Yield an entry for each hop of each channel as soon as its audio has come; smoothed by the past alone.

    Where no one speaks, ``emotion`` and ``probabilities`` are None. A window unlike anything the model learned has a
    warning and the model's own probabilities, and no emotion unless ``always_name``; it is no evidence for later hops.
    Arguments and errors as of ``make_timeline``.
    """
    names = channel_names(settings.channels, stream.channels, "the stream")
    detector = VoiceActivity(stream.rate, stream.channels)
    model = _smoother(predictor.labels, settings)
    states = [model.prior] * stream.channels
    for hop in judged(hops(stream, settings, detector), predictor, extract, stream.rate, batch=1):
        for channel, name in enumerate(names):
            raw, unlike = hop.probabilities[channel], bool(hop.unfamiliar[channel])
            outside = unlike and not settings.always_name
            states[channel] = model.step(states[channel], np.full(len(raw), np.nan) if outside else raw)
            said = entry(predictor.labels, hop.start, hop.end, raw if outside else states[channel], named=not outside)
            said |= {"emotion": None, "probabilities": None} if np.isnan(raw).any() else {}
            yield {"channel": name} | said | {"warning": warning_text() if unlike else ""}


def _smoother(labels: Sequence[str], settings: TimelineSettings) -> HiddenMarkovModel:
    return HiddenMarkovModel(len(labels), hop=settings.hop, window=settings.window, dwell=settings.dwell)


def _channel(
    name: str,
    done: Sequence[Hop],
    channel: int,
    speech: list[tuple[float, float]],
    labels: Sequence[str],
    settings: TimelineSettings,
    remedy: str,
) -> ChannelTimeline:
    times = np.array([[hop.start, hop.end] for hop in done]).reshape(-1, 2)
    probabilities = np.array([hop.probabilities[channel] for hop in done]).reshape(len(done), len(labels))
    answered = ~np.isnan(probabilities).any(axis=1)
    unfamiliar = np.array([hop.unfamiliar[channel] for hop in done], bool)
    warned = unfamiliar.sum() > UNFAMILIAR_SHARE * answered.sum()
    unlike = unfamiliar | warned
    outside = unlike & (not settings.always_name)
    shown = _smoothed(probabilities, outside, _smoother(labels, settings))[answered]
    times, unlike, outside = times[answered], unlike[answered], outside[answered]
    segments = emotion_segments(times, shown, min_duration=settings.min_duration, outside=outside)
    return {
        "name": name,
        "speech": speech,
        "unusable": int(sum(hop.speaks[channel] for hop in done) - answered.sum()),
        "unfamiliar": int(unfamiliar.sum()),
        "warning": warning_text(remedy) if warned else "",
        "changes": [round(float(segment.start), 3) for segment in segments if segment.change],
        "spells": [
            entry(labels, s.start, s.end, s.probabilities, s.label, named=s.label is not None) for s in segments
        ],
        "hops": [
            entry(labels, start, end, row, named=not out) | {"unlike": bool(far)}
            for (start, end), row, far, out in zip(times, shown, unlike, outside, strict=True)
        ],
    }


def _smoothed(probabilities: np.ndarray, outside: np.ndarray, smoother: HiddenMarkovModel) -> np.ndarray:
    """Return (n, C) smoothed probabilities; hops outside what the model knows keep theirs and are no evidence."""
    if not len(probabilities):
        return probabilities
    smooth = smoother.smooth(np.where(outside[:, None], np.nan, probabilities))
    return np.where(outside[:, None], probabilities, smooth)


def entry(
    labels: Sequence[str],
    start: float,
    end: float,
    probabilities: np.ndarray,
    label: int | None = None,
    *,
    named: bool = True,
) -> TimelineEntry:
    """Return start and end in seconds, emotion and rounded probabilities.

    Without a label the emotion is the most probable one; None unless it is ``named``.
    """
    best = int(probabilities.argmax()) if label is None else label
    return {
        "start": round(float(start), 3),
        "end": round(float(end), 3),
        "emotion": labels[best] if named else None,
        "probabilities": {name: round(float(p), 4) for name, p in zip(labels, probabilities, strict=True)},
    }
