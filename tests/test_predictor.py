"""Graphs that are not what train.py writes: damaged, endless, or without probabilities."""

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from models.onnx_graph import OPSET
from prediction.extractor import Reading
from prediction.predictor import Predictor
from prediction.recogniser import Recogniser
from utils import onnx_session
from utils.errors import ConfigError, DataError

CARD = {"name": "echo", "labels": ["angry", "sad"], "frames": False}


def value(name: str, kind: int = TensorProto.FLOAT, shape=(None, 2)) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def checkpoint(folder, nodes, *, outputs=("probabilities",), width: int = 2, constants=()):
    graph = helper.make_graph(
        nodes, "toy", [value("features")], [value(name, shape=(None, width)) for name in outputs], constants
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9), folder / "model.onnx"
    )
    (folder / "model.json").write_text(json.dumps(CARD), encoding="utf8")
    return folder


@pytest.fixture
def echo(tmp_path):
    """Return a predictor whose probabilities are the features."""
    return Predictor(checkpoint(tmp_path, [helper.make_node("Identity", ["features"], ["probabilities"])]))


WRONG = [[np.nan, 0.5], [np.inf, 0.0], [-0.5, 1.5], [0.5, 0.4], [0.0, 0.0]]


@pytest.mark.parametrize("row", WRONG)
def test_what_is_no_probability_is_an_error_and_no_answer(echo, row):
    with pytest.raises(DataError, match=r"^echo: the model gives no probabilities\."):
        echo.probabilities(np.float32([[0.5, 0.5], row]))


def test_other_clips_are_answered(echo):
    readings = [Reading("bad.wav", np.float32([np.nan, 1])), Reading("good.wav", np.float32([0.25, 0.75]), [{}])]
    bad, good = Recogniser(echo, None).answer_readings(readings)
    assert bad.error.startswith("bad.wav: the model gives no probabilities.") and good.emotion == "sad"
    json.loads(json.dumps(bad.as_json(), allow_nan=False))


def test_a_loop_without_end_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_session, "LONGEST_CALL", 0.2)
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Identity", ["x"], ["y"])],
        "body",
        [value("i", TensorProto.INT64, []), value("go", TensorProto.BOOL, []), value("x")],
        [value("on", TensorProto.BOOL, []), value("y")],
    )
    node = helper.make_node("Loop", ["often", "true", "features"], ["probabilities"], body=body)
    constants = [
        helper.make_tensor("often", TensorProto.INT64, [], [2**62]),
        helper.make_tensor("true", TensorProto.BOOL, [], [True]),
    ]
    predictor = Predictor(checkpoint(tmp_path, [node], constants=constants))
    with pytest.raises(DataError, match=r"^echo: its graph took more than 0\.2 s\. The checkpoint is damaged"):
        predictor.probabilities(np.float32([[0.5, 0.5]]))


def test_features_that_do_not_fit_the_graph_are_one_line(echo, capfd):
    with pytest.raises(DataError, match=r"^echo: its graph fails: .*features") as caught:
        echo.probabilities(np.ones((1, 3), np.float32))
    assert "\n" not in str(caught.value) and capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"width": 3}, "the graph gives {'probabilities': ["),
        ({"outputs": ["logits"]}, "the graph gives {'logits': ["),
    ],
)
def test_a_graph_of_another_model_is_refused_when_it_is_opened(tmp_path, options, expected):
    node = helper.make_node("Identity", ["features"], list(options.get("outputs", ["probabilities"])))
    with pytest.raises(ConfigError) as caught:
        Predictor(checkpoint(tmp_path, [node], **options))
    assert expected in str(caught.value) and "not probabilities of 2 labels" in str(caught.value)


def test_a_graph_without_the_inputs_of_its_card_is_refused(tmp_path):
    folder = checkpoint(tmp_path, [helper.make_node("Identity", ["features"], ["probabilities"])])
    (folder / "model.json").write_text(json.dumps(CARD | {"frames": True}), encoding="utf8")
    with pytest.raises(ConfigError, match="the graph reads features, not features, lengths"):
        Predictor(folder)
