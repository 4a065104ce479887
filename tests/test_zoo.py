"""The networks of models/dnn: published sizes, and the same code on another Keras backend."""

import os
import subprocess
import sys

import numpy as np
import pytest
from toy import MODELS, kinds
from toy import arguments as section

from utils.plugins import ROOT

NETWORKS = [name for name, plugin in MODELS.items() if plugin.package == "models.dnn"]
PUBLISHED = [  # (network, bands, parameters in PyTorch, what is not here: an LSTM's second bias, a flatten over time)
    ("stacked_cnn_lstm", 128, 147_816, 4 * 64),
    ("stacked_cnn_attention_lstm", 128, 582_761, 2 * 4 * 64),
    ("parallel_cnn_transformer", 128, 395_176, 8 * (256 - 64)),
    ("residual_lstm_attention", 46, 46_772, 4 * 46 + 4 * 64),
]


@pytest.mark.parametrize(("name", "dims", "published", "absent"), PUBLISHED)
def test_parameters_as_published(name, dims, published, absent):
    network = MODELS[name].load().build((None, dims), 8)
    assert sum(int(np.prod(weight.shape)) for weight in network.trainable_weights) == published - absent


JAX = """
import sys
sys.path.insert(0, "tests")
from dataclasses import replace
import jax, keras, numpy as np
assert keras.backend.backend() == "jax"
from keras.src.backend.jax import random

def by_numpy(original, draw):
    def call(shape, dtype=None, seed=None, **bounds):
        state = random.jax_draw_seed(seed)
        if isinstance(state, jax.core.Tracer):  # drawn inside a training step
            return original(shape, dtype=dtype, seed=state, **bounds)
        values = draw(np.random.default_rng(np.asarray(state)), *bounds.values(), size=shape)
        return jax.numpy.asarray(values.astype(dtype or "float32"))
    return call

# the first weights: JAX would compile a program for each of their shapes, a third of all that it compiles
random.uniform = by_numpy(random.uniform, np.random.Generator.uniform)
random.normal = by_numpy(random.normal, np.random.Generator.normal)
from toy import MODELS, arguments, dataset, kinds
from models.classes import model_class
from utils.config import Train
from utils.dataset import Frames
for name in sys.argv[1:]:
    data = dataset(kinds(name)[0], dims=MODELS[name].constants.get("SMALLEST", 8), noise=0.3, speakers=3)
    if kinds(name)[0] == "frames":  # all batches of one shape, which is compiled once
        data = replace(data, features=Frames([clip[:16] for clip in data.features.clips]))
    model = model_class({"name": name})(arguments(name), data.labels, seed=1)
    model.fit(data, train=Train(epochs=1, batch_size=18, learning_rate=0.003))
    keras.utils.set_random_seed(1)
    fresh = model._build().get_weights()  # what it began with
    moved = [np.abs(a - b).max() for a, b in zip(fresh, model.networks_[0].get_weights(), strict=True)]
    assert sum(change > 1e-4 for change in moved) > len(moved) / 2, moved
    assert np.isfinite(model.histories[0]["loss"]).all()
    np.testing.assert_allclose(model.probabilities(data.features).sum(axis=1), 1, atol=1e-4)
    print(name, "ok")
"""


JAX_NETWORKS = [name for name in NETWORKS if name != "vgg16"]  # compiling it takes as long as all the others
SLOW = (  # networks without a layer that no other has: make slow trains them
    "lstm", "cnn2d", "cnn_lstm", "cnn_lstm_attention", "parallel_cnn_attention_lstm", "parallel_cnn_transformer",
    "residual_lstm_attention", "stacked_cnn_lstm",
)  # fmt: skip


def layers_of(name: str) -> set[str]:
    dims = MODELS[name].constants.get("SMALLEST", 128)
    network = MODELS[name].load().build((None, dims), 3, **{k: v for k, v in section(name).items() if k != "name"})
    return {type(layer).__name__ for layer in network.layers}


def test_the_slow_networks_have_only_layers_that_others_have():
    quick = set().union(*(layers_of(name) for name in JAX_NETWORKS if name not in SLOW and "frames" in kinds(name)))
    for name in SLOW:
        assert layers_of(name) <= quick


def test_the_zoo_trains_on_jax():
    train_on_jax([name for name in JAX_NETWORKS if name not in SLOW])


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_rest_of_the_zoo_trains_on_jax():
    train_on_jax(list(SLOW))


def train_on_jax(names: list[str]) -> None:
    pytest.importorskip("jax")
    environment = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    # compiled fast rather than to run fast
    environment["XLA_FLAGS"] = (
        "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true "
        "--xla_cpu_use_fusion_emitters=false"
    )
    done = subprocess.run(
        [sys.executable, "-c", JAX, *names], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == [word for name in names for word in (name, "ok")]


OLD_NAMES = {  # class names in the .keras files of the first checkpoints, and the arguments of the layers
    "Blank": ("MaskPadding", {}),
    "FrameNorm": ("MaskedBatchNorm", {"momentum": 0.9}),
    "Fold": ("MergeChunks", {}),
    "Unfold": ("SplitChunks", {}),
    "Chunks": ("SlidingWindows", {"size": 4, "hop": 2}),
    "LevelSum": ("WeightedSum", {}),
    "Positions": ("SinusoidalPositions", {}),
}


@pytest.mark.parametrize("old", OLD_NAMES)
def test_layers_of_the_first_checkpoints_load_under_their_new_names(old):
    import keras

    from models import layers

    new, arguments = OLD_NAMES[old]
    section = {
        "module": "models.images", "class_name": old, "registered_name": f"ser_zoo>{old}",
        "config": {"name": "x", "trainable": True, "dtype": "float32", **arguments},
    }  # fmt: skip
    layer = keras.saving.deserialize_keras_object(section)
    assert type(layer) is getattr(layers, new)
    written = keras.saving.serialize_keras_object(layer)
    assert (written["class_name"], written["registered_name"]) == (old, f"ser_zoo>{old}")


def test_weights_lie_where_the_first_checkpoints_have_them(tmp_path):
    import h5py

    places = []
    for name in ("dilated_cnn", "cnn1d"):
        arguments = {key: value for key, value in section(name).items() if key != "name"}
        network = MODELS[name].load().build((None, 8), 3, **arguments)
        network.save_weights(tmp_path / "some.weights.h5")
        with h5py.File(tmp_path / "some.weights.h5") as file:
            places += list(file["layers"])
    assert {"frame_norm", "frame_norm_1", "level_sum"} <= set(places)
