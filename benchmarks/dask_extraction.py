"""Two Dask workers against two processes of our own, extracting the same clips in one run.

    SER_DATA=... python benchmarks/dask_extraction.py [--config config/ravdess_svm_is10.yaml] [--limit N] [--rounds N]

A scheduler and two worker processes of one thread each, on this machine. Each round fills two new caches, one after
the other, each from a new Python. The Dask workers start before the timing begins and import what they need during
it, as our own processes do. On a busy machine wall time means little; the CPU seconds are those of all processes,
without the start of the cluster.
"""

import argparse
import contextlib
import os
import resource
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")  # before numpy
IDLE = 5.0  # seconds of watching what a cluster spends on nothing
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))


from extract_feats.cache.fill import fill
from extract_feats.cache.read import recipe_of
from extract_feats.cache.scan import scan
from extract_feats.cache.task import Task
from utils import config as configs


def spent(client) -> float:
    """Return the CPU seconds of this process, the scheduler in it, and of the workers."""
    return sum(client.run(time.process_time).values()) + time.process_time()


def filled(experiment: configs.Config, features: Path, limit: int | None, dask: bool) -> tuple[float, ...]:
    """Return seconds by the clock, CPU seconds, those that two free cores would take, and the clips extracted.

    A cluster's start is not in them. What it does by the clock (heartbeats, its monitor) counts for longer where
    other work holds it up; the third figure counts it for as long as two free cores would take.
    """
    (corpus,) = scan(experiment, limit)
    with contextlib.ExitStack() as stack:
        address, standing, a_second = None, 0.0, 0.0
        if dask:
            from distributed import Client, LocalCluster

            cluster = stack.enter_context(LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None))
            address = cluster.scheduler_address
            client = stack.enter_context(Client(cluster))
            first = spent(client)
            time.sleep(IDLE)
            standing = spent(client)
            a_second = (standing - first) / IDLE
        started = time.perf_counter()
        (outcome,) = fill([Task(corpus, recipe_of(experiment))], features, jobs=2, dask=address)
        seconds = time.perf_counter() - started
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(one.ru_utime + one.ru_stime for one in used) - standing
    free = (cpu - a_second * seconds) / (2 - a_second)  # 2 * free = the work + a_second * free
    return seconds, cpu, free, outcome.extracted


def fresh(*arguments) -> tuple[float, ...]:
    """Call filled in a new Python."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(filled, *arguments).result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default=str(ROOT / "config" / "ravdess_svm_is10.yaml"), help="(RAVDESS, IS10)")
    parser.add_argument("--limit", type=int, help="clips per class; all unless given")
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    experiment = configs.read(options.config)
    for clip in scan(experiment, options.limit)[0].chosen:
        clip.path.read_bytes()  # into the system's file cache, before the first of the two is timed
    names = {False: "two processes", True: "two Dask workers"}
    taken = {dask: [] for dask in names}
    for number in range(options.rounds):
        for dask in (False, True) if number % 2 == 0 else (True, False):
            with tempfile.TemporaryDirectory() as folder:
                taken[dask].append(fresh(experiment, Path(folder), options.limit, dask))
                seconds, cpu, free, clips = taken[dask][-1]
            spending = f"{seconds:7.2f} s, CPU {cpu:6.2f} s, on free cores {free:6.2f} s"
            print(f"{names[dask]:16s} {clips} clips  {spending}  (load {os.getloadavg()[0]:.1f})", flush=True)
    for what, column in (("clock", 0), ("CPU", 1), ("free", 2)):
        ours, theirs = (statistics.median(run[column] for run in taken[dask]) for dask in (False, True))
        print(f"Dask / own, {what:5s} {theirs / ours:6.3f}  (medians; target: at most 1.15)")


if __name__ == "__main__":
    main()
