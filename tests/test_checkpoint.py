"""The checkpoint folder: what is written, what the figures are, and that it is never half."""

import csv
import json

import numpy as np
import pytest
import yaml
from sklearn.metrics import balanced_accuracy_score

from evaluation.checkpoint import model_json, protocol
from evaluation.checkpoint import write as checkpoint
from evaluation.checkpoint.text import text
from evaluation.splits.folds import draw_folds, validation_rows
from evaluation.studies import comparison
from evaluation.training import fit
from prediction import card_text
from prediction.predictor import Predictor
from tests.toy import LABELS, arrays, dataset
from tests.toy_runs import CNN, SVM, config, validated, written
from utils import config as configs

pytestmark = pytest.mark.usefixtures("eager", "undrawn")


def test_random_splits_are_labelled_wherever_their_number_appears(tmp_path):
    settings = config(split={"by": "random", "folds": 4})
    metrics, _, _ = written(dataset(), settings, tmp_path / "run")
    assert metrics["protocol"]["speaker_disjoint"] is False
    assert "SPEAKER-DEPENDENT" in (tmp_path / "run" / "metrics.txt").read_text(encoding="utf8")
    card = json.loads((tmp_path / "run" / "model.json").read_text(encoding="utf8"))
    assert "SPEAKER-DEPENDENT" in card["evidence"]
    rows = comparison.compare([tmp_path / "run"])
    assert "SPEAKER-DEPENDENT" in rows[0]["protocol"] and "SPEAKER-DEPENDENT" in "\n".join(comparison.lines(rows))
    metrics, _, _ = written(dataset(), config(), tmp_path / "other")
    assert "SPEAKER-DEPENDENT" not in text(metrics) and "speaker-independent" in text(metrics)


def test_a_trial_is_labelled_wherever_its_number_appears(tmp_path):
    metrics, _, _ = written(dataset(), config(), tmp_path / "run", limit=24)
    assert metrics["protocol"]["limit"] == 24
    card = json.loads((tmp_path / "run" / "model.json").read_text(encoding="utf8"))
    words = "A TRIAL on 24 clips per class"
    assert words in text(metrics) and words in card["evidence"]
    assert words in "\n".join(comparison.lines(comparison.compare([tmp_path / "run"])))


def test_intervals_over_few_speakers_are_marked(tmp_path):
    metrics, _, _ = written(dataset(speakers=4), config(split={"by": "speaker", "folds": 4}), tmp_path / "few")
    assert metrics["uar_ci95_informative"] is False and "4 speakers: too few" in text(metrics)
    assert "fewer than 6 speakers" in "\n".join(comparison.lines(comparison.compare([tmp_path / "few"])))
    metrics, _, _ = written(dataset(), config(), tmp_path / "more")
    assert metrics["uar_ci95_informative"] is True and "too few" not in text(metrics)
    assert "fewer than" not in "\n".join(comparison.lines(comparison.compare([tmp_path / "more"])))


def test_text_keeps_to_80_columns(tmp_path):
    data = dataset(speakers=30, takes=1)
    settings = config(split={"by": "speaker", "folds": 3, "holdout": [f"s{n}" for n in range(20)]}, normalise="speaker")
    metrics, _, _ = written(data, settings, tmp_path / "run")
    assert max(len(line) for line in text(metrics).splitlines()) <= 80
    assert "toy/s19" in text(metrics)


def test_a_checkpoint_holds_what_is_promised(tmp_path):
    data, settings = dataset(), config(CNN, name="run")
    metrics, _, _ = written(data, settings, tmp_path / "run")
    files = {path.name for path in (tmp_path / "run").iterdir()}
    assert files == {
        "config.yaml", "model.json", "model.onnx", "model.keras", "metrics.json", "metrics.txt",
        "predictions.csv", "confusion.png", "curves.png", "metrics.csv", "metrics.xlsx", "errors.csv",
        "training.csv", "reliability.png", "confidence.png", "subgroups.png", "audit.parquet",
    }  # fmt: skip
    stored = json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="utf8"))
    assert stored == metrics
    assert {
        "name", "labels", "protocol", "n_clips", "n_speakers", "uar", "uar_ci95", "uar_fold_mean", "accuracy",
        "macro_f1", "weighted_f1", "per_class", "confusion", "folds", "by_information", "seconds",
        "calibration", "conformal", "abstaining", "subgroups", "chance", "verdict", "confidence_ranks",
    } <= set(stored)  # fmt: skip
    assert {"by", "folds", "speaker_disjoint", "validation", "limit"} <= set(stored["protocol"])
    assert {"test_speakers", "uar", "accuracy"} <= set(stored["folds"][0])
    assert set(stored["per_class"]["sad"]) == {"precision", "recall", "f1", "support"}
    kept = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text(encoding="utf8"))
    assert configs.check(kept, "kept") == settings and kept["train"]["optimizer"] == "adam"
    card = json.loads((tmp_path / "run" / "model.json").read_text(encoding="utf8"))
    assert card["labels"] == list(LABELS) and card["features"] == settings.features and card["rate"] == 16000
    assert card["uar"] == metrics["uar"] and card["protocol"] == metrics["protocol"]
    assert {"keras", "scikit-learn", "onnxruntime"} <= set(card["versions"])
    assert card["notes"] == ["trained on synthetic voices"]
    assert card["temperature"] == metrics["calibration"]["temperature"] and card["conformal"] == metrics["conformal"]


def test_the_text_gives_a_threshold_only_where_confidence_ranks_the_answers(tmp_path):
    metrics, _, _ = written(dataset(noise=4), config(), tmp_path / "run")
    no = metrics["confidence_ranks"] | {"ranks": False}
    assert "most certain half" in text(metrics | {"confidence_ranks": no | {"ranks": True}})
    said = text(metrics | {"confidence_ranks": no})
    assert "Confidence does not rank the answers" in said and "most certain half" not in said


def test_writing_needs_no_library_that_was_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr(model_json, "LIBRARIES", ("numpy", "a-library-nobody-has"))
    written(dataset(), config(), tmp_path / "run")
    card = json.loads((tmp_path / "run" / "model.json").read_text(encoding="utf8"))
    assert card["versions"] == {"numpy": np.__version__}


@pytest.mark.parametrize("where", ["_write_scores", "_write_json", "_replace"])
def test_a_folder_interrupted_while_writing_is_never_half(where, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    _, outcome, model = written(dataset(), config(), folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    settings, data = config(seed=2), dataset(seed=2)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, where, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            checkpoint.write(folder, settings, data, outcome, model, "print")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    checkpoint.write(folder, settings, data, outcome, model, "print")
    assert [path.name for path in tmp_path.iterdir() if "run" in path.name and path.name != "run-work"] == ["run"]
    assert yaml.safe_load((folder / "config.yaml").read_text(encoding="utf8"))["seed"] == 2


def test_a_replacement_stopped_between_its_steps_is_finished_by_the_next(tmp_path, monkeypatch):
    folder, aside = tmp_path / "run", tmp_path / ".run.part"
    for path, content in ((folder, "old"), (aside, "new")):
        path.mkdir()
        (path / "model.json").write_text(content, encoding="utf8")
    calls, original = [], checkpoint.os.replace

    def once(source, target):
        if calls:
            raise KeyboardInterrupt
        calls.append(source)
        original(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.os, "replace", once)
        with pytest.raises(KeyboardInterrupt):
            checkpoint._replace(folder, aside)
    assert not folder.exists() and (aside / "model.json").read_text(encoding="utf8") == "new"
    checkpoint._replace(folder, aside)
    assert (folder / "model.json").read_text(encoding="utf8") == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_what_lay_in_the_folder_before_the_first_training_is_kept(tmp_path):
    data, settings = dataset(), config()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "lengths.txt").write_text("of untrained length", encoding="utf8")
    written(data, settings, tmp_path / "run")
    assert (tmp_path / "run" / "lengths.txt").is_file() and (tmp_path / "run" / "model.json").is_file()
    written(data, settings, tmp_path / "run")  # what is said of a run that is replaced goes with it
    assert not (tmp_path / "run" / "lengths.txt").exists()


def test_a_start_of_the_same_corpus_is_speaker_dependent_however_far_back(tmp_path):
    data, settings = dataset(), config({"name": "cnn1d"})
    card = {"name": "source", "corpora": ["second"]}
    (tmp_path / "model.json").write_text(json.dumps(card), encoding="utf8")
    tuned = settings.model_copy(update={"init": str(tmp_path)})
    folds = draw_folds(data, settings.split.model_dump(), seed=1)
    assert protocol.of_run(data, tuned, folds, validation="none").speaker_disjoint
    (tmp_path / "training.csv").write_text("id,speaker,digest\ntoy/1,toy/s1,a\n", encoding="utf8")
    assert not protocol.of_run(data, tuned, folds, validation="none").speaker_disjoint


def test_label_sets_of_seen_speakers_are_not_promised_to_unseen_ones(tmp_path):
    for by, whose in (("speaker", " unseen speakers'"), ("random", " seen speakers'")):
        metrics, _, _ = written(dataset(), config(name=by, split={"by": by, "folds": 3}), tmp_path / by)
        (line,) = (line for line in text(metrics).splitlines() if line.startswith("label sets"))
        assert whose in line and len(line) <= 80
        card = json.loads((tmp_path / by / "model.json").read_text(encoding="utf8"))
        assert ("for unseen speakers, " in card_text.provenance(card, 0.9)) == (by == "speaker")


def test_top_level_figures_are_those_of_the_model_as_shipped(tmp_path):
    """A fold's probabilities are what predict.py's runtime gives for a model of the same rows, saved."""
    for model, kind in ((SVM, "frames"), (CNN, "vector")):
        data = dataset(kind)
        settings = config(model, normalise="speaker")
        outcome = validated(data, settings, tmp_path / model["name"])
        fold = outcome.folds[0]
        rows, held = fold.train, None
        if model is CNN:
            rows, stop, _ = validation_rows(data, fold.train, "speaker", seed=settings.seed)
            held = data[stop]
        again = fit.fit(data[rows], held, settings, seed=settings.seed)
        folder = tmp_path / f"{model['name']}-saved"
        folder.mkdir()
        again.temperature_ = outcome.calibration["fold_temperatures"][0] if model is CNN else 1.0
        again.save(folder)
        statistics = {"mean": again.mean_.tolist(), "std": again.std_.tolist()}
        card = {"name": "x", "labels": LABELS, "frames": kind == "frames", "training_statistics": statistics}
        (folder / "model.json").write_text(json.dumps(card), encoding="utf8")
        shipped = Predictor(folder).probabilities(arrays(data.features[fold.test]))
        np.testing.assert_allclose(shipped, outcome.probabilities[fold.test], atol=1e-4)


def test_pooled_figures_equal_what_the_predictions_give(tmp_path):
    data = dataset(noise=4)
    metrics, outcome, _ = written(data, config(), tmp_path / "run")
    with (tmp_path / "run" / "predictions.csv").open(newline="", encoding="utf8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["id", "speaker", "truth", "predicted", "fold", *(f"p_{label}" for label in LABELS)]
    assert [row["id"] for row in rows] == data.ids.tolist()
    truth, predicted = [row["truth"] for row in rows], [row["predicted"] for row in rows]
    assert 0.4 < metrics["uar"] < 0.95  # neither chance nor perfect, or this test would show little
    assert metrics["uar"] == pytest.approx(balanced_accuracy_score(truth, predicted), abs=1e-12)
    assert metrics["uar"] == metrics["by_information"]["none"]
    assert metrics["accuracy"] == pytest.approx(np.mean(np.array(truth) == predicted), abs=1e-12)
    for row, p in zip(rows, outcome.probabilities, strict=True):
        assert [float(row[f"p_{label}"]) for label in LABELS] == pytest.approx(p.tolist(), abs=1e-6)
        assert row["predicted"] == LABELS[p.argmax()]
    assert {row["fold"] for row in rows} == {"1", "2", "3"}
    each = []
    for number, fold in enumerate(metrics["folds"], 1):
        mine = [row for row in rows if row["fold"] == str(number)]
        assert sorted({row["speaker"] for row in mine}) == fold["test_speakers"]
        each.append(balanced_accuracy_score([r["truth"] for r in mine], [r["predicted"] for r in mine]))
        assert fold["uar"] == pytest.approx(each[-1]) and fold["n_clips"] == len(mine)
    assert metrics["uar_fold_mean"] == pytest.approx(np.mean(each))
    assert metrics["uar_ci95"][0] <= metrics["uar"] <= metrics["uar_ci95"][1]
