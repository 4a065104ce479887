"""explain.py and evaluation/explanations: known maps of known models, correct verdicts, and the whole command."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from toy import LABELS, dataset, outcome, write_config
from toy import arguments as section

from evaluation.explanations import attention, feature_groups, importance, maps, text, unseen
from evaluation.explanations.methods import Method, clip_map
from extract_feats import opensmile
from models.classes import model_class
from tests import toy_figures, toy_networks
from utils.config import Train
from utils.dataset import Frames


class Sees:
    """A model that says sigmoid(what it reads of a clip) for label 0; the training mean is 0."""

    labels, file, mean_ = LABELS, "model.skops", np.zeros(4, np.float32)

    def __init__(self, read):
        self.read = read

    def probabilities(self, features):
        first = 1 / (1 + np.exp(-np.array([self.read(clip) for clip in features])))
        return np.stack([first, (1 - first) / 2, (1 - first) / 2], axis=1).astype(np.float32)


GROUPS = {"even": np.array([0, 2]), "odd": np.array([1, 3])}


def clip(rng, frames: int = 13) -> np.ndarray:
    return 1 + rng.random((frames, 4)).astype(np.float32)


def test_blocks_hold_every_value_once():
    blocks = maps.Blocks.of(GROUPS, 5)
    numbers = blocks.numbers(np.zeros((13, 4)))
    assert numbers.shape == (13, 4) and set(numbers.ravel()) == set(range(len(blocks)))
    assert numbers[0].tolist() == [0, 1, 0, 1] and numbers[-1].tolist() == [8, 9, 8, 9]
    values = np.arange(52.0).reshape(13, 4)
    sums = blocks.sums(values)
    assert sums.sum() == values.sum() and sums[1] == values[numbers == 1].sum()
    assert maps.Blocks.of(GROUPS, 1).numbers(np.zeros(4)).tolist() == [0, 1, 0, 1]


def test_occlusion_finds_what_the_model_reads():
    model, one = Sees(lambda x: x[6:9, 1].sum()), clip(np.random.default_rng(0))
    blocks = maps.Blocks.of(GROUPS, 5)
    worth = maps.occlusion(model, one, 0, blocks)
    assert set(np.flatnonzero(worth)) == {5, 7}  # odd columns, frames 6 and 7 of the third fifth, 8 of the fourth
    alone = one.copy()
    alone[blocks.numbers(one) == 5] = 0
    whole, less = model.probabilities([one, alone])[:, 0]
    assert worth[5] == pytest.approx(whole - less, abs=1e-6)


def test_curves_begin_and_end_with_the_whole_clip_and_with_nothing():
    model, one = Sees(lambda x: x.sum() / 30), clip(np.random.default_rng(1))
    blocks = maps.Blocks.of(GROUPS, 5)
    deletion, insertion = maps.curves(model, one, 0, blocks, [np.arange(10), np.arange(10)[::-1]])
    whole, nothing = model.probabilities([one, 0 * one])[:, 0]
    assert deletion.shape == insertion.shape == (2, maps.STEPS + 1)
    np.testing.assert_allclose(deletion[:, [0, -1]], [[whole, nothing]] * 2, atol=1e-6)
    np.testing.assert_allclose(insertion[:, [0, -1]], [[nothing, whole]] * 2, atol=1e-6)
    np.testing.assert_allclose(deletion[0], insertion[1][::-1], atol=1e-6)  # to go first is to come last
    assert maps.area(np.linspace(0, 1, maps.STEPS + 1)) == pytest.approx(0.5)


def verdict_of(map_for) -> tuple[dict, str]:
    rng = np.random.default_rng(2)
    model = Sees(lambda x: x[6:9, 1].sum() - 2)
    blocks, tried = maps.Blocks.of(GROUPS, 5), []
    for _ in range(25):
        method = Method(blocks, map_for(model, blocks, rng))
        tried.append(clip_map(model, clip(rng), method, rng, random_orders=4).curves)
    tried = np.array(tried)
    faith = maps.faithfulness(tried[:, 0], tried[:, 1])
    return faith, "\n".join(text.verdict({"faithfulness": faith}))


def test_a_true_map_is_called_faithful_and_a_random_or_reversed_one_is_not():
    faith, said = verdict_of(lambda model, blocks, rng: lambda x, k: maps.occlusion(model, x, k, blocks))
    assert faith["faithful"] and faith["deletion"]["gain_ci95"][0] > 0 and "Faithful" in said
    for wrong in (
        lambda model, blocks, rng: lambda x, k: rng.random(len(blocks)),
        lambda model, blocks, rng: lambda x, k: -maps.occlusion(model, x, k, blocks),
    ):
        faith, said = verdict_of(wrong)
        assert not faith["faithful"] and "NOT shown to be faithful: by" in said
        assert max(map(len, said.split("\n"))) <= 80


def test_few_speakers_are_said_to_be_few():
    line = {"family": "F0", "n_features": 2, "loss": 0.1, "loss_ci95": [0.05, 0.2], "p_holm": 0.875, "alone": 0.2}
    result = {"name": "x", "models": "y", "n_clips": 9, "uar": 0.5, "importance": [line], "maps": {}}
    few = text.of_run(result | {"n_speakers": 4})
    assert "With 4 speakers no p can come below .05" in " ".join(few.split())
    assert "no p can" not in text.of_run(result | {"n_speakers": 6})


def test_a_single_clips_map_is_called_faithful_where_it_beats_nearly_all_orders():
    maps_of = {
        "occlusion": {"deletion_beats": 19, "insertion_beats": 20},
        "x": {"deletion_beats": 20, "insertion_beats": 18},
    }
    first, second = text.of_clip({"random_orders": 20, "maps": maps_of}, "a.wav").split("\n")[1:3]
    assert first.endswith("orders: faithful") and second.endswith("orders: NOT shown to be faithful")


def test_the_interval_is_students():
    from scipy import stats

    values = np.random.default_rng(0).normal(size=9)
    expected = stats.t.interval(0.95, 8, values.mean(), stats.sem(values))
    np.testing.assert_allclose(maps.interval(values), expected)
    assert maps.interval(values[:1]) is None


def test_attention_over_relative_time_is_a_density_of_the_clips_own_frames():
    weights = np.float32([0, 0, 0.5, 0.5, 0])
    result = attention.profile(weights)
    assert result.mean() == pytest.approx(1)
    np.testing.assert_allclose(result[:20], 0, atol=1e-9)
    np.testing.assert_allclose(result[20:40], 2.5)
    np.testing.assert_allclose(result[40:], 0, atol=1e-6)


@pytest.mark.parametrize("kind", ["vector", "frames"])
def test_integrated_gradients_add_up_to_the_probability_gained(kind):
    from models import gradients

    name = "bilstm" if kind == "frames" else "cnn1d"
    data = dataset(kind, speakers=3, takes=3, noise=0.5)
    model = model_class({"name": name})(section(name) | ({"units": 4} if kind == "frames" else {}), LABELS, seed=1)
    with toy_networks.eager():
        model.fit(data, train=Train(epochs=3, learning_rate=0.02))
    attribute = gradients.integrated_gradients(model, steps=64)
    for number in (0, 5):
        one = data.features[number]
        mean = np.broadcast_to(model.mean_, one.shape)
        both = Frames([one, mean]) if kind == "frames" else np.stack([one, mean])
        whole, nothing = model.probabilities(both)[:, 1]
        shares = attribute(one, 1)
        assert shares.shape == one.shape and abs(whole - nothing) > 1e-3
        assert shares.sum() == pytest.approx(whole - nothing, abs=5e-3)


def test_every_opensmile_feature_has_a_family():
    for name in opensmile.SETS:
        for level in opensmile.LEVELS:
            names = opensmile.names(16000, set=name, level=level)
            result = feature_groups.families(names, opensmile=True)
            assert "other" not in result
            assert sorted(np.concatenate(list(result.values()))) == list(range(len(names)))
    of = {column: family for family, columns in result.items() for column in columns}
    assert of[names.index("F0_sma")] == "F0" and of[names.index("pcm_zcr_sma")] == "zero crossings"


def test_wide_families_of_frames_are_shown_in_parts():
    names = [f"mel_{i}" for i in range(128)] + ["zcr"]
    result = feature_groups.bands(names, opensmile=False)
    assert list(result) == ["mel 0-31", "mel 32-63", "mel 64-95", "mel 96-127", "zcr"]
    assert sorted(np.concatenate(list(result.values()))) == list(range(129))


def test_permutation_finds_the_features_that_say_something():
    data = dataset(speakers=8, takes=6, noise=0.3)
    rng = np.random.default_rng(0)
    features = np.concatenate([data.features, rng.normal(size=(len(data), 8))], axis=1).astype(np.float32)
    data = replace(data, features=features)
    train, test = data[np.arange(len(data)) < 72], data[np.arange(len(data)) >= 72]
    model = model_class({"name": "lda"})(section("lda"), LABELS).fit(train)
    groups = {"noise": np.arange(8, 16), "speech": np.arange(8)}
    speech, noise = importance.permutation_importance([(model, test)], groups, seed=1)
    uar = np.mean([(model.probabilities(test.features).argmax(axis=1) == test.truth)[test.truth == k].mean()
                   for k in range(3)])  # fmt: skip
    assert [speech["family"], noise["family"]] == ["speech", "noise"]
    assert speech["loss"] > 0.3 and abs(noise["loss"]) < 0.1 and noise["p_holm"] > 0.05
    assert speech["alone"] > 0.8 and noise["alone"] == pytest.approx(uar - speech["loss"], abs=0.12)
    nameless = replace(test, speakers=np.full(len(test), ""))
    assert importance._units([(model, nameless)]).tolist() == test.ids.tolist()


def test_the_model_explained_was_not_trained_on_the_clips():
    data = dataset(speakers=6)
    config = SimpleNamespace(
        split=SimpleNamespace(model_dump=lambda: {"by": "speaker", "folds": 3}, by="speaker"), seed=1,
        model=section("lda"), normalise="global", balance="none",
    )  # fmt: skip
    parts, which = unseen.models_and_clips(data, config, None)
    assert sorted(np.concatenate([part.data.ids for part in parts])) == sorted(data.ids) and "all 3 folds" in which
    for model, heard_not in parts:
        rest = data[~np.isin(data.speakers, heard_not.speakers)]
        np.testing.assert_allclose(model.mean_, rest.features.mean(axis=0), rtol=1e-5)
    assert len(unseen.models_and_clips(data, config, None, folds=1)[0]) == 1


@pytest.mark.parametrize("kind", ["vector", "network"])
def test_the_command_explains_a_run_and_a_recording(kind, demo_root, tmp_path, monkeypatch, capsys):
    import explain
    import preprocess
    import train

    monkeypatch.setenv("SER_DATA", str(demo_root.parent))
    network = {
        "model": {"name": "transformer", "width": 8, "layers": 0}, "train": {"epochs": 1, "batch_size": 64},
        "split": {"by": "speaker", "folds": 2, "holdout": ["m08"]},
    }  # fmt: skip
    vector = {"features": {"name": "librosa_stats"}, "model": {"name": "lda"}, "split": {"by": "speaker", "folds": 2}}
    config = write_config(tmp_path, kind, **(network if kind == "network" else vector))
    where = ["--features", tmp_path / "features"]
    assert outcome(preprocess.main, monkeypatch, capsys, "--config", config, *where)[0] == 0
    checkpoints = tmp_path / "checkpoints"
    with monkeypatch.context() as patch, toy_networks.eager():
        patch.setattr("matplotlib.figure.Figure.savefig", toy_figures.save_pixel)  # of the run; explain.py draws
        status, *_ = outcome(train.main, monkeypatch, capsys, "--config", config, *where, "--checkpoints", checkpoints)
    assert status == 0
    given = ["--checkpoint", checkpoints / kind]
    status, said, _ = outcome(explain.main, monkeypatch, capsys, *given, *where, "--limit", 1)
    folder = checkpoints / kind / "explanations"
    content = json.loads((folder / "explanations.json").read_text(encoding="utf8"))
    assert status == 0 and (folder / "explanations.txt").read_text(encoding="utf8") in said
    assert max(map(len, said.splitlines()[:-1])) <= 80  # the last line is a path
    pictures = {path.name for path in folder.glob("*.png")}
    if kind == "network":
        assert set(content["maps"]) == {"attention", "occlusion", "gradients"} and "the held-out speakers" in said
        assert pictures == {"attention.png", "occlusion.png", "gradients.png", "faithfulness.png"}
        assert np.mean(content["attention"]["all"]) == pytest.approx(1)
    else:
        assert pictures == {"importance.png", "occlusion.png", "faithfulness.png"} and "all 2 folds" in said
        scored = json.loads((checkpoints / kind / "metrics.json").read_text(encoding="utf8"))
        assert content["uar"] == pytest.approx(scored["uar"])  # the folds trained again are those that were scored
    wav = next(demo_root.rglob("*.wav"))
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no sound")
    status, said, error = outcome(explain.main, monkeypatch, capsys, *given, "--file", broken, wav)
    folder = folder / "clips"
    assert status == 1 and "broken.wav" in error and error.count("\n") == 1  # and the other one was explained
    assert f"{wav.name}: " in said and (folder / f"{wav.stem}.png").stat().st_size > 10_000
    one = json.loads((folder / f"{wav.stem}.json").read_text(encoding="utf8"))
    assert one["answer"] in said and all(0 <= m["deletion_beats"] <= 20 for m in one["maps"].values())


def test_what_is_no_checkpoint_is_refused_in_one_line(tmp_path, monkeypatch, capsys):
    import explain

    status, _, error = outcome(explain.main, monkeypatch, capsys, "--checkpoint", tmp_path)
    assert status == 2 and "no model.json" in error and error.count("\n") == 1
