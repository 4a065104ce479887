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
    found, rejected = corpora.read(entry, data)
    if paths:
        found = [u for u in found if u.path.stem in paths]
    sounds = {u.path: inspect(*decode(u.path)) for u in found}
    return "\n".join(summary(found, rejected, sounds, corpora.published(entry)))


def test_ravdess_counts(speech):
    found, rejected = corpora.read(RAVDESS, speech)
    known = corpora.published(RAVDESS)
    assert len(found) == 1440 and not rejected
    assert Counter(u.emotion for u in found) == known.emotions and known.emotions["neutral"] == 96
    assert Counter(u.speaker for u in found) == {f"ravdess/{a:02}": 60 for a in range(1, 25)}
    assert Counter(u.sex for u in found) == {"female": 720, "male": 720}


def test_emodb_counts(speech):
    if not (speech / "EMO-DB-2s").is_dir():
        pytest.skip(f"no {speech / 'EMO-DB-2s'}")
    found, rejected = corpora.read(EMODB, speech)
    known = corpora.published(EMODB)
    assert len(found) == 535 and not rejected
    assert Counter(u.emotion for u in found) == known.emotions
    assert Counter(u.speaker.split("/")[1] for u in found) == known.speakers


def test_ravdess_traps_are_found(speech):
    stereo = {"03-01-02-01-01-02-01", "03-01-08-01-02-02-01", "03-01-02-01-02-02-05", "03-01-03-01-02-01-20",
              "03-01-06-01-01-02-20"}  # fmt: skip
    pair = {"03-01-03-01-02-01-07", "03-01-03-01-02-02-07"}
    found = check(RAVDESS, speech, stereo | pair)
    assert "stereo: 5 files" in found and all(name in found for name in stereo)
    assert "exact duplicates: 1 group: 03-01-03-01-02-01-07 = 03-01-03-01-02-02-07" in found


def test_ravdess_whole(speech):
    found = check(RAVDESS, speech)
    assert "counts as published: 1440 clips" in found and "2.94 to 5.27 s, mean 3.70 s" in found
    assert "stereo: 5 files" in found and "exact duplicates: 1 group" in found
    assert "NOT" not in found and "rejected" not in found


def test_a_cut_version_of_emodb_is_called_one(speech):
    if not (speech / "EMO-DB-2s").is_dir():
        pytest.skip(f"no {speech / 'EMO-DB-2s'}")
    found = check(EMODB, speech)
    assert "NOT the published audio" in found and "rate: 22050 Hz (published: 16000 Hz)" in found
