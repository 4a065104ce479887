"""All that explore.py finds of an experiment's clips and features: the numbers and their summary."""

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from evaluation.exploration import analysis as exploration
from evaluation.exploration import inventory
from evaluation.exploration.analysis import SCALED
from models.moments import moments
from utils.audio.prepare import Sound
from utils.dataset import Dataset

WIDTH = 80
STRONGEST, MEANS, BOXES = 30, 20, 8  # features in the heat map of correlations, in that of means, in box plots
Found = dict[str, Any]


def of_clips(
    data: Dataset,
    sounds: Mapping[str, Sound],
    names: Sequence[str],
    *,
    name: str,
    seed: int,
    opensmile: bool,
    notes: Sequence[str] = (),
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Found:
    """Return what there is to say of clips and features; the keys are those that the tables and the page read.

    Args:
        data: clips and features of an experiment.
        sounds: what their files say of themselves, by clip id.
        names: of the feature's dims, as stored.
        name: of the experiment.
        seed: of the samples, the principal components and t-SNE.
        opensmile: whether the names are openSMILE's, for their families.
        notes: sentences on which clips these are.
        report: is told the steps done and in all.

    Raises:
        DataError: too few clips for a map, or features that are all the same.
    """
    steps = 5
    data = _heard(data)
    facts = inventory.facts(data, sounds)
    found = {
        "name": name, "notes": notes, "labels": data.labels, "data": data, "facts": facts,
        "classes": inventory.classes(data), "speakers": inventory.speakers(data),
        "recordings": inventory.recordings(data, facts), "duplicates": inventory.duplicates(data),
    }  # fmt: skip
    report(1, steps)
    values, columns = exploration.pooled(data.features, names)
    found |= {"names": columns, "frames": len(columns) // 2 if values is not data.features else 0}
    report(2, steps)
    found["structure"] = exploration.structure(values, data, seed=seed)
    report(3, steps)
    kinds = list(names) * (len(columns) // len(names))  # mean and deviation of a descriptor are one family
    found |= _effects(values, kinds, data, opensmile=opensmile)
    report(4, steps)
    found["map"] = exploration.projections(values, seed=seed)
    report(5, steps)
    return found


def _heard(data: Dataset) -> Dataset:
    """Leave out the labels of which no clip could be used."""
    there, truth = np.unique(data.truth, return_inverse=True)
    return replace(data, labels=tuple(data.labels[label] for label in there), truth=truth)


def _effects(values: np.ndarray, kinds: Sequence[str], data: Dataset, *, opensmile: bool) -> Found:
    """What single features know, the strongest of them, how they go together."""
    speakers, voices = exploration.codes(data.speakers)
    shares = {"emotion": exploration.eta_squared(values, data.truth)}
    if len(voices) > 1:
        shares["speaker"] = exploration.eta_squared(values, speakers)
        shares[SCALED] = exploration.eta_squared(exploration.scaled_by(values, speakers), data.truth)
    order = np.argsort(-shares["emotion"], kind="stable")
    strongest = exploration.distinct(values, order, most=STRONGEST)
    shown = strongest[:MEANS]
    parts = [data.truth == label for label in range(len(data.labels))]
    z = exploration.scaled(values)
    return {
        "effects": shares,
        "families": exploration.by_family(kinds, shares, opensmile=opensmile),
        "strongest": strongest,
        "boxes": [(column, z[:, column]) for column in strongest[:BOXES]],
        "standard_means": np.stack([z[part][:, shown].mean(axis=0) for part in parts], axis=1),
        "moments": [moments([values]), *(moments([values[part]]) for part in parts)],
        "correlations": exploration.correlations(values, strongest),
        "crossed": exploration.crossed(data.truth, speakers) if len(voices) > 1 else None,
    }  # fmt: skip


def row_of(found: Found, by: str, corpus: str = "") -> dict[str, Any] | None:
    """Return the row of ``structure`` for a grouping."""
    rows = (row for row in found["structure"] if (row["corpus"], row["by"]) == (corpus, by))
    return next(rows, None)


def verdict(found: Found) -> list[str]:
    """Return in sentences whether the features lie by emotion or by speaker, and what stands against saying so."""
    emotion, speaker, alone = (row_of(found, by) for by in ("emotion", "speaker", SCALED))
    lacking = _lacking(emotion, speaker)
    if lacking:
        return [f"Whether features lie by speaker or by emotion cannot be told: {lacking}."]
    said = [_which(emotion, speaker)]
    if alone and alone["variance"] is not None:
        said.append(
            "With each speaker's own mean and deviation taken away, as normalise: speaker does, "
            f"{alone['variance']:.1%} lies between emotions."
        )
    between = row_of(found, "corpus")
    if between and between["variance"] is not None:
        said.append(
            f"{between['variance']:.1%} lies between the corpora, each with its own speakers, rooms and microphones; "
            "what is said of one corpus alone is free of it."
        )
    occur, pairs = found["crossed"]
    if occur < pairs / 2:
        said.append(f"Only {occur} of {pairs} pairs of speaker and emotion occur, so the two can hardly be told apart.")
    return said


def _lacking(emotion: Mapping[str, Any], speaker: Mapping[str, Any] | None) -> str:
    """Return why the two cannot be compared, "" if they can."""
    if not speaker:
        return "fewer than two speakers are known"
    if emotion["groups"] < 2:
        return "all clips have one emotion"
    if None in (emotion["nearest"], speaker["nearest"]):
        return "every clip has a speaker, or an emotion, of its own"
    return ""


def _which(emotion: Mapping[str, Any], speaker: Mapping[str, Any]) -> str:
    """Return what the features know more of; variance and nearest clips, each beyond chance, need not agree."""
    by_variance, by_nearest = (
        "speaker" if speaker[key] - speaker[f"{key}_chance"] > emotion[key] - emotion[f"{key}_chance"] else "emotion"
        for key in ("variance", "nearest")
    )
    shares = (
        f"{speaker['variance']:.1%} of their variance lies between speakers ({speaker['variance_chance']:.1%} by "
        f"chance), {emotion['variance']:.1%} between emotions ({emotion['variance_chance']:.1%}); of "
        f"{speaker['nearest']:.0%} of the clips the nearest is by the same speaker "
        f"({speaker['nearest_chance']:.0%}), of {emotion['nearest']:.0%} of the same emotion "
        f"({emotion['nearest_chance']:.0%})."
    )
    if by_variance != by_nearest:
        return (
            f"By their variance the features know more of the {by_variance}, by the nearest clips more of the "
            f"{by_nearest}: {shares}"
        )
    less = "emotion" if by_variance == "speaker" else "speaker"
    return f"The features know more of the {by_variance} than of the {less}: {shares}"


def summary(found: Found) -> list[str]:
    """Return the summary for a terminal, lines of at most 80 letters."""
    data, facts = found["data"], found["facts"]
    voices = len(set(data.speakers.tolist()) - {""})
    counts = np.bincount(data.truth, minlength=len(data.labels))
    what = f"{len(found['names'])} features"
    what += f" (mean and deviation of {found['frames']})" if found["frames"] else ""
    lines = [f"{found['name']}: {len(data):,} clips, {speakers(voices)}, {what}", *found["notes"]]
    lines.append(
        "  " + ", ".join(f"{label}\N{NO-BREAK SPACE}{n:,}" for label, n in zip(data.labels, counts, strict=True))
    )
    lines += [_corpus_line(found, corpus, facts) for corpus in found["classes"]]
    lines += [f"  {line}" for line in (*same(found), *inventory.told(found["recordings"]))]
    wrapped = [part for line in lines for part in textwrap.wrap(line, WIDTH, subsequent_indent="    ")]
    wrapped += ["", *_structure_lines(found["structure"]), ""]
    wrapped += [part for said in verdict(found) for part in textwrap.wrap(said, WIDTH)]
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in wrapped]


def speakers(number: int) -> str:
    """Return how many speakers there are, in words; 0 are unknown ones."""
    return f"{number:,} speaker{'s' * (number != 1)}" if number else "speakers unknown"


def _corpus_line(found: Found, corpus: str, facts: Mapping[str, np.ndarray]) -> str:
    rows = {row["fact"]: row for row in found["recordings"] if row["corpus"] == corpus}
    seconds = rows["seconds"]
    said = [f"{seconds['mean'] * seconds['clips'] / 60:.1f} min", f"{seconds['least']:.2f} to {seconds['most']:.2f} s"]
    said.append(inventory.rates(found["data"], facts, corpus))
    if "rms_db" in rows:
        said.append(
            f"level {rows['rms_db']['median']:.0f} dB ({rows['rms_db']['p5']:.0f} to {rows['rms_db']['p95']:.0f})"
        )
    if "snr_db" in rows:
        said.append(f"noise {rows['snr_db']['median']:.0f} dB below speech")
    return f"  {corpus}: {'; '.join(said)}"


def same(found: Found) -> list[str]:
    """Return in a line or two which clips are the same, and whether their labels contradict each other."""
    groups = found["duplicates"]
    if not groups:
        return ["no exact duplicates"]
    equal = [" = ".join(group["ids"]) for group in groups]
    lines = [f"exact duplicates: {len(groups)} group{'s' * (len(groups) > 1)}: {inventory.few(equal)}"]
    if bad := [" = ".join(group["ids"]) for group in groups if group["contradiction"]]:
        lines.append(f"CONTRADICTION: the same audio under several labels: {inventory.few(bad)}")
    return lines


def _structure_lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    keys = ("variance", "variance_chance", "silhouette", "nearest", "stranger")
    yield f"{'grouped by':<26}{'groups':>7}{'variance':>9}{'chance':>8}{'silhouette':>11}{'nearest':>9}{'stranger':>9}"
    last = ""
    for row in rows:
        if row["corpus"] != last:
            last = row["corpus"]
            yield f"{last} alone"[:WIDTH]
        cells = ["-" if row[key] is None else f"{row[key]:.3f}" for key in keys]
        name = f"{'  ' if last else ''}{row['by']}"
        yield f"{name:<26}{row['groups']:>7}{cells[0]:>9}{cells[1]:>8}{cells[2]:>11}{cells[3]:>9}{cells[4]:>9}"
    yield "variance: the share of it between the groups. nearest: clips whose nearest is of"
    yield "their group; stranger: of which the nearest by another speaker is."
