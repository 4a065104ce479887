"""A real Dask scheduler with two worker processes: the same features, whatever dies on the way."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import preprocess
from extract_feats.cache import fill, parallel, read
from extract_feats.cache.store import FeatureStore
from tests.toy import outcome
from tests.toy_workers import deadly, not_fit
from utils import cluster, plugins
from utils import config as configs
from utils.errors import ConfigError, DataError
from utils.process_pool import KILLED, Lost

pytest.importorskip("distributed", reason="pip install -r requirements-dask.txt")

CONFIG = str(plugins.ROOT / "config" / "demo_svm.yaml")
SLOW = "features={name: opensmile, set: ComParE_2016}"  # 50 ms a clip: there is time to kill a worker


def dask(*arguments: str, folder: Path = plugins.ROOT) -> subprocess.Popen:
    """Start a part of Dask as people do, in the checkout."""
    return subprocess.Popen(
        [sys.executable, "-m", "dask", *arguments], cwd=folder, stderr=subprocess.PIPE, text=True,
        start_new_session=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def ended(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    process.stderr.close()


def read_until(process: subprocess.Popen, pattern: str) -> re.Match:
    """Return the first line of a log that matches; then go on reading, that the pipe may not fill."""
    for line in process.stderr:
        if match := re.search(pattern, line):
            threading.Thread(target=lambda: [None for _ in process.stderr], daemon=True).start()
            return match
    raise AssertionError(f"ended with {process.wait()}, said nothing of {pattern}")


@contextmanager
def scheduler(folder: Path = plugins.ROOT) -> Iterator[str]:
    """Yield the address of a scheduler without workers."""
    process = dask("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", folder=folder)
    try:
        yield read_until(process, r"Scheduler at:\s+(tcp://\S+)")[1]
    finally:
        ended(process)


@contextmanager
def workers(address: str, *options: str, folder: Path = plugins.ROOT, count: int = 2) -> Iterator[list[int]]:
    """Yield the process ids of workers of one thread each, which Dask's nannies start again when they die."""
    options = ("--nworkers", str(count), "--nthreads", "1", "--no-dashboard", *options)
    process = dask("worker", address, *options, folder=folder)
    from distributed import Client

    try:
        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=60)
            yield list(client.run(os.getpid).values())
    finally:
        ended(process)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with scheduler() as result, workers(result):
        yield result


@pytest.fixture
def run(demo_root, tmp_path, monkeypatch, capsys):
    """Return a call of preprocess.py with the slow features: exit status, stdout, stderr."""
    monkeypatch.setenv("SER_DATA", str(demo_root.parent))

    def call(name: str, *options) -> tuple[int, str, str]:
        common = ("--config", CONFIG, "--features", tmp_path / name, "--set", SLOW, "--limit", 8)
        return outcome(preprocess.main, monkeypatch, capsys, *common, *options)

    return call


def rows(features: Path) -> dict[bytes, np.ndarray]:
    """Return every stored row; a key stored twice is an error."""
    store = FeatureStore(features, read.recipe_of(configs.read(CONFIG, [SLOW])))
    keys = [bytes(k).ljust(16, b"\0") for segment in store._segments for k in segment.keys]
    assert len(set(keys)) == len(keys)
    return dict(zip(keys, store.read(keys), strict=True))


def equal(one: dict[bytes, np.ndarray], other: dict[bytes, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


def said(output: str) -> tuple[int, int, int]:
    """Return how many were extracted, cached and rejected."""
    last = output.splitlines()[-1]
    return tuple(int(re.search(rf"(\d+) {word}", last)[1]) for word in ("extracted", "cached", "rejected"))


@pytest.fixture(scope="module")
def here(demo_root, tmp_path_factory) -> dict[bytes, np.ndarray]:
    """Return what this machine alone extracts."""
    folder = tmp_path_factory.mktemp("here")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SER_DATA", str(demo_root.parent))
        options = ["--features", str(folder), "--set", SLOW, "--limit", "8", "--jobs", "1"]
        assert preprocess.main(["--config", CONFIG, *options]) == 0
    return rows(folder)


def test_the_cluster_gives_the_same_bits(run, address, here, tmp_path):
    status, out, err = run("there", "--dask", address)
    assert status == 0 and said(out) == (40, 0, 0), err
    assert equal(rows(tmp_path / "there"), here)
    assert said(run("there", "--dask", "tcp://127.0.0.1:1")[1]) == (0, 40, 0)  # nothing to do: nobody is asked


def test_a_worker_killed_on_the_way_costs_nothing(run, address, here, tmp_path, monkeypatch):
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        victim, survivor = client.run(os.getpid).values()
        done = []

        def shoot(self, finished):
            done.append(finished)
            if len(done) == 10:
                os.kill(victim, signal.SIGKILL)
            return counted(self, finished)

        counted = fill._Plan.count
        monkeypatch.setattr(fill._Plan, "count", shoot)
        status, out, err = run("there", "--dask", address)
        client.wait_for_workers(2, timeout=60)
        assert victim not in client.run(os.getpid).values() and survivor in client.run(os.getpid).values()
    assert status == 0 and said(out) == (40, 0, 0), err
    assert len(done) == len({finished.path for finished in done}) == 40
    assert equal(rows(tmp_path / "there"), here)


def test_a_file_that_kills_its_workers_is_given_up_and_no_other(address):
    items = [Path(f"clip{number}") for number in range(40)]
    items[7] = items[7].with_name("poison")
    with cluster.Cluster(address) as opened:
        result = dict(opened.map(deadly, items))
    assert result.pop(Path("poison")) == Lost(KILLED)
    assert result == {path: path.name for path in items if path.name != "poison"}


def test_what_a_machine_lacks_is_one_line(run, tmp_path):
    with scheduler() as address:
        status, _, err = run("f", "--dask", address)
        assert status == 2 and err.count("\n") == 1 and "the scheduler has no worker" in err
        assert f"python -m dask worker {address} --nworkers auto --nthreads 1" in err
        with workers(address, count=1, folder=tmp_path):
            status, _, err = run("f", "--dask", address)
            assert status == 2 and err.count("\n") == 1 and "cannot import our modules (No module named" in err
        with workers(address, "--nthreads", "2", count=1):
            status, _, err = run("f", "--dask", address)
            assert status == 2 and err.count("\n") == 1 and "has 2 threads, must have 1" in err
    with scheduler(tmp_path) as address, workers(address, count=1):
        status, _, err = run("f", "--dask", address)
        assert status == 2 and err.count("\n") == 1 and "the Dask scheduler cannot import our modules" in err


def test_nobody_at_the_address_is_one_line(run, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT", 0.5)
    status, _, err = run("f", "--dask", "tcp://127.0.0.1:1")
    assert status == 2 and err.count("\n") == 1 and "no scheduler answers there" in err


def test_a_worker_that_would_give_other_features_is_refused(address, tmp_path):
    recipe = read.recipe_of(configs.read(CONFIG, [SLOW]))
    assert parallel.unfit([recipe], plugins.ROOT) == ""
    assert "does not see" in parallel.unfit([recipe], tmp_path / "nowhere")
    object.__setattr__(recipe.layout, "version", "another")
    assert "not another: install the same requirements" in parallel.unfit([recipe], None)
    with cluster.Cluster(address) as opened, pytest.raises(ConfigError, match=r"Dask worker tcp.*: has no room\."):
        opened.check(not_fit)


def test_without_a_worker_or_a_scheduler_the_run_ends(monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 0.2)
    monkeypatch.setattr(cluster, "LOOK", 0.1)
    items = [Path(f"clip{number}") for number in range(1000)]
    with scheduler() as address:
        with workers(address, "--no-nanny", count=1) as (worker,):
            opened = cluster.Cluster(address)
            result = opened.map(deadly, items)
            next(result)
            os.kill(worker, signal.SIGKILL)
            with pytest.raises(DataError, match="no worker is left"):
                list(result)
            opened.close()
        with workers(address, count=1):
            opened = cluster.Cluster(address)
            result = opened.map(deadly, items)
            next(result)
    with pytest.raises(DataError, match="is gone"):
        list(result)
    opened.close()
