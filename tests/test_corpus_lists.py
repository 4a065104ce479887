"""The lists of a corpus in the cache: damage is named with its remedy, and gives no other clips."""

import numpy as np
import pytest

from corpora import Utterance
from extract_feats.cache import corpus_lists
from utils.audio.prepare import Sound
from utils.errors import DataError

ENTRY = {"name": "folders", "root": "mine"}


@pytest.fixture
def folder(tmp_path):
    """Return the folder of a corpus of three clips that are listed."""
    folder = corpus_lists.corpus_folder(ENTRY, "mine", tmp_path)
    folder.mkdir()
    clips = [Utterance(f"mine/{n}", tmp_path / f"{n}.wav", "sad") for n in range(3)]
    sounds = {clip.path: Sound("0" * 32, 1.0 + n, 16000, 1, 0.5, -20.0, 0.0) for n, clip in enumerate(clips)}
    corpus_lists.write_clips(clips, tmp_path, sounds, folder)
    return folder


def test_a_flipped_bit_of_the_list_is_noticed_or_makes_no_difference(folder):
    path = folder / "clips.parquet"
    whole, right = path.read_bytes(), corpus_lists.read_sounds([ENTRY], folder.parent)
    assert len(right) == 3
    messages = []
    for bit in np.random.default_rng(0).choice(8 * len(whole), 60, replace=False):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(damaged)
        try:
            assert corpus_lists.read_sounds([ENTRY], folder.parent) == right
        except DataError as error:
            messages.append(str(error))
    assert messages and all(message.startswith(f"{path}: damaged (") for message in messages)
    assert all("remove it and run preprocess.py" in message and "\n" not in message for message in messages)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"\xff" * 100])
def test_what_is_no_list_is_one_line(folder, content):
    (folder / "clips.parquet").write_bytes(content)
    with pytest.raises(DataError, match=r"clips\.parquet: damaged \(.*; remove it and run preprocess\.py again"):
        corpus_lists.read_sounds([ENTRY], folder.parent)


@pytest.mark.parametrize("content", [b"path,features\n", b"a,b,\xff\n"])
def test_a_damaged_list_of_rejected_files_is_one_line(folder, content):
    (folder / "rejected.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"rejected\.csv: damaged \(.*; remove it and run preprocess\.py again"):
        corpus_lists.read_rejected(folder)
