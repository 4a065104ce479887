"""Whisper's encoder in Keras: equal to the extractor's graph, fine-tuned from the top, free of pretrained files."""

import json
import shutil

import numpy as np
import pytest
from toy import LABELS, arrays, dataset
from toy import arguments as section

from extract_feats import whisper, whisper_logmel
from extract_feats.convert import graphs
from models.classes import model_class
from prediction.predictor import Predictor
from utils import plugins
from utils.config import Train
from utils.errors import ConfigError

pytestmark = pytest.mark.usefixtures("eager")

RATE = 16000
ONE = Train(epochs=1, batch_size=36, learning_rate=1e-3)


def build(**arguments):
    return plugins.get("models", "whisper").load().build((None, 80), 3, **arguments)


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    wave = np.random.default_rng(seed).normal(0, 0.1, round(seconds * RATE)).astype(np.float32)
    return wave * np.linspace(0.1, 1, len(wave), dtype=np.float32)


def layers_of(network, clips: list[np.ndarray]) -> list[list[np.ndarray]]:
    """Return each block's real frames per clip; what stands behind a clip's end is not zero."""
    import keras

    lengths = np.array([len(clip) for clip in clips])
    frames = np.full((len(clips), lengths.max() + 7, 80), 9, np.float32)
    for row, clip in zip(frames, clips, strict=True):
        row[: len(clip)] = clip
    blocks = [layer.output for layer in network.layers if layer.name.startswith("block_")]
    outputs = keras.Model(network.inputs, blocks).predict_on_batch([frames, lengths])
    return [[block[k, : -(-n // 2)] for block in outputs] for k, n in enumerate(lengths)]


def agrees(network, model: str, n_blocks: int) -> None:
    """Compare with the frames of the extractor, for an even and an odd number of columns in one batch."""
    waves = [noise(0.6), noise(1.03, seed=1)]
    given = layers_of(network, [whisper_logmel.extract(wave, RATE) for wave in waves])
    for wave, blocks in zip(waves, given, strict=True):
        for number, block in enumerate(blocks, 1):
            expected = whisper.extract(wave, RATE, model=model, layers=[number], pool="frames")
            assert block.shape == expected.shape
            assert np.abs(block - expected).max() < 1e-4 * max(1, np.abs(expected).max())
        assert len(blocks) == n_blocks


def test_every_block_gives_the_frames_of_the_extractor():
    agrees(build(blocks=4), "whisper-base", 4)


def test_the_published_encoder_gives_the_frames_of_the_extractor(pretrained, tmp_path):
    weights = pretrained / "whisper-base" / "model.safetensors"
    if not weights.is_file():
        pytest.skip("no whisper-base in $SER_PRETRAINED")
    graphs.convert(weights, tmp_path / "encoder.onnx", blocks=4)
    shutil.copy(weights, tmp_path)
    agrees(build(model=str(tmp_path)), str(tmp_path), 4)


def test_clips_of_more_than_30_s_have_positions_too():
    network = build(blocks=1)
    stem = network.get_layer("stem")
    places = np.array(stem._places(1600, "float32"))
    assert places.shape == (1600, 128)
    np.testing.assert_array_equal(places[:1500], np.array(stem.positions))
    np.testing.assert_allclose(places[1500:, 0], np.sin(np.arange(1500, 1600)), atol=1e-3)
    np.testing.assert_allclose(places[1500:, 64], np.cos(np.arange(1500, 1600)), atol=1e-3)


def test_blocks_learn_from_the_last_one_on():
    def learning(**arguments):
        return {layer.name for layer in build(blocks=3, **arguments).layers if layer.trainable and layer.weights}

    encoder = {"stem", "block_1", "block_2", "block_3"}
    assert not learning() & encoder
    assert learning(unfreeze=2) & encoder == {"block_2", "block_3"}
    assert learning(unfreeze=3) & encoder == encoder


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_the_encoder_learns_at_its_own_rate(optimizer):
    from models import training

    network = build(blocks=2, unfreeze=1, rate=0.01, dropout=0.0)
    trainer = training.Trainer(network, ONE.model_copy(update={"optimizer": optimizer}), seed=1)
    for variable in network.trainable_variables:
        variable.assign(np.zeros(variable.shape, np.float32))
    network.optimizer.apply([np.ones(v.shape, np.float32) for v in network.trainable_variables])
    block = {id(v) for v in network.get_layer("block_2").trainable_variables}
    assert trainer and len(block) == 15
    steps = {(id(v) in block): float(-np.array(v).ravel()[0]) for v in network.trainable_variables}
    assert steps[False] > 0
    np.testing.assert_allclose(steps[True], 0.01 * steps[False], rtol=1e-4)


def test_a_checkpoint_predicts_without_pretrained_files(tmp_path, monkeypatch):
    data = dataset("frames", dims=80, speakers=2, takes=2)
    model = model_class({"name": "whisper"})(section("whisper"), LABELS, seed=1).fit(data, train=ONE)
    expected = model.probabilities(data.features)
    restored = model.networks_[0].get_layer("restored")
    np.testing.assert_allclose(np.array(restored.mean), model.mean_)
    model.save(tmp_path)
    (tmp_path / "model.json").write_text(json.dumps({"name": "w", "labels": LABELS, "frames": True}), encoding="utf8")
    monkeypatch.setenv("SER_PRETRAINED", str(tmp_path / "nothing"))
    loaded = type(model).load(tmp_path, model.section, LABELS)
    np.testing.assert_allclose(loaded.probabilities(data.features), expected, atol=1e-5)
    np.testing.assert_allclose(Predictor(tmp_path).probabilities(arrays(data.features)), expected, atol=1e-4)
    with pytest.raises(ConfigError, match=r"nothing.whisper-base.model\.safetensors: not there\. Get it: python -m"):
        build()


def test_mistakes_cost_one_line(tmp_path):
    with pytest.raises(ConfigError, match="blocks must be from 1 to 4, got 5"):
        build(blocks=5)
    with pytest.raises(ConfigError, match=r"reads 80 bands, got 64 dimensions\. Use features: {name: whisper_logmel"):
        plugins.get("models", "whisper").load().build((None, 64), 3)
    with pytest.raises(ConfigError, match="takes audio at 16000 Hz, got 8000"):
        whisper_logmel.extract(noise(1), 8000)
    with pytest.raises(ConfigError, match="n_mels must be from 1 to 128"):
        whisper_logmel.layout(n_mels=0)
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ConfigError, match="not a safetensors file"):
        build(model=str(tmp_path))
