"""An experiment end to end on made-up clips: who is shown to whom, what is reported, what is written."""

import csv
import json

import numpy as np
import pytest
import yaml
from sklearn.metrics import balanced_accuracy_score
from toy import LABELS, arrays, dataset

from evaluation.checkpoint import model_json, predictions, protocol
from evaluation.checkpoint import write as checkpoint
from evaluation.checkpoint.text import text
from evaluation.scores import calibration
from evaluation.scores import significance as statistics
from evaluation.scores.metrics import log_loss
from evaluation.splits.folds import draw_folds, validation_rows
from evaluation.studies import comparison
from evaluation.training import cross_validation, enrolment, fit
from evaluation.training.workspace import Workspace
from models.temperature import apply_temperature
from prediction import card_text
from prediction.predictor import Predictor
from utils import config as configs
from utils.errors import ConfigError

SVM = {"name": "svm"}
CNN = {"name": "cnn1d", "filters": 4, "dense": 8}
TRAIN = {"epochs": 4, "batch_size": 16, "learning_rate": 0.003, "patience": 4}


def config(model=SVM, **keys):
    raw = {
        "name": "run",
        "corpora": [{"name": "demo", "root": "demo"}],
        "features": {"name": "librosa_stats"},
        "split": {"by": "speaker", "folds": 3},
        "model": model,
        "train": TRAIN,
    }
    return configs.check(raw | keys, "test")


def validated(data, settings, work, report=lambda line: None):
    return cross_validation.cross_validate(data, settings, Workspace(work, "key", report))


def written(data, settings, folder, **options):
    """Run everything; return the metrics, the outcome and the shipped model."""
    work = folder.parent / f"{folder.name}-work"
    outcome = validated(data, settings, work)
    model = fit.ship(data, settings, outcome, Workspace(work, "key"))
    return checkpoint.write(folder, settings, data, outcome, model, "print", **options), outcome, model


def doubled(data):
    """Return the data with one exact duplicate, said to be of another speaker."""
    data.digests[np.flatnonzero(data.speakers == "toy/s5")[0]] = data.digests[0]
    return data


@pytest.fixture
def fits(monkeypatch):
    """Return the ids and speakers that every model was fitted on and stopped by, in order."""
    seen, original = [], fit.fit

    def spy(data, validation, *arguments, **options):
        seen.append((data, validation))
        return original(data, validation, *arguments, **options)

    monkeypatch.setattr(fit, "fit", spy)
    return seen


@pytest.mark.parametrize("model", [SVM, CNN], ids=["svm", "cnn1d"])
def test_nobody_who_is_tested_was_seen_before(model, fits, tmp_path):
    data = doubled(dataset())
    settings = config(model, split={"by": "speaker", "folds": 3, "holdout": ["s3"]})
    found, outcome, _ = written(data, settings, tmp_path / "run")
    by_test = {frozenset(data.speakers[fold.test]): fold for fold in outcome.folds}
    assert len(by_test) == 3 and len(fits) == 4  # three folds, one shipped
    for train, validation in fits[:-1]:
        seen = set(train.speakers) | set(validation.speakers if validation else ())
        (tested,) = [speakers for speakers in by_test if not speakers & seen]
        test = data[by_test[tested].test]
        assert "toy/s3" not in seen and seen | tested == set(data.speakers) - {"toy/s3"}
        assert not set(test.digests) & set(train.digests)
        if model is CNN:
            assert len(validation) and not set(validation.speakers) & set(train.speakers)
            assert not set(validation.digests) & (set(train.digests) | set(test.digests))
        else:
            assert validation is None
    shipped, validation = fits[-1]
    assert set(shipped.speakers) == set(data.speakers) - {"toy/s3"} and validation is None
    assert (outcome.fold == -1).tolist() == (data.speakers == "toy/s3").tolist()
    assert found["protocol"]["validation"] == ("speakers" if model is CNN else "none")
    assert found["holdout"]["speakers"] == ["toy/s3"] and found["holdout"]["n_clips"] == 12
    assert found["n_clips"] == 60 and found["n_speakers"] == 5


def test_the_test_part_does_not_move_the_model(tmp_path):
    data, settings = dataset(), config()
    one = validated(data, settings, tmp_path / "one")
    fold = one.folds[0]
    data.features[fold.test] *= np.float32(1e3)
    part = data[fold.train]
    model = fit.fit(part, None, settings, seed=settings.seed)
    np.testing.assert_allclose(model.mean_, part.features.mean(axis=0, dtype=np.float64), rtol=1e-5)
    two = validated(data, settings, tmp_path / "two")
    again = fit.fit(data[two.folds[0].train], None, settings, seed=settings.seed)
    np.testing.assert_array_equal(model.probabilities(part.features), again.probabilities(part.features))
    assert np.abs(one.probabilities[fold.test] - two.probabilities[fold.test]).max() > 0.01


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
    found, outcome, _ = written(data, config(), tmp_path / "run")
    with (tmp_path / "run" / "predictions.csv").open(newline="", encoding="utf8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["id", "speaker", "truth", "predicted", "fold", *(f"p_{label}" for label in LABELS)]
    assert [row["id"] for row in rows] == data.ids.tolist()
    truth, predicted = [row["truth"] for row in rows], [row["predicted"] for row in rows]
    assert 0.4 < found["uar"] < 0.95  # neither chance nor perfect, or this test would show little
    assert found["uar"] == pytest.approx(balanced_accuracy_score(truth, predicted), abs=1e-12)
    assert found["uar"] == found["by_information"]["none"]
    assert found["accuracy"] == pytest.approx(np.mean(np.array(truth) == predicted), abs=1e-12)
    for row, p in zip(rows, outcome.probabilities, strict=True):
        assert [float(row[f"p_{label}"]) for label in LABELS] == pytest.approx(p.tolist(), abs=1e-6)
        assert row["predicted"] == LABELS[p.argmax()]
    assert {row["fold"] for row in rows} == {"1", "2", "3"}
    each = []
    for number, fold in enumerate(found["folds"], 1):
        mine = [row for row in rows if row["fold"] == str(number)]
        assert sorted({row["speaker"] for row in mine}) == fold["test_speakers"]
        each.append(balanced_accuracy_score([r["truth"] for r in mine], [r["predicted"] for r in mine]))
        assert fold["uar"] == pytest.approx(each[-1]) and fold["n_clips"] == len(mine)
    assert found["uar_fold_mean"] == pytest.approx(np.mean(each))
    assert found["uar_ci95"][0] <= found["uar"] <= found["uar_ci95"][1]


def test_speaker_normalised_models_report_each_amount_of_information(tmp_path):
    data = dataset(takes=9)
    outcome = validated(data, config(normalise="speaker"), tmp_path / "work")
    assert list(outcome.by_information) == ["none", "enrolment_5", "enrolment_20", "transductive"]
    assert all(0 < value <= 1 for value in outcome.by_information.values())
    truth, predicted, seen = [], [], []
    for number, fold in enumerate(outcome.folds):  # the transductive figure, from the models anew
        model = fit.fit(data[fold.train], None, config(normalise="speaker"), seed=1 + 100 * number)
        test = data[fold.test]
        for speaker in np.unique(test.speakers):
            mine = test[test.speakers == speaker]
            ready = (mine.features - mine.features.mean(0)) / mine.features.std(0)
            predicted += model.estimator_.predict_proba(ready).argmax(axis=1).tolist()
            truth += mine.truth.tolist()
        seen.append(model.probabilities(test.features))
    assert outcome.by_information["transductive"] == pytest.approx(balanced_accuracy_score(truth, predicted), abs=0.01)
    np.testing.assert_allclose(
        np.concatenate(seen), outcome.probabilities[np.concatenate([f.test for f in outcome.folds])]
    )


def test_a_network_is_scored_and_shipped_calibrated(tmp_path):
    """No clip has a say in its own temperature; what is shipped has that of all of them, and the graph too."""
    data = dataset(noise=4)
    found, outcome, model = written(data, config(CNN), tmp_path / "run")
    raw, each = outcome.uncalibrated, found["calibration"]["fold_temperatures"]
    for number, fold in enumerate(outcome.folds):
        rest = np.setdiff1d(np.arange(len(data)), fold.test)
        assert each[number] == calibration.fit(data.truth[rest], raw[rest])
        expected = apply_temperature(raw[fold.test], each[number])
        np.testing.assert_array_equal(outcome.probabilities[fold.test], expected)
    assert found["calibration"]["temperature"] == calibration.fit(data.truth, raw) == model.temperature_ != 1
    assert found["calibration"]["log_loss"]["after"] == pytest.approx(found["log_loss"])
    assert found["calibration"]["log_loss"]["before"] == pytest.approx(log_loss(data.truth, np.float64(raw)))
    shipped = Predictor(tmp_path / "run").probabilities(arrays(data.features))
    np.testing.assert_allclose(shipped, model.probabilities(data.features), atol=1e-5)
    model.temperature_ = 1.0
    np.testing.assert_allclose(
        shipped, apply_temperature(model.probabilities(data.features), found["calibration"]["temperature"]), atol=1e-5
    )
    loaded = type(model).load(tmp_path / "run", model.section, LABELS)
    np.testing.assert_allclose(loaded.probabilities(data.features), shipped, atol=1e-5)
    assert f"before temperature {loaded.temperature_:.2f})" in text(found)
    assert written(data, config(), tmp_path / "svm")[0]["calibration"] is None  # calibrated as it is fitted


def test_enrolment_scores_only_clips_that_were_not_given(tmp_path):
    data = dataset(takes=2)  # six clips a speaker
    test = data[np.isin(data.speakers, ["toy/s0", "toy/s1"])]
    model = fit.fit(data, None, config(normalise="speaker"), seed=1)
    found = enrolment.adapted_predictions(model, test, np.random.default_rng(0))
    for name in ("enrolment_5", "enrolment_20"):  # five given of six, the sixth asked
        assert found[name].shape == (enrolment.DRAWS, 12)
        for draw in found[name]:
            assert [(draw[test.speakers == s] >= 0).sum() for s in ("toy/s0", "toy/s1")] == [1, 1]
    assert (found["transductive"] >= 0).all()


def test_globally_normalised_models_know_of_no_speaker(tmp_path):
    outcome = validated(dataset(), config(), tmp_path / "work")
    assert outcome.by_information.pop("none") > 0
    assert set(outcome.by_information.values()) == {None}


def test_random_splits_are_labelled_wherever_their_number_appears(tmp_path):
    settings = config(split={"by": "random", "folds": 4})
    found, _, _ = written(dataset(), settings, tmp_path / "run")
    assert found["protocol"]["speaker_disjoint"] is False
    assert "SPEAKER-DEPENDENT" in (tmp_path / "run" / "metrics.txt").read_text(encoding="utf8")
    card = json.loads((tmp_path / "run" / "model.json").read_text(encoding="utf8"))
    assert "SPEAKER-DEPENDENT" in card["evidence"]
    rows = comparison.compare([tmp_path / "run"])
    assert "SPEAKER-DEPENDENT" in rows[0]["protocol"] and "SPEAKER-DEPENDENT" in "\n".join(comparison.lines(rows))
    found, _, _ = written(dataset(), config(), tmp_path / "other")
    assert "SPEAKER-DEPENDENT" not in text(found) and "speaker-independent" in text(found)


def test_a_trial_is_labelled_wherever_its_number_appears(tmp_path):
    found, _, _ = written(dataset(), config(), tmp_path / "run", limit=24)
    assert found["protocol"]["limit"] == 24
    card = json.loads((tmp_path / "run" / "model.json").read_text(encoding="utf8"))
    words = "A TRIAL on 24 clips per class"
    assert words in text(found) and words in card["evidence"]
    assert words in "\n".join(comparison.lines(comparison.compare([tmp_path / "run"])))


def test_intervals_over_few_speakers_are_marked(tmp_path):
    found, _, _ = written(dataset(speakers=4), config(split={"by": "speaker", "folds": 4}), tmp_path / "few")
    assert found["uar_ci95_informative"] is False and "4 speakers: too few" in text(found)
    assert "fewer than 6 speakers" in "\n".join(comparison.lines(comparison.compare([tmp_path / "few"])))
    found, _, _ = written(dataset(), config(), tmp_path / "more")
    assert found["uar_ci95_informative"] is True and "too few" not in text(found)
    assert "fewer than" not in "\n".join(comparison.lines(comparison.compare([tmp_path / "more"])))


def test_text_keeps_to_80_columns(tmp_path):
    data = dataset(speakers=30, takes=1)
    settings = config(split={"by": "speaker", "folds": 3, "holdout": [f"s{n}" for n in range(20)]}, normalise="speaker")
    found, _, _ = written(data, settings, tmp_path / "run")
    assert max(len(line) for line in text(found).splitlines()) <= 80
    assert "toy/s19" in text(found)


# stopping and going on


@pytest.mark.parametrize("model", [SVM, CNN], ids=["svm", "cnn1d"])
def test_a_stopped_run_goes_on_at_its_fold(model, fits, tmp_path, monkeypatch):
    monkeypatch.setattr(cross_validation.os, "cpu_count", lambda: 1)  # one fold after another
    data, settings = dataset(), config(model, normalise="speaker")
    whole = validated(data, settings, tmp_path / "whole")
    del fits[:]

    def stop(line):
        if line["fold"] == 2 and line.get("epoch", 2) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        validated(data, settings, tmp_path / "work", stop)
    finished = len(list((tmp_path / "work").glob("fold-?.npz")))
    assert finished == (2 if model is SVM else 1)
    del fits[:]
    lines = []
    resumed = validated(data, settings, tmp_path / "work", lines.append)
    assert len(fits) == 3 - finished and [line["fold"] for line in lines if line.get("cached")] == [1, 2][:finished]
    np.testing.assert_array_equal(resumed.probabilities, whole.probabilities)
    assert resumed.by_information == whole.by_information
    assert (resumed.histories, resumed.best_epochs) == (whole.histories, whole.best_epochs)


def test_finished_folds_count_their_time_and_are_kept_only_for_the_same_key(fits, tmp_path):
    data, settings = dataset(), config()
    first = validated(data, settings, tmp_path)
    again = validated(data, settings, tmp_path)
    assert len(fits) == 3
    parts = [json.loads(str(np.load(path)["progress"]))["seconds"] for path in sorted(tmp_path.glob("fold-*.npz"))]
    assert again.seconds >= sum(parts) > 0 and first.seconds > 0
    cross_validation.cross_validate(data, settings, Workspace(tmp_path, "another"))
    assert len(fits) == 6


def test_the_same_seed_gives_the_same_checkpoint(tmp_path):
    settings = config(CNN)
    one, a, _ = written(dataset(), settings, tmp_path / "one")
    two, b, _ = written(dataset(), settings, tmp_path / "two")
    np.testing.assert_array_equal(a.probabilities, b.probabilities)
    assert one | {"seconds": 0} == two | {"seconds": 0}
    networks = [Predictor(tmp_path / name).probabilities(arrays(dataset().features)) for name in ("one", "two")]
    np.testing.assert_array_equal(*networks)


def test_the_shipped_network_trains_for_the_median_of_the_best_epochs(tmp_path):
    data, settings = dataset(), config(CNN)
    outcome = validated(data, settings, tmp_path)
    outcome.best_epochs[:] = [1, 3, 4]
    model = fit.ship(data, settings, outcome, Workspace(tmp_path, "key"))
    assert model.progress_[0].epoch == 3 and len(model.histories[0]["loss"]) == 3


@pytest.mark.parametrize(
    ("keys", "change", "message"),
    [
        ({}, "one class", "only angry is left"),
        ({"normalise": "speaker", "split": {"by": "random"}}, "unknown", r"18 of 72 .* no speaker\. .* speaker: '\^"),
    ],
)
def test_what_cannot_be_learned_is_refused(keys, change, message, tmp_path):
    data = dataset(labels=("angry",)) if change == "one class" else dataset()
    if change == "unknown":
        data.speakers[:18] = ""
    with pytest.raises(ConfigError, match=message) as caught:
        validated(data, config(**keys), tmp_path)
    assert "\n" not in str(caught.value)


def test_fingerprint_sees_every_column():
    data = dataset()
    first = fit.fingerprint(data, "recipe")
    assert fit.fingerprint(dataset(), "recipe") == first
    found = {first, fit.fingerprint(data, "other"), fit.fingerprint(data[:-1], "recipe")}
    for column in ("ids", "speakers", "digests", "truth"):
        changed = dataset()
        getattr(changed, column)[0] = getattr(changed, column)[-1]
        found.add(fit.fingerprint(changed, "recipe"))
    assert len(found) == 7


# the checkpoint on disk


def test_a_checkpoint_holds_what_is_promised(tmp_path):
    data, settings = dataset(), config(CNN, name="run")
    found, _, _ = written(data, settings, tmp_path / "run")
    files = {path.name for path in (tmp_path / "run").iterdir()}
    assert files == {
        "config.yaml", "model.json", "model.onnx", "model.keras", "metrics.json", "metrics.txt",
        "predictions.csv", "confusion.png", "curves.png", "metrics.csv", "metrics.xlsx", "errors.csv",
        "training.csv", "reliability.png", "confidence.png", "subgroups.png", "audit.parquet",
    }  # fmt: skip
    stored = json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="utf8"))
    assert stored == found
    assert {
        "name", "labels", "protocol", "n_clips", "n_speakers", "uar", "uar_ci95", "uar_fold_mean", "accuracy",
        "macro_f1", "weighted_f1", "per_class", "confusion", "folds", "by_information", "seconds",
        "calibration", "conformal", "abstaining", "subgroups",
    } <= set(stored)  # fmt: skip
    assert {"by", "folds", "speaker_disjoint", "validation", "limit"} <= set(stored["protocol"])
    assert {"test_speakers", "uar", "accuracy"} <= set(stored["folds"][0])
    assert set(stored["per_class"]["sad"]) == {"precision", "recall", "f1", "support"}
    kept = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text(encoding="utf8"))
    assert configs.check(kept, "kept") == settings and kept["train"]["optimizer"] == "adam"
    card = json.loads((tmp_path / "run" / "model.json").read_text(encoding="utf8"))
    assert card["labels"] == list(LABELS) and card["features"] == settings.features and card["rate"] == 16000
    assert card["uar"] == found["uar"] and card["protocol"] == found["protocol"]
    assert {"keras", "scikit-learn", "onnxruntime"} <= set(card["versions"])
    assert card["notes"] == ["trained on synthetic voices"]
    assert card["temperature"] == found["calibration"]["temperature"] and card["conformal"] == found["conformal"]


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


def test_changed_keys_are_named(tmp_path):
    written(dataset(), config(), tmp_path / "run")
    assert configs.changed_keys(tmp_path / "run" / "config.yaml", config()) == []
    other = config({"name": "svm", "C": 3.0}, split={"by": "speaker", "folds": "all"}, drop=["sad"])
    assert configs.changed_keys(tmp_path / "run" / "config.yaml", other) == ["drop", "model.C", "split.folds"]


# side by side


def test_comparison_is_the_difference_of_the_pooled_uars(tmp_path):
    data = dataset(noise=4)
    one, _, _ = written(data, config(name="one"), tmp_path / "one")
    two, _, _ = written(data, config({"name": "mlp", "iterations": 20}, name="two"), tmp_path / "two")
    rows = comparison.compare([tmp_path / "one", tmp_path / "two"])
    assert [row["name"] for row in rows] == ["one", "two"]
    assert (rows[0]["uar"], rows[1]["uar"]) == (one["uar"], two["uar"]) and one["uar"] != two["uar"]
    assert rows[0]["difference"] is None and rows[0]["p"] is None
    assert rows[1]["difference"] == pytest.approx(two["uar"] - one["uar"])
    assert rows[1]["difference_lo"] <= rows[1]["difference"] <= rows[1]["difference_hi"] and 0 < rows[1]["p"] <= 1
    a, b = (predictions.read(tmp_path / name) for name in ("one", "two"))
    assert rows[1]["p_mcnemar"] == statistics.mcnemar(a.truth, a.predicted, b.predicted)
    comparison.write(rows, tmp_path / "comparison.csv")
    with (tmp_path / "comparison.csv").open(newline="", encoding="utf8") as file:
        kept = list(csv.DictReader(file))
    assert tuple(kept[0]) == comparison.COLUMNS
    assert float(kept[1]["uar"]) == two["uar"] and float(kept[1]["difference"]) == rows[1]["difference"]
    text = "\n".join(comparison.lines(rows))
    assert f"two - one: {rows[1]['difference']:+.3f} UAR" in text and "all speaker-independent" in text


def test_runs_on_other_clips_have_no_difference(tmp_path):
    written(dataset(), config(name="one"), tmp_path / "one")
    written(dataset()[:-1], config(name="two"), tmp_path / "two")
    rows = comparison.compare([tmp_path / "one", tmp_path / "two"])
    assert rows[1]["difference"] is None and rows[1]["p"] is None


def test_oversampling_levels_the_classes_of_the_training_part_alone():
    data = dataset()
    keep = np.concatenate([np.flatnonzero(data.truth != 1), np.flatnonzero(data.truth == 1)[:5]])
    part = data[keep]
    found = fit.oversampled(part, np.random.default_rng(3))
    assert np.bincount(found.truth).tolist() == [24, 24, 24]
    assert set(found.ids) == set(part.ids)  # nothing new, nothing lost
    again = fit.oversampled(part, np.random.default_rng(3))
    assert found.ids.tolist() == again.ids.tolist()


def test_runs_of_several_seeds_have_a_mean_and_a_spread(tmp_path):
    names, uars = [f"net_seed{seed}" for seed in (1, 2, 5)], []
    for seed, name in zip((1, 2, 5), names, strict=True):
        found, _, _ = written(dataset(noise=4), config(name=name, seed=seed), tmp_path / name)
        uars.append(found["uar"])
    rows = comparison.compare([tmp_path / name for name in names])
    (summary,) = comparison.over_seeds(rows)
    assert summary["name"] == "net" and summary["seeds"] == 3
    assert summary["uar"] == pytest.approx(np.mean(uars)) and summary["uar_sd"] == pytest.approx(np.std(uars, ddof=1))
    text = comparison.lines([*rows, summary])
    assert f"net: UAR {np.mean(uars):.3f} ± {np.std(uars, ddof=1):.3f}, mean and standard deviation of 3 seeds" in text
    assert len(comparison.lines(rows)) == len(text) - 1
    one = comparison.over_seeds(rows[:1])[0]
    assert one["uar_sd"] is None and "±" not in "".join(comparison.lines([*rows[:1], one]))


def test_what_lay_in_the_folder_before_the_first_training_is_kept(tmp_path):
    data, settings = dataset(), config()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "lengths.txt").write_text("of untrained length", encoding="utf8")
    written(data, settings, tmp_path / "run")
    assert (tmp_path / "run" / "lengths.txt").is_file() and (tmp_path / "run" / "model.json").is_file()
    written(data, settings, tmp_path / "run")  # what is said of a run that is replaced goes with it
    assert not (tmp_path / "run" / "lengths.txt").exists()


def test_weights_that_were_trained_again_are_another_start(tmp_path):
    fresh = config({"name": "cnn1d"})
    tuned = fresh.model_copy(update={"init": str(tmp_path)})
    assert fit.initial_weights(fresh) == fit.initial_weights(tuned) == ""
    (tmp_path / "model.keras").write_bytes(b"one")
    first = fit.initial_weights(tuned)
    (tmp_path / "model.keras").write_bytes(b"two")
    assert first and fit.initial_weights(tuned) not in ("", first) and fit.initial_weights(fresh) == ""


def test_a_start_of_the_same_corpus_is_speaker_dependent_however_far_back(tmp_path):
    data, settings = dataset(), config({"name": "cnn1d"})
    card = {"name": "source", "corpora": ["second"]}
    (tmp_path / "model.json").write_text(json.dumps(card), encoding="utf8")
    tuned = settings.model_copy(update={"init": str(tmp_path)})
    folds = draw_folds(data, settings.split.model_dump(), seed=1)
    assert protocol.of_run(data, tuned, folds, validation="none").speaker_disjoint
    (tmp_path / "training.csv").write_text("id,speaker,digest\ntoy/1,toy/s1,a\n", encoding="utf8")
    assert not protocol.of_run(data, tuned, folds, validation="none").speaker_disjoint


def test_label_sets_of_known_speakers_are_not_said_to_hold_for_strangers(tmp_path):
    for by, whose in (("speaker", "strangers'"), ("random", "known speakers'")):
        found, _, _ = written(dataset(), config(name=by, split={"by": by, "folds": 3}), tmp_path / by)
        (line,) = (line for line in text(found).splitlines() if line.startswith("label sets"))
        assert whose in line and len(line) <= 80
        card = json.loads((tmp_path / by / "model.json").read_text(encoding="utf8"))
        assert ("for unseen speakers, " in card_text.provenance(card, 0.9)) == (by == "speaker")
