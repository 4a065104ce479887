"""The pictures of an exploration, drawn from what ``evaluation.exploration.survey`` found."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from evaluation.exploration import analysis as exploration
from evaluation.exploration.inventory import RECORDED
from evaluation.exploration.survey import MEANS, Found
from utils.plots import save
from utils.plots.corpus import boxes_by_emotion, class_counts, recording_histograms, speaker_counts
from utils.plots.exploration import clips_on_plane, correlation_map, feature_means, shortened, variance_shares

HISTOGRAMS = ("seconds", "rms_db", "snr_db", "bandwidth_hz")


def write(found: Found, folder: Path, *, report: Callable[[int, int], None] = lambda done, total: None) -> list[str]:
    """Draw and write every picture as PNG, remove those of an earlier run that this one has not; return the names.

    Args:
        found: by ``survey.of_clips``.
        folder: to write to.
        report: is told the pictures done and in all.
    """
    names = []
    for number, (name, draw) in enumerate(DRAWN.items(), 1):
        figure = draw(found)
        if figure is None:
            (folder / f"{name}.png").unlink(missing_ok=True)
        else:
            save(figure, folder / f"{name}.png")
            names.append(f"{name}.png")
        report(number, len(DRAWN))
    return names


def _classes(found: Found) -> Figure:
    return class_counts(found["classes"], found["labels"], title=f"{found['name']}: clips of each emotion")


def _speakers(found: Found) -> Figure | None:
    if not any(row["speaker"] for row in found["speakers"]):
        return None
    return speaker_counts(found["speakers"], found["labels"], title=f"{found['name']}: clips of each speaker")


def _recordings(found: Found) -> Figure:
    facts = {name: found["facts"][name] for name in HISTOGRAMS}
    title = f"{found['name']}: the recordings"
    return recording_histograms(facts, found["data"].facts["corpus"], RECORDED, title=title)


def _recordings_by_emotion(found: Found) -> Figure:
    columns = [(RECORDED[name], found["facts"][name]) for name in HISTOGRAMS[:3]]
    title = f"{found['name']}: the recordings by emotion"
    return boxes_by_emotion(columns, found["data"].truth, found["labels"], title=title, across=3)


def _effects(found: Found) -> Figure:
    shares = found["effects"]
    voices, _ = exploration.codes(found["data"].speakers)
    chance = exploration.chance(found["data"].truth), exploration.chance(voices)
    title = f"{found['name']}: what each feature knows"
    return variance_shares(shares["emotion"], shares.get("speaker"), found["families"], chance, title=title)


def _means(found: Found) -> Figure:
    names = [found["names"][column] for column in found["strongest"][:MEANS]]
    title = f"{found['name']}: the strongest features, mean of each emotion"
    return feature_means(found["standard_means"], names, found["labels"], title=title)


def _boxes(found: Found) -> Figure:
    columns = [(shortened(found["names"][column], 40), values) for column, values in found["boxes"]]
    title = f"{found['name']}: the strongest features, in standard deviations"
    return boxes_by_emotion(columns, found["data"].truth, found["labels"], title=title)


def _correlations(found: Found) -> Figure:
    r, columns = found["correlations"]
    title = f"{found['name']}: correlation of the {len(columns)} strongest features"
    return correlation_map(r, [found["names"][column] for column in columns], title=title)


def _pca(found: Found) -> Figure:
    seen = found["map"]
    first, second = (*seen["explained"], 0.0)[:2]
    words = f"component 1, {first:.0%} of the variance", f"component 2, {second:.0%}"
    title = f"{found['name']}: principal components"
    return clips_on_plane(seen["pca"], groupings(found), words, title=title)


def _tsne(found: Found) -> Figure:
    seen = found["map"]
    n, rows = len(found["data"]), seen["rows"]
    some = f" of {len(rows):,} of {n:,} clips, by chance" if len(rows) < n else ""
    chosen = {word: (groups[rows], names) for word, (groups, names) in groupings(found).items()}
    return clips_on_plane(seen["tsne"], chosen, ("", ""), title=f"{found['name']}: t-SNE{some}")


def groupings(found: Found) -> Mapping[str, tuple[np.ndarray, list[str]]]:
    """Return by what the clips are coloured: emotion, speaker where known, corpus where there are several."""
    data = found["data"]
    by = {"emotion": (data.truth, list(data.labels))}
    for word, column in (("speaker", data.speakers), ("corpus", data.facts["corpus"])):
        groups, names = exploration.codes(column)
        if len(names) > 1:
            by[word] = groups, names if word == "corpus" else _apart(names)
    return by


def _apart(speakers: list[str]) -> list[str]:
    """Leave out the corpus of a speaker where there is one only."""
    alone = len({name.partition("/")[0] for name in speakers}) == 1
    return [name.partition("/")[2] or name for name in speakers] if alone else speakers


DRAWN: Mapping[str, Callable[[Found], Figure | None]] = {
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
