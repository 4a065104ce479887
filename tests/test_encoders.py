"""Pretrained encoders on a graph with the real convolutions: lengths, the 50 Hz grid, layers, scaling, the recipe."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from extract_feats import hubert, yamnet
from extract_feats.pretrained import encoder
from tests.toy_encoders import write_hubert, write_yamnet
from utils import plugins
from utils.errors import ConfigError, DataError

RATE = 16000


def noise(n: int = RATE, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, n).astype(np.float32)


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> str:
    return str(write_hubert(tmp_path_factory.mktemp("models") / "plain", layers=2))


@pytest.mark.parametrize("n", [400, 719, 720, 1039, 1040, 16000, 16079, 16080, 48000, 59499])
def test_frames_are_as_many_as_the_seven_convolutions_give(plain, n):
    assert hubert.extract(noise(n), RATE, model=plain).shape == (1 + (n - 400) // 320, 16)


def test_one_second_of_the_real_network_has_49_frames_50_a_second_after_it(plain):
    assert len(hubert.extract(noise(), RATE, model=plain)) == 49  # as published for wav2vec 2.0
    ten = len(hubert.extract(noise(10 * RATE), RATE, model=plain))
    assert len(hubert.extract(noise(11 * RATE), RATE, model=plain)) - ten == 50


def test_399_samples_are_too_short(plain):
    with pytest.raises(DataError, match=r"too short: .*400 samples at 16000 Hz"):
        hubert.extract(noise(399), RATE, model=plain)


def test_a_frame_sees_its_own_400_samples_and_no_others(plain):
    wave = noise(RATE)
    before = hubert.extract(wave, RATE, model=plain)
    wave[20 * 320 : 20 * 320 + 400] += 0.5
    moved = np.flatnonzero(np.abs(hubert.extract(wave, RATE, model=plain) - before).max(axis=1) > 1e-6)
    assert 20 in moved and set(moved.tolist()) <= {19, 20, 21}


def test_the_grid_says_where_an_impulse_is_heard(plain):
    hop, start = hubert.layout(model=plain).grid.in_ms(RATE)
    assert (hop, start) == (20.0, 12.5)
    for sample in (5000, 8123, 11700):
        wave = np.full(RATE, 1e-4, np.float32)
        quiet = hubert.extract(wave, RATE, model=plain)
        wave[sample - 40 : sample + 40] = 0.9
        loudest = np.abs(hubert.extract(wave, RATE, model=plain) - quiet).sum(axis=1).argmax()
        assert abs(start + hop * loudest - sample / 16) <= hop


@pytest.mark.parametrize("layer", [0, 1])
def test_a_layer_is_the_output_of_that_number(plain, layer):
    last = hubert.extract(noise(), RATE, model=plain)
    np.testing.assert_allclose(hubert.extract(noise(), RATE, model=plain, layer=layer), (layer + 1) * last, rtol=1e-6)


def test_a_layer_that_is_not_offered_names_those_that_are(plain):
    for call in (hubert.names, lambda rate, **given: hubert.extract(noise(), rate, **given)):
        with pytest.raises(ConfigError, match=r"layer 2 .*offers last_hidden_state, hidden_states.0, hidden_states.1"):
            call(RATE, model=plain, layer=2)


def test_normalised_input_makes_level_and_offset_immaterial(tmp_path):
    scaled = str(write_hubert(tmp_path / "a", normalise=True))
    raw = str(write_hubert(tmp_path / "b"))
    wave = noise()
    one = hubert.extract(wave, RATE, model=scaled)
    np.testing.assert_allclose(
        hubert.extract(0.3 * wave + 0.05, RATE, model=scaled), one, atol=1e-3 * np.abs(one).max()
    )
    z = (wave - wave.mean()) / np.sqrt(wave.var() + 1e-7)
    np.testing.assert_allclose(one, hubert.extract(z, RATE, model=raw), rtol=1e-5, atol=1e-5)
    assert np.abs(hubert.extract(wave, RATE, model=raw) - one).max() > 0.1


def test_pooled_is_mean_and_deviation_of_the_frames(plain):
    frames = hubert.extract(noise(), RATE, model=plain)
    pooled = hubert.extract(noise(), RATE, model=plain, pool="stats")
    np.testing.assert_allclose(pooled, np.concatenate([frames.mean(axis=0), frames.std(axis=0)]), rtol=1e-6)
    names = hubert.names(RATE, model=plain, pool="stats")
    assert (names[0], names[16], len(names)) == ("mean_0", "std_0", 32)


def test_a_clip_is_the_same_alone_and_in_a_batch(plain):
    waves = np.stack([noise(seed=seed) for seed in range(3)])
    batch = encoder.run(Path(plain, "onnx/model.onnx"), {"input_values": waves}, "last_hidden_state")
    for wave, frames in zip(waves, batch, strict=True):
        np.testing.assert_allclose(hubert.extract(wave, RATE, model=plain), frames, rtol=1e-5, atol=1e-6)


def test_a_graph_beside_its_settings_and_one_that_wants_a_mask_are_read_too(plain, tmp_path):
    other = str(write_hubert(tmp_path / "masked", layers=0, mask=True, graph="model.onnx"))
    np.testing.assert_array_equal(
        hubert.extract(noise(), RATE, model=other), hubert.extract(noise(), RATE, model=plain)
    )


@pytest.mark.parametrize("module", [hubert, yamnet])
def test_another_rate_says_which(module):
    for call in (module.names, lambda rate: module.extract(noise(), rate)):
        with pytest.raises(ConfigError, match=r"16000 Hz, got 22050\. Set rate: 16000"):
            call(22050)


def test_the_recipe_follows_the_content_of_the_file_not_its_path(tmp_path):
    first = write_hubert(tmp_path / "one" / "net")
    moved = shutil.copytree(first, tmp_path / "two" / "net")
    assert hubert.layout(model=str(first)) == hubert.layout(model=str(moved))
    before = hubert.layout(model=str(moved))
    old = hubert.extract(noise(), RATE, model=str(moved))
    write_hubert(moved, seed=1)
    os.utime(moved / "onnx/model.onnx", ns=(1, 1))
    after = hubert.layout(model=str(moved))
    assert after.recipe["digest"] != before.recipe["digest"] and after.version != before.version
    assert not np.array_equal(hubert.extract(noise(), RATE, model=str(moved)), old), "the old session was kept"
    write_hubert(moved, seed=1, normalise=True)
    assert hubert.layout(model=str(moved)).recipe != after.recipe


def test_weights_in_a_file_of_their_own_count(tmp_path):
    graph = write_yamnet(tmp_path / "yamnet.onnx")
    before = encoder.digest(graph)
    (tmp_path / "yamnet.onnx_data").write_bytes(b"weights")
    assert encoder.digest(graph) != before


def test_a_relative_name_is_looked_up_below_the_folder_of_the_environment(tmp_path, monkeypatch):
    write_hubert(tmp_path / "deep" / "mine", dims=5)
    monkeypatch.setenv("SER_PRETRAINED", str(tmp_path))
    assert hubert.extract(noise(), RATE, model="deep/mine").shape == (49, 5)
    monkeypatch.delenv("SER_PRETRAINED")
    assert encoder.locate("x") == plugins.ROOT / "pretrained" / "x"


def test_missing_files_are_named_with_the_command_that_fetches_them(tmp_path, monkeypatch):
    monkeypatch.setenv("SER_PRETRAINED", str(tmp_path))
    with pytest.raises(ConfigError) as caught:
        hubert.layout()
    message = str(caught.value)
    files = "config.json preprocessor_config.json onnx/model.onnx"
    where = tmp_path / "hubert-base-ls960"
    assert f"hf download Xenova/hubert-base-ls960 {files} --local-dir {where}" in message
    assert message.startswith(f"{where}: not there: config.json, preprocessor_config.json, onnx/model.onnx or model")
    assert "\n" not in message
    with pytest.raises(ConfigError, match=r"optimum-cli export onnx --model microsoft/wavlm-large --task feature-ext"):
        hubert.layout(model="wavlm-large")
    write_hubert(where)
    (where / "preprocessor_config.json").unlink()
    with pytest.raises(ConfigError, match=r": not there: preprocessor_config.json\. Fetch"):
        hubert.names(RATE)
    with pytest.raises(ConfigError, match=r"yamnet.onnx\. .*python -m extract_feats.convert .*yamnet.tflite"):
        yamnet.layout()


def test_damaged_files_are_config_errors(tmp_path):
    folder = write_hubert(tmp_path / "net")
    (folder / "onnx/model.onnx").write_bytes(b"<html>Not found</html>")
    with pytest.raises(ConfigError, match="not a graph that ONNX Runtime loads"):
        hubert.extract(noise(), RATE, model=str(folder))
    (folder / "config.json").write_text("<html>")
    with pytest.raises(ConfigError, match="is not JSON"):
        hubert.layout(model=str(folder))
    with pytest.raises(ConfigError, match="no output yamnet_frames"):
        yamnet.extract(noise(), RATE, model=str(write_hubert(tmp_path / "other") / "onnx/model.onnx"))


def test_a_clip_for_which_there_is_no_memory_is_the_clips_error(monkeypatch):
    from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException

    class Full:
        def run(self, outputs, feed):
            raise RuntimeException("Failed to allocate memory for requested buffer of size 137438953472")

    monkeypatch.setattr(encoder, "session", lambda graph: Full())
    with pytest.raises(DataError, match=r"too long for model\.onnx: Failed to allocate"):
        encoder.run(Path("folder", "model.onnx"), {}, "last_hidden_state")
