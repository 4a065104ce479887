"""The parsers and the check on the real corpora, where they are."""

from collections import Counter

import pytest

import corpora
from corpora.base.check import summary
from utils.audio.decode import decode
from utils.audio.prepare import inspect

RAVDESS = {"name": "ravdess", "root": "RAVDESS"}
EMODB = {"name": "emodb", "root": "EMO-DB-2s"}


def check(entry, data, paths=None) -> str:
    result, rejected = corpora.read(entry, data)
    if paths:
        result = [u for u in result if u.path.stem in paths]
    sounds = {u.path: inspect(*decode(u.path)) for u in result}
    return "\n".join(summary(result, rejected, sounds, corpora.published(entry)))


def test_ravdess_counts(speech):
    result, rejected = corpora.read(RAVDESS, speech)
    known = corpora.published(RAVDESS)
    assert len(result) == 1440 and not rejected
    assert Counter(u.emotion for u in result) == known.emotions and known.emotions["neutral"] == 96
    assert Counter(u.speaker for u in result) == {f"ravdess/{a:02}": 60 for a in range(1, 25)}
    assert Counter(u.sex for u in result) == {"female": 720, "male": 720}


def test_emodb_counts(speech):
    if not (speech / "EMO-DB-2s").is_dir():
        pytest.skip(f"no {speech / 'EMO-DB-2s'}")
    result, rejected = corpora.read(EMODB, speech)
    known = corpora.published(EMODB)
    assert len(result) == 535 and not rejected
    assert Counter(u.emotion for u in result) == known.emotions
    assert Counter(u.speaker.split("/")[1] for u in result) == known.speakers


def test_ravdess_traps_are_found(speech):
    stereo = {"03-01-02-01-01-02-01", "03-01-08-01-02-02-01", "03-01-02-01-02-02-05", "03-01-03-01-02-01-20",
              "03-01-06-01-01-02-20"}  # fmt: skip
    pair = {"03-01-03-01-02-01-07", "03-01-03-01-02-02-07"}
    result = check(RAVDESS, speech, stereo | pair)
    assert "stereo: 5 files" in result and all(name in result for name in stereo)
    assert "exact duplicates: 1 group: 03-01-03-01-02-01-07 = 03-01-03-01-02-02-07" in result


def test_ravdess_whole(speech):
    result = check(RAVDESS, speech)
    assert "counts as published: 1440 clips" in result and "2.94 to 5.27 s, mean 3.70 s" in result
    assert "stereo: 5 files" in result and "exact duplicates: 1 group" in result
    assert "NOT" not in result and "rejected" not in result


def test_a_cut_version_of_emodb_is_called_one(speech):
    if not (speech / "EMO-DB-2s").is_dir():
        pytest.skip(f"no {speech / 'EMO-DB-2s'}")
    result = check(EMODB, speech)
    assert "NOT the published audio" in result and "rate: 22050 Hz (published: 16000 Hz)" in result
