"""What a shipped model was trained on: which of the clips it is tested on, and of their speakers, are among it."""

from dataclasses import replace

import numpy as np
from toy import dataset

from evaluation.leakage import training_set


class Configured:
    """As much of a config as training_set.write reads."""

    def __init__(self, holdout=(), init=None, members=()):
        self.init, self.split, self.members = init, self, members
        self._holdout = list(holdout)

    def model_dump(self):
        return {"by": "speaker", "holdout": self._holdout}


def test_speakers_and_recordings_of_training_are_recognised(tmp_path):
    data, card = dataset(), {"corpora": ["toy"]}
    training_set.write(tmp_path, Configured(holdout=["s5"]), data)
    unseen = data[data.speakers == "toy/s5"]
    assert training_set.shared(tmp_path, card, unseen) == {
        "speaker_disjoint": True, "shared_speakers": 0, "shared_clips": 0
    }  # fmt: skip
    assert training_set.shared(tmp_path, card, data)["shared_speakers"] == 5
    renamed = replace(data, speakers=np.char.add(data.speakers, "x"), ids=np.char.add("b", data.ids))
    assert training_set.shared(tmp_path, card, renamed[:5]) == {
        "speaker_disjoint": False, "shared_speakers": 0, "shared_clips": 5
    }  # fmt: skip
    unknown = replace(unseen, speakers=np.full(len(unseen), ""))
    # no unknown speaker is in the training data
    assert training_set.shared(tmp_path, card, unknown)["speaker_disjoint"]
    training_set.write(tmp_path, Configured(), replace(data[:3], speakers=np.full(3, "")))
    assert not training_set.shared(tmp_path, card, unknown)["speaker_disjoint"]


def test_a_fine_tuned_model_is_trained_on_what_its_source_is(tmp_path):
    data = dataset()
    for name in ("source", "tuned"):
        (tmp_path / name).mkdir()
    training_set.write(tmp_path / "source", Configured(), data[data.speakers == "toy/s0"])
    training_set.write(tmp_path / "tuned", Configured(init=str(tmp_path / "source")), data[data.speakers == "toy/s1"])
    shared = training_set.shared(tmp_path / "tuned", {}, data)
    assert shared["shared_speakers"] == 2 and shared["shared_clips"] == 24


def test_an_ensemble_is_trained_on_what_its_members_are(tmp_path):
    data = dataset()
    for name in ("source", "tuned", "both"):
        (tmp_path / name).mkdir()
    training_set.write(tmp_path / "source", Configured(), data[data.speakers == "toy/s0"])
    training_set.write(tmp_path / "tuned", Configured(init=str(tmp_path / "source")), data[data.speakers == "toy/s1"])
    training_set.write(tmp_path / "both", Configured(members=["tuned"]), data[data.speakers == "toy/s1"])
    shared = training_set.shared(tmp_path / "both", {}, data)
    assert shared["shared_speakers"] == 2 and shared["shared_clips"] == 24


def test_the_corpora_of_all_earlier_trainings_count(tmp_path):
    data = dataset()
    training_set.write(tmp_path, Configured(), replace(data, ids=np.char.replace(data.ids, "toy/", "first/")))
    assert training_set.corpora(tmp_path, {"corpora": ["second"]}) == {"first", "second"}
    assert training_set.corpora(tmp_path / "none", {"corpora": ["second"]}) == {"second"}


def test_without_a_record_another_clip_of_the_same_corpus_counts_as_seen(tmp_path):
    shared = training_set.shared(tmp_path, {"corpora": ["toy"]}, dataset())
    assert shared == {"speaker_disjoint": False, "shared_speakers": None, "shared_clips": None}
    assert training_set.shared(tmp_path, {"corpora": ["other"]}, dataset())["speaker_disjoint"]
