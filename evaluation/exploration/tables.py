"""The tables of an exploration as CSV, from what ``evaluation.exploration.survey`` found."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.checkpoint import tables
from evaluation.exploration.survey import Found


def write(found: Found, folder: Path) -> list[str]:
    """Write every table as CSV, numbers with six digits; return the names of the files."""
    made = {
        "classes": _classes(found), "speakers": _speakers(found), "recordings": found["recordings"],
        "duplicates": _duplicates(found), "structure": found["structure"], "families": found["families"],
        "features": _features(found), "correlations": _correlations(found), "clips": _clips(found),
    }  # fmt: skip
    empty = {"duplicates": ("group", "id", "emotion", "contradiction")}
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in made.items():
        rows = list(rows)
        header = list(rows[0]) if rows else empty[name]
        tables.write_csv(folder / f"{name}.csv", header, [[_short(row[key]) for key in header] for row in rows])
    return [f"{name}.csv" for name in made]


def _short(value: Any) -> Any:
    if value is None or (isinstance(value, float | np.floating) and np.isnan(value)):
        return ""
    return f"{value:.6g}" if isinstance(value, float | np.floating) else value


def _classes(found: Found) -> Iterator[dict[str, Any]]:
    for corpus, by_sex in found["classes"].items():
        for sex, clips in by_sex.items():
            for label, count in zip(found["labels"], clips, strict=True):
                yield {"corpus": corpus, "emotion": label, "sex": sex, "clips": count}


def _speakers(found: Found) -> Iterator[dict[str, Any]]:
    for row in found["speakers"]:
        own = {key: value for key, value in row.items() if key != "counts"}
        yield own | {f"n_{label}": n for label, n in zip(found["labels"], row["counts"], strict=True)}


def _duplicates(found: Found) -> Iterator[dict[str, Any]]:
    for number, group in enumerate(found["duplicates"], 1):
        for identity, emotion in zip(group["ids"], group["emotions"], strict=True):
            yield {"group": number, "id": identity, "emotion": emotion, "contradiction": group["contradiction"]}


def _features(found: Found) -> Iterator[dict[str, Any]]:
    keys = ("", *(f"_{label}" for label in found["labels"]))
    for column, name in enumerate(found["names"]):
        row = {"feature": name}
        row |= {f"eta2_{by.replace(', ', '_').replace(' ', '_')}": e[column] for by, e in found["effects"].items()}
        for key, (mean, std) in zip(keys, found["moments"], strict=True):
            row |= {f"mean{key}": mean[column], f"std{key}": std[column]}
        yield row


def _correlations(found: Found) -> Iterator[dict[str, Any]]:
    r, columns = found["correlations"]
    names = [found["names"][column] for column in columns]
    for name, row in zip(names, r, strict=True):
        yield {"feature": name} | dict(zip(names, row, strict=True))


def _clips(found: Found) -> Iterator[dict[str, Any]]:
    data, seen = found["data"], found["map"]
    tsne = np.full((len(data), 2), np.nan)
    tsne[seen["rows"]] = seen["tsne"]
    for row in range(len(data)):
        yield (
            {"id": data.ids[row], "corpus": data.facts["corpus"][row], "speaker": data.speakers[row]}
            | {"emotion": data.labels[data.truth[row]], "sex": data.facts["sex"][row]}
            | {name: values[row] for name, values in found["facts"].items()}
            | {"pca_1": seen["pca"][row, 0], "pca_2": seen["pca"][row, 1]}
            | {"tsne_1": tsne[row, 0], "tsne_2": tsne[row, 1]}
        )
