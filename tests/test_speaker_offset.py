"""The offset of a speaker's log-probabilities: recovered where it is, and no harm where the clips show one emotion."""

import numpy as np
import pytest

from models.speaker_offset import ALIKE, centred_logarithms, score_statistics, shifted, speaker_offset
from utils.uar import uar

CLASSES, TAKES = 4, 12
SPEAKERS = [f"s{n}" for n in range(30)]


def predictions(rng: np.random.Generator, *, lean: float):
    """Return probabilities, truth, speakers and the offsets of speakers who lean by this deviation of the scores."""
    truth = np.tile(np.repeat(np.arange(CLASSES), TAKES), len(SPEAKERS))
    of = np.repeat(np.arange(len(SPEAKERS)), CLASSES * TAKES)
    leanings = rng.normal(0, lean, (len(SPEAKERS), CLASSES))
    leanings -= leanings.mean(axis=1, keepdims=True)
    scores = 2.0 * np.eye(CLASSES)[truth] + leanings[of] + rng.normal(0, 0.7, (len(truth), CLASSES))
    powers = np.exp(scores)
    return powers / powers.sum(axis=1, keepdims=True), truth, np.array(SPEAKERS)[of], leanings


def scored(truth, probabilities):
    matrix = np.zeros((CLASSES, CLASSES), int)
    np.add.at(matrix, (truth, probabilities.argmax(axis=1)), 1)
    return float(uar(matrix))


def test_the_offset_of_a_speaker_is_recovered_and_its_removal_helps():
    probabilities, truth, speakers, leanings = predictions(np.random.default_rng(0), lean=1.0)
    statistics = score_statistics(probabilities, truth, speakers)
    before, after = [], []
    for name, leaning in zip(SPEAKERS, leanings, strict=True):
        mine = speakers == name
        offset = speaker_offset(probabilities[mine], statistics)
        n = mine.sum()
        assert offset.variety > 0.6 and offset.clips == n and not offset.note
        np.testing.assert_allclose(offset.values / (offset.variety**2 * n / (n + 5)), leaning, atol=0.45)
        before.append(scored(truth[mine], probabilities[mine]))
        after.append(scored(truth[mine], shifted(probabilities[mine], offset)))
    assert np.mean(after) > np.mean(before) + 0.05


@pytest.mark.parametrize("emotion", range(CLASSES))
def test_clips_of_one_emotion_do_no_harm(emotion):
    probabilities, truth, speakers, _ = predictions(np.random.default_rng(1), lean=0.3)
    statistics = score_statistics(probabilities, truth, speakers)
    plain, adapted, centred = np.zeros((3, len(truth)), int)
    varieties = []
    for name in SPEAKERS:
        mine = np.flatnonzero(speakers == name)
        given = mine[truth[mine] == emotion][:8]
        offset = speaker_offset(probabilities[given], statistics)
        varieties.append(offset.variety)
        assert ("sound alike" in offset.note) == (offset.variety < ALIKE)
        plain[mine] = probabilities[mine].argmax(axis=1)
        adapted[mine] = shifted(probabilities[mine], offset).argmax(axis=1)
        mixed = speaker_offset(probabilities[given], statistics, mixed=True)
        centred[mine] = shifted(probabilities[mine], mixed).argmax(axis=1)
    plain, adapted, centred = (scored(truth, np.eye(CLASSES)[p]) for p in (plain, adapted, centred))
    assert np.mean(varieties) < ALIKE / 2 and adapted > plain - 0.01
    assert centred < plain - 0.05  # what it would cost to believe that the clips are of all emotions


def test_the_statistics_are_the_variances_of_centred_logarithms():
    probabilities, truth, speakers, _ = predictions(np.random.default_rng(2), lean=0.5)
    statistics = score_statistics(probabilities, truth, speakers)
    scores = centred_logarithms(probabilities)
    np.testing.assert_allclose(scores.sum(axis=1), 0, atol=1e-12)
    groups = [scores[(speakers == name) & (truth == k)] for name in SPEAKERS for k in range(CLASSES)]
    assert statistics["within"] == pytest.approx(np.mean([group.var(axis=0, ddof=1).sum() for group in groups]))
    whole = [scores[speakers == name].var(axis=0, ddof=1).sum() for name in SPEAKERS]
    assert statistics["total"] == pytest.approx(np.mean(whole))
    np.testing.assert_allclose(statistics["mean"], scores.mean(axis=0))  # classes are of equal size here


def test_one_clip_and_unknown_speakers_adapt_nothing():
    probabilities, truth, speakers, _ = predictions(np.random.default_rng(3), lean=0.5)
    statistics = score_statistics(probabilities, truth, speakers)
    offset = speaker_offset(probabilities[:1], statistics)
    np.testing.assert_allclose(shifted(probabilities, offset), probabilities, atol=1e-6)
    assert score_statistics(probabilities, truth, np.full(len(truth), "")) is None
    assert score_statistics(probabilities, truth, np.full(len(truth), "one")) is None
    assert score_statistics(probabilities[:2], truth[:2], np.array(["a", "b"])) is None


def test_shifted_probabilities_are_probabilities():
    probabilities, truth, speakers, _ = predictions(np.random.default_rng(4), lean=1.0)
    offset = speaker_offset(probabilities[speakers == "s0"], score_statistics(probabilities, truth, speakers))
    result = shifted(np.vstack([probabilities[:5], np.eye(CLASSES)]), offset)
    assert result.dtype == np.float32 and (result >= 0).all()
    np.testing.assert_allclose(result.sum(axis=1), 1, atol=1e-6)
