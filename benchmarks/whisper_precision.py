"""Whisper's encoder in full precision, half precision and 8 bits on RAVDESS: UAR, size of the graph, speed.

    SER_DATA=... python benchmarks/whisper_precision.py [--clips 40] [--repeats 9] [--speed] [--batch 4]

needs RAVDESS (speech) below $SER_DATA and whisper-base (python -m extract_feats.download whisper-base). It makes
the graphs that are missing, and runs preprocess.py and train.py on config/ravdess_whisper.yaml for each precision.
Speed is the CPU time of one thread over the same clips, the precisions in turn, so that a busy machine slows all of
them: the best and the median repeat. The clips are read before: only log-mel, encoder and pooling are timed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")  # before numpy
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np

from extract_feats import whisper
from extract_feats.convert.graphs import convert
from extract_feats.pretrained import encoder
from utils import cli, config, plugins
from utils.audio.prepare import read_wave

CONFIG = ROOT / "config" / "ravdess_whisper.yaml"
BLOCKS = 4


def main(argv=None) -> int:
    options = _options(argv)
    folder = encoder.locate("whisper-base")
    for precision, name in whisper.FILES.items():
        if not (folder / name).is_file():
            convert(folder / "model.safetensors", folder / name, blocks=BLOCKS, precision=precision)
    speeds = speed(options.clips, options.repeats)
    if options.batch:
        batches(options.batch, options.repeats)
    scores = {} if options.speed else uar(options.features, options.checkpoints)
    print("| precision | graph | UAR | times real time, best | median |\n|---|---|---|---|---|")
    for precision, (best, median) in speeds.items():
        size = (folder / whisper.FILES[precision]).stat().st_size / 1e6
        print(f"| {precision} | {size:.1f} MB | {scores.get(precision, '-')} | {best:.0f} | {median:.0f} |")
    return 0


def speed(clips: int, repeats: int) -> dict[str, tuple[float, float]]:
    """Return how many times faster than real time each precision is on one core: the best repeat, the median."""
    chosen = config.read(CONFIG)
    root = Path(os.environ.get("SER_DATA") or ROOT / "data") / "RAVDESS"
    files = sorted(path for path in root.rglob("03-01-*") if path.suffix in (".flac", ".wav"))
    if len(files) < clips:
        sys.exit(f"{root}: {len(files)} clips, {clips} are needed. Set SER_DATA to the corpora's folder.")
    clip = {key: value for key, value in chosen.clip.model_dump().items() if value is not None}
    waves = [read_wave(file, whisper.RATE, **clip) for file in files[:: len(files) // clips][:clips]]
    seconds = sum(map(len, waves)) / whisper.RATE
    taken: dict[str, list[float]] = {precision: [] for precision in whisper.FILES}
    for repeat in range(repeats + 1):
        for precision, times in taken.items():
            start = time.process_time()
            for wave in waves:
                whisper.extract(wave, whisper.RATE, precision=precision)
            if repeat:  # the first one loads the graph
                times.append(time.process_time() - start)
    print(f"{clips} clips, {seconds:.0f} s; {repeats} repeats; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    return {name: (seconds / min(times), seconds / statistics.median(times)) for name, times in taken.items()}


def batches(size: int, repeats: int) -> None:
    """Print how much faster a batch of clips of equal length, 1.7 s, is than the same clips one at a time."""
    columns = np.random.default_rng(0).normal(0, 0.3, (size, 80, 170)).astype(np.float32)
    for precision, name in whisper.FILES.items():
        graph = encoder.locate("whisper-base") / name
        taken: dict[str, list[float]] = {"alone": [], "together": []}
        for _ in range(3 * repeats):
            for way, feeds in (("alone", np.split(columns, size)), ("together", [columns])):
                start = time.process_time()
                for feed in feeds:
                    encoder.run_many(graph, {"log_mel": feed}, ["layer_2", "layer_3", "layer_4"])
                taken[way].append(time.process_time() - start)
        best, median = (how(taken["alone"]) / how(taken["together"]) for how in (min, statistics.median))
        print(f"{precision}: {size} clips together {best:.2f} times as fast as alone (best), {median:.2f} (median)")


def uar(features: Path, checkpoints: Path) -> dict[str, str]:
    """Return the UAR and its interval per precision; train.py prints the paired differences too."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for precision in whisper.FILES:
            text = CONFIG.read_text(encoding="utf8").replace("name: ravdess_whisper", f"name: whisper_{precision}")
            path = Path(folder, f"{precision}.yaml")
            path.write_text(text.replace("name: whisper,", f"name: whisper, precision: {precision},"), encoding="utf8")
            paths.append(str(path))
        common = ["--config", *paths, "--features", str(features)]
        for script, more in (("preprocess.py", []), ("train.py", ["--checkpoints", str(checkpoints)])):
            subprocess.run([sys.executable, script, *common, *more], check=True, cwd=ROOT)
    return {precision: _score(checkpoints / f"whisper_{precision}") for precision in whisper.FILES}


def _score(checkpoint: Path) -> str:
    metrics = json.loads((checkpoint / "metrics.json").read_text(encoding="utf8"))
    low, high = metrics["uar_ci95"]
    return f"{metrics['uar']:.3f} [{low:.3f}, {high:.3f}]"


def _options(argv) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=cli.positive, default=40, help="for the speed (40)")
    parser.add_argument("--repeats", type=cli.positive, default=9, help="of the timing (9)")
    parser.add_argument("--speed", action="store_true", help="no UAR")
    parser.add_argument("--batch", type=cli.positive, metavar="N", help="also N clips together against one at a time")
    parser.add_argument("--features", type=Path, default=plugins.ROOT / "features", help="the cache")
    parser.add_argument("--checkpoints", type=Path, default=plugins.ROOT / "checkpoints", help="trained models")
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main)
