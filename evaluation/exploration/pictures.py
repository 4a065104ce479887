"""The pictures of a survey."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from evaluation.exploration.inventory import RECORDED
from evaluation.exploration.separation import chance
from evaluation.exploration.standardise import group_codes
from evaluation.exploration.survey import MEANS, Survey
from utils.plots import save
from utils.plots.corpus import boxes_by_emotion, class_counts, recording_histograms, speaker_counts
from utils.plots.exploration import clips_on_plane, correlation_map, feature_means, shortened, variance_shares

HISTOGRAMS = ("seconds", "rms_db", "snr_db", "bandwidth_hz")


def write(survey: Survey, folder: Path, *, report: Callable[[int, int], None] = lambda done, total: None) -> list[str]:
    """Draw and write every picture as PNG, delete those of an earlier run that this one lacks; return the names.

    Args:
        survey: of an experiment.
        folder: to write to.
        report: called with the pictures done and the pictures to do.
    """
    names = []
    for number, (name, draw) in enumerate(DRAWN.items(), 1):
        figure = draw(survey)
        if figure is None:
            (folder / f"{name}.png").unlink(missing_ok=True)
        else:
            save(figure, folder / f"{name}.png")
            names.append(f"{name}.png")
        report(number, len(DRAWN))
    return names


def _classes(survey: Survey) -> Figure:
    return class_counts(survey.classes, survey.labels, title=f"{survey.name}: clips of each emotion")


def _speakers(survey: Survey) -> Figure | None:
    if not any(row["speaker"] for row in survey.speakers):
        return None
    return speaker_counts(survey.speakers, survey.labels, title=f"{survey.name}: clips of each speaker")


def _recordings(survey: Survey) -> Figure:
    facts = {name: survey.facts[name] for name in HISTOGRAMS}
    title = f"{survey.name}: the recordings"
    return recording_histograms(facts, survey.data.facts["corpus"], RECORDED, title=title)


def _recordings_by_emotion(survey: Survey) -> Figure:
    columns = [(RECORDED[name], survey.facts[name]) for name in HISTOGRAMS[:3]]
    title = f"{survey.name}: the recordings by emotion"
    return boxes_by_emotion(columns, survey.data.truth, survey.labels, title=title, across=3)


def _effects(survey: Survey) -> Figure:
    shares = survey.eta_squared
    speakers, _ = group_codes(survey.data.speakers)
    by_chance = chance(survey.data.truth), chance(speakers)
    title = f"{survey.name}: what each feature separates"
    return variance_shares(shares["emotion"], shares.get("speaker"), survey.families, by_chance, title=title)


def _means(survey: Survey) -> Figure:
    names = [survey.features[column] for column in survey.strongest[:MEANS]]
    title = f"{survey.name}: the strongest features, mean of each emotion"
    return feature_means(survey.standard_means, names, survey.labels, title=title)


def _boxes(survey: Survey) -> Figure:
    columns = [(shortened(survey.features[column], 40), values) for column, values in survey.boxes]
    title = f"{survey.name}: the strongest features, in standard deviations"
    return boxes_by_emotion(columns, survey.data.truth, survey.labels, title=title)


def _correlations(survey: Survey) -> Figure:
    r, columns = survey.correlations
    title = f"{survey.name}: correlation of the {len(columns)} strongest features"
    return correlation_map(r, [survey.features[column] for column in columns], title=title)


def _pca(survey: Survey) -> Figure:
    places = survey.map
    first, second = (*places["explained"], 0.0)[:2]
    words = f"component 1, {first:.0%} of the variance", f"component 2, {second:.0%}"
    title = f"{survey.name}: principal components"
    return clips_on_plane(places["pca"], groupings(survey), words, title=title)


def _tsne(survey: Survey) -> Figure:
    places = survey.map
    n, rows = len(survey.data), places["rows"]
    sampled = f" of {len(rows):,} of {n:,} clips, drawn at random" if len(rows) < n else ""
    chosen = {word: (groups[rows], names) for word, (groups, names) in groupings(survey).items()}
    return clips_on_plane(places["tsne"], chosen, ("", ""), title=f"{survey.name}: t-SNE{sampled}")


def groupings(survey: Survey) -> Mapping[str, tuple[np.ndarray, list[str]]]:
    """Return the groupings by which the clips are coloured: emotion, speaker if known, corpus if there are several.

    Returns:
        word -> group of each clip (n,), UNKNOWN where not known, and the names of the groups.
    """
    data = survey.data
    groupings = {"emotion": (data.truth, list(data.labels))}
    for word, column in (("speaker", data.speakers), ("corpus", data.facts["corpus"])):
        groups, names = group_codes(column)
        if len(names) > 1:
            groupings[word] = groups, names if word == "corpus" else _short_names(names)
    return groupings


def _short_names(speakers: list[str]) -> list[str]:
    """Leave out the corpus of each speaker where there is one corpus only."""
    one_corpus = len({name.partition("/")[0] for name in speakers}) == 1
    return [name.partition("/")[2] or name for name in speakers] if one_corpus else speakers


DRAWN: Mapping[str, Callable[[Survey], Figure | None]] = {
    "classes": _classes,
    "speakers": _speakers,
    "recordings": _recordings,
    "recordings_by_emotion": _recordings_by_emotion,
    "pca": _pca,
    "tsne": _tsne,
    "effects": _effects,
    "means": _means,
    "boxes": _boxes,
    "correlations": _correlations,
}
