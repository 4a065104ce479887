"""One fit: what is refused, what is balanced, what a run is known again by."""

import numpy as np
import pytest

from evaluation.training import fit
from evaluation.training.workspace import Workspace
from tests.toy import dataset
from tests.toy_runs import CNN, config, validated
from utils.errors import ConfigError

pytestmark = pytest.mark.usefixtures("eager")


@pytest.mark.parametrize(
    ("keys", "change", "message"),
    [
        ({}, "one class", "only angry is left"),
        ({"normalise": "speaker", "split": {"by": "random"}}, "unknown", r"18 of 72 .* no speaker\. .* speaker: '\^"),
    ],
)
def test_what_cannot_be_learned_is_refused(keys, change, message, tmp_path):
    data = dataset(labels=("angry",)) if change == "one class" else dataset()
    if change == "unknown":
        data.speakers[:18] = ""
    with pytest.raises(ConfigError, match=message) as caught:
        validated(data, config(**keys), tmp_path)
    assert "\n" not in str(caught.value)


def test_fingerprint_sees_every_column():
    data = dataset()
    first = fit.fingerprint(data, "recipe")
    assert fit.fingerprint(dataset(), "recipe") == first
    result = {first, fit.fingerprint(data, "other"), fit.fingerprint(data[:-1], "recipe")}
    for column in ("ids", "speakers", "digests", "truth"):
        changed = dataset()
        getattr(changed, column)[0] = getattr(changed, column)[-1]
        result.add(fit.fingerprint(changed, "recipe"))
    assert len(result) == 7


def test_oversampling_levels_the_classes_of_the_training_part_alone():
    data = dataset()
    keep = np.concatenate([np.flatnonzero(data.truth != 1), np.flatnonzero(data.truth == 1)[:5]])
    part = data[keep]
    result = fit.oversampled(part, np.random.default_rng(3))
    assert np.bincount(result.truth).tolist() == [24, 24, 24]
    assert set(result.ids) == set(part.ids)  # nothing new, nothing lost
    again = fit.oversampled(part, np.random.default_rng(3))
    assert result.ids.tolist() == again.ids.tolist()


def test_weights_that_were_trained_again_are_another_start(tmp_path):
    fresh = config({"name": "cnn1d"})
    tuned = fresh.model_copy(update={"init": str(tmp_path)})
    assert fit.initial_weights(fresh) == fit.initial_weights(tuned) == ""
    (tmp_path / "model.keras").write_bytes(b"one")
    first = fit.initial_weights(tuned)
    (tmp_path / "model.keras").write_bytes(b"two")
    assert first and fit.initial_weights(tuned) not in ("", first) and fit.initial_weights(fresh) == ""


def test_the_shipped_network_trains_for_the_median_of_the_best_epochs(tmp_path):
    data, settings = dataset(), config(CNN)
    outcome = validated(data, settings, tmp_path)
    outcome.best_epochs[:] = [1, 3, 4]
    model = fit.ship(data, settings, outcome, Workspace(tmp_path, "key"))
    assert model.progress_[0].epoch == 3 and len(model.histories[0]["loss"]) == 3
