"""A survey in words: the verdict, and the summary for a terminal."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evaluation.exploration import inventory
from evaluation.exploration.separation import SCALED
from evaluation.exploration.survey import Survey
from utils.text_table import text_table

WIDTH = 80


def verdict(survey: Survey) -> list[str]:
    """Return in sentences whether the features separate emotions or speakers better, and what limits that result."""
    emotion, speaker, scaled = (survey.row_of(by) for by in ("emotion", "speaker", SCALED))
    if missing := _missing(emotion, speaker):
        return [f"Whether the features separate speakers or emotions better is unknown: {missing}."]
    sentences = [compared(emotion, speaker)]
    if scaled and scaled["variance"] is not None:
        sentences.append(
            "With each speaker's own mean and deviation removed, as normalise: speaker does, "
            f"{scaled['variance']:.1%} lies between emotions."
        )
    corpus = survey.row_of("corpus")
    if corpus and corpus["variance"] is not None:
        sentences.append(
            f"{corpus['variance']:.1%} lies between the corpora, which differ in speakers, rooms and microphones; the "
            "rows of one corpus alone are free of that."
        )
    occur, possible = survey.pairs
    if occur < possible / 2:
        sentences.append(
            f"Only {occur} of {possible} pairs of speaker and emotion occur, so the two can hardly be told apart."
        )
    return sentences


def _missing(emotion: Mapping[str, Any], speaker: Mapping[str, Any] | None) -> str:
    """Return why the two cannot be compared, "" if they can."""
    if not speaker:
        return "fewer than two speakers are known"
    if emotion["groups"] < 2:
        return "all clips have one emotion"
    if None in (emotion["nearest"], speaker["nearest"]):
        return "every clip has a speaker, or an emotion, of its own"
    return ""


def compared(emotion: Mapping[str, Any], speaker: Mapping[str, Any]) -> str:
    """Return which of the two the features separate better, by variance and by nearest clips, each beyond chance.

    Args:
        emotion: row of ``separation.structure`` by emotion.
        speaker: the same by speaker.
    """
    by_variance, by_nearest = (
        "speaker" if speaker[key] - speaker[f"{key}_chance"] > emotion[key] - emotion[f"{key}_chance"] else "emotion"
        for key in ("variance", "nearest")
    )
    shares = (
        f"{speaker['variance']:.1%} of their variance lies between speakers ({speaker['variance_chance']:.1%} by "
        f"chance), {emotion['variance']:.1%} between emotions ({emotion['variance_chance']:.1%}). The nearest clip is "
        f"of the same speaker for {speaker['nearest']:.0%} of the clips ({speaker['nearest_chance']:.0%} by chance), "
        f"of the same emotion for {emotion['nearest']:.0%} ({emotion['nearest_chance']:.0%})."
    )
    if by_variance != by_nearest:
        return (
            f"By variance the features separate {by_variance}s better, by nearest clips they separate {by_nearest}s "
            f"better: {shares}"
        )
    less = "emotion" if by_variance == "speaker" else "speaker"
    return f"The features separate {by_variance}s better than {less}s: {shares}"


def summary(survey: Survey) -> list[str]:
    """Return the summary for a terminal, lines of at most 80 letters."""
    data = survey.data
    counts = np.bincount(data.truth, minlength=len(data.labels))
    features = f"{len(survey.features)} features"
    features += f" (mean and deviation of {survey.frame_features})" if survey.frame_features else ""
    lines = [f"{survey.name}: {len(data):,} clips, {speakers(survey.n_speakers)}, {features}", *survey.notes]
    lines.append(
        "  " + ", ".join(f"{label}\N{NO-BREAK SPACE}{n:,}" for label, n in zip(data.labels, counts, strict=True))
    )
    lines += [_corpus_line(survey, corpus) for corpus in survey.classes]
    lines += [f"  {line}" for line in (*duplicates(survey), *inventory.related_facts(survey.recordings))]
    wrapped = [part for line in lines for part in textwrap.wrap(line, WIDTH, subsequent_indent="    ")]
    wrapped += ["", *_structure_lines(survey.structure), ""]
    wrapped += [part for sentence in verdict(survey) for part in textwrap.wrap(sentence, WIDTH)]
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in wrapped]


def speakers(number: int) -> str:
    """Return the number of known speakers in words.

    >>> speakers(0), speakers(1), speakers(24)
    ('speakers unknown', '1 speaker', '24 speakers')
    """
    return f"{number:,} speaker{'s' * (number != 1)}" if number else "speakers unknown"


def _corpus_line(survey: Survey, corpus: str) -> str:
    rows = {row["fact"]: row for row in survey.recordings if row["corpus"] == corpus}
    seconds = rows["seconds"]
    parts = [f"{seconds['mean'] * seconds['clips'] / 60:.1f} min", f"{seconds['least']:.2f} to {seconds['most']:.2f} s"]
    parts.append(inventory.rates(survey.data, survey.facts, corpus))
    if "rms_db" in rows:
        level = rows["rms_db"]
        parts.append(f"level {level['median']:.0f} dB ({level['p5']:.0f} to {level['p95']:.0f})")
    if "snr_db" in rows:
        parts.append(f"noise {rows['snr_db']['median']:.0f} dB below speech")
    return f"  {corpus}: {'; '.join(parts)}"


def duplicates(survey: Survey) -> list[str]:
    """Return in a line or two which clips are duplicates, and whether their labels contradict each other."""
    groups = survey.duplicates
    if not groups:
        return ["no exact duplicates"]
    equal = [" = ".join(group["ids"]) for group in groups]
    lines = [f"exact duplicates: {len(groups)} group{'s' * (len(groups) > 1)}: {inventory.few(equal)}"]
    if contradictions := [" = ".join(group["ids"]) for group in groups if group["contradiction"]]:
        lines.append(f"CONTRADICTION: the same audio under several labels: {inventory.few(contradictions)}")
    return lines


def _structure_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    keys = ("variance", "variance_chance", "silhouette", "nearest", "stranger")
    header = ("grouped by", "groups", "η²", "chance", "silhouette", "nearest", "others")
    cells: list[Sequence[str]] = []
    last = ""
    for row in rows:
        if row["corpus"] != last:
            last = row["corpus"]
            cells.append((f"{last[:28]} alone", *[""] * (len(header) - 1)))
        numbers = ["-" if row[key] is None else f"{row[key]:.3f}" for key in keys]
        cells.append((f"{'  ' if last else ''}{row['by']}", str(row["groups"]), *numbers))
    note = (
        "η²: share of the variance between the groups. nearest: share of the clips whose nearest clip is of their "
        "group; others: the same for the nearest clip of another speaker."
    )
    return [*text_table(header, cells), *textwrap.wrap(note, WIDTH)]
