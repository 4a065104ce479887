"""The distilled encoder: what the student hears, what it has to answer, that it learns, and the whole command."""

import json
import shutil

import numpy as np
import pytest

from distillation import degradation, projection
from distillation.pairs import Pair, Recipe, stored
from distillation.speech import pieces as speech_of
from distillation.speech import sources
from extract_feats import distilled, logmel
from extract_feats.pretrained import encoder
from tests import toy_encoders
from utils import plugins
from utils.config import check
from utils.errors import ConfigError, DataError

BANDS = 64


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    """The section of a Whisper in small."""
    folder = tmp_path_factory.mktemp("teacher") / "whisper-base"
    toy_encoders.write_whisper(folder)
    section = {"name": "whisper", "model": str(folder), "layers": [1, 2], "pool": "frames"}
    return {"name": "whisper"} | plugins.arguments("features", section)


def a_config(root, **more):
    return check(
        {
            "name": "student", "clip": {"level": "active", "trim": "adaptive"},
            "corpora": [{"name": "demo", "root": str(root)}],
            "features": {"name": "logmel"}, "model": {"name": "logistic_regression"},
        } | more,
        "test",
    )  # fmt: skip


def mel(frames: int = 200, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(-50, 15, (frames, BANDS)).astype(np.float32)


def test_degraded_features_depend_on_the_seed_alone_and_keep_their_shape():
    before = mel()
    kept = before.copy()
    one, same, other = (degradation.degrade(before, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.shape == before.shape and one.dtype == np.float32 and np.isfinite(one).all()
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    np.testing.assert_array_equal(before, kept)


def test_every_degradation_occurs_and_noise_only_adds_power():
    changes = [degradation.degrade(mel(), np.random.default_rng(seed)) - mel() for seed in range(60)]
    assert any((change[:, -2:] < -10).mean() > 0.9 for change in changes), "no narrow band"
    assert any(np.abs(change).max() < 40 and change.std() > 1 for change in changes), "no equaliser or noise"
    quiet = np.full((100, BANDS), -80, np.float32)
    quiet[:, :8] = -20
    noise = [degradation._power_sum(quiet, degradation._noise(quiet, np.random.default_rng(s))) for s in range(5)]
    assert all((noisy >= quiet - 1e-3).all() and noisy.max() > -79 for noisy in noise)


def test_components_keep_the_distances_that_standardised_values_have():
    rng = np.random.default_rng(3)
    mixing = rng.normal(size=(12, 12)) * np.linspace(1, 30, 12)
    pieces = [(rng.normal(size=(40, 12)) + rng.normal(size=12)) @ mixing for _ in range(150)]
    onto = projection.fitted(pieces, 12, seed=1)
    means = np.stack([piece.mean(axis=0) for piece in pieces])
    scaled = (means - means.mean(axis=0)) / means.std(axis=0)
    made = np.stack([onto.apply(piece).astype(np.float64).mean(axis=0) for piece in pieces])
    distance = lambda x: np.linalg.norm(x[:, None] - x[None], axis=2)  # noqa: E731
    np.testing.assert_allclose(distance(made), distance(scaled), rtol=0.01, atol=0.02)
    assert onto.pooled_variance == pytest.approx(np.square(scaled).sum(axis=1).mean(), rel=0.01)


def test_the_place_in_the_clip_is_taken_out():
    """Frames are a curve over time plus what the piece is about; only the latter is left, in pieces of any length."""
    rng = np.random.default_rng(5)
    curve = np.cumsum(rng.normal(size=(60, 8)), axis=0) * 3
    pieces = [curve[:n] + rng.normal(size=8) for n in rng.integers(20, 60, 400)]
    onto = projection.fitted(pieces, 8, seed=0)
    steady = len(onto.position)
    assert 40 < steady < 60, "few pieces are so long that their mean says something"
    for piece in pieces[:20]:
        assert onto.scaled(piece)[:steady].std(axis=0).mean() < 0.1 * piece[:steady].std(axis=0).mean()


def test_fewer_components_explain_the_most():
    rng = np.random.default_rng(0)
    strong = rng.normal(size=(150, 60, 2)) @ rng.normal(size=(2, 10)) * 5
    pieces = list(strong + 0.1 * rng.normal(size=(150, 60, 10)))
    onto = projection.fitted(pieces, 2, seed=0)
    kept = np.concatenate([onto.apply(piece).astype(float) for piece in pieces])
    explained = np.square(kept).sum(axis=1).mean() / onto.frame_variance
    assert 0.85 < explained < 1.15, "of 2 of 10 values; the variance is that of six frames per piece"


def test_pairs_are_of_one_voice_at_two_speeds_and_computed_once(demo_root, teacher, tmp_path):
    config = a_config(demo_root)
    files = sources(config, [])[:3]
    done = []
    made = stored(files, Recipe(config, teacher), tmp_path, 1, lambda n, total: done.append((n, total)))
    assert list(made) == [file.id for file in files] and done[-1] == (3, 3)
    for pieces in made.values():
        (as_is, faster), *_ = pieces
        assert as_is.clean.shape == as_is.degraded.shape and as_is.clean.shape[1] == BANDS
        assert abs(len(as_is.clean) / 4 - len(as_is.teacher)) <= 1
        assert 0.8 < len(as_is.clean) / len(faster.clean) < 1.25 and len(as_is.clean) != len(faster.clean)
        assert not np.array_equal(as_is.clean, as_is.degraded)
    wave = next(speech_of(files[0].path, config))
    first = made[files[0].id][0][0]
    np.testing.assert_allclose(first.clean, logmel.extract(wave, 16000), atol=0.05)
    frames = plugins.call("features", teacher, "extract", wave, 16000)
    np.testing.assert_allclose(first.teacher[0], frames[:2].mean(axis=0), rtol=2e-3, atol=2e-3)
    again = stored(files, Recipe(config, teacher), tmp_path, 1, lambda n, total: pytest.fail("computed again"))
    np.testing.assert_array_equal(again[files[2].id][0][1].teacher, made[files[2].id][0][1].teacher)


def test_files_without_speech_are_left_out_and_folders_are_read(demo_root, teacher, tmp_path):
    import soundfile

    folder = tmp_path / "prompts"
    folder.mkdir()
    soundfile.write(folder / "silence.wav", np.zeros(16000), 16000)
    (folder / "broken.wav").write_bytes(b"RIFF")
    config = a_config(demo_root)
    files = sources(config, [folder])
    assert {"prompts/broken.wav", "prompts/silence.wav"} <= {file.id for file in files}
    bad = [file for file in files if file.id.startswith("prompts/")]
    with pytest.raises(DataError, match="none of the files holds speech"):
        stored(bad, Recipe(config, teacher), tmp_path, 1, lambda n, total: None)
    (tmp_path / "nothing").mkdir()
    with pytest.raises(DataError, match="holds no audio files"):
        sources(config, [tmp_path / "nothing"])


def test_a_student_learns_a_teacher_and_its_graph_answers_as_it(tmp_path):
    """The teacher is a linear map of the log-mel, which the student can learn within a few passes."""
    from distillation import export, network, training

    rng = np.random.default_rng(1)
    mixing = rng.normal(size=(BANDS, 6)).astype(np.float32) / 80

    def pair(seed: int) -> Pair:
        steady = np.random.default_rng(seed).normal(0, 12, BANDS)
        clean = (mel(160, seed) / 3 - 33 + steady).astype(np.float16)
        target = (clean.astype(np.float32).reshape(40, 4, BANDS).mean(axis=1) + 50) @ mixing
        return Pair(clean, clean, target.astype(np.float16))

    pieces = [[pair(seed)] for seed in range(60)]
    onto = projection.fitted([piece[0].teacher for piece in pieces], 6, seed=0)
    pieces = [[Pair(p.clean, p.degraded, onto.apply(p.teacher)) for p in piece] for piece in pieces]
    student = network.build(BANDS, 6, width=16, blocks=1)
    errors = []
    training.distil(
        student, pieces, onto, epochs=30, learning_rate=0.02, weight_decay=0.0, seed=1,
        report=lambda epoch, error: errors.append(error),
    )  # fmt: skip
    assert len(errors) == 30 and errors[-1]["pooled"] < 0.5 * errors[0]["pooled"]

    clips = np.stack([piece[0].clean for piece in pieces[:8]]).astype(np.float32)
    lengths = np.full(8, 160)
    before = student.predict_on_batch([clips, lengths])[1]
    export.turn_evenly(student, seed=1)
    after = student.predict_on_batch([clips, lengths])[1]
    distances = [np.linalg.norm(means - means[0], axis=1) for means in (before, after)]
    np.testing.assert_allclose(*distances, rtol=1e-3, atol=1e-4)

    export.write(student, tmp_path / "encoder.onnx")
    for n in (160, 157, 90):
        feed = {"log_mel": clips[:1, :n], "lengths": np.array([n])}
        frames = encoder.run(tmp_path / "encoder.onnx", feed, "frames")[0]
        assert frames.shape == (-(-n // 4), 6)
        expected = student.predict_on_batch([clips[:2], np.array([n, 160])])[0][0, : len(frames)]
        np.testing.assert_allclose(frames, expected, atol=0.03 * np.abs(expected).max())


def test_every_piece_is_in_one_batch_of_an_epoch():
    from distillation.training import BATCH, _batches

    pieces = [[Pair(mel(60 + 3 * n), mel(5), mel(5))] for n in range(130)]
    batches = _batches(pieces, np.random.default_rng(0))
    assert sorted(n for batch in batches for n in batch) == list(range(130))
    assert len(batches) > 2 and all(sum(len(pieces[n][0].clean) for n in batch) < 1.5 * BATCH for batch in batches)


def test_the_command_writes_an_encoder_that_the_feature_reads(demo_root, teacher, tmp_path, capsys):
    from distillation.__main__ import main

    for name in ("f01", "m02", "f03"):
        shutil.copytree(demo_root / name, tmp_path / "few" / name)
    config = tmp_path / "student.yaml"
    config.write_text(json.dumps(a_config(tmp_path / "few").model_dump()), encoding="utf8")
    options = ["--config", str(config), "--teacher", teacher["model"], "--out", str(tmp_path / "mine"), "--epochs", "1"]
    options += ["--features", str(tmp_path), "--size", "8", "--jobs", "1", "--layers", "1", "2"]
    options += ["--width", "16", "--blocks", "1"]
    assert main([*options, "--leave-out", "demo/m02"]) == 0
    assert "epoch 1/1" in capsys.readouterr().out
    made = json.loads((tmp_path / "mine" / "encoder.json").read_text())
    assert made["speech_seconds"]["demo"] > 10 and made["left_out"] == "demo/m02"
    wave = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    mine = str(tmp_path / "mine")
    assert distilled.extract(wave, 16000, model=mine).shape == (8,)
    assert distilled.extract(wave, 16000, model=mine, pool="frames").shape == (26, 8)
    assert len(distilled.names(16000, model=mine, pool="stats")) == 16
    with pytest.raises(ConfigError, match="matches no clip; an id is 'demo/"):
        main([*options, "--leave-out", "nowhere/"])
    with pytest.raises(ConfigError, match="python -m distillation"):
        distilled.layout(model="nowhere")
