"""Splits: nobody and no audio on both sides, published folds as published, errors that name the cure."""

import os
from pathlib import Path

import numpy as np
import pytest

from evaluation.checkpoint.protocol import of_folds
from evaluation.splits.folds import PUBLISHED, draw_folds, holdout, validation_rows
from utils.dataset import Dataset
from utils.errors import ConfigError

LABELS = ("neutral", "calm", "happy", "sad", "angry", "fear", "disgust", "surprise")
EMODB_CLIPS = {
    "03": 49,
    "08": 58,
    "09": 43,
    "10": 38,
    "11": 55,
    "12": 35,
    "13": 61,
    "14": 69,
    "15": 56,
    "16": 71,
}


def make(speakers, truth, *, corpus="ravdess", digests=None, labels=LABELS, **facts) -> Dataset:
    n = len(truth)
    corpora = np.full(n, corpus) if isinstance(corpus, str) else np.asarray(corpus)
    return Dataset(
        features=np.zeros((n, 0), np.float32),
        labels=tuple(labels),
        truth=np.asarray(truth, np.int64),
        ids=np.array([f"{c}/clip{i:04}" for i, c in enumerate(corpora)]),
        speakers=np.array([f"{c}/{s}" if s else "" for c, s in zip(corpora, speakers, strict=True)]),
        digests=np.array([f"d{i}" for i in range(n)]) if digests is None else np.asarray(digests),
        facts={key: np.asarray(column) for key, column in facts.items()},
    )


@pytest.fixture(scope="module")
def ravdess() -> Dataset:
    """The 1440 clips of the speech corpus, its one duplicate included."""
    per_actor = np.repeat(np.arange(8), [4, 8, 8, 8, 8, 8, 8, 8])
    actors = np.repeat(np.arange(1, 25), len(per_actor))
    digests = [f"d{i}" for i in range(1440)]
    digests[6 * 60 + 13] = digests[6 * 60 + 12]
    return make(
        [f"{a:02}" for a in actors], np.tile(per_actor, 24), digests=digests,
        sex=np.where(actors % 2, "male", "female"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def emodb() -> Dataset:
    speakers = np.repeat(list(EMODB_CLIPS), list(EMODB_CLIPS.values()))
    truth = np.random.default_rng(0).integers(0, 7, len(speakers))
    truth[(speakers == "08") & (truth == 6)] = 0  # speaker 08 has no disgust
    return make(speakers, truth, corpus="emodb", labels=LABELS[:7])


def check(data, parts, covered=None):
    """Every clip is tested once, and nothing of the test part, in whatever copy, is trained on."""
    covered = np.arange(len(data)) if covered is None else covered
    assert np.array_equal(np.sort(np.concatenate([fold.test for fold in parts])), covered)
    for fold in parts:
        assert not set(data.digests[fold.train]) & set(data.digests[fold.test])
        assert np.all(np.diff(fold.train) > 0) and np.all(np.diff(fold.test) > 0)
        assert set(data.truth[fold.train]) == set(range(len(data.labels)))


@pytest.mark.parametrize("number", [2, 5, 6, 23, 24, "all"])
def test_speakers_are_whole_and_folds_balanced(ravdess, number):
    split = {"by": "speaker", "folds": number}
    parts = draw_folds(ravdess, split, seed=1)
    check(ravdess, parts)
    assert len(parts) == (24 if number == "all" else number)
    sizes = [len(set(ravdess.speakers[fold.test])) for fold in parts]
    assert max(sizes) - min(sizes) <= 1
    if number == 6:
        women = [np.mean(ravdess.facts["sex"][fold.test] == "female") for fold in parts]
        assert women == [0.5] * 6
    stated = of_folds(ravdess, split, parts, validation="speakers")
    assert stated.as_json() == {
        "by": "speaker", "folds": number, "n_folds": len(parts), "speaker_disjoint": True,
        "validation": "speakers", "holdout": [], "limit": None, "tuned": False,
    }  # fmt: skip


def test_unequal_speakers_still_give_equal_folds(emodb):
    parts = draw_folds(emodb, {"by": "speaker", "folds": 5}, seed=1)
    check(emodb, parts)
    assert max(len(fold.test) for fold in parts) - min(len(fold.test) for fold in parts) <= 10  # of 107


def test_leave_one_speaker_out_names_the_speaker(emodb):
    parts = draw_folds(emodb, {"by": "speaker", "folds": "all"}, seed=1)
    assert {fold.name: len(fold.test) for fold in parts} == {f"emodb/{s}": n for s, n in EMODB_CLIPS.items()}


def test_the_seed_decides(ravdess):
    def tested(seed, **split):
        return [tuple(fold.test) for fold in draw_folds(ravdess, {"folds": 5, **split}, seed=seed)]

    for by in ("speaker", "random"):
        assert tested(1, by=by) == tested(1, by=by)
        assert tested(1, by=by) != tested(2, by=by)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_folds(ravdess, name):
    parts = draw_folds(ravdess, {"by": "listed", "folds": name}, seed=1)
    check(ravdess, parts)
    actors = [sorted({int(s[-2:]) for s in ravdess.speakers[fold.test]}) for fold in parts]
    assert actors == [list(listed) for listed in PUBLISHED[name]]
    assert actors[0] == {"emobox": [1, 11, 20, 21], "luna_jimenez": [2, 5, 14, 15, 16]}[name]
    assert sorted(actor for fold in actors for actor in fold) == list(range(1, 25))
    assert of_folds(ravdess, {"by": "listed", "folds": name}, parts, validation="none").folds == name


def test_published_folds_on_a_part_of_the_corpus(ravdess):
    songs = ravdess[ravdess.speakers != "ravdess/18"]
    parts = draw_folds(songs, {"by": "listed", "folds": "emobox"}, seed=1)
    assert sorted(set(songs.speakers[parts[4].test])) == ["ravdess/02", "ravdess/15", "ravdess/16"]


def test_listed_speakers_under_every_spelling(emodb):
    lists = [[3, "08"], ["emodb/09", "10", 11], [12, "13", "emodb/14", "015", "emodb/016"]]
    parts = draw_folds(emodb, {"by": "listed", "folds": lists}, seed=1)
    check(emodb, parts)
    assert [sorted(set(emodb.speakers[fold.test])) for fold in parts] == [
        ["emodb/03", "emodb/08"],
        ["emodb/09", "emodb/10", "emodb/11"],
        ["emodb/12", "emodb/13", "emodb/14", "emodb/15", "emodb/16"],
    ]


@pytest.mark.parametrize(
    ("lists", "words"),
    [
        ([[3, 8, 9], [10, 11, 12, 3], [13, 14, 15, 16]], "emodb/03 named twice"),
        ([[3, 8, 9, 99], [10, 11, 12], [13, 14, 15, 16]], "no speaker 99 in the data"),
        ([["emodb/3", 8, 9], ["emobd/10", 11, 12], [13, 14, 15, 16]], "Did you mean 'emodb/10'"),
        ([[3, 8, 9], [10, 11, 12], [13, 14, 15]], "emodb/16 in no fold"),
        ([[3, 8, 9, 10, 11, 12, 13, 14, 15, 16]], "leaves nobody to train on"),
        ("emobix", "Did you mean 'emobox'"),
        ("emobox", "in no fold"),
        (5, r"\[\[1, 2\], \[3\], ...\] or emobox or luna_jimenez"),
        ([1, 2], r"\[\[1, 2\], \[3\], ...\]"),
    ],
)
def test_wrong_lists_are_named(emodb, lists, words):
    with pytest.raises(ConfigError, match=words) as error:
        draw_folds(emodb, {"by": "listed", "folds": lists}, seed=1)
    assert "\n" not in str(error.value)


def test_a_number_that_two_corpora_use_is_ambiguous():
    data = make(["3", "4", "3", "4"], [0, 0, 1, 1], corpus=["a", "a", "b", "b"], labels="xy")
    with pytest.raises(ConfigError, match="may be a/3 or b/3"):
        holdout(data, {"holdout": [3]})
    assert holdout(data, {"holdout": ["b/3"]})[1].tolist() == [2]


@pytest.mark.parametrize("by", ["speaker", "listed", "session"])
def test_unknown_speakers_show_the_pattern(by):
    data = make(["", "", "a", "b"], [0, 1, 0, 1], corpus="folders", labels="xy", session=["1", "2", "1", "2"])
    with pytest.raises(ConfigError, match=r"2 clips of folders .* speaker: '\^\(\\w\+\?\)_', or use by: random"):
        draw_folds(data, {"by": by, "folds": 2}, seed=1)


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ({"by": "speker"}, "Did you mean 'speaker'"),
        ({"by": "speaker", "folds": 25}, "25 folds of 24 speakers"),
        ({"by": "speaker", "folds": 1}, "a number from 2 on"),
        ({"by": "speaker", "folds": "emobox"}, "by: listed"),
        ({"by": "random", "folds": 1440}, "1440 folds of 1439 different clips"),
        ({"by": "session"}, "not every clip has a session"),
        ({"by": "corpus"}, "all clips are of ravdess"),
        ({"by": "official"}, "1440 clips are marked ''"),
        ({"by": "speaker", "folds": 5, "holdout": [31]}, "split.holdout: no speaker 31"),
        ({"by": "speaker", "folds": 5, "holdout": [1, "ravdess/01"]}, "ravdess/01 named twice"),
        ({"by": "speaker", "folds": 5, "holdout": list(range(1, 25))}, "names every speaker"),
    ],
)
def test_wrong_splits_are_one_line(ravdess, split, words):
    with pytest.raises(ConfigError, match=words) as error:
        draw_folds(ravdess, split, seed=1)
    assert "\n" not in str(error.value)


def test_one_speaker_alone():
    with pytest.raises(ConfigError, match=r"all clips are of me/a\. Use by: random"):
        draw_folds(make("aaaa", [0, 1, 0, 1], corpus="me", labels="xy"), {"by": "speaker", "folds": 2}, seed=1)


def test_a_class_that_the_training_part_lacks_is_named():
    data = make("aaabbb", [0, 1, 2, 0, 1, 1], labels=("sad", "happy", "calm"))
    with pytest.raises(ConfigError, match="training part of ravdess/a has no clip of calm"):
        draw_folds(data, {"by": "speaker", "folds": "all"}, seed=1)


@pytest.mark.parametrize("number", [2, 10])
def test_random_is_stratified_and_keeps_duplicates_together(ravdess, number):
    split = {"by": "random", "folds": number}
    parts = draw_folds(ravdess, split, seed=3)
    check(ravdess, parts)
    counts = np.array([np.bincount(ravdess.truth[fold.test]) for fold in parts])
    assert np.ptp(counts, axis=0).max() <= 2
    assert all(len(fold.train) + len(fold.test) == 1440 for fold in parts)  # no copy had to be left out
    assert of_folds(ravdess, split, parts, validation="clips").speaker_disjoint is False


def test_copies_under_two_speakers_are_trained_on_by_nobody():
    digests = ["same", "1", "2", "3", "same", "5", "6", "7"]
    data = make("aaaabbbb", [0, 0, 1, 1, 0, 0, 1, 1], digests=digests, labels="xy")
    parts = draw_folds(data, {"by": "speaker", "folds": "all"}, seed=1)
    for fold, kept in zip(parts, ([5, 6, 7], [1, 2, 3]), strict=True):
        assert fold.train.tolist() == kept


def test_session_corpus_and_official():
    rng = np.random.default_rng(0)
    n = 400
    session = rng.integers(1, 6, n).astype(str)
    data = make(
        np.char.add(session, rng.choice(["F", "M"], n)), rng.integers(0, 3, n), labels="xyz",
        corpus=np.where(session > "3", "a", "b"), session=session,
        split=rng.choice(["train", "validation", "test"], n),
    )  # fmt: skip
    parts = draw_folds(data, {"by": "session", "folds": 5}, seed=1)
    check(data, parts)
    assert [fold.name for fold in parts] == ["a/4", "a/5", "b/1", "b/2", "b/3"]
    assert of_folds(data, {"by": "session", "folds": 9}, parts, validation="none").folds == 5

    parts = draw_folds(data, {"by": "corpus"}, seed=1)
    check(data, parts)
    assert [fold.name for fold in parts] == ["a", "b"]
    assert of_folds(data, {"by": "corpus"}, parts, validation="none").speaker_disjoint is True

    (fold,) = parts = draw_folds(data, {"by": "official"}, seed=1)
    assert np.array_equal(fold.test, np.flatnonzero(data.facts["split"] == "test"))
    assert of_folds(data, {"by": "official"}, parts, validation="none").speaker_disjoint is False
    fit, held, kind = validation_rows(data, fold.train, "official", seed=1)
    assert kind == "official" and set(data.facts["split"][held]) == {"validation"}
    assert set(data.facts["split"][fit]) == {"train"}


def test_unknown_speakers_of_two_corpora_are_not_taken_for_one():
    data = make([""] * 8, [0, 1] * 4, corpus=["a"] * 4 + ["b"] * 4, labels="xy")
    parts = draw_folds(data, {"by": "corpus"}, seed=1)
    assert of_folds(data, {"by": "corpus"}, parts, validation="clips").speaker_disjoint is True
    parts = draw_folds(data, {"by": "random", "folds": 2}, seed=1)
    assert of_folds(data, {"by": "random"}, parts, validation="clips").speaker_disjoint is False


@pytest.mark.parametrize(
    "split", [{"by": "speaker", "folds": 4}, {"by": "listed", "folds": "emobox"}, {"by": "random"}]
)
def test_held_out_speakers_are_nowhere(ravdess, split):
    copied = ravdess.digests.copy()
    copied[0] = copied[7 * 60]  # a clip of actor 1 is also one of actor 8, who is held out
    data = make([s[-2:] for s in ravdess.speakers], ravdess.truth, digests=copied)
    split = {**split, "holdout": [8, "ravdess/21"]}
    rest, held = holdout(data, split)
    assert set(data.speakers[held]) == {"ravdess/08", "ravdess/21"} and len(held) == 120
    assert len(rest) == 1440 - 120 - 1 and 0 not in rest
    parts = draw_folds(data, split, seed=1)
    check(data, parts, covered=rest)
    assert not set(np.concatenate([fold.train for fold in parts])) & set(held)
    assert of_folds(data, split, parts, validation="none").holdout == ["8", "ravdess/21"]


def speech_and_song() -> Dataset:
    """Six actors, each with 8 clips of speech (03-01) and 8 of song (03-02), four classes."""
    actors, truth = np.repeat(np.arange(1, 7), 16), np.tile(np.arange(4), 24)
    data = make([f"{a:02}" for a in actors], truth, labels=LABELS[:4])
    data.ids[:] = [f"ravdess/03-{'02' if i % 16 >= 8 else '01'}-{i:04}" for i in range(len(truth))]
    return data


def test_clips_that_only_train_test_nothing_and_leave_with_their_speaker():
    data = speech_and_song()
    song = np.char.startswith(data.ids, "ravdess/03-02")
    folds = draw_folds(data, {"by": "speaker", "folds": 3, "train_only": "ravdess/03-02"}, seed=1)
    assert sorted(np.concatenate([fold.test for fold in folds])) == np.flatnonzero(~song).tolist()
    for fold in folds:
        tested = np.isin(data.speakers, data.speakers[fold.test])
        np.testing.assert_array_equal(fold.train, np.flatnonzero(~tested))  # speech and song of the other speakers
        assert song[fold.train].any()
    plain = draw_folds(data, {"by": "speaker", "folds": 3}, seed=1)
    assert [set(data.speakers[f.test]) for f in plain] == [set(data.speakers[f.test]) for f in folds]
    rest, held = holdout(data, {"holdout": [1], "train_only": "ravdess/03-02"})
    assert data.speakers[held].tolist() == ["ravdess/01"] * 8 and not song[held].any()
    assert "ravdess/01" not in data.speakers[rest]


@pytest.mark.parametrize(
    ("pattern", "words"), [("(", "no regular expression"), ("song", "matches no clip"), (".*", "matches every clip")]
)
def test_wrong_patterns_of_training_clips_are_one_line(pattern, words):
    with pytest.raises(ConfigError, match=words):
        draw_folds(speech_and_song(), {"by": "speaker", "folds": 3, "train_only": pattern}, seed=1)


def test_no_holdout(ravdess):
    rest, held = holdout(ravdess, {"by": "speaker", "folds": 5, "holdout": []})
    assert len(rest) == 1440 and len(held) == 0


def test_validation_takes_whole_speakers_of_both_sexes(ravdess):
    for fold in draw_folds(ravdess, {"by": "listed", "folds": "emobox"}, seed=1):
        fit, held, kind = validation_rows(ravdess, fold.train, "listed", seed=1, share=0.2)
        taken = set(ravdess.speakers[held])
        assert kind == "speakers" and len(taken) == 4  # of 20
        assert not taken & set(ravdess.speakers[fit]) and not taken & set(ravdess.speakers[fold.test])
        assert np.array_equal(np.union1d(fit, held), fold.train)
        assert np.mean(ravdess.facts["sex"][held] == "female") == 0.5


def test_validation_depends_on_seed_and_fold(ravdess):
    parts = draw_folds(ravdess, {"by": "speaker", "folds": 6}, seed=1)

    def taken(fold, seed):
        return frozenset(ravdess.speakers[validation_rows(ravdess, fold.train, "speaker", seed=seed)[1]])

    assert taken(parts[0], 1) == taken(parts[0], 1)
    assert len({taken(parts[0], seed) for seed in range(5)}) > 1
    alone = draw_folds(ravdess, {"by": "speaker", "folds": "all"}, seed=1)
    assert len({taken(fold, 1) for fold in alone}) > 18  # not the same few in all 24 folds


def test_validation_never_loses_a_class():
    """Only speaker a has class 2, so b or c is taken whatever the seed."""
    data = make("aaabbbccc", [0, 1, 2, 0, 1, 1, 0, 1, 1], labels="xyz")
    for seed in range(10):
        fit, held, kind = validation_rows(data, np.arange(9), "speaker", seed=seed)
        assert kind == "speakers" and len(set(data.speakers[held])) == 1
        assert set(data.truth[fit]) == {0, 1, 2}
    one_each = make("aaabbbccc", [0, 0, 0, 1, 1, 1, 2, 2, 2], labels="xyz")
    fit, held, kind = validation_rows(one_each, np.arange(9), "speaker", seed=1)
    assert kind == "clips" and sorted(one_each.truth[held]) == [0, 1, 2]


@pytest.mark.parametrize(("by", "speaker"), [("random", None), ("speaker", "07"), ("corpus", "")])
def test_validation_by_clips_is_stratified(ravdess, by, speaker):
    data = ravdess[ravdess.speakers == "ravdess/07"] if speaker else ravdess
    if speaker == "":
        data = make([""] * 1440, ravdess.truth, digests=ravdess.digests)
    fit, held, kind = validation_rows(data, np.arange(len(data)), by, seed=1)
    assert kind == "clips"
    assert not set(data.digests[fit]) & set(data.digests[held])
    share = np.bincount(data.truth[held]) / np.bincount(data.truth)
    assert np.all((share >= 0.1) & (share <= 0.26))
    assert set(data.truth[fit]) == set(range(8))


def test_copies_of_validation_clips_are_not_fitted_on():
    data = make("aabbcc", [0, 1] * 3, digests=["same", "1", "same", "2", "same", "3"], labels="xy")
    more = make("aabbccaabbcc", [0, 1] * 6, digests=[*data.digests, *"abcdef"], labels="xy")
    fit, held, _ = validation_rows(more, np.arange(12), "speaker", seed=1)
    assert len(held) == 4 and len(fit) == 12 - 4 - 2
    assert not set(more.digests[fit]) & set(more.digests[held])


def test_validation_needs_two_clips_of_something():
    data = make("aab", [0, 0, 1], digests=["x", "x", "y"], labels="xy")
    with pytest.raises(ConfigError, match="no class has two different clips"):
        validation_rows(data, np.arange(3), "random", seed=1)


def test_the_published_actors_are_those_on_disk():
    root = Path(os.environ.get("SER_DATA", "data")) / "RAVDESS"
    if not root.is_dir():
        pytest.skip("no RAVDESS below SER_DATA")
    speakers, truth = zip(*((p.stem[-2:], int(p.stem[6:8]) - 1) for p in sorted(root.rglob("03-01-*"))), strict=True)
    data = make(speakers, truth)
    parts = draw_folds(data, {"by": "listed", "folds": "emobox"}, seed=1)
    check(data, parts)
    assert [len(fold.test) for fold in parts] == [240] * 6
