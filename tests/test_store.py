"""The feature store: rows come back as they went in, other settings never meet, others can read the files."""

import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pyarrow as pa
import pytest

from extract_feats import Layout
from extract_feats.base.recipe import Recipe
from extract_feats.cache import store
from extract_feats.cache.store import FeatureStore
from utils.errors import DataError

CLIP = {"offset": 0.0, "seconds": None, "trim_db": None, "level": None}
NAMES = ["f0", "energy", "jitter"]


def recipe(*, frames: bool = False, rate: int = 16000, version: str = "1", clip: dict = CLIP, **arguments) -> Recipe:
    return Recipe("logmel", arguments, Layout("", frames, arguments, version), rate, clip)


def keys_of(n: int, seed: int = 0) -> list[bytes]:
    return [np.random.default_rng([seed, i]).bytes(16) for i in range(n)]


def clips_of(keys: list[bytes], *, frames: bool, seed: int = 0) -> dict[bytes, np.ndarray]:
    generator = np.random.default_rng(seed)
    shapes = [(int(generator.integers(1, 30)), 3) if frames else (3,) for _ in keys]
    return {k: generator.normal(size=shape).astype(np.float32) for k, shape in zip(keys, shapes, strict=True)}


@pytest.mark.parametrize("frames", [False, True])
def test_rows_come_back_in_the_order_asked_for(tmp_path, frames):
    keys = [*keys_of(50), b"\0" * 16, b"\0" * 15 + b"\1", b"a" * 15 + b"\0", b"\xff" * 16]
    clips = clips_of(keys, frames=frames)
    writer = FeatureStore(tmp_path, recipe(frames=frames))
    for start in range(0, len(keys), 20):  # three segments
        writer.write("demo", {k: clips[k] for k in keys[start : start + 20]}, NAMES)
    for opened in (writer, FeatureStore(tmp_path, recipe(frames=frames))):
        order = [keys[i] for i in np.random.default_rng(1).permutation(len(keys))]
        assert opened.has(order).all() and len(opened) == len(keys) and opened.names == NAMES
        got = opened.read(order)
        assert all(np.array_equal(row, clips[k]) for row, k in zip(got, order, strict=True))
        assert got[0].dtype == np.float32


def test_what_is_not_stored_is_said(tmp_path):
    opened = FeatureStore(tmp_path, recipe())
    keys = keys_of(3)
    assert len(opened) == 0 and not opened.has(keys).any()
    opened.write("demo", clips_of(keys[:2], frames=False), NAMES)
    assert opened.has(keys).tolist() == [True, True, False] and opened.has([]).shape == (0,)
    with pytest.raises(KeyError, match="1 of 3 clips are not stored"):
        opened.read(keys)
    opened.write("demo", {}, NAMES)
    assert len(list(opened.folder.iterdir())) == 1  # nothing to write, no file


def test_frames_are_views_into_the_mapped_file(tmp_path):
    keys = keys_of(5)
    writer = FeatureStore(tmp_path, recipe(frames=True))
    writer.write("demo", clips_of(keys, frames=True), NAMES)
    before = pa.total_allocated_bytes()
    opened = FeatureStore(tmp_path, recipe(frames=True))
    got = opened.read(keys)
    values = opened._segments[0].values
    assert all(np.shares_memory(clip, values) for clip in got)
    assert not values.flags.owndata and not values.flags.writeable
    assert pa.total_allocated_bytes() - before < 1000  # Arrow itself copied nothing either


@pytest.mark.parametrize("frames", [False, True])
def test_pandas_and_arrow_read_a_segment(tmp_path, frames):
    from pyarrow import feather

    keys = keys_of(8)
    clips = clips_of(keys, frames=frames)
    opened = FeatureStore(tmp_path, recipe(frames=frames, n_mels=64))
    opened.write("demo", clips, NAMES)
    path = next(opened.folder.glob("*.arrow"))
    table = feather.read_table(path)
    assert json.loads(table.schema.metadata[b"names"]) == NAMES
    stated = json.loads(table.schema.metadata[b"recipe"])
    assert stated["plugin"] == "logmel" and stated["arguments"] == {"n_mels": 64} and stated["rate"] == 16000
    assert table["key"].to_pylist() == sorted(keys)
    if not frames:
        pandas = pytest.importorskip("pandas")
        for row in pandas.read_feather(path).itertuples():
            assert np.array_equal(row.features, clips[row.key])
    with pa.ipc.open_file(path) as reader:
        rows = reader.read_all()["features"].to_pylist()
    assert np.array_equal(np.array(rows[0], np.float32), clips[sorted(keys)[0]])


def test_compaction_keeps_every_row_once_and_only_its_own_prefix(tmp_path):
    keys = keys_of(40)
    clips = clips_of(keys, frames=True)
    opened = FeatureStore(tmp_path, recipe(frames=True))
    for start in range(0, 40, 8):
        opened.write("emo", {k: clips[k] for k in keys[start : start + 10]}, NAMES)  # two of each ten twice
    opened.write("emo-db", {keys[0]: clips[keys[0]]}, NAMES)
    (opened.folder / "emo-0.part").write_bytes(b"left by a killed run")
    with opened.lock():
        opened.compact("emo")
    for after in (opened, FeatureStore(tmp_path, recipe(frames=True))):
        assert after.has(keys).all() and len(after) == 40
        assert all(np.array_equal(clip, clips[k]) for clip, k in zip(after.read(keys), keys, strict=True))
    names = sorted(path.name.rpartition("-")[0] for path in opened.folder.glob("*.arrow"))
    assert names == ["emo", "emo-db"] and not list(opened.folder.glob("*.part"))
    own = next(
        segment for segment in opened._segments if segment.path.name.startswith("emo-") and len(segment.keys) > 1
    )
    assert len(own.keys) == 40  # not 50: no row twice


def test_large_segments_are_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "SEGMENT_BYTES", 500)
    keys = keys_of(120)
    clips = clips_of(keys, frames=False)  # 12 bytes each
    opened = FeatureStore(tmp_path, recipe())
    opened.write("demo", {k: clips[k] for k in keys[:60]}, NAMES)
    large = next(opened.folder.glob("*.arrow"))
    for start in range(60, 120, 10):
        opened.write("demo", {k: clips[k] for k in keys[start : start + 10]}, NAMES)
    opened.compact("demo")
    assert large.exists() and len(list(opened.folder.glob("*.arrow"))) == 3  # 720 bytes; 480 and 240
    assert np.array_equal(opened.read(keys), np.stack([clips[k] for k in keys]))


def test_a_kill_between_merging_and_removing_does_no_harm(tmp_path):
    keys = keys_of(10)
    clips = clips_of(keys, frames=False)
    opened = FeatureStore(tmp_path, recipe())
    for part in (keys[:5], keys[5:], keys):  # the parts are still there, the merged segment too
        opened.write("demo", {k: clips[k] for k in part}, NAMES)
    again = FeatureStore(tmp_path, recipe())
    assert len(again) == 10 and np.array_equal(again.read(keys), np.stack([clips[k] for k in keys]))
    again.compact("demo")
    assert len(list(again.folder.glob("*.arrow"))) == 1 and len(again) == 10


def test_a_reader_outlives_compaction_and_opens_during_one(tmp_path, monkeypatch):
    keys = keys_of(10)
    clips = clips_of(keys, frames=True)
    writer = FeatureStore(tmp_path, recipe(frames=True))
    for part in (keys[:5], keys[5:]):
        writer.write("demo", {k: clips[k] for k in part}, NAMES)
    reader = FeatureStore(tmp_path, recipe(frames=True))
    got = reader.read(keys)
    stale = sorted(writer.folder.glob("*.arrow"))
    writer.compact("demo")
    assert all(np.array_equal(clip, clips[k]) for clip, k in zip(got, keys, strict=True))
    listing = type(tmp_path).glob
    answers = iter([stale])  # what a folder held before the merge
    monkeypatch.setattr(type(tmp_path), "glob", lambda self, pattern: next(answers, None) or listing(self, pattern))
    assert len(FeatureStore(tmp_path, recipe(frames=True))) == 10


def test_a_store_travels_to_a_process_as_its_folder(tmp_path):
    import pickle

    keys = keys_of(1000)
    opened = FeatureStore(tmp_path, recipe())
    opened.write("demo", clips_of(keys, frames=False), NAMES)
    sent = pickle.dumps(opened)
    assert len(sent) < 1000 and pickle.loads(sent).has(keys).all()
    opened.write("demo", clips_of(keys_of(5, seed=9), frames=False), NAMES)
    assert pickle.loads(pickle.dumps(opened)).has(keys_of(5, seed=9)).all()  # not the one opened before


def test_a_damaged_segment_is_named(tmp_path):
    opened = FeatureStore(tmp_path, recipe())
    opened.write("demo", clips_of(keys_of(5), frames=False), NAMES)
    path = next(opened.folder.glob("*.arrow"))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=r"demo-\w+\.arrow: damaged .*; remove it"):
        FeatureStore(tmp_path, recipe())


@pytest.mark.parametrize("frames", [False, True])
def test_a_parquet_export_is_read_by_pandas(tmp_path, frames):
    pandas = pytest.importorskip("pandas")
    keys = keys_of(4)
    clips = clips_of(keys, frames=frames)
    opened = FeatureStore(tmp_path, recipe(frames=frames))
    opened.write("demo", clips, NAMES)
    rows = [{"id": f"demo/{i}", "emotion": "sad", "digest": k.hex()} for i, k in enumerate(keys)]
    rows += [{"id": "demo/x", "emotion": "sad", "digest": ""}, {"id": "demo/y", "emotion": "sad", "digest": "00" * 16}]
    store.export(opened, rows, tmp_path / "out" / "demo.parquet")
    table = pandas.read_parquet(tmp_path / "out" / "demo.parquet")
    assert table["id"].tolist() == [f"demo/{i}" for i in range(4)]
    for i, k in enumerate(keys):
        result = np.stack(table["frames"][i]) if frames else table.loc[i, NAMES].to_numpy(np.float32)
        assert np.array_equal(result, clips[k])
    with pytest.raises(DataError, match="nothing to export"):
        store.export(opened, rows[4:], tmp_path / "none.parquet")


def _write_many(folder, part: int) -> None:
    opened = FeatureStore(folder, recipe())
    for start in range(part, 30, 3):
        with opened.lock():
            opened.refresh()
            keys = keys_of(30)[start : start + 1]
            opened.write("demo", clips_of(keys, frames=False, seed=start), NAMES)
            opened.compact("demo")


def test_three_processes_write_and_merge_at_once(tmp_path):
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        for done in [pool.submit(_write_many, tmp_path, part) for part in range(3)]:
            for _ in range(20):  # and a reader opens meanwhile
                FeatureStore(tmp_path, recipe())
            done.result()
    opened = FeatureStore(tmp_path, recipe())
    keys = keys_of(30)
    expected = np.stack([clips_of([k], frames=False, seed=i)[k] for i, k in enumerate(keys)])
    assert np.array_equal(opened.read(keys), expected) and len(list(opened.folder.glob("*.arrow"))) == 1


@pytest.mark.parametrize("frames", [False, True])
def test_no_flipped_bit_gives_other_features(tmp_path, frames):
    """Every bit that is flipped is noticed, or makes no difference to what is read."""
    keys = keys_of(5)
    clips = clips_of(keys, frames=frames)
    FeatureStore(tmp_path, recipe(frames=frames)).write("demo", clips, NAMES)
    path = next(tmp_path.glob("*/*.arrow"))
    whole = path.read_bytes()
    for bit in np.random.default_rng(0).choice(8 * len(whole), 100, replace=False):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(damaged)
        with pytest.raises((DataError, KeyError)) as caught:  # KeyError: the key was hit, the clip is extracted again
            FeatureStore(tmp_path, recipe(frames=frames)).read(keys)
        if caught.type is DataError:
            assert "; remove it and run preprocess.py again" in str(caught.value) and "\n" not in str(caught.value)


def test_damage_is_not_merged_into_a_segment_with_a_checksum_of_its_own(tmp_path):
    keys = keys_of(4)
    clips = clips_of(keys, frames=False)
    writer = FeatureStore(tmp_path, recipe())
    writer.write("demo", {k: clips[k] for k in keys[:2]}, NAMES)
    path = next(writer.folder.glob("*.arrow"))
    writer.write("demo", {k: clips[k] for k in keys[2:]}, NAMES)
    content = path.read_bytes()
    value = clips[keys[0]][0].tobytes()
    path.write_bytes(content.replace(value, b"\0\0\0\0"))
    with pytest.raises(DataError, match="its content does not have the checksum in its name"):
        FeatureStore(tmp_path, recipe()).compact("demo")
    assert len(list(writer.folder.glob("*.arrow"))) == 2


def test_a_segment_without_a_checksum_is_read(tmp_path):
    keys = keys_of(4)
    clips = clips_of(keys, frames=False)
    FeatureStore(tmp_path, recipe()).write("demo", clips, NAMES)
    path = next(tmp_path.glob("*/*.arrow"))
    path.rename(path.with_stem(path.stem[:-8]))  # as older versions named it
    older = FeatureStore(tmp_path, recipe())
    assert np.array_equal(older.read(keys), np.stack([clips[k] for k in keys]))
    older.write("demo", clips_of(keys_of(1, seed=9), frames=False), NAMES)
    older.compact("demo")
    assert len(list(older.folder.glob("*.arrow"))) == 1 and older.has(keys).all()
