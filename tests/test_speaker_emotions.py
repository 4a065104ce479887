"""Missing pairs of speaker and emotion: counted by hand, as explore.py counts them, and told wherever the score is."""

import json
from dataclasses import replace

import numpy as np
from test_html import Document
from toy import LABELS, dataset

from evaluation.checkpoint.text import text
from evaluation.exploration.separation import pairs_that_occur
from evaluation.exploration.standardise import group_codes
from evaluation.pages import report
from evaluation.scores import speaker_emotions
from tests.toy_runs import config, written


def without(data, *pairs):
    """Return the clips without those of the pairs (speaker, emotion)."""
    lost = [(data.speakers == f"toy/s{speaker}") & (data.truth == LABELS.index(label)) for speaker, label in pairs]
    return data[np.flatnonzero(~np.logical_or.reduce(lost))]


def one_emotion_each(data):
    """Return the clips with the emotion that each speaker keeps to."""
    number = np.array([int(name.removeprefix("toy/s")) for name in data.speakers])
    return data[np.flatnonzero(data.truth == number % len(LABELS))]


def test_missing_pairs_by_hand_and_as_explore_counts_them():
    data = without(dataset(), (0, "sad"), (3, "sad"), (5, "angry"))
    scores = speaker_emotions.scores(data)
    assert scores == {
        "n_training_speakers": 6,
        "missing_pairs": {"angry": ["toy/s5"], "sad": ["toy/s0", "toy/s3"]},
    }
    occur, possible = pairs_that_occur(data.truth, group_codes(data.speakers)[0])
    assert possible - occur == sum(map(len, scores["missing_pairs"].values())) == 3
    assert speaker_emotions.scores(dataset())["missing_pairs"] == {}
    unknown = replace(data, speakers=np.full(len(data), ""))
    assert speaker_emotions.scores(unknown) == {"n_training_speakers": 0, "missing_pairs": {}}


def test_the_text_is_short_however_much_is_missing():
    missing = {label: [f"s{n:03}" for n in range(50)] for label in "abcde"}
    scored = {"labels": list("abcdefgh"), "n_training_speakers": 60, "missing_pairs": missing}
    said = speaker_emotions.missing_sentence(scored)
    assert "50 of 60 speakers have no clip of a (s000, s001, s002 and 47 more)" in said
    assert said.endswith("; so with 2 more emotions.") and len(said) < 300
    assert speaker_emotions.warning(scored) == ""


def test_speakers_who_keep_to_one_emotion_are_warned_of_if_they_are_most():
    few = {"a": ["1"], "b": ["1", "2", "3"], "c": ["2", "3"]}  # 1 shows c, 2 and 3 show a
    scored = {"labels": ["a", "b", "c"], "n_training_speakers": 4, "missing_pairs": few}
    assert speaker_emotions.warning(scored).startswith("3 of 4 speakers show one emotion only: the score can be")
    assert speaker_emotions.warning(scored | {"n_training_speakers": 6}) == ""


def test_a_run_names_what_its_training_data_lacks(tmp_path):
    data = without(dataset(), (0, "sad"), (3, "sad"))
    settings = config(split={"by": "speaker", "folds": 3, "holdout": ["s3"]})
    metrics, _, _ = written(data, settings, tmp_path / "run")
    assert metrics["missing_pairs"] == {"sad": ["toy/s0"]} and metrics["n_training_speakers"] == 5
    assert json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="utf8")) == metrics
    sentence = "In the training data 1 of 5 speakers has no clip of sad (toy/s0)."
    page = Document(report.write(tmp_path / "run").read_text(encoding="utf8")).text
    for said in (text(metrics), page, (tmp_path / "run" / report.CARD).read_text(encoding="utf8")):
        assert sentence in said and "speaker recogniser" not in said


def test_one_emotion_per_speaker_is_a_warning_above_the_score(tmp_path):
    metrics, _, _ = written(one_emotion_each(dataset()), config(), tmp_path / "run")
    warning = "Each speaker shows one emotion only: the score can be that of a speaker recogniser."
    assert " ".join(text(metrics).split()).count(warning) == 1 and "no clip of" not in text(metrics)
    page = Document(report.write(tmp_path / "run").read_text(encoding="utf8")).text
    assert warning in page[: page.index("How it was tested")]
    assert warning in (tmp_path / "run" / report.CARD).read_text(encoding="utf8")
    assert max(len(line) for line in text(metrics).splitlines()) <= 80
