"""explore.html: what an experiment's clips and features look like, each picture with how to read it.

The words are in ``evaluation/pages/templates/exploration.html.jinja``; here is what they are filled with.
"""

from pathlib import Path

import numpy as np
from markupsafe import Markup

from evaluation.exploration import inventory, text
from evaluation.exploration.features import REDUNDANT
from evaluation.exploration.pictures import groupings
from evaluation.exploration.standardise import MOST_COMPARED
from evaluation.exploration.survey import BOXES, Survey
from evaluation.pages import html
from evaluation.pages.html import Section

WORDS = html.macros("exploration.html.jinja")
FAMILIES = 20  # in the page; families.csv has all
TABLES = {
    "clips.csv": "one row per clip: what it is, how it was recorded, where it is on the maps",
    "classes.csv": "clips by corpus, emotion and sex",
    "speakers.csv": "clips and minutes of each speaker, by emotion",
    "recordings.csv": "each fact of the recordings: mean and quantiles, eta squared of emotion and speaker",
    "duplicates.csv": "clips whose samples are equal",
    "structure.csv": "how well features separate emotions, speakers and corpora",
    "features.csv": "each feature: eta squared, mean and deviation, of all clips and of each emotion",
    "families.csv": "the same eta squared over families of features",
    "correlations.csv": "correlations of the strongest features",
}


def page(survey: Survey, folder: Path, *, recipe: str) -> str:
    """Return the exploration as one self-contained document.

    Args:
        survey: of an experiment.
        folder: that holds its pictures.
        recipe: the feature in words.
    """
    sections = [
        _clips(survey, folder),
        _speakers(survey, folder),
        _recordings(survey, folder),
        _structure(survey, folder),
        _features(survey, folder),
        _strongest(survey, folder),
        Section("How they go together", WORDS.correlations(folder=folder, number=len(survey.correlations[1]))),
        Section("Tables", WORDS.tables(rows=list(TABLES.items()))),
    ]
    foot = "Made by explore.py from cached features; no audio was read and no model trained."
    title = f"{survey.name}: exploration"
    return html.page(title, [part for part in sections if part], head=_head(survey, recipe), foot=foot)


def _head(survey: Survey, recipe: str) -> Markup:
    frames = survey.frame_features
    pooling = f", mean and standard deviation over time of {frames} per frame" if frames else ""
    minutes = survey.data.facts["seconds"].sum() / 60
    return WORDS.head(
        name=survey.name,
        what=f"{recipe}, {len(survey.features):,} features{pooling}",
        counts=f"{len(survey.data):,} clips, {text.speakers(survey.n_speakers)}, {len(survey.labels)} emotions, "
        f"{minutes:.1f} minutes",
        notes=survey.notes,
        verdict=text.verdict(survey),
    )


def _clips(survey: Survey, folder: Path) -> Section:
    counts = np.bincount(survey.data.truth, minlength=len(survey.labels))
    most, least = counts.argmax(), counts.argmin()
    content = WORDS.clips(
        folder=folder,
        most=survey.labels[most],
        least=survey.labels[least],
        ratio=counts[most] / max(counts[least], 1),
        counts=", ".join(f"{label} {n}" for label, n in zip(survey.labels, counts, strict=True)),
    )
    return Section("Clips", content)


def _speakers(survey: Survey, folder: Path) -> Section | None:
    clips = [row["clips"] for row in survey.speakers if row["speaker"]]
    if not clips:
        return None
    many = f"{min(clips)} to {max(clips)} clips" if min(clips) < max(clips) else f"{clips[0]} clips each"
    sentence = f"{len(clips)} speaker{'s' * (len(clips) > 1)} with {many}."
    if survey.pairs:
        sentence += f" {survey.pairs[0]} of {survey.pairs[1]} pairs of speaker and emotion occur."
    return Section("Speakers", WORDS.speakers(folder=folder, sentence=sentence))


def _recordings(survey: Survey, folder: Path) -> Section:
    keys = ("clips", "least", "p5", "median", "p95", "most", "eta2_emotion", "eta2_speaker")
    tables = []
    for corpus in survey.classes:
        rows = [row for row in survey.recordings if row["corpus"] == corpus]
        cells = [(inventory.RECORDED[row["fact"]], *(_rounded(row[key]) for key in keys)) for row in rows]
        tables.append((corpus, cells))
    findings = [*text.duplicates(survey), *inventory.related_facts(survey.recordings)]
    return Section("Recordings", WORDS.recordings(folder=folder, tables=tables, findings=findings))


def _rounded(value: float | None) -> float | int | None:
    if value is None or isinstance(value, int):
        return value
    return round(value) if abs(value) >= 100 or value == round(value) else value


def _structure(survey: Survey, folder: Path) -> Section:
    keys = ("groups", "variance", "variance_chance", "silhouette", "nearest", "nearest_chance", "stranger")
    rows = [
        (f"{row['corpus']}: {row['by']}" if row["corpus"] else row["by"], *(row[key] for key in keys))
        for row in survey.structure
    ]
    drawn, n = len(survey.map["rows"]), len(survey.data)
    content = WORDS.structure(
        folder=folder,
        rows=rows,
        clips_compared=MOST_COMPARED,
        by=" and ".join(f"by {word}" for word in groupings(survey)),
        explained=f"{survey.map['explained'][:2].sum():.0%}",
        sampled=f" Of {n:,} clips {drawn:,} were drawn at random." if drawn < n else "",
    )
    return Section("By emotion or by speaker", content)


def _features(survey: Survey, folder: Path) -> Section:
    kinds = list(survey.eta_squared)
    rows = [(row["family"], row["features"], *(row[kind] for kind in kinds)) for row in survey.families]
    return Section(
        "What the features separate", WORDS.features(folder=folder, kinds=kinds, rows=rows, families=FAMILIES)
    )


def _strongest(survey: Survey, folder: Path) -> Section:
    rows = [
        (survey.features[column], *(float(share[column]) for share in survey.eta_squared.values()))
        for column in survey.strongest
    ]
    content = WORDS.strongest(
        folder=folder,
        correlated=REDUNDANT,
        boxes=", ".join(name for name, *_ in rows[:BOXES]),
        kinds=list(survey.eta_squared),
        rows=rows,
    )
    return Section("The strongest features", content)
