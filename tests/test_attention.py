"""Attention weights of every network that has any: over the clip's own frames, from Keras and from the graph."""

import json

import numpy as np
import pytest
from toy import LABELS, MODELS, arrays, dataset, kinds
from toy import arguments as section

from models.attention_support import attention_error
from models.classes import model_class
from prediction.predictor import Predictor
from utils.config import Train
from utils.errors import ConfigError

pytestmark = pytest.mark.usefixtures("eager")

QUICK = {  # little to compile and to convert
    "stacked_cnn_attention_lstm": {"chunk": 12, "hop": 5, "filters": [4, 4], "pools": [2, 2], "units": 8},
    "parallel_cnn_attention_lstm": {"filters": [4], "pools": [4], "units": 8},
    "cnn_lstm_attention": {"depth": 1, "units": 8},
    "transformer": {"layers": 1, "width": 16},
    "bilstm": {"units": 8},
}
NETWORKS = [name for name, plugin in MODELS.items() if plugin.package == "models.dnn" and "frames" in kinds(name)]
TRAIN = Train(epochs=1, batch_size=36, learning_rate=0.01)


def attentive(name: str) -> dict:
    """Return the section of a network with its attention turned on."""
    on = {"attention": True} if "attention" in MODELS[name].arguments else {}
    return section(name) | on | QUICK.get(name, {})


def dims_of(name: str) -> int:
    return MODELS[name].constants.get("SMALLEST", 8)


def has_attention(name: str) -> bool:
    from models import attention_map
    from models.keras_model import build_network

    network = build_network(attentive(name), MODELS[name], frames=True, dims=dims_of(name), n_classes=3)
    return attention_map.with_attention_map(network) is not None


@pytest.fixture(scope="module")
def attention_networks() -> list[str]:
    return [name for name in NETWORKS if has_attention(name)]


def data_of(**options):
    return dataset("frames", noise=0.5, speakers=3, **options)


def fitted(name: str, data, **train):
    model = model_class({"name": name})(attentive(name), LABELS, seed=1)
    return model.fit(data, train=TRAIN.model_copy(update=train))


def shipped(model, folder) -> Predictor:
    model.save(folder)
    card = {"name": model.section["name"], "labels": LABELS, "frames": True}
    (folder / "model.json").write_text(json.dumps(card), encoding="utf8")
    return Predictor(folder, threads=1)


def test_every_network_is_looked_at_and_the_error_names_those_with_attention(attention_networks):
    assert {"bilstm", "cnn_lstm_attention", "transformer", "stacked_cnn_attention_lstm"} <= set(attention_networks)
    named = str(attention_error("lstm")).partition("no weights. ")[2].removesuffix(" have.")
    assert [part.partition(" ")[0] for part in named.split(", ")] == attention_networks


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_are_of_the_clips_own_frames_and_the_same_from_every_file(name, attention_networks, tmp_path):
    if name not in attention_networks:
        model = model_class({"name": name})(attentive(name), LABELS, seed=1)
        model.mean_, model.std_, model.frames_ = *np.float32([[0] * 32, [1] * 32]), True
        model.networks_ = [model._build()]
        with pytest.raises(ConfigError, match=f"model {name} .* bilstm with attention: true, "):
            model.attention(data_of().features)
        return
    data = data_of(dims=dims_of(name))
    model = fitted(name, data)
    weights = model.attention(data.features)
    assert [len(w) for w in weights] == data.features.lengths.tolist()
    assert {w.dtype for w in weights} == {np.dtype(np.float32)}
    np.testing.assert_allclose([w.sum() for w in weights], 1, atol=1e-5)
    assert min(w.min() for w in weights) >= 0
    assert max(w.max() * len(w) for w in weights) > 1.001  # some frames weigh more than others
    predictor = shipped(model, tmp_path)
    loaded = type(model).load(tmp_path, model.section, LABELS).attention(data.features)
    served = predictor.attention(arrays(data.features))
    alone = [model.attention(data.features[[k]])[0] for k in range(3)]
    for k, w in enumerate(weights):
        np.testing.assert_allclose(loaded[k], w, atol=1e-6)
        np.testing.assert_allclose(served[k], w, atol=1e-5)
    for one, w in zip(alone, weights, strict=False):
        np.testing.assert_allclose(one, w, atol=1e-5)
    padded, lengths = data.features.pad(64)
    raw = predictor.graphs[0].session.run(["attention"], {"features": padded, "lengths": lengths})[0]
    for row, w in zip(raw, weights, strict=True):
        np.testing.assert_allclose(row[: len(w)], w, atol=1e-5)
        assert not row[len(w) :].any()


def test_the_shares_of_steps_are_known():
    from models.attention_map import SpreadWeights

    mask = np.arange(8) < np.array([[7], [4]])
    pooled = np.float32([[0.4, 0.6], [1.0, 0.0]])  # pools of 4: the second one of the first clip has 3 real frames
    result = np.asarray(SpreadWeights(4, 4)(pooled, mask))
    np.testing.assert_allclose(result, [[0.1] * 4 + [0.2] * 3 + [0], [0.25] * 4 + [0] * 4], rtol=1e-6)
    chunks = np.float32(
        [[0.5, 0.5, 0.0]]
    )  # chunks of 4 every 2: the third is not whole, its frames count in the second
    result = np.asarray(SpreadWeights(4, 2)(chunks, np.arange(8)[None] < 7))
    np.testing.assert_allclose(result, [[0.125, 0.125, 0.25, 0.25, 0.125, 0.125, 0, 0]], rtol=1e-6)


def test_each_step_covers_the_frames_that_its_mask_saw():
    from models.attention_map import SpreadWeights, with_attention_map
    from models.keras_model import build_network

    for name, size, hop in (("transformer", 2, 2), ("parallel_cnn_attention_lstm", 4, 4),
                            ("stacked_cnn_attention_lstm", 12, 5)):  # fmt: skip
        reader = with_attention_map(build_network(attentive(name), MODELS[name], frames=True, dims=8, n_classes=3))
        (spread,) = [layer for layer in reader.layers if isinstance(layer, SpreadWeights)]
        assert (spread.size, spread.hop) == (size, hop)


def test_runs_are_averaged(tmp_path):
    from models import training
    from models.attention_map import with_attention_map

    data = data_of()
    model = fitted("bilstm", data, runs=2)
    ready = training.inputs(training.scaled(data.features, model.global_statistics(len(data))))
    each = [with_attention_map(network).predict_on_batch(ready)[1] for network in model.networks_]
    assert np.abs(each[0] - each[1]).max() > 1e-4
    served = shipped(model, tmp_path).attention(arrays(data.features))
    for k, w in enumerate(model.attention(data.features)):
        np.testing.assert_allclose(w, np.mean([e[k, : len(w)] for e in each], axis=0), atol=1e-6)
        np.testing.assert_allclose(served[k], w, atol=1e-5)


def test_a_predictor_of_a_model_without_attention_says_so(tmp_path):
    data = dataset()
    model = model_class({"name": "lda"})(section("lda"), LABELS).fit(data)
    model.save(tmp_path)
    (tmp_path / "model.json").write_text(json.dumps({"name": "x", "labels": LABELS, "frames": False}))
    with pytest.raises(ConfigError, match=r"model x pools time without attention.*transformer, whisper have\."):
        Predictor(tmp_path).attention(arrays(data.features))
