"""Fitted estimators as ONNX graphs from ``ready`` (B, D) to ``probabilities`` (B, C), calibration included.

Kernel machines and linear models are written here, node by node; skl2onnx converts the others.
"""

import warnings

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from models import calibrated, one_against_rest, onnx_graph, small_weights
from models.calibrated import CalibratedClassifier
from models.kernel_ridge import KernelRidgeClassifier
from models.one_against_rest import OneAgainstRestSVC

Part = tuple[list[NodeProto], dict[str, np.ndarray]]  # nodes and their constants
_node = helper.make_node


def graph(estimator: BaseEstimator, width: int) -> onnx.ModelProto:
    """Return the graph of a fitted estimator, or of a pipeline of a StandardScaler and one.

    Args:
        estimator: a ``CalibratedClassifier``, or what skl2onnx converts to probabilities.
        width: D.
    """
    scaler, last = (estimator[0], estimator[-1]) if isinstance(estimator, Pipeline) else (None, estimator)
    if not isinstance(last, CalibratedClassifier):
        return _converted(estimator, width)
    start, end = ("ready", width), ("probabilities", len(last.classes_))
    if calibrated.has_scores(last.estimator_):
        return _assembled(_joined(_scaling(scaler), _scores(last.estimator_), _calibration(last)), start, end)
    scaling = _assembled(_scaling(scaler), start, ("x", width))
    logarithms = (
        [_node("Max", ["uncalibrated", "smallest"], ["above_zero"]), _node("Log", ["above_zero"], ["scores"])],
        _float32(smallest=calibrated.SMALLEST),
    )
    calibration = _assembled(_joined(logarithms, _calibration(last)), ("uncalibrated", end[1]), end)
    uncalibrated = onnx_graph.joined(scaling, _converted(last.estimator_, width), ("x", "ready"), "probabilities")
    uncalibrated = onnx_graph.named(uncalibrated, {"probabilities": "uncalibrated"})
    return onnx_graph.joined(uncalibrated, calibration, ("uncalibrated", "uncalibrated"), "probabilities")


def _converted(estimator: BaseEstimator, width: int) -> onnx.ModelProto:
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType

    with warnings.catch_warnings():  # skl2onnx reads attributes of SVC that scikit-learn 1.11 will not have
        warnings.filterwarnings("ignore", "Attribute `prob[AB]_` was deprecated", FutureWarning)
        return to_onnx(
            estimator,
            initial_types=[("ready", FloatTensorType([None, width]))],
            target_opset={"": onnx_graph.OPSET, "ai.onnx.ml": 3},
            options={"zipmap": False},
        )


def _assembled(part: Part, first: tuple[str, int], last: tuple[str, int]) -> onnx.ModelProto:
    """Return nodes and constants as a model with one input and one output, each a name and a width."""
    nodes, constants = part
    ends = [helper.make_tensor_value_info(end, TensorProto.FLOAT, ["batch", size]) for end, size in (first, last)]
    arrays = [numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in constants.items()]
    made = helper.make_graph(nodes, "estimator", ends[:1], ends[1:], arrays)
    imports = [helper.make_opsetid("", onnx_graph.OPSET)]
    whole = helper.make_model(made, opset_imports=imports, ir_version=onnx_graph.IR_VERSION)
    return small_weights.in_half(whole, exactly=True)  # rows of a kernel machine that were rounded to it


def _float32(**constants) -> dict[str, np.ndarray]:
    return {name: np.asarray(value, np.float32) for name, value in constants.items()}


def _joined(*parts: Part) -> Part:
    nodes = [node for part, _ in parts for node in part]
    return nodes, {name: value for _, constants in parts for name, value in constants.items()}


def _calibration(estimator: CalibratedClassifier) -> Part:
    """Return ``scores`` -> ``probabilities``."""
    division = _node("Div", ["scores", "temperature"], ["logits"])
    softmax = _node("Softmax", ["logits"], ["probabilities"], axis=-1)
    return [division, softmax], _float32(temperature=estimator.temperature_)


def _scaling(scaler) -> Part:
    """Return ``ready`` -> ``x``, by a fitted StandardScaler or none."""
    if scaler is None:
        return [_node("Identity", ["ready"], ["x"])], {}
    nodes = [_node("Sub", ["ready", "mean"], ["centred"]), _node("Div", ["centred", "deviation"], ["x"])]
    return nodes, _float32(mean=scaler.mean_, deviation=scaler.scale_)


def _scores(estimator: BaseEstimator) -> Part:
    """Return ``x`` (B, D) -> ``scores`` (B, C), as ``calibrated.scores`` computes them."""
    if isinstance(estimator, KernelRidgeClassifier):
        nodes, constants = _rbf("cut", estimator.rows_, 1 / (2 * estimator.unit_))
        cut = _node("Clip", ["x", "minus_limit", "limit"], ["cut"])
        nodes = [cut, *nodes, _node("MatMul", ["kernel", "weights"], ["scores"])]
        limits = _float32(limit=estimator.limit, minus_limit=-estimator.limit)
        return nodes, constants | limits | _float32(weights=estimator.weights_)
    if isinstance(estimator, OneAgainstRestSVC):
        nodes, constants = _kernel(estimator)
        weights, intercept = estimator.weights_, estimator.intercept_
    else:
        (nodes, constants), weights, intercept = _identity(), estimator.coef_.T, estimator.intercept_
        if weights.shape[1] == 1:  # two classes: the score of the first is 0
            weights, intercept = np.pad(weights, ((0, 0), (1, 0))), np.pad(intercept, (1, 0))
    nodes = [*nodes, _node("MatMul", ["kernel", "weights"], ["sums"]), _node("Add", ["sums", "intercept"], ["scores"])]
    return nodes, constants | _float32(weights=weights, intercept=intercept)


def _identity() -> Part:
    return [_node("Identity", ["x"], ["kernel"])], {}


def _kernel(estimator: OneAgainstRestSVC) -> Part:
    """Return ``x`` (B, D) -> ``kernel`` (B, m); of the linear kernel the features themselves, (B, D)."""
    if estimator.kernel == "linear":
        return _identity()
    if estimator.kernel == "rbf":
        return _rbf("x", estimator.rows_, estimator.gamma_)
    nodes = [_node("MatMul", ["x", "rows"], ["products"]), _node("Mul", ["products", "gamma"], ["scaled"])]
    constants = _float32(rows=estimator.rows_.T, gamma=estimator.gamma_)
    if estimator.kernel == "sigmoid":
        return [*nodes, _node("Tanh", ["scaled"], ["kernel"])], constants
    return [*nodes, _node("Pow", ["scaled", "degree"], ["kernel"])], constants | _float32(
        degree=one_against_rest.DEGREE
    )


def _rbf(name: str, rows: np.ndarray, gamma: float) -> Part:
    """Return ``name`` (B, D) -> ``kernel`` (B, m), exp(-gamma d^2) of the distances to rows (m, D)."""
    constants = _float32(rows=rows.T, norms=np.square(rows).sum(axis=1), zero=0, two=2, minus_gamma=-gamma)
    constants["last"] = np.array([-1])
    nodes = [
        _node("MatMul", [name, "rows"], ["products"]),  # (B, m)
        _node("Mul", [name, name], ["squares"]),
        _node("ReduceSum", ["squares", "last"], ["norm"], keepdims=1),  # (B, 1)
        _node("Add", ["norm", "norms"], ["norm_sums"]),
        _node("Mul", ["products", "two"], ["doubled"]),
        _node("Sub", ["norm_sums", "doubled"], ["differences"]),
        _node("Max", ["differences", "zero"], ["distances"]),
        _node("Mul", ["distances", "minus_gamma"], ["exponents"]),
        _node("Exp", ["exponents"], ["kernel"]),
    ]
    return nodes, constants
