"""model.skops of somebody else: only the types that are listed are built, and damage is one line."""

import numpy as np
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression

from models.sklearn_model import SklearnModel
from utils.errors import ConfigError


class Stranger(LogisticRegression):
    """A type that no saved model may hold."""


def saved(folder, estimator) -> bytes:
    estimator.fit([[0.0], [1.0]], [0, 1])
    state = {"estimator": estimator, "mean": np.zeros(1, np.float32), "std": np.ones(1, np.float32), "frames": False}
    skops.io.dump(state, folder / "model.skops")
    return (folder / "model.skops").read_bytes()


def load(folder) -> SklearnModel:
    return SklearnModel.load(folder, {"name": "logistic_regression"}, ("a", "b"))


def test_a_type_that_is_not_trusted_is_refused_in_one_line(tmp_path):
    saved(tmp_path, Stranger())
    with pytest.raises(ConfigError, match=r"model\.skops: damaged, or not trusted \(.*Stranger") as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_cut_or_changed_file_is_one_line(tmp_path):
    content = saved(tmp_path, LogisticRegression())
    assert load(tmp_path).frames_ is False
    changed = bytearray(content)
    changed[len(content) // 3] ^= 255
    for damaged in (b"", content[: len(content) // 2], bytes(changed)):
        (tmp_path / "model.skops").write_bytes(damaged)
        with pytest.raises(ConfigError, match=r"model\.skops: damaged, or not trusted \(") as caught:
            load(tmp_path)
        assert "\n" not in str(caught.value)
