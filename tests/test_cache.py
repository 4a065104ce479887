"""From corpora to cached features: what is decoded, what is extracted, what is kept and what is refused."""

import os
import shutil
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
from filelock import FileLock
from pyarrow import parquet
from threadpoolctl import threadpool_limits

from extract_feats.base.recipe import Recipe
from extract_feats.cache import fill as cache
from extract_feats.cache import known_files, parallel
from extract_feats.cache import read as load
from extract_feats.cache.store import FeatureStore, key
from utils import config as configs
from utils.audio.prepare import Sound, read_wave
from utils.dataset import Frames
from utils.errors import ConfigError, DataError

COMMAND = "python preprocess.py --config x.yaml"


def experiment(root: str = "demo", **changes) -> configs.Config:
    raw = {
        "name": "trial",
        "corpora": [{"name": "demo", "root": root}],
        "features": {"name": "librosa_frames", "preset": "mfcc"},
        "model": {"name": "svm"},
    }
    return configs.check(raw | changes, "trial")


@pytest.fixture
def voices(demo_root, tmp_path, monkeypatch) -> Path:
    """Return a corpus of ten clips of two speakers that a test may change, below $SER_DATA."""
    folder = tmp_path / "data" / "demo"
    for path in [*demo_root.glob("f01/*_1.wav"), *demo_root.glob("m02/*_1.wav")]:
        target = folder / path.relative_to(demo_root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    monkeypatch.setenv("SER_DATA", str(tmp_path / "data"))
    return folder


@pytest.fixture
def decoded(monkeypatch) -> Counter:
    """Count the files that are decoded in this process, by name."""
    counts = Counter()
    real = parallel.decode

    def decode(path):
        counts[Path(path).name] += 1
        return real(path)

    monkeypatch.setattr(parallel, "decode", decode)
    return counts


def fill(features: Path, config: configs.Config | None = None, **options) -> cache.Outcome:
    config = config or experiment()
    (found,) = cache.scan(config, options.pop("limit", None))
    return cache.fill(found, load.recipe_of(config), features, jobs=1, **options)


def extracted(path: Path | str) -> np.ndarray:
    """Return a file's features by the shortest way."""
    with threadpool_limits(1):  # another number of threads rounds otherwise
        return load.recipe_of(experiment()).extract(read_wave(path, 16000))


def counts(outcome: cache.Outcome) -> tuple[int, int, int]:
    return outcome.extracted, outcome.cached, len(outcome.rejected)


def test_the_first_run_extracts_the_second_decodes_nothing(voices, tmp_path, decoded):
    first = fill(tmp_path / "f")
    assert counts(first) == (10, 0, 0) and sum(decoded.values()) == 10
    assert first.audio_seconds == pytest.approx(sum(s.seconds for s in first.sounds.values()))
    decoded.clear()
    again = fill(tmp_path / "f")
    assert counts(again) == (0, 10, 0) and not decoded and again.sounds == first.sounds


def test_verify_decodes_everything_and_extracts_nothing(voices, tmp_path, decoded):
    fill(tmp_path / "f")
    decoded.clear()
    assert counts(fill(tmp_path / "f", verify=True)) == (0, 10, 0) and sum(decoded.values()) == 10


def test_features_are_those_of_the_recipe(voices, tmp_path):
    fill(tmp_path / "f")
    data = load.dataset(experiment(), tmp_path / "f", command=COMMAND)
    assert isinstance(data.features, Frames) and len(data) == 10
    for path, clip in zip(data.facts["path"], data.features, strict=True):
        assert np.array_equal(clip, extracted(path))
    assert set(data.labels) == {"angry", "happy", "sad", "neutral", "fear"}
    assert set(data.facts["sex"]) == {
        "female",
        "male",
    }
    assert all(i.startswith("demo/") for i in data.ids) and set(data.speakers) == {"demo/f01", "demo/m02"}
    assert [data.labels[t] for t in data.truth] == [i.split("_")[1] for i in data.ids]


def test_no_audio_is_needed_for_a_dataset(voices, tmp_path, decoded):
    fill(tmp_path / "f")
    decoded.clear()
    shutil.rmtree(voices)
    assert len(load.dataset(experiment(), tmp_path / "f", command=COMMAND)) == 10 and not decoded


def test_a_changed_file_is_extracted_again(voices, tmp_path, decoded):
    fill(tmp_path / "f")
    decoded.clear()
    path = next(voices.rglob("*angry*.wav"))
    wave, rate = soundfile.read(path)
    soundfile.write(path, wave[::-1], rate)
    assert counts(fill(tmp_path / "f")) == (1, 9, 0) and decoded == {path.name: 1}
    data = load.dataset(experiment(), tmp_path / "f", command=COMMAND)
    where = data.facts["path"].tolist().index(str(path.resolve()))
    assert np.array_equal(data.features[where], extracted(path))


def test_a_file_changed_behind_its_date_is_found_by_verify(voices, tmp_path):
    fill(tmp_path / "f")
    path = next(voices.rglob("*angry*.wav"))
    status = path.stat()
    wave, rate = soundfile.read(path)
    soundfile.write(path, wave[::-1], rate)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_size == status.st_size
    assert counts(fill(tmp_path / "f")) == (0, 10, 0)
    assert counts(fill(tmp_path / "f", verify=True)) == (1, 9, 0)


def test_a_touched_moved_or_copied_file_is_decoded_and_not_extracted(voices, tmp_path, decoded):
    fill(tmp_path / "f")
    decoded.clear()
    touched, moved, copied = sorted(voices.rglob("f01*.wav"))[:3]
    os.utime(touched, ns=(1, 1))
    moved.rename(moved.with_name("f01_angry_7.wav"))
    shutil.copy(copied, copied.with_name("f01_angry_8.wav"))
    assert counts(fill(tmp_path / "f")) == (0, 11, 0)
    assert decoded == {touched.name: 1, "f01_angry_7.wav": 1, "f01_angry_8.wav": 1}


def test_another_container_of_the_same_samples_is_not_extracted(voices, tmp_path):
    fill(tmp_path / "f")
    for path in sorted(voices.rglob("*.wav")):
        wave, rate = soundfile.read(path, dtype="int16")
        soundfile.write(path.with_suffix(".flac"), wave, rate)
        path.unlink()
    assert counts(fill(tmp_path / "f")) == (0, 10, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"rate": 22050},
        {"clip": {"trim_db": 30.0}},
        {"features": {"name": "librosa_frames", "preset": "mfcc", "n_mfcc": 20}},
    ],
)
def test_a_changed_setting_never_meets_old_features(voices, tmp_path, decoded, changes):
    fill(tmp_path / "f")
    decoded.clear()
    assert counts(fill(tmp_path / "f", experiment(**changes))) == (10, 0, 0)
    assert counts(fill(tmp_path / "f")) == (0, 10, 0) and counts(fill(tmp_path / "f", experiment(**changes))) == (
        0,
        10,
        0,
    )


def test_what_does_not_touch_the_features_shares_them(voices, tmp_path):
    fill(tmp_path / "f")
    other = experiment(name="other", seed=7, model={"name": "mlp"}, merge={"fear": "sad"}, drop=["happy"])
    outcome = fill(tmp_path / "f", other)
    assert counts(outcome) == (0, 8, 0)
    data = load.dataset(other, tmp_path / "f", command=COMMAND)
    assert data.labels == ("angry", "sad", "neutral") and len(data) == 8


def broken(voices: Path) -> Path:
    path = next(voices.rglob("*angry*.wav"))
    path.write_bytes(path.read_bytes()[:2000])
    return path


def rejected_rows(features: Path) -> list[list[str]]:
    import csv

    (path,) = features.glob("*/rejected.csv")
    with path.open(newline="", encoding="utf8") as file:
        header, *rows = csv.reader(file)
    assert header == ["path", "features", "reason"]
    return rows


def test_a_broken_file_is_listed_and_left_out_and_a_repaired_one_comes_back(voices, tmp_path, decoded):
    path = next(voices.rglob("*angry*.wav"))
    whole = path.read_bytes()
    broken(voices)
    outcome = fill(tmp_path / "f")
    assert counts(outcome) == (9, 0, 1) and outcome.rejected[0].path == path
    ((where, recipe, reason),) = rejected_rows(tmp_path / "f")
    assert (tmp_path / "f" / recipe).is_dir() and voices / where == path
    assert reason.startswith("truncated: the header promises")
    decoded.clear()
    assert counts(fill(tmp_path / "f")) == (0, 9, 1) and not decoded  # not even tried again
    assert len(load.dataset(experiment(), tmp_path / "f", command=COMMAND)) == 9
    path.write_bytes(whole)
    assert counts(fill(tmp_path / "f")) == (1, 9, 0) and rejected_rows(tmp_path / "f") == []
    assert len(load.dataset(experiment(), tmp_path / "f", command=COMMAND)) == 10


def test_a_broken_file_is_left_out_below_a_linked_and_a_relative_folder(voices, tmp_path, monkeypatch):
    broken(voices)
    (tmp_path / "link").symlink_to(tmp_path / "data", target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SER_DATA", "link")
    assert counts(fill(tmp_path / "f")) == (9, 0, 1)
    assert len(load.dataset(experiment(), tmp_path / "f", command=COMMAND)) == 9


def test_what_one_recipe_cannot_use_another_can(voices, tmp_path):
    """Both recipes have the same label: it is the recipe that counts."""
    late = experiment(name="late", clip={"offset": 1.3})
    refused = fill(tmp_path / "f", late)
    assert 0 < len(refused.rejected) < 10 and "are left after offset 1.3 s" in refused.rejected[0].reason
    assert counts(fill(tmp_path / "f")) == (10, 0, 0)
    for _ in range(2):
        assert len(load.dataset(experiment(), tmp_path / "f", command=COMMAND)) == 10
        assert len(load.dataset(late, tmp_path / "f", command=COMMAND)) == 10 - len(refused.rejected)
        fill(tmp_path / "f", late)


def test_a_trial_does_not_forget_what_a_whole_run_rejected(voices, tmp_path):
    path = sorted(voices.rglob("*angry*.wav"))[1]
    path.write_bytes(b"")
    fill(tmp_path / "f")
    fill(tmp_path / "f", limit=1)
    assert len(rejected_rows(tmp_path / "f")) == 1
    assert len(load.dataset(experiment(), tmp_path / "f", command=COMMAND)) == 9


def test_names_outside_the_grammar_are_listed(voices, tmp_path):
    shutil.copy(next(voices.rglob("*.wav")), voices / "notes on tape.wav")
    fill(tmp_path / "f")
    ((path, _, reason),) = rejected_rows(tmp_path / "f")
    assert path == "notes on tape.wav" and "expected speaker" in reason


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' file names are always text")
def test_a_name_that_is_no_text_is_listed(voices, tmp_path):
    shutil.copy(next(voices.rglob("*.wav")), os.fsencode(voices / "f01") + b"/\xe4rger.wav")
    assert len(fill(tmp_path / "f").sounds) == 10
    ((path, *_),) = rejected_rows(tmp_path / "f")
    assert path == r"f01/\udce4rger.wav"


def test_a_limit_takes_so_many_a_class(voices, tmp_path):
    assert counts(fill(tmp_path / "f", limit=1)) == (5, 0, 0)
    assert len(load.dataset(experiment(), tmp_path / "f", command=COMMAND, limit=1)) == 5
    with pytest.raises(ConfigError, match=rf"trial: 5 of 10 clips have no cached .* features\. Run: {COMMAND}"):
        load.dataset(experiment(), tmp_path / "f", command=COMMAND)


def test_a_dataset_of_nothing_says_what_to_run(voices, tmp_path):
    with pytest.raises(ConfigError, match=rf"no cached features for corpus 'demo'\. Run: {COMMAND}"):
        load.dataset(experiment(), tmp_path / "f", command=COMMAND)
    fill(tmp_path / "f")
    for clips in tmp_path.glob("f/demo-*/clips.parquet"):
        clips.unlink()  # a run killed before it wrote them
    with pytest.raises(ConfigError, match=rf"no cached features for corpus 'demo'\. Run: {COMMAND}"):
        load.dataset(experiment(), tmp_path / "f", command=COMMAND)


def test_features_of_another_folder_are_not_taken(voices, tmp_path, monkeypatch):
    fill(tmp_path / "f")
    shutil.copytree(voices.parent, tmp_path / "elsewhere")
    monkeypatch.setenv("SER_DATA", str(tmp_path / "elsewhere"))
    with pytest.raises(ConfigError, match=r"features were made from .*data.demo, not from .*elsewhere"):
        load.dataset(experiment(), tmp_path / "f", command=COMMAND)
    assert counts(fill(tmp_path / "f")) == (0, 10, 0)  # known by content
    assert len(load.dataset(experiment(), tmp_path / "f", command=COMMAND)) == 10


def test_exported_rows_carry_the_labels_of_the_experiment(voices, tmp_path):
    merged = experiment(merge={"fear": "sad"}, drop=["happy"])
    fill(tmp_path / "f", merged)
    rows = load.exported(merged, tmp_path / "f", command=COMMAND)
    assert len(rows) == 8 and {row["emotion"] for row in rows} == {"angry", "sad", "neutral"}
    assert all(len(row["digest"]) == 32 for row in rows)


def test_what_is_finished_is_kept_when_something_stops_the_run(voices, tmp_path):
    class Stopped(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done == 4:
            raise Stopped

    with pytest.raises(Stopped):
        fill(tmp_path / "f", progress=stop)
    assert counts(fill(tmp_path / "f")) == (6, 4, 0)


def test_results_go_to_disk_by_size_not_at_the_end(voices, tmp_path, monkeypatch):
    """What a run holds in memory is bounded by FLUSH_BYTES, however many clips it extracts."""
    held = []
    real = cache._Pending.add

    def add(self, done):
        real(self, done)
        held.append(self.size)

    monkeypatch.setattr(cache, "FLUSH_BYTES", 20_000)
    monkeypatch.setattr(cache._Pending, "add", add)
    assert counts(fill(tmp_path / "f")) == (10, 0, 0)
    assert max(held) <= 20_000 and held.count(0) > 1
    recipe = load.recipe_of(experiment())
    assert len(list((tmp_path / "f" / recipe.folder).glob("*.arrow"))) == 1  # compacted


def test_a_second_process_is_told_to_wait(voices, tmp_path):
    import threading

    recipe = load.recipe_of(experiment())
    (tmp_path / "f" / recipe.folder).mkdir(parents=True)
    lock = FileLock(tmp_path / "f" / recipe.folder / "writing.lock", thread_local=False)
    lock.acquire()
    told = threading.Event()
    outcomes = []
    other = threading.Thread(target=lambda: outcomes.append(fill(tmp_path / "f", waiting=told.set)))
    other.start()
    assert told.wait(30) and not outcomes
    lock.release()
    other.join(60)
    assert counts(outcomes[0]) == (10, 0, 0)


class Threads(Recipe):
    """A recipe whose features are the thread counts of the numeric libraries where they are extracted."""

    def extract(self, wave: np.ndarray) -> np.ndarray:
        import scipy.linalg
        from threadpoolctl import threadpool_info

        scipy.linalg.inv(np.eye(3))  # loads its own pool
        pools = [pool["num_threads"] for pool in threadpool_info()]
        return np.array([os.getpid(), len(pools), max(pools)], np.float64)


def test_workers_compute_with_one_thread_each(demo_root, tmp_path):
    base = load.recipe_of(experiment())
    store = FeatureStore(tmp_path, Threads(base.plugin, base.arguments, base.layout, base.rate, base.clip))
    paths = sorted(demo_root.rglob("*.wav"))[:16]
    results = list(parallel.work(paths, store, jobs=2))
    assert sorted(done.path for done in results) == paths
    for done in results:
        process, pools, threads = done.features
        assert process != os.getpid() and pools >= 1 and threads == 1


def test_two_processes_give_the_bits_of_one(demo_root, tmp_path):
    paths = sorted(demo_root.rglob("*.wav"))[:12]
    store = FeatureStore(tmp_path, load.recipe_of(experiment()))
    one, two = ({done.path: done for done in parallel.work(paths, store, jobs=jobs)} for jobs in (1, 2))
    assert all(np.array_equal(one[path].features, two[path].features) for path in paths)
    assert all(one[path].sound == two[path].sound and one[path].stamped == two[path].stamped for path in paths)


def test_a_file_that_vanishes_is_refused_and_not_recorded(tmp_path):
    (done,) = parallel.work([tmp_path / "gone.wav"], FeatureStore(tmp_path, load.recipe_of(experiment())), 1)
    assert done.stamped is None and done.features == "No such file or directory."


def test_known_files_are_known_while_they_do_not_change(tmp_path, monkeypatch):
    monkeypatch.setattr(known_files, "_CHUNK", 3)
    paths = [tmp_path / f"{n}.wav" for n in range(7)]
    sound = Sound("ab" * 16, 1.5, 16000, 1, 0.5, -20.0, 0.0)
    for path in paths:
        path.write_bytes(b"x")
    with known_files.KnownFiles(tmp_path / "files.sqlite") as files:
        files.record(
            (path, known_files.stamp(path), "empty file." if n == 2 else sound) for n, path in enumerate(paths)
        )
    paths[0].write_bytes(b"xy")
    os.utime(paths[1], ns=(5, 5))
    paths[3].unlink()
    with known_files.KnownFiles(tmp_path / "files.sqlite") as files:
        known = files.unchanged([*paths, tmp_path / "never.wav"])
        monkeypatch.chdir(tmp_path)
        assert files.unchanged([Path("4.wav")]) == {Path("4.wav"): sound}  # by its absolute path
    assert known == {paths[2]: "empty file.", **{paths[n]: sound for n in (4, 5, 6)}}


def test_a_damaged_list_of_files_is_named(tmp_path):
    (tmp_path / "files.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(DataError, match=r"files\.sqlite: cannot be used: .* may be removed"):
        known_files.KnownFiles(tmp_path / "files.sqlite")


def test_real_speech_is_cached_whole(speech, tmp_path, monkeypatch):
    monkeypatch.setenv("SER_DATA", str(speech))
    config = experiment(corpora=[{"name": "ravdess", "root": "RAVDESS"}])
    assert counts(fill(tmp_path / "f", config, limit=4)) == (32, 0, 0)
    data = load.dataset(config, tmp_path / "f", command=COMMAND, limit=4)
    assert len(data.labels) == 8 and np.bincount(data.truth).tolist() == [4] * 8
    assert len({key(digest) for digest in data.digests}) == 32


def test_a_list_that_was_written_before_a_fact_was_known_still_serves(voices, tmp_path):
    fill(tmp_path / "f")
    (file,) = tmp_path.glob("f/demo-*/clips.parquet")
    table = parquet.read_table(file)
    parquet.write_table(table.drop_columns(["votes", "valence"]), file)
    data = load.dataset(experiment(), tmp_path / "f", command=COMMAND)
    assert len(data) == 10 and set(data.facts["valence"]) == {""} and set(data.facts["sex"]) == {"female", "male"}
