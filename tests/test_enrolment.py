"""UAR by what is known of the test speaker."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from evaluation.training import enrolment, fit
from models.speaker_offset import score_statistics, shifted, speaker_offset
from tests.toy import dataset
from tests.toy_runs import config, validated

pytestmark = pytest.mark.usefixtures("eager")


def test_speaker_normalised_models_report_each_amount_of_information(tmp_path):
    data = dataset(takes=9)
    outcome = validated(data, config(normalise="speaker"), tmp_path / "work")
    assert list(outcome.by_information) == ["none", "enrolment_5", "enrolment_20", "transductive"]
    assert all(0 < value <= 1 for value in outcome.by_information.values())
    truth, predicted, seen = [], [], []
    for number, fold in enumerate(outcome.folds):  # the transductive figure, from the models anew
        model = fit.fit(data[fold.train], None, config(normalise="speaker"), seed=1 + 100 * number)
        test = data[fold.test]
        for speaker in np.unique(test.speakers):
            mine = test[test.speakers == speaker]
            ready = (mine.features - mine.features.mean(0)) / mine.features.std(0)
            predicted += model.estimator_.predict_proba(ready).argmax(axis=1).tolist()
            truth += mine.truth.tolist()
        seen.append(model.probabilities(test.features))
    assert outcome.by_information["transductive"] == pytest.approx(balanced_accuracy_score(truth, predicted), abs=0.01)
    np.testing.assert_allclose(
        np.concatenate(seen), outcome.probabilities[np.concatenate([f.test for f in outcome.folds])]
    )


def test_enrolment_scores_only_clips_that_were_not_given(tmp_path):
    data = dataset(takes=2)  # six clips a speaker
    test = data[np.isin(data.speakers, ["toy/s0", "toy/s1"])]
    model = fit.fit(data, None, config(normalise="speaker"), seed=1)
    result = enrolment.adapted_predictions(model, test, np.random.default_rng(0))
    for name in ("enrolment_5", "enrolment_20"):  # five given of six, the sixth asked
        assert result[name].shape == (enrolment.DRAWS, 12)
        for draw in result[name]:
            assert [(draw[test.speakers == s] >= 0).sum() for s in ("toy/s0", "toy/s1")] == [1, 1]
    assert (result["transductive"] >= 0).all()


def test_globally_normalised_models_are_adapted_by_their_log_probabilities(tmp_path):
    data = dataset(takes=9)
    outcome = validated(data, config(), tmp_path / "work")
    assert list(outcome.by_information) == ["none", "enrolment_5", "enrolment_20", "transductive"]
    predicted = np.full(len(data), -1)
    for number in range(len(outcome.folds)):  # the transductive figure, anew
        others = (outcome.fold >= 0) & (outcome.fold != number)
        statistics = score_statistics(outcome.probabilities[others], data.truth[others], data.speakers[others])
        for speaker in np.unique(data.speakers[outcome.fold == number]):
            mine = data.speakers == speaker
            offset = speaker_offset(outcome.probabilities[mine], statistics)
            predicted[mine] = shifted(outcome.probabilities[mine], offset).argmax(axis=1)
    assert outcome.by_information["transductive"] == pytest.approx(balanced_accuracy_score(data.truth, predicted))


def test_unknown_speakers_are_not_adapted_to(tmp_path):
    data = dataset()
    data.speakers[:] = ""
    settings = config(split={"by": "random", "folds": 3})
    outcome = validated(data, settings, tmp_path / "work")
    assert outcome.by_information.pop("none") > 0
    assert set(outcome.by_information.values()) == {None}
