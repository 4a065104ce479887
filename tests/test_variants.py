"""Augmented copies from preprocess.py to the fitted model: what is stored, who may learn from it, who may not."""

import json
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toy import arrays, dataset, outcome, write_config

import preprocess
import train
import tune
from augmentation import speed
from evaluation.splits.folds import draw_folds
from evaluation.training import cross_validation, fit
from evaluation.training.workspace import Workspace
from extract_feats.cache import read
from extract_feats.cache.fill import fill
from extract_feats.cache.scan import scan
from extract_feats.cache.store import FeatureStore, key
from extract_feats.cache.task import Task
from models.keras_model import KerasModel
from models.sklearn_model import SklearnModel
from utils import config as configs
from utils.audio.decode import decode
from utils.audio.prepare import inspect, read_wave
from utils.dataset import Dataset, Frames
from utils.errors import ConfigError

pytestmark = pytest.mark.usefixtures("eager", "undrawn")

AUGMENT = [{"name": "speed", "copies": 2}, {"name": "gaussian_noise"}]
CNN = {"name": "cnn1d", "filters": 4, "dense": 8}
QUICK = {"epochs": 1, "batch_size": 512}  # all clips and copies in one batch: little to compile
MARK = 1e6


def settings(**keys) -> configs.Config:
    raw = {
        "name": "toy", "corpora": [{"name": "demo", "root": "demo"}], "features": {"name": "librosa_stats"},
        "split": {"by": "speaker", "folds": 3}, "model": {"name": "svm"}, "train": QUICK, "augment": AUGMENT,
    }  # fmt: skip
    return configs.check(raw | keys, "toy")


def marked(kind: str = "vector", copies: int = 2) -> Dataset:
    """Return a data set whose copies carry, in their first dimension, MARK and the row they were made of."""
    data = dataset(kind)
    variants = []
    for _ in range(copies):
        clips = [clip.copy() for clip in arrays(data.features)]
        for row, clip in enumerate(clips):
            clip[..., 0] = MARK + row
        variants.append(Frames(clips) if kind == "frames" else np.stack(clips))
    return replace(data, variants=tuple(variants))


def marks(data: Dataset) -> list[int]:
    """Return the rows that the copies among these clips were made of."""
    first = [float(clip.reshape(-1, clip.shape[-1])[0, 0]) for clip in arrays(data.features)]
    return [round(value - MARK) for value in first if value > MARK / 2]


@pytest.fixture
def fitted(monkeypatch):
    """Return what every model is fitted on and stopped by, as it reaches the estimator or the network."""
    seen = []
    for kind in (SklearnModel, KerasModel):

        def spy(self, data, statistics, validation=None, *, original=kind._fit, **options):
            seen.append((self, data, statistics, validation))
            return original(self, data, statistics, validation, **options)

        monkeypatch.setattr(kind, "_fit", spy)
    return seen


# sides


@pytest.mark.parametrize("kind", ["vector", "frames"])
@pytest.mark.parametrize("model", [{"name": "svm"}, CNN], ids=lambda model: model["name"])
@pytest.mark.parametrize("normalise", ["global", "speaker"])
def test_no_copy_of_a_test_or_validation_clip_is_trained_on(model, kind, normalise, fitted, tmp_path):
    data, config = marked(kind), settings(model=model, normalise=normalise)
    result = cross_validation.cross_validate(data, config, Workspace(tmp_path, "key"))
    ways = 2 if normalise == "speaker" else 1  # every clip comes scaled in two ways
    parts = draw_folds(data, config.split.model_dump(), seed=config.seed)
    assert len(fitted) == len(parts) == 3 and (result.fold >= 0).all()
    tested = {tuple(fold.test) for fold in parts}
    for _, trained, _, held in fitted:
        copied = marks(trained)
        own = set(trained.ids)
        assert len(copied) == 2 * ways * len(own) and {data.ids[row] for row in copied} == own
        others = set() if held is None else set(held[0].ids)
        assert not others & own and (held is None or not marks(held[0]))
        (test,) = (rows for rows in tested if not set(data.ids[list(rows)]) & (own | others))
        tested.remove(test)
        assert len(own) + len(others) + len(test) == len(data)
    assert not tested


def test_the_copies_go_wherever_their_clips_go():
    data = marked()
    rows = np.array([5, 3, 3, 40])
    part = data[rows]
    assert [marks(replace(part, features=copy, variants=())) for copy in part.variants] == [rows.tolist()] * 2
    copies = part.copies()
    assert marks(copies) == [5, 3, 3, 40] * 2 and not copies.variants
    assert copies.ids.tolist() == part.ids.tolist() * 2 and copies.truth.tolist() == part.truth.tolist() * 2
    assert copies.facts["sex"].tolist() == part.facts["sex"].tolist() * 2
    every = part.joined(copies)
    assert len(every) == 12 and every.digests.tolist() == part.digests.tolist() * 3 and not every.variants
    assert len(data[data.truth == 0].variants[0]) == 24


def test_the_shipped_model_learns_from_the_copies_of_all_but_the_held_out(fitted, tmp_path):
    data = marked("frames")
    config = settings(model=CNN, split={"by": "speaker", "folds": 2, "holdout": ["toy/s5"]})
    result = cross_validation.cross_validate(data, config, Workspace(tmp_path, "key"))
    fit.ship(data, config, result, Workspace(tmp_path, "key"))
    assert set(marks(fitted[-1][1])) == set(np.flatnonzero(data.speakers != "toy/s5").tolist())


# what scales a copy


@pytest.mark.parametrize("normalise", ["global", "speaker"])
def test_copies_scale_nothing_and_are_scaled_by_their_speakers_own_clips(normalise, fitted):
    data, config = marked(), settings(normalise=normalise)
    model = fit.fit(data, None, config, seed=1)
    plain = fit.fit(replace(data, variants=()), None, config, seed=1)
    np.testing.assert_array_equal(model.mean_, plain.mean_)
    np.testing.assert_array_equal(model.std_, plain.std_)
    _, trained, statistics, _ = fitted[0]
    assert np.abs(statistics.mean[:, 0]).max() < MARK / 100  # no marked value has come into any mean
    if normalise == "speaker":
        for row in (0, 30, 72, 150, 215):  # clips and copies, the first way
            same = data.features[data.speakers == trained.speakers[row]]
            np.testing.assert_allclose(statistics.mean[statistics.rows[row]], same.mean(axis=0), rtol=1e-4)
        assert (statistics.rows[216:] == 6).all() and (statistics.rows[:216] < 6).all()  # the second: as if not known


# balance


def test_balance_by_augmentation_fills_the_smaller_classes_with_copies_alone(fitted):
    data = marked()
    keep = np.concatenate([np.flatnonzero(data.truth == k)[:count] for k, count in enumerate((24, 20, 6))])
    part = data[keep]
    config = settings(balance="augment")
    fit.fit(part, None, config, seed=3)
    fit.fit(part, None, config, seed=3)
    fit.fit(part, None, config, seed=4)
    first, again, other = (trained for _, trained, _, _ in fitted)
    assert np.bincount(first.truth).tolist() == [24, 24, 24]
    assert first.ids[:50].tolist() == part.ids.tolist()  # each clip once
    copied = np.array(marks(first))
    assert len(copied) == 4 + 18 and set(data.truth[copied]) == {1, 2}
    rare = copied[data.truth[copied] == 2]  # 12 copies of 6 clips for 18 places: all of them, some again
    assert set(rare.tolist()) == set(keep[-6:].tolist())
    assert marks(again) == copied.tolist() != marks(other)


def test_balanced_classes_need_no_copies(fitted):
    fit.fit(marked(), None, settings(balance="augment"), seed=3)
    assert len(fitted[0][1]) == 72 and not marks(fitted[0][1])


def test_oversampled_clips_bring_their_copies(fitted):
    data = marked()
    part = data[np.concatenate([np.flatnonzero(data.truth != 2), np.flatnonzero(data.truth == 2)[:5]])]
    fit.fit(part, None, settings(balance="oversample"), seed=3)
    assert np.bincount(fitted[0][1].truth).tolist() == [72, 72, 72]


def test_an_estimator_takes_audio_augmentation_and_refuses_that_of_features():
    fit.check_network_keys(settings(), frames=False)
    with pytest.raises(ConfigError, match=r"augment: feature_noise works while a network trains; svm has no epochs"):
        fit.check_network_keys(settings(augment=[*AUGMENT, {"name": "feature_noise"}]), frames=False)
    with pytest.raises(ConfigError, match="time_mask changes frames over time"):
        fit.check_network_keys(settings(model=CNN, augment=[*AUGMENT, {"name": "time_mask"}]), frames=False)


# the whole way


@pytest.fixture(scope="module")
def filled(demo_root, tmp_path_factory) -> Path:
    """Return a folder whose features/ holds the demo corpus's MFCC and their copies."""
    folder = tmp_path_factory.mktemp("variants")
    config = write_config(folder, "svm", augment=AUGMENT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SER_DATA", str(demo_root.parent))
        assert preprocess.main(["--config", str(config), "--features", str(folder / "features"), "--jobs", "2"]) == 0
    return folder


@pytest.fixture
def run(filled, demo_root, tmp_path, monkeypatch, capsys):
    """Return a call of a script's main with the filled cache: exit status, stdout, stderr."""
    monkeypatch.setenv("SER_DATA", str(demo_root.parent))

    def call(script, *options, features: Path = filled / "features") -> tuple[int, str, str]:
        folders = ["--features", features] + (["--checkpoints", tmp_path / "c"] if script is not preprocess else [])
        return outcome(script.main, monkeypatch, capsys, *options, *folders)

    return call


def test_a_second_run_extracts_nothing_and_names_every_recipe(run, filled):
    status, out, err = run(preprocess, "--config", filled / "svm.yaml")
    assert status == 0, err
    labels = ["", " + speed 1/2", " + speed 2/2", " + gaussian_noise 1/1"]
    for line, label in zip(out.splitlines()[-4:], labels, strict=True):
        assert line.startswith(f"demo librosa_frames-mfcc{label}: 80 clips, 0 extracted, 80 cached, 0 rejected, ")


def test_one_more_copy_extracts_that_copy_alone(run, filled, tmp_path):
    config = write_config(tmp_path, "more", augment=[{"name": "speed", "copies": 3}])
    status, out, _ = run(preprocess, "--config", config)
    counted = [line.partition(" clips, ")[2].partition(" extracted")[0] for line in out.splitlines()[-4:]]
    assert status == 0 and counted == ["0", "0", "0", "80"]


def test_a_copy_depends_on_neither_order_nor_process(filled, demo_root, monkeypatch):
    """What two processes stored is what the clip's own digest and the recipe give, one clip at a time."""
    monkeypatch.setenv("SER_DATA", str(demo_root.parent))
    _, _, second, _ = read.recipes_of(configs.read(filled / "svm.yaml"))
    store = FeatureStore(filled / "features", second)
    for path in sorted(demo_root.rglob("*_sad_*.wav"))[::-3]:
        digest = inspect(*decode(path)).digest
        wave = second.variant.apply(read_wave(path, 16000), 16000, digest)
        (stored,) = store.read([key(digest)]).clips
        np.testing.assert_allclose(stored, second.extract(wave), rtol=1e-4, atol=1e-4)


def test_an_svm_and_a_network_train_on_the_copies_and_ship_without_a_word_of_them(run, filled, tmp_path, fitted):
    keys = {"augment": AUGMENT, "train": QUICK}
    svm = write_config(tmp_path, "svm", **keys)
    net = write_config(tmp_path, "net", **keys | {"augment": [*AUGMENT, {"name": "time_mask"}]}, model=CNN)
    plain = write_config(tmp_path, "plain")
    status, _, err = run(train, "--config", svm, net, plain)
    assert status == 0, err
    sizes = [len(trained) for _, trained, _, _ in fitted]
    assert sizes[3] == 4 * 70 and sizes[-1] == 70  # the shipped SVMs, of all but the held-out speaker's 10 clips
    cards = {name: json.loads((tmp_path / "c" / name / "model.json").read_text()) for name in ("svm", "net", "plain")}
    assert len({card["fingerprint"] for card in cards.values()}) == 2  # svm and net read the same, plain does not
    assert set(cards["svm"]) == set(cards["plain"])
    assert not any(word in json.dumps(card) for card in cards.values() for word in ("speed", "noise", "time_mask"))
    assert "already trained" in run(train, "--config", svm)[1]


def test_missing_copies_name_the_recipe_and_the_command(run, filled, tmp_path):
    config = write_config(tmp_path, "more", augment=[{"name": "volume", "copies": 2}])
    status, _, err = run(train, "--config", config)
    assert status == 2 and err.count("\n") == 1
    assert "80 of 80 clips have no cached librosa_frames-mfcc + volume 1/2 features. Run: " in err
    command = shlex.split(err.partition("Run: python preprocess.py ")[2])
    assert run(preprocess, *command[:-2], features=Path(command[-1]))[0] == 0  # the last two: --features
    assert run(train, "--config", config)[0] == 0


def test_a_clip_of_which_no_copy_can_be_made_stands_for_itself(demo_root, tmp_path, monkeypatch):
    """A copy that is too short for the features is refused; the clip is tested and trained on as before."""
    monkeypatch.setenv("SER_DATA", str(demo_root.parent))
    config = settings(features={"name": "librosa_frames", "preset": "mfcc"}, augment=[{"name": "speed"}])
    whole, calls = speed.augment, []

    def augment(wave, *arguments, **options):
        calls.append(wave)
        return wave[:10] if len(calls) == 3 else whole(wave, *arguments, **options)

    monkeypatch.setattr(speed, "augment", augment)
    (corpus,) = scan(config)
    own, copies = fill([Task(corpus, recipe) for recipe in read.recipes_of(config)], tmp_path, jobs=0)
    assert not own.rejected and len(copies.rejected) == 1 and copies.extracted == 79
    data = read.dataset(config, tmp_path, command="x")
    assert len(data) == 80
    for u, one, copy in zip(data.facts["path"], data.features, data.variants[0], strict=True):
        assert np.array_equal(one, copy) == (Path(u) == copies.rejected[0].path)


def test_a_search_may_choose_among_augmentations(run, tmp_path):
    (tmp_path / "space.yaml").write_text("augment: {choices: [[], [{name: speed, copies: 2}]]}\n")
    config = write_config(tmp_path, "one", split={"by": "speaker", "folds": 2, "holdout": ["m08"]})
    options = ["--space", tmp_path / "space.yaml", "--sampler", "grid", "--out", tmp_path / "best.yaml"]
    status, _, err = run(tune, "--config", config, *options)
    assert status == 0, err
    assert err.count(" finished: UAR ") == 2
    assert configs.read(tmp_path / "best.yaml").augment in ([], [{"name": "speed", "factor": [0.9, 1.1], "copies": 2}])
