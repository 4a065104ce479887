"""explore.html: what an experiment's clips and features look like, each picture with how to read it."""

from pathlib import Path

import numpy as np

from evaluation.exploration import inventory, survey
from evaluation.exploration.analysis import ALIKE, MAPPED
from evaluation.exploration.pictures import groupings
from evaluation.exploration.survey import Found
from evaluation.pages import html
from evaluation.pages.html import Markup, Section, section, tag

FAMILIES = 20  # in the page; families.csv has all
TABLES = {
    "clips.csv": "a row a clip: what it is, how recorded, where it lies on the maps",
    "classes.csv": "clips by corpus, emotion and sex",
    "speakers.csv": "clips and minutes of each speaker, by emotion",
    "recordings.csv": "each fact of the recordings: mean and quantiles, eta squared of emotion and speaker",
    "duplicates.csv": "clips whose samples are equal",
    "structure.csv": "how far features tell emotions, speakers and corpora apart",
    "features.csv": "each feature: eta squared, mean and deviation, of all clips and of each emotion",
    "families.csv": "the same eta squared over families of features",
    "correlations.csv": "the strongest features with one another",
}


def page(found: Found, folder: Path, *, recipe: str) -> str:
    """Return the exploration as one self-contained document.

    Args:
        found: by ``survey.of_clips``.
        folder: that holds its pictures.
        recipe: the feature in words.
    """
    parts = [
        _classes(found, folder),
        _speakers(found, folder),
        _recordings(found, folder),
        _map(found, folder),
        _effects(found, folder),
        _strongest(found, folder),
        _correlations(found, folder),
        section("Tables", html.table(("beside this page", "what it holds"), TABLES.items())),
    ]
    foot = "Made by explore.py from cached features; no audio was read and no model trained."
    head = _head(found, recipe)
    return html.page(f"{found['name']}: exploration", [part for part in parts if part], head=head, foot=foot)


def _head(found: Found, recipe: str) -> Markup:
    data = found["data"]
    voices = len(set(data.speakers.tolist()) - {""})
    frames = f", mean and standard deviation over time of {found['frames']} a frame" if found["frames"] else ""
    what = f"{recipe}, {len(found['names']):,} features{frames}"
    minutes = data.facts["seconds"].sum() / 60
    said = f"{len(data):,} clips, {survey.speakers(voices)}, {len(data.labels)} emotions, {minutes:.1f} minutes"
    return html.join([
        tag("h1", found["name"]),
        tag("p", tag("small", what)),
        tag("p", said),
        *(tag("p", note, class_="warning") for note in found["notes"]),
        *(tag("p", text) for text in survey.verdict(found)),
    ])  # fmt: skip


def _picture(folder: Path, name: str, alt: str, how: str) -> Markup | None:
    path = folder / f"{name}.png"
    if not path.is_file():
        return None
    return html.join([tag("div", html.image(path, alt), class_="wide big", tabindex="0"), tag("p", tag("small", how))])


def _classes(found: Found, folder: Path) -> Section:
    counts = np.bincount(found["data"].truth, minlength=len(found["labels"]))
    most, least = counts.argmax(), counts.argmin()
    uneven = counts[most] / max(counts[least], 1)
    said = f"The largest class, {found['labels'][most]}, has {uneven:.1f} times the clips of the smallest, "
    said += f"{found['labels'][least]}. The unweighted average recall counts every class alike, accuracy does not."
    alt = ", ".join(f"{label} {n}" for label, n in zip(found["labels"], counts, strict=True))
    how = "A bar an emotion, its clips by the speaker's sex where the corpus says."
    shown = _picture(folder, "classes", f"Clips of each emotion: {alt}", how)
    return section("Clips", tag("p", said), shown)


def _speakers(found: Found, folder: Path) -> Section | None:
    rows = [row for row in found["speakers"] if row["speaker"]]
    if not rows:
        return None
    clips = [row["clips"] for row in rows]
    many = f"{min(clips)} to {max(clips)} clips" if min(clips) < max(clips) else f"{clips[0]} clips each"
    said = f"{len(rows)} speaker{'s' * (len(rows) > 1)} with {many}."
    if found["crossed"]:
        occur, pairs = found["crossed"]
        said += f" {occur} of {pairs} pairs of speaker and emotion occur."
    how = "A column a speaker, a row an emotion: pale cells are what a speaker hardly says. Empty cells make folds in "
    how += "which an emotion is missing from the test, and let a model take the speaker for the emotion."
    return section("Speakers", tag("p", said), _picture(folder, "speakers", "Clips of each speaker by emotion", how))


def _recordings(found: Found, folder: Path) -> Section:
    header = ("", "clips", "least", "5 %", "median", "95 %", "most", "η² emotion", "η² speaker")
    keys = ("clips", "least", "p5", "median", "p95", "most", "eta2_emotion", "eta2_speaker")
    tables: list[Markup] = []
    for corpus in found["classes"]:
        rows = [row for row in found["recordings"] if row["corpus"] == corpus]
        cells = [(inventory.RECORDED[row["fact"]], *(_rounded(row[key]) for key in keys)) for row in rows]
        tables += [tag("h3", corpus)] if len(found["classes"]) > 1 else []
        tables.append(html.table(header, cells))
    note = (
        "η²: the share of its variance that lies between emotions, or speakers. Where duration, level or noise differ "
        "by emotion, a model can learn the recording instead of the voice. Level, rate and channels are of the files; "
        "the rest is at the experiment's rate, of at most 2000 clips a corpus. Noise is told by the pauses of a clip."
    )
    return section(
        "Recordings",
        *tables,
        tag("p", tag("small", note)),
        html.bullets([*survey.same(found), *inventory.told(found["recordings"])]),
        _picture(
            folder, "recordings", "Histograms of duration, level, noise and bandwidth",
            "Two hills, or clips far from the rest, mean more than one microphone, room or editor.",
        ),
        _picture(
            folder, "recordings_by_emotion", "Box plots of duration, level and noise by emotion",
            "Box: the middle half of the clips; line in it: the median; whiskers: 5 to 95 %.",
        ),
    )  # fmt: skip


def _rounded(value: float | None) -> float | int | None:
    if value is None or isinstance(value, int):
        return value
    return round(value) if abs(value) >= 100 or value == round(value) else value


def _map(found: Found, folder: Path) -> Section:
    header = ("", "groups", "variance between", "by chance", "silhouette", "nearest is kin", "by chance")
    header += ("nearest stranger",)
    keys = ("groups", "variance", "variance_chance", "silhouette", "nearest", "nearest_chance", "stranger")
    rows = [
        (f"{row['corpus']}: {row['by']}" if row["corpus"] else row["by"], *(row[key] for key in keys))
        for row in found["structure"]
    ]
    seen, n = found["map"], len(found["data"])
    some = f" Of {n:,} clips {len(seen['rows']):,} were drawn by chance." if len(seen["rows"]) < n else ""
    first = seen["explained"][:2].sum()
    by = " and ".join(f"by {word}" for word in groupings(found))
    return section(
        "By emotion or by speaker",
        html.table(header, rows),
        tag("p", tag("small", (
            "All features standardised. Variance between: the share of it that lies between the groups (mean η²). "
            "Silhouette: 1 where groups lie tight and apart, 0 where they overlap, below 0 where clips lie nearer to "
            "another group. Nearest is kin: how many clips have one of their own group as their nearest; nearest "
            "stranger: how many, if only clips by other speakers are asked, as for a model on strangers. "
            f"Silhouette and neighbours over at most {MAPPED:,} clips. Speakers scaled: each speaker's own mean and "
            "deviation taken away."
        ))),
        _picture(
            folder, "pca", f"The clips on the first two principal components, coloured {by}",
            f"The same points in each panel: the colours that form patches are what the features lie by. The two axes "
            f"hold {first:.0%} of the variance.",
        ),
        _picture(
            folder, "tsne", f"The clips by t-SNE, coloured {by}",
            "Clips that are near one another are alike; how far apart two islands lie, and how large they are, means "
            f"nothing. Islands of one speaker's colour are voices, not emotions.{some}",
        ),
    )  # fmt: skip


def _effects(found: Found, folder: Path) -> Section:
    kinds = [kind for kind in ("emotion", "speaker", survey.SCALED) if kind in found["effects"]]
    rows = [(row["family"], row["features"], *(row[kind] for kind in kinds)) for row in found["families"]]
    below = "speaker" in found["effects"]
    how = "A dot a feature. Above the dashes it knows more of the speaker than of the emotion. " if below else ""
    how += "Right: the mean over features of one family, its size behind its name."
    more = f" The first {FAMILIES} of {len(rows)}." if len(rows) > FAMILIES else ""
    note = (
        f"Mean η² over the features of a family.{more} A family of many features with a low mean may still hold a few "
    )
    note += "that tell much: features.csv has each."
    return section(
        "What the features know",
        _picture(folder, "effects", "Eta squared of every feature, and of each family of them", how),
        html.table(("family", "features", *(f"η² {kind}" for kind in kinds)), rows[:FAMILIES]),
        tag("p", tag("small", note)),
    )


def _strongest(found: Found, folder: Path) -> Section:
    named = [found["names"][column] for column in found["strongest"]]
    cells = [
        (name, *(float(share[column]) for share in found["effects"].values()))
        for name, column in zip(named, found["strongest"], strict=True)
    ]
    said = f"The highest η² over emotions; a feature correlated above {ALIKE} with one before it is left out, being "
    said += "much the same measure under another name."
    return section(
        "The strongest features",
        tag("p", said),
        _picture(
            folder, "means", "Mean of the strongest features over each emotion",
            "Blue: above the mean of all clips, orange: below it, in standard deviations.",
        ),
        _picture(
            folder, "boxes", f"Box plots by emotion of {', '.join(named[: survey.BOXES])}",
            "Box: the middle half of the clips; whiskers: 5 to 95 %. Where boxes overlap, it alone cannot tell.",
        ),
        html.folded("As a table", html.table(("feature", *(f"η² {by}" for by in found["effects"])), cells)),
    )  # fmt: skip


def _correlations(found: Found, folder: Path) -> Section:
    how = "Like stands by like: a block of blue (together) or orange (against one another) is one fact by many names."
    alt = f"Correlations of the {len(found['correlations'][1])} strongest features"
    return section("How they go together", _picture(folder, "correlations", alt, how))
