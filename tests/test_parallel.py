"""Extraction over processes: the bits of one process, one thread each, and files that kill who reads them."""

import os
import signal

import numpy as np
import pytest
import soundfile

from extract_feats.base.recipe import Recipe
from extract_feats.cache import parallel
from extract_feats.cache.store import FeatureStore
from utils.process_pool import KILLED

CLIP = {"offset": 0.0, "seconds": None, "trim_db": None, "level": None}
MFCC = {"name": "librosa_frames", "preset": "mfcc"}
DEADLY = 7777  # samples of the clip that kills


class Threads(Recipe):
    """A recipe whose features are the thread counts of the numeric libraries where they are extracted."""

    def extract(self, wave: np.ndarray) -> np.ndarray:
        import scipy.linalg
        from threadpoolctl import threadpool_info

        scipy.linalg.inv(np.eye(3))  # loads its own pool
        pools = [pool["num_threads"] for pool in threadpool_info()]
        return np.array([os.getpid(), len(pools), max(pools)], np.float64)


class Deadly(Recipe):
    """A recipe whose extraction of one clip kills the process."""

    def extract(self, wave: np.ndarray) -> np.ndarray:
        if len(wave) == DEADLY:
            os.kill(os.getpid(), signal.SIGKILL)
        return wave[:3]


def store(folder, kind: type[Recipe] = Recipe, features: dict = MFCC) -> FeatureStore:
    made = Recipe.of(features, 16000, CLIP)
    return FeatureStore(folder, kind(made.plugin, made.arguments, made.layout, made.rate, made.clip))


def test_workers_compute_with_one_thread_each(demo_root, tmp_path):
    paths = sorted(demo_root.rglob("*.wav"))[:16]
    results = list(parallel.work([(path, (0,)) for path in paths], [store(tmp_path, Threads)], jobs=2))
    assert sorted(done.path for done in results) == paths
    for done in results:
        process, pools, threads = done.features[0]
        assert process != os.getpid() and pools >= 1 and threads == 1


def test_two_processes_give_the_bits_of_one(demo_root, tmp_path):
    todo = [(path, (0, 1)) for path in sorted(demo_root.rglob("*.wav"))[:12]]
    stores = [store(tmp_path), store(tmp_path, features={"name": "logmel"})]
    one, two = ({done.path: done for done in parallel.work(todo, stores, jobs=jobs)} for jobs in (0, 2))
    for path, numbers in todo:
        assert all(np.array_equal(one[path].features[n], two[path].features[n]) for n in numbers)
        assert one[path].sound == two[path].sound and one[path].stamped == two[path].stamped


def test_a_file_that_vanishes_is_refused_and_not_recorded(tmp_path):
    (done,) = parallel.work([(tmp_path / "gone.wav", (0,))], [store(tmp_path)], 0)
    assert done.stamped is None and done.features == {0: "No such file or directory."}


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
@pytest.mark.parametrize("alone", [False, True])
def test_a_file_that_kills_its_process_is_named_and_all_others_are_done(demo_root, tmp_path, alone):
    paths = [*sorted(demo_root.rglob("*.wav"))[:11], tmp_path / "deadly.wav"]
    soundfile.write(paths[-1], np.sin(np.arange(DEADLY) / 9), 16000)
    todo = [(path, (0, 1)) for path in (paths[-1:] if alone else paths)]
    stores = [store(tmp_path, Deadly, {"name": "logmel"}), store(tmp_path)]
    results = {done.path: done for done in parallel.work(todo, stores, jobs=2)}
    assert sorted(results) == sorted(path for path, _ in todo)
    killer = results.pop(paths[-1])
    assert killer.features[0] == KILLED and killer.features[1].ndim == 2  # the other recipe can read it
    assert killer.sound.seconds == pytest.approx(DEADLY / 16000)
    assert all(isinstance(done.features[n], np.ndarray) for done in results.values() for n in (0, 1))


def test_a_plugin_that_changes_its_wave_changes_no_other(demo_root, tmp_path, monkeypatch):
    class Rude(Recipe):
        def extract(self, wave: np.ndarray) -> np.ndarray:
            wave[:] = 0
            return wave[:3]

    (path, *_) = sorted(demo_root.rglob("*.wav"))
    alone = next(parallel.work([(path, (0,))], [store(tmp_path)], 0)).features[0]
    stores = [store(tmp_path, Rude, {"name": "logmel"}), store(tmp_path), store(tmp_path, Rude, {"name": "channel"})]
    together = next(parallel.work([(path, (0, 1, 2))], stores, 0)).features[1]
    assert np.array_equal(alone, together)
