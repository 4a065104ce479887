"""The feature store's figures: a fully cached second run, two processes against one, opening and reading.

    SER_DATA=... python benchmarks/store.py [--config config/ravdess_svm_is09.yaml] [--limit N]

Needs the config's corpus below $SER_DATA. All figures come from one run. The speed-up is in wall time, which is
reliable only on a machine that does nothing else; the CPU seconds beside it show what two free cores would reach.
"""

import argparse
import os
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np

from extract_feats import Layout
from extract_feats.base.recipe import Recipe
from extract_feats.cache.fill import fill
from extract_feats.cache.read import recipe_of
from extract_feats.cache.scan import scan
from extract_feats.cache.store import FeatureStore
from extract_feats.cache.task import Outcome, Task
from utils import config as configs

DIMS = 384
SUBSET = 0.25  # of the rows, in random order: what one fold's test part asks for


@dataclass
class Timed:
    """Seconds by the clock and of CPU, workers included, of one fill of the cache, and what it did."""

    seconds: float
    cpu: float
    outcome: Outcome


def filled(experiment: configs.Config, features: Path, *, jobs: int, limit: int | None) -> Timed:
    """Scan the corpus and fill the cache, as preprocess.py does between its imports and its report."""
    started, cpu = time.perf_counter(), cpu_seconds()
    (corpus,) = scan(experiment, limit)
    (outcome,) = fill([Task(corpus, recipe_of(experiment))], features, jobs=jobs)
    seconds = time.perf_counter() - started
    return Timed(seconds, cpu_seconds() - cpu, outcome)


def fresh(*arguments, **options) -> Timed:
    """Call filled in a new Python, so that no run profits from the imports of another."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(filled, *arguments, **options).result()


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of its ended children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def extraction(experiment: configs.Config, limit: int | None) -> None:
    """Print one process against two, then the second run over what they left."""
    with tempfile.TemporaryDirectory() as folder:
        for clip in scan(experiment, limit)[0].chosen:
            clip.path.read_bytes()  # into the system's file cache, before the first of the two is timed
        one = fresh(experiment, Path(folder, "one"), jobs=0, limit=limit)
        two = fresh(experiment, Path(folder, "two"), jobs=2, limit=limit)
        again = [fresh(experiment, Path(folder, "two"), jobs=2, limit=limit) for _ in range(3)]
    audio = one.outcome.audio_seconds
    print(f"{one.outcome.extracted} clips, {audio / 60:.1f} minutes; load {os.getloadavg()[0]:.1f} at the end")
    for name, run in (("one process  ", one), ("two processes", two)):
        print(f"{name}  {run.seconds:7.2f} s, CPU {run.cpu:6.2f} s  {audio / run.seconds:5.0f}x realtime")
    print(f"speed-up       {one.seconds / two.seconds:7.2f}    (target: at least 1.70; start of the workers included)")
    print(f"by CPU time    {2 * one.cpu / two.cpu:7.2f}    (what two cores to themselves would give)")
    assert all(run.outcome.extracted == 0 for run in again)
    runs = ", ".join(f"{run.seconds:.2f}" for run in again)
    print(
        f"second run     {min(run.seconds for run in again):7.2f} s, fully cached, imports apart ({runs}; target: < 2)"
    )


def simulated(root: Path, rows: int) -> tuple[Recipe, list[bytes]]:
    """Write a store of random rows in segments of 10,000 and return its recipe and keys."""
    generator = np.random.default_rng(1)
    layout = Layout("simulated", False, {"rows": rows}, "1")
    recipe = Recipe("simulated", {}, layout, 16000, {})
    keys = [generator.bytes(16) for _ in range(rows)]
    store = FeatureStore(root, recipe)
    for start in range(0, rows, 10_000):
        part = keys[start : start + 10_000]
        block = generator.normal(size=(len(part), DIMS)).astype(np.float32)
        store.write("simulated", dict(zip(part, block, strict=True)), [f"f{i}" for i in range(DIMS)])
    store.compact("simulated")
    return recipe, keys


def reading(rows: int) -> None:
    """Print what opening a store and reading a quarter of it costs."""
    with tempfile.TemporaryDirectory() as folder:
        recipe, keys = simulated(Path(folder), rows)
        wanted = [keys[i] for i in np.random.default_rng(2).permutation(rows)[: int(SUBSET * rows)]]
        opening, reading = [], []
        for _ in range(5):
            started = time.perf_counter()
            store = FeatureStore(Path(folder), recipe)
            opened = time.perf_counter()
            store.read(wanted)
            opening.append(opened - started)
            reading.append(time.perf_counter() - opened)
    size = rows * DIMS * 4 / 2**20
    print(f"{rows:7d} rows, {size:6.1f} MiB: opened in {min(opening) * 1e3:6.2f} ms, "
          f"{len(wanted)} rows read in {min(reading) * 1e3:7.2f} ms")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--config", default=str(ROOT / "config" / "ravdess_svm_is09.yaml"), help="corpus and features (RAVDESS, IS09)"
    )
    parser.add_argument("--limit", type=int, help="clips per class; all unless given")
    options = parser.parse_args()
    extraction(configs.read(options.config), options.limit)
    for rows in (1_000, 10_000, 100_000):
        reading(rows)


if __name__ == "__main__":
    main()
