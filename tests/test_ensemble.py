"""Ensembles: weights that are right and owe nothing to a test speaker, a checkpoint that predicts like any other."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from sklearn.linear_model import LogisticRegression
from toy import LABELS, dataset, outcome, write_config

import predict
import preprocess
import train
from evaluation.checkpoint import finished, predictions, protocol
from evaluation.checkpoint import write as checkpoint
from evaluation.leakage import record
from evaluation.scores import calibration
from evaluation.splits.folds import draw_folds
from evaluation.training import cross_validation, ensemble, fit, inner_folds
from evaluation.training.workspace import Workspace
from models.combination import combined, logarithms
from models.speaker_offset import shifted
from models.temperature import apply_temperature
from prediction import extractor
from prediction.extractor import Extractor
from prediction.predictor import Predictor
from utils import config as configs
from utils import plugins
from utils.errors import ConfigError

pytestmark = pytest.mark.usefixtures("eager", "undrawn")

JOINING = [name for name, plugin in plugins.every("models").items() if plugin.constants["INPUT"] == "members"]
WAYS = ("weighted", "stacked", "mean")
LR = {"name": "logistic_regression"}
KNN = {"name": "knn"}


def combiner(combine: str, members: int = 2, **arguments):
    module = plugins.get("models", JOINING[0]).load()
    return module.build(members=[str(n) for n in range(members)], combine=combine, **arguments)


def clips(*sharpness: float, n: int = 600, classes: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities (n, members, classes) that know the truth as well as their sharpness says; the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, n)
    scores = (
        rng.normal(size=(n, len(sharpness), classes)) + np.eye(classes)[truth][:, None] * np.array(sharpness)[:, None]
    )
    powers = np.exp(scores)
    return powers / powers.sum(axis=2, keepdims=True), truth


# what is learned


def test_there_is_one_to_test():
    assert JOINING == ["ensemble"]


def test_a_member_of_noise_gets_no_weight():
    probabilities, truth = clips(3, 0)
    good, noise = combiner("weighted").fit(probabilities, truth).combination_["weights"]
    assert noise < 0.02 and good + noise == pytest.approx(1)


def test_planted_weights_are_found():
    rng = np.random.default_rng(1)
    each = rng.dirichlet([0.5] * 4, size=(20000, 3))  # (n, members, classes)
    planted = np.array([0.6, 0.3, 0.1])
    mixed = np.einsum("nmc,m->nc", each, planted)
    truth = (mixed.cumsum(axis=1) > rng.random((len(mixed), 1))).argmax(axis=1)
    np.testing.assert_allclose(combiner("weighted", 3).fit(each, truth).combination_["weights"], planted, atol=0.02)


def test_no_other_weights_have_less_log_loss():
    probabilities, truth = clips(1.5, 1.0, 0.5)
    weights = np.array(combiner("weighted", 3).fit(probabilities, truth).combination_["weights"])
    own = probabilities[np.arange(len(truth)), :, truth]
    best = -np.log(own @ weights).mean()
    grid = [(a, b, 20 - a - b) for a in range(21) for b in range(21 - a)]
    assert best <= min(-np.log(own @ np.array(w) / 20).mean() for w in grid) + 1e-9


@pytest.mark.parametrize("combine", WAYS)
def test_the_order_of_the_members_does_not_matter(combine):
    probabilities, truth = clips(2, 1, 0.3)
    order = [2, 0, 1]
    one = combiner(combine, 3).fit(probabilities, truth)
    two = combiner(combine, 3).fit(probabilities[:, order], truth)
    if combine == "weighted":
        weights = np.array(one.combination_["weights"])
        np.testing.assert_allclose(two.combination_["weights"], weights[order], atol=1e-4)
    np.testing.assert_allclose(one.probabilities(probabilities), two.probabilities(probabilities[:, order]), atol=2e-3)


@pytest.mark.parametrize("classes", [2, 4])
def test_stacking_is_scikit_learns_regression(classes):
    probabilities, truth = clips(2, 1, classes=classes)
    learned = combiner("stacked", C=0.3).fit(probabilities, truth)
    theirs = LogisticRegression(C=0.3, max_iter=2000).fit(logarithms(probabilities), truth)
    expected = theirs.predict_proba(logarithms(probabilities))
    np.testing.assert_allclose(learned.probabilities(probabilities), expected, atol=1e-6)


def test_known_values():
    two = np.array([[[0.8, 0.2], [0.4, 0.6]]])
    np.testing.assert_allclose(combined(two, {"weights": [0.75, 0.25]}), [[0.7, 0.3]], atol=1e-7)
    assert combiner("mean").fit(two, np.array([0])).combination_ == {"weights": [0.5, 0.5]}
    own = {"coefficients": [[1, 0, 0, 0], [0, 1, 0, 0]], "intercept": [0, 0]}  # the first member's, as it is
    np.testing.assert_allclose(combined(two, own), [[0.8, 0.2]], atol=1e-6)
    sure = combined(
        np.array([[[1.0, 0.0], [0.0, 1.0]]]), {"coefficients": [[1, 0, 1, 0], [0, 1, 0, 1]], "intercept": [0, 0]}
    )
    np.testing.assert_allclose(sure, [[0.5, 0.5]])  # a probability of 0 is not the last word


# runs on made-up clips, joined


def raw(name: str, model: dict, **keys) -> dict:
    common = {"name": name, "corpora": [{"name": "demo", "root": "demo"}], "split": {"by": "speaker", "folds": 3}}
    return common | {"features": {"name": "librosa_stats"}, "model": model} | keys


def joint(members=("one", "two"), combine: str = "weighted", **keys) -> configs.Config:
    content = raw("both", {"name": JOINING[0], "members": list(members), "combine": combine}) | keys
    return configs.check({key: value for key, value in content.items() if key != "features"}, "test")


@pytest.fixture
def zoo(tmp_path):
    """Return a function that trains members on features of their own: the joined data and the runs."""

    def make(**keys):
        noise = {"one": 3.0, "two": 6.0}
        models = {"one": LR, "two": KNN}
        parts = {name: dataset(noise=noise[name], dims=8 + n) for n, name in enumerate(models)}
        for name, model in models.items():
            settings, work = configs.check(raw(name, model, **keys), "test"), tmp_path / f"{name}-work"
            workspace = Workspace(work, "k")
            result = cross_validation.cross_validate(parts[name], settings, workspace)
            shipped = fit.ship(parts[name], settings, result, workspace)
            checkpoint.write(tmp_path / name, settings, parts[name], result, shipped, "print")
        return ensemble.joined(list(parts.values())), [finished.member(tmp_path / name) for name in models]

    return make


def fingerprint(data, runs):
    return fit.fingerprint(data, "\n".join(run.digest for run in runs))


def validated(data, config, runs, work, report=lambda line: None):
    return ensemble.cross_validate(data, config, runs, Workspace(work, "key", report))


def written(data, config, runs, folder):
    result = validated(data, config, runs, folder.with_name(f"{folder.name}-work"))
    model = ensemble.ship(data, config, runs, result)
    print_ = fingerprint(data, runs)
    return checkpoint.write(folder, config, data, result, model, print_), result


def claimed(folder):
    """Return a workspace that is ready for inner fits."""
    workspace = Workspace(folder, "key")
    workspace.claim()
    return workspace


def doubled(data):
    """Return the data with one exact duplicate, said to be of another speaker."""
    data.digests[np.flatnonzero(data.speakers == "toy/s5")[0]] = data.digests[0]
    return data


def test_no_test_speaker_has_a_part_in_the_weights(zoo, tmp_path, monkeypatch):
    data, runs = zoo(split={"by": "speaker", "folds": 3, "holdout": ["s3"]})
    data, config = doubled(data), joint(split={"by": "speaker", "folds": 3, "holdout": ["s3"]})
    monkeypatch.setattr(inner_folds.os, "cpu_count", lambda: 1)  # one after another, in order
    seen, original = [], fit.fit
    monkeypatch.setattr(fit, "fit", lambda part, *rest, **more: seen.append(part) or original(part, *rest, **more))
    folds = draw_folds(data, config.split.model_dump(), seed=config.seed)
    inner_folds.fit_inner_folds(data, config, runs, folds, claimed(tmp_path))
    expected = [(fold, parts) for fold in folds for parts in inner_folds.inner_folds(data, config, fold) for _ in runs]
    assert len(seen) == len(expected) == sum(len(inner_folds.inner_folds(data, config, fold)) for fold in folds) * 2
    for part, (fold, inner) in zip(seen, expected, strict=True):
        test, held = data[fold.test], data[fold.train][inner.test]
        assert len(part) and not set(part.speakers) & (set(test.speakers) | set(held.speakers) | {"toy/s3"})
        assert not set(part.digests) & (set(test.digests) | set(held.digests))
        assert not set(held.speakers) & set(test.speakers)
    for number, fold in enumerate(folds):
        said = inner_folds.inner_out_of_fold(data, config, runs, fold, number, Workspace(tmp_path, "key"))
        np.testing.assert_allclose(said.sum(axis=2), 1, atol=1e-5)  # every clip of the training part, by every member


def test_the_weights_of_a_fold_are_those_of_its_training_part_alone(zoo, tmp_path, monkeypatch):
    """What the members say of the test part moves the answers for it, not what combines them."""
    data, runs = zoo()
    learned = []
    original = ensemble._combiner

    def spy(config):
        result = original(config)
        fit = result.fit
        result.fit = lambda said, truth: (learned.append((said, truth)), fit(said, truth))[1]
        return result

    monkeypatch.setattr(ensemble, "_combiner", spy)
    result = validated(data, joint(), runs, tmp_path / "w")
    own = ensemble.out_of_fold(data, result.folds, runs)
    for number, (fold, (said, truth)) in enumerate(zip(result.folds, learned, strict=True)):
        np.testing.assert_array_equal(
            said, inner_folds.inner_out_of_fold(data, joint(), runs, fold, number, Workspace(tmp_path / "w", "key"))
        )
        np.testing.assert_array_equal(truth, data.truth[fold.train])
        assert np.abs(said - own[fold.train]).max() > 0.01  # not what the members' own outer folds say
        weights = combiner("weighted").fit(said, truth)
        np.testing.assert_array_equal(result.uncalibrated[fold.test], weights.probabilities(own[fold.test]))


@pytest.mark.parametrize("combine", WAYS)
def test_a_checkpoint_says_what_its_members_say_together(combine, zoo, tmp_path):
    data, runs = zoo()
    config = joint(combine=combine)
    metrics, out = written(data, config, runs, tmp_path / "both")
    assert {path.name for path in (tmp_path / "both" / "members").iterdir()} == {"one.onnx", "two.onnx"}
    predictor = Predictor(tmp_path / "both")
    said = [
        Predictor(run.folder).probabilities(list(part)) for run, part in zip(runs, data.features.parts, strict=True)
    ]
    sample = [list(pair) for pair in zip(*data.features.parts, strict=True)]
    shipped = predictor.probabilities(sample)
    if combine == "stacked":
        expected = combined(np.stack(said, axis=1), predictor.card["combination"])
    else:
        weights = predictor.card["combination"]["weights"]
        temperature = predictor.card["combination"]["temperature"]
        expected = apply_temperature(weights[0] * said[0] + weights[1] * said[1], temperature)
        assert temperature == predictor.card["temperature"] == out.temperature
        assert sum(weights) == pytest.approx(1) and (combine == "weighted" or weights == [0.5, 0.5])
    np.testing.assert_allclose(shipped, expected, atol=1e-6)
    np.testing.assert_allclose(ensemble.ship(data, config, runs, out).probabilities(data.features), shipped, atol=1e-6)
    np.testing.assert_allclose(predictor.probabilities(sample[3:4]), shipped[3:4], atol=1e-6)
    assert predictor.labels == list(LABELS) and not predictor.takes_speaker
    protocol = metrics["protocol"]
    assert protocol["members"] == ["one", "two"] and protocol["combine"] == combine and protocol["speaker_disjoint"]
    assert protocol["inner"] == (None if combine == "mean" else {"by": "speaker", "folds": 3})
    assert list(metrics["by_information"]) == ["none", "enrolment_5", "enrolment_20", "transductive"]
    assert metrics["by_information"]["none"] == metrics["uar"]
    offset = predictor.enrolled(sample)  # of the ensemble's own probabilities
    assert predictor.adapts and offset.clips == len(sample)
    np.testing.assert_allclose(predictor.probabilities(sample, offset), shifted(shipped, offset), atol=1e-6)
    stored = configs.check(json.loads(config.model_dump_json()), "again")
    assert stored == config and configs.changed_keys(tmp_path / "both" / "config.yaml", config) == []


def test_the_mean_is_the_mean_of_the_members_out_of_fold_predictions(zoo, tmp_path):
    data, runs = zoo()
    result = validated(data, joint(combine="mean"), runs, tmp_path / "w")
    each = [predictions.read(run.folder) for run in runs]
    np.testing.assert_allclose(result.uncalibrated, (each[0].probabilities + each[1].probabilities) / 2, atol=1e-6)
    assert (result.fold == each[0].fold).all()


def test_an_ensemble_is_calibrated_and_answers_the_same(zoo, tmp_path):
    """The mean of members that err in different places is not confident enough; one temperature mends it."""
    data, runs = zoo()
    metrics, out = written(data, joint(combine="mean"), runs, tmp_path / "both")
    raw, each = out.uncalibrated, metrics["calibration"]["fold_temperatures"]
    for number, fold in enumerate(out.folds):
        others = np.setdiff1d(np.arange(len(data)), fold.test)
        assert each[number] == calibration.fit(data.truth[others], raw[others])
        np.testing.assert_array_equal(out.probabilities[fold.test], apply_temperature(raw[fold.test], each[number]))
    assert (out.probabilities.argmax(axis=1) == raw.argmax(axis=1)).all()
    assert metrics["calibration"]["log_loss"]["after"] < metrics["calibration"]["log_loss"]["before"]
    rows = record.read(tmp_path / "both" / "audit.parquet")
    assert "temperature" in set(rows["purpose"].to_pylist()) and metrics["audit"]["verdict"] == "clean"


def test_an_ensemble_of_an_earlier_version_has_no_temperature():
    two = np.array([[[0.8, 0.2], [0.4, 0.6]]])
    cooler = combined(two, {"weights": [0.75, 0.25], "temperature": 0.5})
    np.testing.assert_allclose(cooler, apply_temperature(combined(two, {"weights": [0.75, 0.25]}), 0.5), atol=1e-6)


def test_held_out_speakers_are_scored_by_what_is_shipped(zoo, tmp_path):
    split = {"by": "speaker", "folds": 3, "holdout": ["s3"]}
    data, runs = zoo(split=split)
    metrics, out = written(data, joint(split=split), runs, tmp_path / "both")
    held = data.speakers == "toy/s3"
    assert metrics["holdout"]["speakers"] == ["toy/s3"] and (out.fold[held] == -1).all()
    sample = [list(pair) for pair in zip(*data[held].features.parts, strict=True)]
    predicted = Predictor(tmp_path / "both").probabilities(sample).argmax(axis=1)
    assert metrics["holdout"]["accuracy"] == pytest.approx(np.mean(predicted == data.truth[held]))


def test_what_the_members_scores_lack_the_ensembles_lacks(zoo, tmp_path):
    data, runs = zoo()
    stated = runs[0].card["protocol"] | {"speaker_disjoint": False, "tuned": True}
    runs[0] = replace(runs[0], card=runs[0].card | {"protocol": stated})
    metrics, _ = written(data, joint(combine="mean"), runs, tmp_path / "both")
    text = protocol.read(metrics["protocol"]).describe()
    assert "SPEAKER-DEPENDENT" in text and "TUNED" in text


def test_inner_folds_follow_the_outer_split():
    data, config = dataset(), joint()
    assert inner_folds.inner_split(data, config) == {"by": "speaker", "folds": 3}
    assert inner_folds.inner_split(data[np.isin(data.speakers, ["toy/s0", "toy/s1"])], config) == {
        "by": "speaker",
        "folds": 2,
    }
    assert inner_folds.inner_split(data, joint(split={"by": "random", "folds": 3}))["by"] == "random"
    data.speakers[0] = ""
    assert inner_folds.inner_split(data, config)["by"] == "random"


def test_a_stopped_run_goes_on_where_it_was(zoo, tmp_path, monkeypatch):
    data, runs = zoo()
    monkeypatch.setattr(inner_folds.os, "cpu_count", lambda: 1)
    whole = validated(data, joint(), runs, tmp_path / "whole")

    def stop(line):
        if line["fold"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        validated(data, joint(), runs, tmp_path / "w", stop)
    lines = []
    again = validated(data, joint(), runs, tmp_path / "w", lines.append)
    assert sum("cached" in line for line in lines) == 7 and sum("inner" in line["name"] for line in lines) == 18
    np.testing.assert_array_equal(again.probabilities, whole.probabilities)


def test_a_member_trained_again_makes_the_ensemble_stale(zoo, tmp_path):
    data, runs = zoo()
    written(data, joint(combine="mean"), runs, tmp_path / "both")
    card = json.loads((tmp_path / "both" / "model.json").read_text(encoding="utf8"))
    assert ensemble.changed_members(card, runs) == [] and card["fingerprint"] == fingerprint(data, runs)
    with (tmp_path / "two" / "predictions.csv").open("a", encoding="utf8") as file:
        file.write("\n")
    assert ensemble.changed_members(card, runs) == ["member two, trained again since"]
    assert card["fingerprint"] != fingerprint(data, runs)


# refusals


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"features": {"name": "logmel"}}, "features: the members of an ensemble bring their own"),
        ({"normalise": "speaker", "rate": 8000}, "rate, normalise: the members"),
        ({"train": {"epochs": 3}}, "train: the members"),
        ({"model": {"name": "ensemble", "members": ["one"]}}, "two or more different runs"),
        ({"model": {"name": "ensemble", "members": ["one", "one"]}}, "two or more different runs"),
        ({"model": {"name": "ensemble", "member": ["one"]}}, "Did you mean 'members'"),
        ({"model": {"name": "ensemble"}}, "'members' must be given"),
        ({"model": {"name": "svm"}}, "'features' must be given"),
    ],
)
def test_configs_that_contradict_themselves(keys, words):
    with pytest.raises(ConfigError, match=words) as caught:
        joint(**keys) if "features" not in keys else configs.check(
            raw("both", {"name": "ensemble", "members": ["one", "two"]}) | keys, "test"
        )
    assert "\n" not in str(caught.value)


def test_each_member_learns_from_its_own_augmented_copies(zoo, tmp_path, monkeypatch):
    data, runs = zoo()
    plain, wide = data.features.parts
    one, two = replace(data, features=plain), replace(data, features=wide, variants=(wide + 1, wide + 2))
    joined, config = ensemble.joined([one, two]), joint()
    assert joined.variants == () and [len(own) for own in joined[:5].features.variants] == [0, 2]
    seen, original = [], fit.fit
    monkeypatch.setattr(fit, "fit", lambda part, *rest, **more: seen.append(part) or original(part, *rest, **more))
    folds = draw_folds(data, config.split.model_dump(), seed=config.seed)
    inner_folds.fit_inner_folds(joined, config, runs, folds[:1], claimed(tmp_path))
    copies = {(part.features.shape[1], len(part.variants)) for part in seen}
    assert copies == {(plain.shape[1], 0), (wide.shape[1], 2)}
    for part in seen:
        for number, copy in enumerate(part.variants):
            np.testing.assert_array_equal(copy, part.features + (number + 1))


def test_networks_teach_the_weights_at_the_temperature_they_are_joined_with(zoo, tmp_path, monkeypatch):
    data, runs = zoo()
    config = joint()
    folds = draw_folds(data, config.split.model_dump(), seed=config.seed)
    inner_folds.fit_inner_folds(data, config, runs, folds[:1], claimed(tmp_path))
    said = inner_folds.inner_out_of_fold(data, config, runs, folds[0], 0, Workspace(tmp_path, "key"))
    monkeypatch.setattr(inner_folds, "is_network", lambda section: section == runs[0].config.model)
    tempered = inner_folds.inner_out_of_fold(data, config, runs, folds[0], 0, Workspace(tmp_path, "key"))
    np.testing.assert_array_equal(tempered[:, 1], said[:, 1])
    truth, place = data.truth[folds[0].train], np.full(len(said), -1)
    for number, part in enumerate(inner_folds.inner_folds(data, config, folds[0])):
        place[part.test] = number
    np.testing.assert_array_equal(tempered[:, 0], calibration.cross_fitted(truth, said[:, 0], place)[0])
    assert not np.allclose(tempered[:, 0], said[:, 0])
    rows = inner_folds.used_clips(data, config, runs, folds[0], 0, Workspace(tmp_path, "key"))[-1]
    assert set(rows["purpose"].to_pylist()) == {"inner temperature"}
    assert set(rows["id"].to_pylist()) == set(data.ids[folds[0].train])


def test_members_that_cannot_be_joined(zoo):
    one, two = (configs.check(raw(name, LR), "test") for name in ("one", "two"))
    ensemble.check(joint(), [one, two])
    with pytest.raises(ConfigError, match=r"both: member two was trained with another split, seed\. .* split: \{"):
        ensemble.check(joint(), [one, two.model_copy(update={"seed": 2, "split": configs.Split(folds=4)})])
    with pytest.raises(ConfigError, match="both: member both is an ensemble itself"):
        ensemble.check(joint(), [one, joint()])
    with pytest.raises(ConfigError, match="inner_folds must be 2 or more"):
        ensemble.check(joint(model={"name": "ensemble", "members": ["one", "two"], "inner_folds": 1}), [one, two])
    data, runs = zoo()
    folds = draw_folds(data, joint().split.model_dump(), seed=1)
    other = draw_folds(data, joint().split.model_dump(), seed=2)
    assert ensemble.out_of_fold(data, folds, runs).shape == (72, 2, 3)
    for wrong in ((data, other), (doubled(replace(data, ids=data.ids[::-1])), folds)):
        with pytest.raises(ConfigError, match=r"member one was scored on other clips, labels or folds: \d+ of 72"):
            ensemble.out_of_fold(*wrong, runs)


# files of audio


def test_audio_is_decoded_once_a_wave_and_extracted_once_a_recipe(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).normal(size=16000) / 10, 16000)
    whole = {"offset": 0.0, "seconds": None, "trim_db": None, "trim": None, "level": None}

    def card(rate: int, **features) -> dict:
        version = plugins.get("features", features["name"]).load().layout().version
        return {"name": "x", "features": features, "feature_version": version, "rate": rate, "clip": whole}

    cards = [card(16000, name="logmel"), card(16000, name="logmel"), card(16000, name="librosa_stats")]
    cards.append(card(8000, name="logmel"))
    decoded, prepared = [], []

    def counting(function, calls):
        return lambda *args, **named: calls.append(args) or function(*args, **named)

    monkeypatch.setattr(extractor, "decode", counting(extractor.decode, decoded))
    monkeypatch.setattr(extractor, "prepare", counting(extractor.prepare, prepared))
    result = Extractor({"members": cards})(tmp_path / "a.wav")
    assert len(decoded) == 1 and [rate for _, _, rate in prepared] == [16000, 8000] and len(result) == 4
    assert result[0] is result[1] and result[0].shape[1] == result[3].shape[1] and result[2].ndim == 1
    with (tmp_path / "a.wav").open("rb") as file:
        for mine, named in zip(Extractor({"members": cards})(file), result, strict=True):
            np.testing.assert_array_equal(mine, named)
    np.testing.assert_array_equal(Extractor(cards[3])(tmp_path / "a.wav"), result[3])


@pytest.fixture(scope="module")
def served(demo_root, tmp_path_factory):
    """Return a folder with an SVM on pooled MFCC, a network on log-mel frames, and both joined, by one train.py."""
    folder = tmp_path_factory.mktemp("served")
    split = {"by": "speaker", "folds": 2, "holdout": ["m08"]}
    quick = {"epochs": 2, "batch_size": 64}
    model = {"name": "cnn1d", "filters": 4, "dense": 8}
    svm = write_config(folder, "svm", split=split, normalise="speaker")
    net = write_config(folder, "net", split=split, model=model, train=quick, features={"name": "logmel", "n_mels": 16})
    model = {"name": "ensemble", "members": ["svm", "net"], "inner_folds": 2}
    both = write_config(folder, "both", split=split, features=None, model=model)
    common = ["--features", str(folder / "features")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SER_DATA", str(demo_root.parent))
        assert preprocess.main(["--config", str(svm), str(net), *common, "--jobs", "1"]) == 0
        command = ["--config", str(both), str(svm), str(net), *common, "--checkpoints", str(folder)]
        assert train.main(command) == 0
    return folder


def call(served, checkpoint, *arguments) -> subprocess.CompletedProcess:
    command = [sys.executable, "predict.py", "--checkpoint", str(served / checkpoint), *map(str, arguments)]
    return subprocess.run(command, cwd=plugins.ROOT, capture_output=True, timeout=120)


def test_predict_serves_an_ensemble_like_any_other(served, demo_root, tmp_path):
    clip = demo_root / "m08" / "m08_sad_1.wav"
    done = call(served, "both", clip, "--json", "--csv", tmp_path / "t.csv", "--radar", tmp_path / "r.png")
    assert done.returncode == 0 and not done.stderr, done.stderr
    content = json.loads(done.stdout)
    each = [json.loads(call(served, name, clip, "--json").stdout)["probabilities"] for name in ("svm", "net")]
    combination = json.loads((served / "both" / "model.json").read_text(encoding="utf8"))["combination"]
    members = np.array([[[one[label] for label in content["probabilities"]] for one in each]])
    answer = list(content["probabilities"].values())
    np.testing.assert_allclose(answer, combined(members, combination)[0], atol=1e-4)  # six digits, then the temperature
    assert (tmp_path / "t.csv").exists() and (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")
    soundfile.write(tmp_path / "cut.wav", soundfile.read(clip, frames=4000)[0], soundfile.info(clip).samplerate)
    hints = [hint["hint"] for hint in json.loads(call(served, "both", tmp_path / "cut.wav", "--json").stdout)["hints"]]
    assert "short" in hints and len(set(hints)) == len(hints)  # what both members find is said once


def test_standard_input_and_enrolment_reach_every_member(served, demo_root, monkeypatch, capsys):
    clip = demo_root / "m08" / "m08_sad_1.wav"

    def answer(*arguments):
        status, out, err = outcome(
            predict.main, monkeypatch, capsys, "--checkpoint", served / "both", "--json", *arguments
        )
        assert status == 0, err
        return json.loads(out)["probabilities"]

    with clip.open("rb") as file, monkeypatch.context() as patch:
        patch.setattr(sys, "stdin", type("Piped", (), {"buffer": file}))
        assert answer("-") == answer(clip)
    weights = json.loads((served / "both" / "model.json").read_text(encoding="utf8"))["combination"]["weights"]
    adapted = answer(clip, "--enroll", demo_root / "m08")  # by the SVM alone: the network knows no speakers
    assert weights[0] > 0.05 and adapted != answer(clip)


def test_serving_an_ensemble_loads_no_framework(served, demo_root):
    code = (
        f"import json, sys, runpy\nsys.argv = ['predict.py', '--checkpoint', {str(served / 'both')!r}, "
        f"{str(demo_root / 'm08' / 'm08_sad_1.wav')!r}, '--json']\n"
        "try:\n    runpy.run_path('predict.py', run_name='__main__')\n"
        "except SystemExit as end:\n    assert end.code == 0, end.code\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=plugins.ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert not loaded & {"tensorflow", "keras", "sklearn", "pydantic", "pandas", "librosa", "onnx", "skops"}


def test_one_call_trains_members_and_joins_them(served):
    metrics = json.loads((served / "both" / "metrics.json").read_text(encoding="utf8"))
    folds = [
        json.loads((served / name / "metrics.json").read_text(encoding="utf8"))["folds"] for name in ("svm", "net")
    ]
    assert [f["test_speakers"] for f in metrics["folds"]] == [f["test_speakers"] for f in folds[0]]
    assert metrics["holdout"]["speakers"] == ["demo/m08"] and metrics["protocol"]["inner"] == {
        "by": "speaker",
        "folds": 2,
    }
    assert (served / "comparison.csv").read_text(encoding="utf8").splitlines()[1].startswith("both,")
    assert not list((served / ".work").glob("*/"))
    assert "Joined from svm, net; combine: weighted." in (served / "both" / "report.html").read_text(encoding="utf8")


def test_refusals_of_the_scripts_are_one_line(served, demo_root, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SER_DATA", str(demo_root.parent))
    for name in ("svm", "net", "both"):
        shutil.copytree(served / name, tmp_path / name)

    def refused(main, *arguments) -> str:
        checkpoints = () if main is preprocess.main else ("--checkpoints", tmp_path)
        status, out, err = outcome(
            main, monkeypatch, capsys, "--config", served / "both.yaml", *arguments, *checkpoints
        )
        assert status == 2 and not out and err.startswith("error: ") and err.count("\n") == 1
        return err

    features = ("--features", served / "features")
    assert "no features of its own" in refused(preprocess.main, *features)
    assert "model.combine" in refused(train.main, *features, "--set", "model.combine=mean")
    assert "another seed" in refused(train.main, *features, "--set", "seed=7")
    missing = refused(train.main)[:-1].partition("Run: ")[2]
    assert missing.startswith("python preprocess.py --config ") and str(tmp_path / "net" / "config.yaml") in missing
    (tmp_path / "svm" / "predictions.csv").open("a", encoding="utf8").write("\n")
    assert "member svm, trained again since" in refused(train.main, *features)
    shutil.rmtree(tmp_path / "net")
    assert f"Run: python train.py --config {served / 'net.yaml'} " in refused(train.main, *features)
    (tmp_path / "both" / "members" / "net.onnx").unlink()
    status, _, err = outcome(predict.main, monkeypatch, capsys, "--checkpoint", tmp_path / "both", os.devnull)
    assert status == 2 and "no members/net.onnx in it" in err
