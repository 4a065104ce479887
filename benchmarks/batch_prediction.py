"""Clips per second of predict.py over a folder, by one process and by several.

    SER_DATA=... python benchmarks/batch_prediction.py --checkpoint checkpoints/ravdess_svm_is10 [--clips 200]

The clips are spread over RAVDESS. Each measurement is a new Python, its start and imports included. On a busy machine
wall time means little; the CPU seconds of all processes beside it show what as many free cores would reach.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from utils.audio.files import audio_files


def predicted(checkpoint: Path, files: list[str], jobs: int) -> tuple[float, float, list[dict]]:
    """Return seconds by the clock, CPU seconds of all processes, and the answers."""
    command = [sys.executable, "predict.py", "--checkpoint", str(checkpoint.resolve()), "--json", "--jobs", str(jobs)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    done = subprocess.run(
        [*command, *files], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True
    )
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, cpu, [json.loads(line) for line in done.stdout.splitlines()]


def difference(one: list[dict], other: list[dict]) -> float:
    """Return the largest difference between the probabilities of the same files in the same order."""
    pairs = list(zip(one, other, strict=True))
    assert all(a["file"] == b["file"] for a, b in pairs)
    return max(abs(p - b["probabilities"][label]) for a, b in pairs for label, p in a["probabilities"].items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    files = [str(path) for path in audio_files(Path(os.environ.get("SER_DATA", ROOT / "data")).resolve() / "RAVDESS")]
    if len(files) < options.clips:
        sys.exit(f"{len(files)} clips of RAVDESS, {options.clips} are needed. Set SER_DATA to the corpora's folder.")
    files = files[:: len(files) // options.clips][: options.clips]
    for file in files:
        Path(file).read_bytes()  # into the system's file cache
    first = None
    for jobs in options.jobs:
        seconds, cpu, answers = predicted(options.checkpoint, files, jobs)
        first = first or answers
        print(
            f"{jobs} at work: {len(files) / seconds:6.1f} clips/s by the clock, {jobs * len(files) / cpu:6.1f} by CPU "
            f"({seconds:.1f} s, CPU {cpu:.1f} s); largest difference {difference(first, answers):.0e}; "
            f"load {os.getloadavg()[0]:.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
