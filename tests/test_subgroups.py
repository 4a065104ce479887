"""Subgroups: every figure is that of the group's clips alone, and groups that mean nothing are marked."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score
from toy import dataset

from evaluation.scores import subgroups
from evaluation.scores.significance import uar_interval


def clips(**options):
    """Toy clips of 8 speakers with lengths and intensities, and predictions that men get worse ones of."""
    data = dataset(speakers=8, takes=10, **options)
    rng = np.random.default_rng(0)
    facts = {"seconds": rng.choice([1.0, 2.0, 3.9, 5.0, 9.0], len(data), p=[0.02, 0.3, 0.3, 0.3, 0.08])}
    facts |= {"intensity": rng.choice(["normal", "strong"], len(data)), "text": np.full(len(data), "one text")}
    data = replace(data, facts=data.facts | facts)
    right = rng.random(len(data)) < np.where(data.facts["sex"] == "male", 0.4, 0.8)
    return data, np.where(right, data.truth, (data.truth + 1) % len(data.labels))


def test_figures_are_those_of_the_groups_clips():
    data, predicted = clips()
    scores = subgroups.scores(data, predicted, seed=1)
    assert list(scores) == ["speaker", "sex", "intensity", "length"]  # one text, one corpus: nothing to compare
    columns = {"speaker": data.speakers, **data.facts}
    for by in ("speaker", "sex", "intensity"):
        groups = scores[by]["groups"]
        assert set(groups) == set(columns[by])
        for name, group in groups.items():
            mine = columns[by] == name
            assert group["n_clips"] == mine.sum() and group["n_speakers"] == len(set(data.speakers[mine]))
            assert group["uar"] == pytest.approx(balanced_accuracy_score(data.truth[mine], predicted[mine]))
    assert scores["sex"]["worst"] == "male"
    by_speaker = {name: group["uar"] for name, group in scores["speaker"]["groups"].items()}
    assert scores["speaker"]["worst"] == min(by_speaker, key=by_speaker.get)


def test_intervals_are_over_speakers_where_there_are_six():
    data, predicted = clips()
    scores = subgroups.scores(data, predicted, seed=3)
    assert {group["uar_ci95"] for group in scores["speaker"]["groups"].values()} == {None}
    assert {group["uar_ci95"] for group in scores["sex"]["groups"].values()} == {None}  # four each
    mine = data.facts["intensity"] == "strong"
    expected = uar_interval(data.truth[mine], predicted[mine], data.speakers[mine], 3, seed=3)
    assert scores["intensity"]["groups"]["strong"]["uar_ci95"] == [expected.lo, expected.hi]


def test_lengths_are_binned_from_the_left():
    data, predicted = clips()
    groups = subgroups.scores(data, predicted, seed=1)["length"]["groups"]
    assert list(groups) == ["0 to 2 s", "2 to 3 s", "3 to 4 s", "4 to 6 s", "6 s or more"]
    counts = [group["n_clips"] for group in groups.values()]
    assert counts == [(data.facts["seconds"] == s).sum() for s in (1.0, 2.0, 3.9, 5.0, 9.0)]


def test_small_groups_are_marked_and_never_the_worst():
    data, predicted = clips()
    few = data.facts["seconds"] == 1.0
    assert 0 < few.sum() < subgroups.FEWEST
    predicted[few] = (data.truth[few] + 1) % 3
    length = subgroups.scores(data, predicted, seed=1)["length"]
    assert length["groups"]["0 to 2 s"]["uar"] == 0 and length["groups"]["0 to 2 s"]["small"] is True
    assert length["worst"] != "0 to 2 s" and not length["groups"][length["worst"]]["small"]


def test_a_group_without_a_class_says_over_how_many_it_is():
    data, predicted = clips()
    rest = np.flatnonzero((data.facts["intensity"] != "strong") | (data.truth != 2))
    strong = subgroups.scores(data[rest], predicted[rest], seed=1)["intensity"]["groups"]["strong"]
    mine = (data.facts["intensity"] == "strong") & (data.truth != 2)
    assert strong["n_classes"] == 2 and strong["small"] is False
    recalls = [np.mean(predicted[mine & (data.truth == label)] == label) for label in (0, 1)]
    assert strong["uar"] == pytest.approx(np.mean(recalls))
    rest = np.flatnonzero((data.facts["intensity"] != "strong") | (data.truth == 0))
    scores = subgroups.scores(data[rest], predicted[rest], seed=1)["intensity"]
    assert scores["groups"]["strong"]["small"] is True and scores["worst"] is None  # one of three classes


def test_unknown_words_are_no_group_and_free_speech_is_no_grouping():
    data, predicted = clips()
    data.facts["sex"][:30] = ""
    data.facts["text"] = np.array([f"sentence {n}" for n in range(len(data))])
    scores = subgroups.scores(data, predicted, seed=1)
    assert set(scores["sex"]["groups"]) == {"female", "male"} and "text" not in scores
    data.speakers[:] = ""
    assert "speaker" not in subgroups.scores(data, predicted, seed=1)
