"""What the cache costs at 10,000, 100,000 and 1,000,000 clips of 384 features, without any audio.

    python benchmarks/scale.py [--clips 10000 100000 1000000] [--lists 100000] [--folder DIR]

Random rows are written by FeatureStore.write, in segments of the size that a run flushes at a time (64 MiB), and
made-up facts by KnownFiles and clips.parquet, up to --lists clips. The audio files are empty; only their dates are
read. Needs 4 KB per clip in the folder (that for temporary files unless given), which is emptied at the end. The
figures are CPU seconds: waiting for a disk is not in them.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np

from corpora import Utterance
from extract_feats.cache import corpus_lists, read
from extract_feats.cache.fill import FLUSH_BYTES
from extract_feats.cache.known_files import KnownFiles, stamp
from extract_feats.cache.store import FeatureStore, key
from utils import config as configs
from utils.audio.prepare import Sound

DIMS = 384
SUBSET = 1000
NAMES = [f"f{i}" for i in range(DIMS)]
FLUSH = FLUSH_BYTES // (4 * DIMS)


def timed(work: Callable, *, repeats: int = 1) -> tuple[float, object]:
    """Return the least CPU seconds that the work took, and its last result."""
    taken = []
    for _ in range(repeats):
        started = time.process_time()
        result = work()
        taken.append(time.process_time() - started)
    return min(taken), result


def digests(count: int) -> list[str]:
    """Return count random digests of 32 hex digits."""
    block = np.random.default_rng(1).bytes(16 * count).hex()
    return [block[i : i + 32] for i in range(0, len(block), 32)]


def store_costs(root: Path, digest: list[str], config: configs.Config) -> dict[str, float]:
    """Write a store and return the seconds of what is done with it."""
    recipe = read.recipe_of(config)
    keys = [key(one) for one in digest]
    generator = np.random.default_rng(2)
    written = FeatureStore(root, recipe)
    seconds = 0.0
    for start in range(0, len(keys), FLUSH):
        part = keys[start : start + FLUSH]
        block = dict(zip(part, generator.random((len(part), DIMS), np.float32), strict=True))
        seconds += timed(lambda block=block: written.write("made-up", block, NAMES))[0]
    costs = {"write": seconds, "compact": timed(lambda: written.compact("made-up"))[0]}
    costs["open"], store = timed(lambda: FeatureStore(root, recipe), repeats=5)
    chosen = [keys[i] for i in generator.permutation(len(keys))[:SUBSET]]
    costs["read 1000"], rows = timed(lambda: store.read(chosen), repeats=5)
    assert rows.shape == (SUBSET, DIMS)
    costs["has all"], there = timed(lambda: store.has(keys))
    assert there.all() and not store.has([bytes(15) + b"x"])[0]
    return costs


def corpus(folder: Path, count: int) -> list[Utterance]:
    """Make count empty files, a thousand per folder, and return their utterances."""
    for start in range(0, count, 1000):
        below = folder / f"s{start // 1000:04}"
        below.mkdir(parents=True)
        for number in range(start, min(start + 1000, count)):
            os.close(os.open(below / f"{number}.wav", os.O_CREAT | os.O_WRONLY))
    emotions = ("angry", "happy", "sad", "neutral")
    return [
        Utterance(f"made-up/{i}", folder / f"s{i // 1000:04}" / f"{i}.wav", emotions[i % 4], f"made-up/s{i // 1000:04}")
        for i in range(count)
    ]


def list_costs(root: Path, folder: Path, digest: list[str], config: configs.Config) -> dict[str, float]:
    """Write the lists of a corpus and return the seconds of reading them and of the data set."""
    utterances = corpus(folder, len(digest))
    sound = Sound("", 3.7, 16000, 1, 0.5, -25.0, 0.0)
    sounds = {u.path: replace(sound, digest=one) for u, one in zip(utterances, digest, strict=True)}
    costs = {}
    with KnownFiles(root / "files.sqlite") as files:
        costs["record"] = timed(lambda: files.record([(path, stamp(path), one) for path, one in sounds.items()]))[0]
        costs["stat alone"] = timed(lambda: [stamp(u.path) for u in utterances], repeats=2)[0]
        costs["known files"], known = timed(lambda: files.unchanged([u.path for u in utterances]), repeats=2)
        assert known == sounds
    entry = config.corpora[0]
    lists = corpus_lists.corpus_folder(entry, "made-up", root)
    lists.mkdir()
    costs["write clips"] = timed(lambda: corpus_lists.write_clips(utterances, folder, sounds, lists))[0]
    costs["read clips"] = timed(lambda: corpus_lists.read_clips(config, entry, root, "preprocess.py"))[0]
    costs["data set"], data = timed(lambda: read.dataset(config, root, command="preprocess.py"))
    assert len(data) == len(digest) and data.digests.tolist() == digest
    return costs


def measured(count: int, folder: Path | None, *, lists: bool) -> dict[str, float]:
    """Return the seconds of everything at count clips."""
    with tempfile.TemporaryDirectory(dir=folder) as made:
        root, audio = Path(made, "features"), Path(made, "audio")
        config = configs.check(
            {
                "name": "scale", "corpora": [{"name": "folders", "root": str(audio)}],
                "features": {"name": "opensmile", "set": "IS09"}, "model": {"name": "svm"},
            },
            "here",
        )  # fmt: skip
        digest = digests(count)
        costs = store_costs(root, digest, config)
        return costs | list_costs(root, audio, digest, config) if lists else costs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--lists", type=int, default=100_000, metavar="N", help="clips up to which the lists are timed")
    parser.add_argument("--folder", type=Path, help="where to write")
    options = parser.parse_args()
    results = [measured(count, options.folder, lists=count <= options.lists) for count in options.clips]
    print(f"{'CPU seconds':14s}" + "".join(f"{count:>12,d}" for count in options.clips))
    for what in max(results, key=len):
        print(f"{what:14s}" + "".join(f"{costs[what]:12.4f}" if what in costs else f"{'-':>12s}" for costs in results))


if __name__ == "__main__":
    main()
