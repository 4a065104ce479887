"""The pictures of the documentation: each is made by docs/pictures.py, and the words beside it say what it shows."""

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from docs import pictures
from utils.plugins import ROOT

README = (ROOT / "README.md").read_text(encoding="utf8")
RESULTS = (ROOT / "docs/results.md").read_text(encoding="utf8")
PAGES = [README, *(path.read_text(encoding="utf8") for path in sorted((ROOT / "docs").rglob("*.md")))]
NUMBERS = {5: "five"}
ROW = re.compile(r"^\| `(\w+)` \|.*\| (\.\d{3}) \[(\.\d{3}), (\.\d{3})\] \|$", re.MULTILINE)


def facts(name: str) -> pictures.Facts:
    return pictures.facts(pictures.IMAGES / f"{name}.png")


def short(value: float) -> str:
    """Return a figure as the documentation writes it, without the zero before the point."""
    return f"{value:.3f}".removeprefix("0")


def alternative_text(page: str, name: str) -> str:
    """Return the text of a page that stands for a picture where it is not shown."""
    match = re.search(rf'!\[([^\]]+)\]\([^)]*images/{name}\.png\)|images/{name}\.png" alt="([^"]+)"', page)
    return match[1] or match[2]


def test_every_picture_is_in_the_table_and_on_a_page():
    assert {path.stem for path in pictures.IMAGES.iterdir()} == set(pictures.PICTURES)
    for name in pictures.PICTURES:
        assert any(f"images/{name}.png" in page for page in PAGES), name


@pytest.mark.parametrize("name", pictures.PICTURES)
def test_a_picture_was_made_from_the_source_that_the_table_states(name):
    assert facts(name).items() >= pictures.PICTURES[name].source.items()


@pytest.mark.parametrize("page", [README, RESULTS])
def test_the_tables_state_the_runs_and_figures_of_the_comparison(page):
    rows = {name: figures for name, *figures in ROW.findall(page)}
    drawn = {name: [short(value) for value in figures] for name, figures in facts("comparison")["uar"].items()}
    assert list(drawn) == pictures.PICTURES["comparison"].source["runs"]
    assert {name: rows.get(name) for name in drawn} == drawn
    if page is README:
        assert list(rows) == list(drawn)  # these and no others


def test_the_words_beside_the_comparison_are_true():
    shown = facts("comparison")
    scores = [uar for uar, *_ in shown["uar"].values()]
    for page in (README, (ROOT / "docs/index.md").read_text(encoding="utf8")):
        text = alternative_text(page, "comparison")
        assert f"{NUMBERS[len(scores)]} models on ravdess" in text.lower()
        assert text.endswith(f"guessing gives {short(shown['guessing'])}")
    assert f"UAR {short(min(scores))} to {short(max(scores))}" in alternative_text(README, "comparison")
    assert shown["protocol"] == "speaker-independent, 6 folds by listed: emobox"
    assert f"{NUMBERS[len(scores)]} models on RAVDESS, EmoBox's folds" in " ".join(README.split())


def test_the_words_beside_the_radar_chart_are_true():
    shown = facts("radar")
    percent = sorted(shown["percent"].items(), key=lambda share: -share[1])
    stated = re.findall(r"(\w+) (\d+) %", alternative_text(README, "radar"))
    assert stated == [(label, str(value)) for label, value in percent[: len(stated)]] and len(stated) == 3
    assert shown["truth"] == shown["predicted"] == percent[0][0]
    assert f"acted as {shown['truth']}" in " ".join(README.split())
    assert shown["run"] == "ravdess_svm_compare" and "an SVM on ComParE 2016" in " ".join(README.split())


def test_the_words_beside_the_other_pictures_are_true():
    assert facts("tsne")["name"].startswith("ravdess") and "RAVDESS" in alternative_text(RESULTS, "tsne")
    assert facts("page")["predicted"] in facts("radar")["percent"]


def test_what_a_picture_shows_is_kept_in_it(tmp_path):
    Image.new("RGB", (2, 2)).save(tmp_path / "drawn.png")
    shown = {"runs": ["one"], "uar": {"one": [0.5, 0.4, 0.6]}, "label": "fröhlich"}
    pictures._write(tmp_path / "drawn.png", tmp_path / "out/x.png", shown)
    assert pictures.facts(tmp_path / "out/x.png") == shown
    assert json.loads(Image.open(tmp_path / "out/x.png").text["Description"]) == shown


def finished(folder: Path, name: str, *, wrong: int) -> None:
    """Write what the pictures read of a finished run: two labels, four speakers, the first clips named wrongly."""
    clips = [(f"c/{s}{n}", f"c/{s}", label) for s in "abcd" for n, label in enumerate(("angry", "sad"))]
    rows = [["id", "speaker", "truth", "predicted", "fold", "p_angry", "p_sad"]]
    for number, (clip, speaker, truth) in enumerate(clips):
        predicted = {"angry": "sad", "sad": "angry"}[truth] if number < wrong else truth
        rows.append([clip, speaker, truth, predicted, 1, *((0.75, 0.25) if predicted == "angry" else (0.25, 0.75))])
    protocol = {
        "by": "speaker", "folds": 2, "n_folds": 2, "speaker_disjoint": True, "limit": None, "tuned": False,
        "validation": "",
    }  # fmt: skip
    metrics = {
        "name": name, "labels": ["angry", "sad"], "protocol": protocol, "n_clips": 8, "n_speakers": 4,
        "uar": 1 - wrong / 8, "uar_ci95": [0.5, 1.0], "accuracy": 1 - wrong / 8, "macro_f1": 0.5, "seconds": 1.0,
    }  # fmt: skip
    (folder / name).mkdir()
    (folder / name / "metrics.json").write_text(json.dumps(metrics))
    with (folder / name / "predictions.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def test_pictures_are_made_from_finished_runs(tmp_path, monkeypatch):
    finished(tmp_path, "one", wrong=0)
    finished(tmp_path, "two", wrong=2)
    table = {
        "comparison": replace(pictures.PICTURES["comparison"], source={"runs": ["one", "two"]}),
        "radar": replace(pictures.PICTURES["radar"], source={"run": "two", "clip": "c/a0"}),
    }
    monkeypatch.setattr(pictures, "PICTURES", table)
    assert pictures.main(["--checkpoints", str(tmp_path), "--out", str(tmp_path)]) == 0
    compared = pictures.facts(tmp_path / "comparison.png")
    assert compared["uar"] == {"one": [1.0, 0.5, 1.0], "two": [0.75, 0.5, 1.0]} and compared["guessing"] == 0.5
    assert compared["protocol"] == "speaker-independent, 2 folds by speaker"
    assert pictures.facts(tmp_path / "radar.png") == {
        "run": "two", "clip": "c/a0", "truth": "angry", "predicted": "sad", "percent": {"angry": 25, "sad": 75},
    }  # fmt: skip


def test_a_wrong_name_is_an_error(capsys):
    with pytest.raises(SystemExit):
        pictures.main(["comparisons"])
    assert "no such picture: comparisons. Known: comparison, radar" in capsys.readouterr().err
