"""A timeline as table, JSON, TextGrid and words. The document is what ``prediction.recording.listen`` returns."""

import csv
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from utils.errors import ConfigError

Interval = tuple[float, float, str]


def prefixes(files: Sequence[str], out: str | None) -> dict[str, str]:
    """Return what each file's timeline is called: ``out``, or <stem>_timeline in the folder that it names.

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


def write_all(prefix: str, document: Mapping[str, Any]) -> None:
    """Write ``prefix``.csv, .json and .TextGrid."""
    Path(prefix).parent.mkdir(parents=True, exist_ok=True)
    write_csv(Path(f"{prefix}.csv"), document)
    write_json(Path(f"{prefix}.json"), document)
    write_textgrid(Path(f"{prefix}.TextGrid"), document)


def write_csv(path: Path, document: Mapping[str, Any]) -> None:
    """Write what ``csv_text`` returns."""
    path.write_text(csv_text(document), newline="", encoding="utf8")


def csv_text(document: Mapping[str, Any]) -> str:
    """Return ``start,end,channel,emotion,p_<label>...``, a row for each hop with speech; by time, then by channel."""
    rows = [(hop, channel["name"]) for channel in document["channels"] for hop in channel["hops"]]
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["start", "end", "channel", "emotion", *(f"p_{label}" for label in document["labels"])])
    for hop, name in sorted(rows, key=lambda row: row[0]["start"]):
        writer.writerow([hop["start"], hop["end"], name, hop["emotion"], *hop["probabilities"].values()])
    return text.getvalue()


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write the document."""
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf8")


def write_textgrid(path: Path, document: Mapping[str, Any]) -> None:
    """Write what ``textgrid_text`` returns."""
    path.write_text(textgrid_text(document), encoding="utf8")


def textgrid_text(document: Mapping[str, Any]) -> str:
    """Return two tiers a channel, ``<name> speech`` and ``<name> emotion``, in Praat's long text format.

    Boersma & Weenink, praat.org, "TextGrid file formats".
    """
    end = document["seconds"]
    tiers = []
    for channel in document["channels"]:
        speech = [(start, stop, "speech") for start, stop in channel["speech"]]
        emotion = [(spell["start"], spell["end"], spell["emotion"]) for spell in channel["spells"]]
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


def summary(document: Mapping[str, Any]) -> str:
    """Return a line on the recording and one a channel: how long it speaks, in which emotions, the changes."""
    lines = [f"{document['file']}: {document['seconds']:.1f} s, {document['model']}"]
    for channel in document["channels"]:
        held = dict.fromkeys(document["labels"], 0.0)
        for spell in channel["spells"]:
            held[spell["emotion"]] += spell["end"] - spell["start"]
        whole = sum(held.values()) or 1.0
        shares = [f"{name} {held[name] / whole:.0%}" for name in sorted(held, key=held.get, reverse=True) if held[name]]
        spoken = sum(stop - start for start, stop in channel["speech"])
        unusable = f"; {_count(channel['unusable'], 'window')} too quiet to judge" if channel["unusable"] else ""
        changes = _count(len(channel["changes"]), "change")
        words = ", ".join(shares) or "nothing to judge"
        lines.append(f"  {channel['name']}: {spoken:.1f} s of speech, {changes}: {words}{unusable}")
    return "\n".join(lines)


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"


def line(said: Mapping[str, Any]) -> str:
    """Return one hop of a channel, as ``prediction.recording.live`` yields it, in words, the most probable first."""
    where = f"{said['end']:8.1f} s  {said['channel']}: "
    if said["emotion"] is None:
        return where + "-"
    ranked = sorted(said["probabilities"].items(), key=lambda item: -item[1])
    return where + f"{said['emotion']}  " + "  ".join(f"{label} {p:.2f}" for label, p in ranked)


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
