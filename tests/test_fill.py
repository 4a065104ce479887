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

import extract_feats.cache.fill as filling
from extract_feats.cache import parallel, read
from extract_feats.cache.fill import fill
from extract_feats.cache.scan import scan
from extract_feats.cache.store import key
from extract_feats.cache.task import Outcome, Task, tasks_of
from utils import config as configs
from utils.audio.prepare import read_wave
from utils.dataset import Frames
from utils.errors import ConfigError
from utils.process_pool import KILLED, Lost

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


def filled(features: Path, config: configs.Config | None = None, **options) -> Outcome:
    """Fill the cache with the features of an experiment's clips."""
    config = config or experiment()
    (corpus,) = scan(config, options.pop("limit", None))
    (outcome,) = fill([Task(corpus, read.recipe_of(config))], features, jobs=0, **options)
    return outcome


def extracted(path: Path | str) -> np.ndarray:
    """Return a file's features by the shortest way."""
    with threadpool_limits(1):  # another number of threads rounds otherwise
        return read.recipe_of(experiment()).extract(read_wave(path, 16000))


def counts(outcome: Outcome) -> tuple[int, int, int]:
    return outcome.extracted, outcome.cached, len(outcome.rejected)


def test_the_first_run_extracts_the_second_decodes_nothing(voices, tmp_path, decoded):
    first = filled(tmp_path / "f")
    assert counts(first) == (10, 0, 0) and sum(decoded.values()) == 10
    assert first.audio_seconds == pytest.approx(sum(s.seconds for s in first.sounds.values()))
    decoded.clear()
    again = filled(tmp_path / "f")
    assert counts(again) == (0, 10, 0) and not decoded and again.sounds == first.sounds


def test_verify_decodes_everything_and_extracts_nothing(voices, tmp_path, decoded):
    filled(tmp_path / "f")
    decoded.clear()
    assert counts(filled(tmp_path / "f", verify=True)) == (0, 10, 0) and sum(decoded.values()) == 10


def test_features_are_those_of_the_recipe(voices, tmp_path):
    filled(tmp_path / "f")
    data = read.dataset(experiment(), tmp_path / "f", command=COMMAND)
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
    filled(tmp_path / "f")
    decoded.clear()
    shutil.rmtree(voices)
    assert len(read.dataset(experiment(), tmp_path / "f", command=COMMAND)) == 10 and not decoded


def test_a_changed_file_is_extracted_again(voices, tmp_path, decoded):
    filled(tmp_path / "f")
    decoded.clear()
    path = next(voices.rglob("*angry*.wav"))
    wave, rate = soundfile.read(path)
    soundfile.write(path, wave[::-1], rate)
    assert counts(filled(tmp_path / "f")) == (1, 9, 0) and decoded == {path.name: 1}
    data = read.dataset(experiment(), tmp_path / "f", command=COMMAND)
    where = data.facts["path"].tolist().index(str(path.resolve()))
    assert np.array_equal(data.features[where], extracted(path))


def test_a_file_changed_behind_its_date_is_found_by_verify(voices, tmp_path):
    filled(tmp_path / "f")
    path = next(voices.rglob("*angry*.wav"))
    status = path.stat()
    wave, rate = soundfile.read(path)
    soundfile.write(path, wave[::-1], rate)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_size == status.st_size
    assert counts(filled(tmp_path / "f")) == (0, 10, 0)
    assert counts(filled(tmp_path / "f", verify=True)) == (1, 9, 0)


def test_a_touched_moved_or_copied_file_is_decoded_and_not_extracted(voices, tmp_path, decoded):
    filled(tmp_path / "f")
    decoded.clear()
    touched, moved, copied = sorted(voices.rglob("f01*.wav"))[:3]
    os.utime(touched, ns=(1, 1))
    moved.rename(moved.with_name("f01_angry_7.wav"))
    shutil.copy(copied, copied.with_name("f01_angry_8.wav"))
    assert counts(filled(tmp_path / "f")) == (0, 11, 0)
    assert decoded == {touched.name: 1, "f01_angry_7.wav": 1, "f01_angry_8.wav": 1}


def test_another_container_of_the_same_samples_is_not_extracted(voices, tmp_path):
    filled(tmp_path / "f")
    for path in sorted(voices.rglob("*.wav")):
        wave, rate = soundfile.read(path, dtype="int16")
        soundfile.write(path.with_suffix(".flac"), wave, rate)
        path.unlink()
    assert counts(filled(tmp_path / "f")) == (0, 10, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"rate": 22050},
        {"clip": {"trim_db": 30.0}},
        {"features": {"name": "librosa_frames", "preset": "mfcc", "n_mfcc": 20}},
    ],
)
def test_a_changed_setting_never_meets_old_features(voices, tmp_path, decoded, changes):
    filled(tmp_path / "f")
    decoded.clear()
    assert counts(filled(tmp_path / "f", experiment(**changes))) == (10, 0, 0)
    assert counts(filled(tmp_path / "f")) == (0, 10, 0) and counts(filled(tmp_path / "f", experiment(**changes))) == (
        0,
        10,
        0,
    )


def test_what_does_not_touch_the_features_shares_them(voices, tmp_path):
    filled(tmp_path / "f")
    other = experiment(name="other", seed=7, model={"name": "mlp"}, merge={"fear": "sad"}, drop=["happy"])
    outcome = filled(tmp_path / "f", other)
    assert counts(outcome) == (0, 8, 0)
    data = read.dataset(other, tmp_path / "f", command=COMMAND)
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
    outcome = filled(tmp_path / "f")
    assert counts(outcome) == (9, 0, 1) and outcome.rejected[0].path == path
    ((where, recipe, reason),) = rejected_rows(tmp_path / "f")
    assert (tmp_path / "f" / recipe).is_dir() and voices / where == path
    assert reason.startswith("truncated: the header promises")
    decoded.clear()
    assert counts(filled(tmp_path / "f")) == (0, 9, 1) and not decoded  # not even tried again
    assert len(read.dataset(experiment(), tmp_path / "f", command=COMMAND)) == 9
    path.write_bytes(whole)
    assert counts(filled(tmp_path / "f")) == (1, 9, 0) and rejected_rows(tmp_path / "f") == []
    assert len(read.dataset(experiment(), tmp_path / "f", command=COMMAND)) == 10


def test_a_broken_file_is_left_out_below_a_linked_and_a_relative_folder(voices, tmp_path, monkeypatch):
    broken(voices)
    (tmp_path / "link").symlink_to(tmp_path / "data", target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SER_DATA", "link")
    assert counts(filled(tmp_path / "f")) == (9, 0, 1)
    assert len(read.dataset(experiment(), tmp_path / "f", command=COMMAND)) == 9


def test_what_one_recipe_cannot_use_another_can(voices, tmp_path):
    """Both recipes have the same label: it is the recipe that counts."""
    late = experiment(name="late", clip={"offset": 1.3})
    refused = filled(tmp_path / "f", late)
    assert 0 < len(refused.rejected) < 10 and "are left after offset 1.3 s" in refused.rejected[0].reason
    assert counts(filled(tmp_path / "f")) == (10, 0, 0)
    for _ in range(2):
        assert len(read.dataset(experiment(), tmp_path / "f", command=COMMAND)) == 10
        assert len(read.dataset(late, tmp_path / "f", command=COMMAND)) == 10 - len(refused.rejected)
        filled(tmp_path / "f", late)


@pytest.mark.parametrize("reads", [False, True])
@pytest.mark.parametrize("reason", [KILLED, "reading it takes longer than 900 s"])
def test_what_killed_or_blocked_a_process_is_remembered_until_the_file_changes(
    voices, tmp_path, monkeypatch, reason, reads
):
    victim, tried = next(voices.rglob("*angry*.wav")), []

    class OneIsLost:
        """Processes that lose the victim: whenever they read it, or where they extract features of it."""

        def __init__(self, jobs):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *exception):
            pass

        def map(self, function, items):
            for path, numbers in items:
                tried.append(path)
                lost = path == victim and (numbers or not reads)
                yield (path, numbers), Lost(reason) if lost else function((path, numbers))

    def run(**options) -> tuple[tuple[int, int, int], int]:
        tried.clear()
        (corpus,) = scan(experiment())
        (outcome,) = fill([Task(corpus, read.recipe_of(experiment()))], tmp_path / "f", jobs=2, **options)
        return counts(outcome), len(set(tried))

    monkeypatch.setattr(parallel, "Processes", OneIsLost)
    assert run() == ((9, 0, 1), 10)
    assert run() == ((0, 9, 1), 0)
    assert [row[2] for row in rejected_rows(tmp_path / "f")] == [reason]
    assert run(verify=True) == ((0, 9, 1), 10)
    os.utime(victim, ns=(1, 1))
    assert run() == ((0, 9, 1), 1) and tried[0] == victim


def test_a_trial_does_not_forget_what_a_whole_run_rejected(voices, tmp_path):
    path = sorted(voices.rglob("*angry*.wav"))[1]
    path.write_bytes(b"")
    filled(tmp_path / "f")
    filled(tmp_path / "f", limit=1)
    assert len(rejected_rows(tmp_path / "f")) == 1
    assert len(read.dataset(experiment(), tmp_path / "f", command=COMMAND)) == 9


def test_names_outside_the_grammar_are_listed(voices, tmp_path):
    shutil.copy(next(voices.rglob("*.wav")), voices / "notes on tape.wav")
    filled(tmp_path / "f")
    ((path, _, reason),) = rejected_rows(tmp_path / "f")
    assert path == "notes on tape.wav" and "expected speaker" in reason


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' file names are always text")
def test_a_name_that_is_no_text_is_listed(voices, tmp_path):
    shutil.copy(next(voices.rglob("*.wav")), os.fsencode(voices / "f01") + b"/\xe4rger.wav")
    assert len(filled(tmp_path / "f").sounds) == 10
    ((path, *_),) = rejected_rows(tmp_path / "f")
    assert path == r"f01/\udce4rger.wav"


def test_a_limit_takes_so_many_a_class(voices, tmp_path):
    assert counts(filled(tmp_path / "f", limit=1)) == (5, 0, 0)
    assert len(read.dataset(experiment(), tmp_path / "f", command=COMMAND, limit=1)) == 5
    with pytest.raises(ConfigError, match=rf"trial: 5 of 10 clips have no cached .* features\. Run: {COMMAND}"):
        read.dataset(experiment(), tmp_path / "f", command=COMMAND)


def test_a_dataset_of_nothing_says_what_to_run(voices, tmp_path):
    with pytest.raises(ConfigError, match=rf"no cached features for corpus 'demo'\. Run: {COMMAND}"):
        read.dataset(experiment(), tmp_path / "f", command=COMMAND)
    filled(tmp_path / "f")
    for clips in tmp_path.glob("f/demo-*/clips.parquet"):
        clips.unlink()  # a run killed before it wrote them
    with pytest.raises(ConfigError, match=rf"no cached features for corpus 'demo'\. Run: {COMMAND}"):
        read.dataset(experiment(), tmp_path / "f", command=COMMAND)


def test_features_of_another_folder_are_not_taken(voices, tmp_path, monkeypatch):
    filled(tmp_path / "f")
    shutil.copytree(voices.parent, tmp_path / "elsewhere")
    monkeypatch.setenv("SER_DATA", str(tmp_path / "elsewhere"))
    with pytest.raises(ConfigError, match=r"features were made from .*data.demo, not from .*elsewhere"):
        read.dataset(experiment(), tmp_path / "f", command=COMMAND)
    assert counts(filled(tmp_path / "f")) == (0, 10, 0)  # known by content
    assert len(read.dataset(experiment(), tmp_path / "f", command=COMMAND)) == 10


def test_exported_rows_carry_the_labels_of_the_experiment(voices, tmp_path):
    merged = experiment(merge={"fear": "sad"}, drop=["happy"])
    filled(tmp_path / "f", merged)
    rows = read.exported(merged, tmp_path / "f", command=COMMAND)
    assert len(rows) == 8 and {row["emotion"] for row in rows} == {"angry", "sad", "neutral"}
    assert all(len(row["digest"]) == 32 for row in rows)


def test_what_is_finished_is_kept_when_something_stops_the_run(voices, tmp_path):
    class Stopped(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done == 4:
            raise Stopped

    with pytest.raises(Stopped):
        filled(tmp_path / "f", progress=stop)
    assert counts(filled(tmp_path / "f")) == (6, 4, 0)


def test_results_go_to_disk_by_size_not_at_the_end(voices, tmp_path, monkeypatch):
    """What a run holds in memory is bounded by FLUSH_BYTES, however many clips it extracts."""
    held = []
    real = filling._Pending.add

    def add(self, done):
        real(self, done)
        held.append(self.size)

    monkeypatch.setattr(filling, "FLUSH_BYTES", 20_000)
    monkeypatch.setattr(filling._Pending, "add", add)
    assert counts(filled(tmp_path / "f")) == (10, 0, 0)
    assert max(held) <= 20_000 and held.count(0) > 1
    recipe = read.recipe_of(experiment())
    assert len(list((tmp_path / "f" / recipe.folder).glob("*.arrow"))) == 1  # compacted


def test_a_second_process_is_told_to_wait(voices, tmp_path):
    import threading

    recipe = read.recipe_of(experiment())
    (tmp_path / "f" / recipe.folder).mkdir(parents=True)
    lock = FileLock(tmp_path / "f" / recipe.folder / "writing.lock", thread_local=False)
    lock.acquire()
    told = threading.Event()
    outcomes = []
    other = threading.Thread(target=lambda: outcomes.append(filled(tmp_path / "f", waiting=told.set)))
    other.start()
    assert told.wait(30) and not outcomes
    lock.release()
    other.join(60)
    assert counts(outcomes[0]) == (10, 0, 0)


def test_real_speech_is_cached_whole(speech, tmp_path, monkeypatch):
    monkeypatch.setenv("SER_DATA", str(speech))
    config = experiment(corpora=[{"name": "ravdess", "root": "RAVDESS"}])
    assert counts(filled(tmp_path / "f", config, limit=4)) == (32, 0, 0)
    data = read.dataset(config, tmp_path / "f", command=COMMAND, limit=4)
    assert len(data.labels) == 8 and np.bincount(data.truth).tolist() == [4] * 8
    assert len({key(digest) for digest in data.digests}) == 32


def test_a_list_that_was_written_before_a_fact_was_known_still_serves(voices, tmp_path):
    filled(tmp_path / "f")
    (file,) = tmp_path.glob("f/demo-*/clips.parquet")
    table = parquet.read_table(file)
    parquet.write_table(table.drop_columns(["votes", "valence"]), file)
    data = read.dataset(experiment(), tmp_path / "f", command=COMMAND)
    assert len(data) == 10 and set(data.facts["valence"]) == {""} and set(data.facts["sex"]) == {"female", "male"}


COPIES = {"augment": [{"name": "volume", "copies": 2}, {"name": "speed", "copies": 1}]}


def test_one_pass_decodes_each_clip_once_for_all_recipes_and_gives_the_bits_of_each_alone(voices, tmp_path, decoded):
    config, other = experiment(**COPIES), experiment(features={"name": "logmel"}, **COPIES)
    wanted = tasks_of(config) + tasks_of(other)
    outcomes = fill(wanted, tmp_path / "together", jobs=0)
    assert len(wanted) == 10 and len(decoded) == 10 and set(decoded.values()) == {1}
    assert [counts(outcome) for outcome in outcomes[:9]] == [(10, 0, 0)] * 9
    assert counts(outcomes[9]) == (0, 10, 0)  # the channel, which both experiments need
    assert all(outcome.wall_seconds > 0 for outcome in outcomes[:9]) and outcomes[9].wall_seconds == 0
    for task in wanted:
        fill([task], tmp_path / "alone", jobs=0)
        stores = [filling.FeatureStore(tmp_path / name, task.recipe) for name in ("together", "alone")]
        keys = [key(outcomes[0].sounds[u.path].digest) for u in task.scan.chosen]
        for one, two in zip(*(store.read(keys) for store in stores), strict=True):
            assert np.array_equal(one, two), task.recipe.label
    lists = [next((tmp_path / name).glob("demo-*/clips.parquet")) for name in ("together", "alone")]
    assert parquet.read_table(lists[0]).equals(parquet.read_table(lists[1]))


def test_only_what_is_missing_is_extracted(voices, tmp_path, decoded):
    config = experiment(**COPIES)
    filled(tmp_path / "f")
    outcomes = fill(tasks_of(config), tmp_path / "f", jobs=0)
    assert [counts(outcome) for outcome in outcomes] == [(0, 10, 0), *[(10, 0, 0)] * 4] and set(decoded.values()) == {2}
    again = fill(tasks_of(config), tmp_path / "f", jobs=0)
    assert [counts(outcome) for outcome in again] == [(0, 10, 0)] * 5 and set(decoded.values()) == {2}


def test_experiments_that_chose_other_clips_share_what_both_have(voices, tmp_path, decoded):
    first, second = experiment(drop=["angry"]), experiment(drop=["sad"])
    wanted = [Task(scan(config)[0], read.recipe_of(config)) for config in (first, second)]
    outcomes = fill(wanted, tmp_path / "f", jobs=0)
    assert [counts(outcome) for outcome in outcomes] == [(8, 0, 0), (2, 6, 0)]
    assert len(decoded) == 10 and set(decoded.values()) == {1}
    for config in (first, second):
        assert len(read.dataset(config, tmp_path / "f", command=COMMAND)) == 8


def test_what_another_process_writes_comes_at_the_end(voices, tmp_path):
    config = experiment(**COPIES)
    wanted = tasks_of(config)
    lock = filling.FeatureStore(tmp_path, wanted[-1].recipe).lock()
    lock.acquire()
    told = []

    def waiting() -> None:
        told.append(len(filling.FeatureStore(tmp_path, wanted[0].recipe)))
        lock.release()

    assert [counts(outcome) for outcome in fill(wanted, tmp_path, jobs=0, waiting=waiting)] == [(10, 0, 0)] * 5
    assert told == [10]  # the others were done by then
