"""The document that ``prediction.timeline`` makes, and writing it as table, JSON, TextGrid, picture and text."""

import io
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypedDict

from prediction.answers import NO_ANSWER, UNLIKE, wrapped
from utils import foreign_text
from utils.errors import ConfigError

Interval = tuple[float, float, str]


class TimelineEntry(TypedDict):
    """A stretch of time: ``start``, ``end`` in seconds, the ``emotion`` and the ``probabilities`` by label.

    ``emotion`` is None outside what the model knows; the probabilities are then the model's own, not smoothed.
    """

    start: float
    end: float
    emotion: str | None
    probabilities: dict[str, float]


class HopEntry(TimelineEntry):
    """A hop with speech; ``unlike``: whether its window, or most of its channel, is unlike the training clips."""

    unlike: bool


class LiveEntry(TypedDict):
    """A hop of one ``channel`` of a stream; ``emotion`` and ``probabilities`` are None where no one speaks.

    ``warning``: "" unless its window is unlike anything the model learned; ``emotion`` is then None too, if not asked
    for all the same.
    """

    channel: str
    start: float
    end: float
    emotion: str | None
    probabilities: dict[str, float] | None
    warning: str


class ChannelTimeline(TypedDict):
    """One channel.

    ``speech``: start and end of speech, seconds; ``unusable``: windows with speech that could not be judged;
    ``unfamiliar``: windows whose features are unlike those of the training clips; ``warning``: "" unless most are;
    ``changes``: seconds; ``spells``: segments of one emotion, or of none; ``hops``: all hops with speech, smoothed. No
    emotion is named of windows unlike those clips, nor of a channel with a warning, unless it is asked for.
    """

    name: str
    speech: list[tuple[float, float]]
    unusable: int
    unfamiliar: int
    warning: str
    changes: list[float]
    spells: list[TimelineEntry]
    hops: list[HopEntry]


class Timeline(TypedDict):
    """A recording: its ``seconds``, the settings (``least``: the minimum duration), ``labels`` and ``channels``."""

    file: str
    model: str
    seconds: float
    window: float
    hop: float
    dwell: float
    least: float
    adapted: bool
    labels: list[str]
    channels: list[ChannelTimeline]


def prefixes(files: Sequence[str], out: str | None) -> dict[str, str]:
    """Return the path of each file's timeline without suffix: ``out``, or <stem>_timeline in the folder it names.

    Raises:
        ConfigError: stdin, or one name for many files.
    """
    if "-" in files:
        raise ConfigError("--timeline -: a timeline needs a file; --live - answers a stream as it comes.")
    stems = [Path(file).stem for file in files]
    if out and not Path(out).is_dir() and not out.endswith(("/", os.sep)):
        if len(files) > 1:
            raise ConfigError(f"--out {out}: one name for {len(files)} files. Name a folder: {out}/")
        return {files[0]: out}
    if len(set(stems)) < len(stems):
        twice = next(stem for stem in stems if stems.count(stem) > 1)
        raise ConfigError(f"--timeline: two files are called {twice}. Ask for one at a time, with --out.")
    return {file: str(Path(out or "", f"{stem}_timeline")) for file, stem in zip(files, stems, strict=True)}


def write_all(prefix: str, document: Timeline) -> None:
    """Write ``prefix``.csv, .json, .TextGrid and .png."""
    from utils import plots  # matplotlib, which only this needs
    from utils.plots import timeline as timeline_plots

    Path(prefix).parent.mkdir(parents=True, exist_ok=True)
    plots.save(timeline_plots.timeline(document), Path(f"{prefix}.png"))
    write_csv(Path(f"{prefix}.csv"), document)
    write_json(Path(f"{prefix}.json"), document)
    write_textgrid(Path(f"{prefix}.TextGrid"), document)


def write_csv(path: Path, document: Timeline) -> None:
    """Write what ``csv_text`` returns."""
    path.write_text(csv_text(document), newline="", encoding="utf8")


def csv_text(document: Timeline) -> str:
    """Return ``start,end,channel,emotion,p_<label>...,warning``, a row for each hop with speech; by time and channel.

    ``emotion`` is empty outside what the model knows.
    """
    rows = [(hop, channel) for channel in document["channels"] for hop in channel["hops"]]
    text = io.StringIO(newline="")
    writer = foreign_text.Writer(text)
    writer.writerow(["start", "end", "channel", "emotion", *(f"p_{label}" for label in document["labels"]), "warning"])
    for hop, channel in sorted(rows, key=lambda row: row[0]["start"]):
        warning = (channel["warning"] or UNLIKE) if hop["unlike"] else ""
        cells = [hop["start"], hop["end"], channel["name"], hop["emotion"] or "", *hop["probabilities"].values()]
        writer.writerow([*cells, warning])
    return text.getvalue()


def write_json(path: Path, document: Timeline) -> None:
    """Write the document."""
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf8")


def write_textgrid(path: Path, document: Timeline) -> None:
    """Write what ``textgrid_text`` returns."""
    path.write_text(textgrid_text(document), encoding="utf8")


def textgrid_text(document: Timeline) -> str:
    """Return two tiers per channel, ``<name> speech`` and ``<name> emotion``, in Praat's long text format.

    Where no emotion is named the second says "no answer".

    Boersma & Weenink, praat.org, "TextGrid file formats".
    """
    end = document["seconds"]
    tiers = []
    for channel in document["channels"]:
        speech = [(start, stop, "speech") for start, stop in channel["speech"]]
        emotion = [(part["start"], part["end"], part["emotion"] or "no answer") for part in channel["spells"]]
        tiers += [(f"{channel['name']} speech", speech), (f"{channel['name']} emotion", emotion)]
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', ""]
    lines += ["xmin = 0", f"xmax = {end}", "tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for number, (name, intervals) in enumerate(tiers, 1):
        whole = list(_gapless(intervals, end))
        lines += [f"    item [{number}]:", '        class = "IntervalTier"', f"        name = {_quoted(name)}"]
        lines += ["        xmin = 0", f"        xmax = {end}", f"        intervals: size = {len(whole)}"]
        for place, (start, stop, text) in enumerate(whole, 1):
            lines += [f"        intervals [{place}]:", f"            xmin = {start}", f"            xmax = {stop}"]
            lines += [f"            text = {_quoted(text)}"]
    return "\n".join([*lines, ""])


def summary(document: Timeline) -> str:
    """Return a line for the recording, then ``channel_lines``, a channel's warning below its own."""
    lines = [f"{document['file']}: {document['seconds']:.1f} s, {document['model']}"]
    for channel, line in zip(document["channels"], channel_lines(document), strict=True):
        lines += [f"  {line}", *(wrapped(f"warning: {channel['warning']}", "    ") if channel["warning"] else [])]
    return "\n".join(lines)


def channel_lines(document: Timeline) -> list[str]:
    """Return a line per channel: seconds of speech, changes, share of each emotion and of what has no answer."""
    lines = []
    for channel in document["channels"]:
        seconds = dict.fromkeys([*document["labels"], None], 0.0)
        for segment in channel["spells"]:
            seconds[segment["emotion"]] += segment["end"] - segment["start"]
        whole, ranked = sum(seconds.values()) or 1.0, sorted(seconds, key=seconds.get, reverse=True)
        shares = [f"{name or NO_ANSWER} {seconds[name] / whole:.0%}" for name in ranked if seconds[name]]
        spoken = sum(stop - start for start, stop in channel["speech"])
        unusable = f"; {_count(channel['unusable'], 'window')} too quiet to judge" if channel["unusable"] else ""
        changes = _count(len(channel["changes"]), "change")
        words = ", ".join(shares) or "nothing to judge"
        words = NO_ANSWER if seconds[None] == whole else words
        lines.append(f"{channel['name']}: {spoken:.1f} s of speech, {changes}: {words}{unusable}")
    return lines


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"


def line(hop: LiveEntry) -> str:
    """Return one hop of a channel, as ``prediction.timeline.live`` yields it, in words, the most probable first."""
    where = f"{hop['end']:8.1f} s  {hop['channel']}: "
    if hop["probabilities"] is None:
        return where + "-"
    if hop["emotion"] is None:
        return where + NO_ANSWER
    ranked = sorted(hop["probabilities"].items(), key=lambda item: -item[1])
    warning = f"  ({UNLIKE})" if hop["warning"] else ""
    return where + f"{hop['emotion']}  " + "  ".join(f"{label} {p:.2f}" for label, p in ranked) + warning


def _gapless(intervals: Iterable[Interval], end: float) -> Iterable[Interval]:
    """Yield the intervals with empty ones between, as Praat wants them: from 0 to the end without a gap."""
    at = 0.0
    for start, stop, text in intervals:
        stop = min(stop, end)
        if start >= stop:
            continue
        if start > at:
            yield at, start, ""
        yield start, stop, text
        at = stop
    if at < end:
        yield at, end, ""


def _quoted(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"'
