"""Cross-validation end to end on made-up clips: who is trained on, and going on after an interruption."""

import json

import numpy as np
import pytest

from evaluation.checkpoint.text import text
from evaluation.scores import calibration
from evaluation.scores.metrics import log_loss
from evaluation.training import cross_validation, fit
from evaluation.training.workspace import Workspace
from models.temperature import apply_temperature
from prediction.predictor import Predictor
from tests.toy import LABELS, arrays, dataset
from tests.toy_runs import CNN, SVM, config, doubled, validated, written
from utils import config as configs

pytestmark = pytest.mark.usefixtures("eager", "undrawn")


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
    metrics, outcome, _ = written(data, settings, tmp_path / "run")
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
    assert metrics["protocol"]["validation"] == ("speakers" if model is CNN else "none")
    assert metrics["holdout"]["speakers"] == ["toy/s3"] and metrics["holdout"]["n_clips"] == 12
    assert metrics["n_clips"] == 60 and metrics["n_speakers"] == 5


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


def test_a_network_is_scored_and_shipped_calibrated(tmp_path):
    """No clip has a say in its own temperature; what is shipped has that of all of them, and the graph too."""
    data = dataset(noise=4)
    metrics, outcome, model = written(data, config(CNN), tmp_path / "run")
    raw, each = outcome.uncalibrated, metrics["calibration"]["fold_temperatures"]
    for number, fold in enumerate(outcome.folds):
        rest = np.setdiff1d(np.arange(len(data)), fold.test)
        assert each[number] == calibration.fit(data.truth[rest], raw[rest])
        expected = apply_temperature(raw[fold.test], each[number])
        np.testing.assert_array_equal(outcome.probabilities[fold.test], expected)
    assert metrics["calibration"]["temperature"] == calibration.fit(data.truth, raw) == model.temperature_ != 1
    assert metrics["calibration"]["log_loss"]["after"] == pytest.approx(metrics["log_loss"])
    assert metrics["calibration"]["log_loss"]["before"] == pytest.approx(log_loss(data.truth, np.float64(raw)))
    shipped = Predictor(tmp_path / "run").probabilities(arrays(data.features))
    np.testing.assert_allclose(shipped, model.probabilities(data.features), atol=1e-5)
    model.temperature_ = 1.0
    np.testing.assert_allclose(
        shipped, apply_temperature(model.probabilities(data.features), metrics["calibration"]["temperature"]), atol=1e-5
    )
    loaded = type(model).load(tmp_path / "run", model.section, LABELS)
    np.testing.assert_allclose(loaded.probabilities(data.features), shipped, atol=1e-5)
    assert f"before temperature {loaded.temperature_:.2f})" in text(metrics)
    assert written(data, config(), tmp_path / "svm")[0]["calibration"] is None  # calibrated as it is fitted


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


def test_changed_keys_are_named(tmp_path):
    written(dataset(), config(), tmp_path / "run")
    assert configs.changed_keys(tmp_path / "run" / "config.yaml", config()) == []
    other = config({"name": "svm", "C": 3.0}, split={"by": "speaker", "folds": "all"}, drop=["sad"])
    assert configs.changed_keys(tmp_path / "run" / "config.yaml", other) == ["drop", "model.C", "split.folds"]
