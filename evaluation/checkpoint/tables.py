"""metrics.json as tables: one tidy CSV, and a workbook with a sheet for each thing one looks up."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.scores import glossary
from utils import foreign_text

Row = Sequence[Any]
WIDEST = 44  # letters of a column


def tidy(metrics: Mapping[str, Any]) -> Iterator[tuple[str, str, str, float]]:
    """Yield (scope, name, metric, value) for every number of metrics.json.

    The scopes: all, class, confusion (name the truth, metric the prediction), confusion_rate, fold,
    information (what is known of the speaker), calibration, conformal, and a subgroup's column.
    """
    for key, value in metrics.items():
        if _number(value):
            yield "all", "", key, value
    yield from (
        ("all", "", f"uar_ci95_{end}", value) for end, value in zip(("lo", "hi"), metrics["uar_ci95"], strict=True)
    )
    yield from (
        ("information", name, "uar", value) for name, value in metrics["by_information"].items() if _number(value)
    )
    for scope, rows in _groups(metrics):
        for name, row in rows.items():
            yield from ((scope, name, key, value) for key, value in row.items() if _number(value))
            if row.get("uar_ci95"):
                yield from (
                    (scope, name, f"uar_ci95_{e}", v) for e, v in zip(("lo", "hi"), row["uar_ci95"], strict=True)
                )


def _groups(metrics: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Mapping[str, Any]]]]:
    labels = metrics["labels"]
    yield "class", metrics["per_class"]
    for scope, key in (("confusion", "confusion"), ("confusion_rate", "confusion_rates")):
        yield (
            scope,
            {label: dict(zip(labels, row, strict=True)) for label, row in zip(labels, metrics[key], strict=True)},
        )
    yield "fold", {fold["name"]: fold for fold in metrics["folds"]}
    yield (
        "calibration",
        {key: value for key, value in (metrics["calibration"] or {}).items() if isinstance(value, dict)},
    )
    yield "conformal", metrics["conformal"]
    for by, column in metrics["subgroups"].items():
        yield by, column["groups"]


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def write_csv(path: Path, header: Row, rows: Sequence[Row]) -> None:
    """Write one table."""
    with path.open("w", newline="", encoding="utf8", errors="backslashreplace") as file:  # a name need not be text
        writer = foreign_text.Writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def write_metrics(path: Path, metrics: Mapping[str, Any]) -> None:
    """Write metrics.csv."""
    write_csv(path, ("scope", "name", "metric", "value"), list(tidy(metrics)))


def write_workbook(path: Path, metrics: Mapping[str, Any], predictions: tuple[Row, Sequence[Row]]) -> None:
    """Write metrics.xlsx; ``predictions``: header and rows of predictions.csv."""
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    labels = metrics["labels"]
    everything = [
        (*row, glossary.meaning(row[1] if row[0] == "information" else row[2]))
        for row in tidy(metrics)
        if row[0] in ("all", "information", "calibration", "conformal")
    ]
    _sheet(book, "summary", ("scope", "name", "metric", "value", "meaning"), everything)
    head, per_class = ("label", "precision", "recall", "f1", "support"), metrics["per_class"]
    _sheet(book, "per class", head, [(label, *(row[key] for key in head[1:])) for label, row in per_class.items()])
    for title, key in (("confusion counts", "confusion"), ("confusion rates", "confusion_rates")):
        rows = [(label, *row) for label, row in zip(labels, metrics[key], strict=True)]
        _sheet(book, title, ("truth \\ predicted", *labels), rows)
    head = ("name", "n_clips", "uar", "accuracy", "test_speakers")
    folds = [(*(fold[key] for key in head[:-1]), ", ".join(fold["test_speakers"])) for fold in metrics["folds"]]
    _sheet(book, "folds", head, folds)
    head = ("n_clips", "n_speakers", "n_classes", "uar", "small")
    groups = [
        (by, name, *(group[key] for key in head), *(group["uar_ci95"] or (None, None)), name == column["worst"])
        for by, column in metrics["subgroups"].items()
        for name, group in column["groups"].items()
    ]
    _sheet(book, "subgroups", ("by", "group", *head, "lo", "hi", "worst"), groups)
    _sheet(book, "predictions", *predictions)
    book.save(path)


def _sheet(book: Any, title: str, header: Row, rows: Sequence[Row]) -> None:
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    sheet = book.create_sheet(title)
    for row in (header, *rows):
        sheet.append([foreign_text.printable(value) if isinstance(value, str) else value for value in row])
    for number, column in enumerate(sheet.iter_cols(), 1):
        column[0].font = Font(bold=True)
        words = [f"{cell.value:.4f}" if isinstance(cell.value, float) else str(cell.value or "") for cell in column]
        sheet.column_dimensions[get_column_letter(number)].width = min(WIDEST, max(map(len, words)) + 2)
        for cell in column:
            if cell.data_type == "f":  # text that begins with "=": a label, not a formula
                cell.data_type, cell.quotePrefix = "s", True
            if isinstance(cell.value, float):
                cell.number_format = "0.0000"
    sheet.freeze_panes = "B2"
