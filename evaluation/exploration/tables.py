"""The tables of a survey as CSV."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.checkpoint import tables
from evaluation.exploration.survey import Survey


def write(survey: Survey, folder: Path) -> list[str]:
    """Write every table as CSV, numbers with six digits; return the names of the files."""
    tables_by_name = {
        "classes": _classes(survey), "speakers": _speakers(survey), "recordings": survey.recordings,
        "duplicates": _duplicates(survey), "structure": survey.structure, "families": survey.families,
        "features": _features(survey), "correlations": _correlations(survey), "clips": _clips(survey),
    }  # fmt: skip
    empty = {"duplicates": ("group", "id", "emotion", "contradiction")}
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables_by_name.items():
        rows = list(rows)
        header = list(rows[0]) if rows else empty[name]
        tables.write_csv(folder / f"{name}.csv", header, [[_short(row[key]) for key in header] for row in rows])
    return [f"{name}.csv" for name in tables_by_name]


def _short(value: Any) -> Any:
    if value is None or (isinstance(value, float | np.floating) and np.isnan(value)):
        return ""
    return f"{value:.6g}" if isinstance(value, float | np.floating) else value


def _classes(survey: Survey) -> Iterator[dict[str, Any]]:
    for corpus, by_sex in survey.classes.items():
        for sex, clips in by_sex.items():
            for label, count in zip(survey.labels, clips, strict=True):
                yield {"corpus": corpus, "emotion": label, "sex": sex, "clips": count}


def _speakers(survey: Survey) -> Iterator[dict[str, Any]]:
    for row in survey.speakers:
        facts = {key: value for key, value in row.items() if key != "counts"}
        yield facts | {f"n_{label}": n for label, n in zip(survey.labels, row["counts"], strict=True)}


def _duplicates(survey: Survey) -> Iterator[dict[str, Any]]:
    for number, group in enumerate(survey.duplicates, 1):
        for identity, emotion in zip(group["ids"], group["emotions"], strict=True):
            yield {"group": number, "id": identity, "emotion": emotion, "contradiction": group["contradiction"]}


def _features(survey: Survey) -> Iterator[dict[str, Any]]:
    keys = ("", *(f"_{label}" for label in survey.labels))
    for column, name in enumerate(survey.features):
        row = {"feature": name}
        row |= {f"eta2_{by.replace(', ', '_').replace(' ', '_')}": e[column] for by, e in survey.eta_squared.items()}
        for key, (mean, std) in zip(keys, survey.moments, strict=True):
            row |= {f"mean{key}": mean[column], f"std{key}": std[column]}
        yield row


def _correlations(survey: Survey) -> Iterator[dict[str, Any]]:
    r, columns = survey.correlations
    names = [survey.features[column] for column in columns]
    for name, row in zip(names, r, strict=True):
        yield {"feature": name} | dict(zip(names, row, strict=True))


def _clips(survey: Survey) -> Iterator[dict[str, Any]]:
    data, places = survey.data, survey.map
    tsne = np.full((len(data), 2), np.nan)
    tsne[places["rows"]] = places["tsne"]
    for row in range(len(data)):
        yield (
            {"id": data.ids[row], "corpus": data.facts["corpus"][row], "speaker": data.speakers[row]}
            | {"emotion": data.labels[data.truth[row]], "sex": data.facts["sex"][row]}
            | {name: values[row] for name, values in survey.facts.items()}
            | {"pca_1": places["pca"][row, 0], "pca_2": places["pca"][row, 1]}
            | {"tsne_1": tsne[row, 0], "tsne_2": tsne[row, 1]}
        )
