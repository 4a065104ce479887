"""What an estimator cannot learn from or does not take is one line, not scikit-learn's traceback."""

import numpy as np
import pytest

from evaluation.training import fit
from tests.toy import dataset
from tests.toy_runs import config
from utils.errors import ConfigError, DataError


@pytest.mark.parametrize(
    "model", [{"C": 0.0}, {"C": -1.0}, {"name": "knn", "neighbours": 0}, {"name": "kernel_ridge", "ridge": 0.0}]
)
def test_arguments_that_an_estimator_does_not_take_are_refused_before_the_first_fold(model):
    with pytest.raises(ConfigError, match=r"^model \w+: The '\w+' parameter of \w+ must be") as caught:
        fit.check(dataset(), config({"name": "svm"} | model))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("kind", ["vector", "frames"])
def test_features_that_are_not_finite_name_the_clip(kind, value):
    data = dataset(kind)
    data.features[3].flat[1] = data.features[5].flat[0] = value
    with pytest.raises(ConfigError, match=r"features of toy/003 and of 1 more clips are not finite\. Mend or remove"):
        fit.check(data, config())


@pytest.mark.parametrize("name", ["svm", "knn", "lda", "kernel_ridge"])
def test_too_few_clips_are_one_line(name):
    data = dataset(speakers=1, takes=1)
    with pytest.raises(DataError, match=rf"model {name} cannot learn from .* 3 clips \(angry 1, sad 1, neutral 1\)"):
        fit.fit(data, None, config({"name": name}), seed=1)
