"""metrics.csv and metrics.xlsx hold the numbers of metrics.json, as numbers."""

import csv
import json

import numpy as np
import pytest
from openpyxl import load_workbook
from toy import LABELS, dataset

from tests.toy_runs import config, written

pytestmark = pytest.mark.usefixtures("eager", "undrawn")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return the folder of a finished network and its metrics."""
    folder = tmp_path_factory.mktemp("tables") / "run"
    metrics, _, _ = written(dataset(noise=4), config({"name": "cnn1d", "filters": 4, "dense": 8}), folder)
    return folder, metrics


def test_the_tidy_table_has_every_number_once(run):
    folder, result = run
    with (folder / "metrics.csv").open(newline="", encoding="utf8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["scope", "name", "metric", "value"]
    keys = [(row["scope"], row["name"], row["metric"]) for row in rows]
    assert len(set(keys)) == len(keys)
    value = {key: float(row["value"]) for key, row in zip(keys, rows, strict=True)}
    for key in ("uar", "accuracy", "macro_recall", "weighted_precision", "ece", "brier", "log_loss", "n_clips"):
        assert value["all", "", key] == result[key]
    assert [value["all", "", f"uar_ci95_{end}"] for end in ("lo", "hi")] == result["uar_ci95"]
    for label, row in zip(LABELS, result["confusion"], strict=True):
        assert [value["confusion", label, other] for other in LABELS] == row
        assert value["confusion_rate", label, label] == value["class", label, "recall"]
    assert value["fold", "fold 1", "uar"] == result["folds"][0]["uar"]
    assert value["sex", "male", "uar"] == result["subgroups"]["sex"]["groups"]["male"]["uar"]
    assert value["calibration", "ece", "before"] == result["calibration"]["ece"]["before"]
    assert value["conformal", "0.9", "coverage"] == result["conformal"]["0.9"]["coverage"]
    assert value["information", "none", "uar"] == result["uar"]


def test_the_workbook_holds_what_the_other_files_do(run):
    folder, result = run
    book = load_workbook(folder / "metrics.xlsx")
    assert book.sheetnames == [
        "summary", "per class", "confusion counts", "confusion rates", "folds", "subgroups", "predictions",
    ]  # fmt: skip
    rows = {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book}
    summary = {row[:3]: row[3] for row in rows["summary"][1:]}
    assert summary["all", None, "uar"] == pytest.approx(result["uar"], rel=1e-14)  # Excel holds 16 digits
    assert [list(row[1:]) for row in rows["confusion counts"][1:]] == result["confusion"]
    np.testing.assert_allclose([row[1:] for row in rows["confusion rates"][1:]], result["confusion_rates"])
    precision = {label: pytest.approx(row["precision"], rel=1e-14) for label, row in result["per_class"].items()}
    assert [row[:2] for row in rows["per class"][1:]] == list(precision.items())
    assert rows["folds"][1][2] == pytest.approx(result["folds"][0]["uar"], rel=1e-14) and "toy/s" in rows["folds"][1][4]
    groups = [row for row in rows["subgroups"][1:] if row[0] == "speaker"]
    assert {row[1]: row[5] for row in groups} == {
        name: pytest.approx(group["uar"]) for name, group in result["subgroups"]["speaker"]["groups"].items()
    }
    with (folder / "predictions.csv").open(newline="", encoding="utf8") as file:
        header, *lines = csv.reader(file)
    assert list(rows["predictions"][0]) == header and len(rows["predictions"]) == len(lines) + 1
    for row, line in zip(rows["predictions"][1:], lines, strict=True):
        assert [str(cell) for cell in row[:5]] == line[:5]
        assert list(row[5:]) == [float(cell) for cell in line[5:]]
    for sheet in book:
        assert sheet.freeze_panes == "B2" and sheet["A1"].font.bold
        for column in sheet.iter_cols():
            width = sheet.column_dimensions[column[0].column_letter].width
            assert width >= min(len(str(column[0].value)), 44)


def test_errors_are_wrong_and_sure(run):
    folder, _ = run
    with (folder / "errors.csv").open(newline="", encoding="utf8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["id", "path", "truth", "predicted", "p", "p_truth"] and 0 < len(rows) <= 20
    p = [float(row["p"]) for row in rows]
    assert p == sorted(p, reverse=True) and all(row["truth"] != row["predicted"] for row in rows)


def test_metrics_json_is_as_it_was_returned(run):
    folder, result = run
    assert json.loads((folder / "metrics.json").read_text(encoding="utf8")) == result


def test_clips_of_which_nothing_is_known_have_no_groups_and_no_label_sets(tmp_path):
    data = dataset()
    data.speakers[:] = ""
    data.facts.clear()
    data.facts["corpus"] = np.full(len(data), "toy")
    metrics, _, _ = written(data, config(split={"by": "random", "folds": 3}), tmp_path / "run")
    assert metrics["subgroups"] == metrics["conformal"] == {} and len(metrics["abstaining"]) == 10
    assert not (tmp_path / "run" / "subgroups.png").exists() and (tmp_path / "run" / "confidence.png").exists()
    said = (tmp_path / "run" / "metrics.txt").read_text(encoding="utf8")
    assert "most certain half" in said and "label sets" not in said and "lowest" not in said
    assert load_workbook(tmp_path / "run" / "metrics.xlsx")["subgroups"].max_row == 1
