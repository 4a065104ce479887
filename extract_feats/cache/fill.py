"""Filling the cache: what an experiment's corpora hold, and their features extracted where they are not there yet.

Below the features folder: ``files.sqlite`` (known audio files), one folder a corpus (``clips.parquet``,
``rejected.csv``) and one folder a recipe (see ``extract_feats.cache.store``).
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
from filelock import BaseFileLock, FileLock, Timeout

import corpora
from corpora import Rejected, Utterance
from extract_feats.base.recipe import Recipe
from extract_feats.cache import parallel
from extract_feats.cache.corpus_lists import corpus_folder, write_clips, write_rejected
from extract_feats.cache.known_files import KnownFiles
from extract_feats.cache.parallel import Done
from extract_feats.cache.read import choose
from extract_feats.cache.store import FeatureStore, key
from utils.audio.prepare import Sound
from utils.config import Config
from utils.errors import ConfigError

FLUSH_SECONDS, FLUSH_BYTES = 10.0, 64 << 20  # what a killed run may lose, what a run may hold
SAMPLE = 2000  # clips a corpus whose channel is measured: enough for its quantiles


@dataclass(frozen=True)
class Scan:
    """One corpus of an experiment, as found on disk."""

    entry: Mapping
    root: Path
    utterances: list[Utterance]  # all of the corpus, under the corpus's own labels
    chosen: list[Utterance]  # what merge, drop and limit leave, under the experiment's labels
    rejected: list[Rejected]

    @property
    def label(self) -> str:
        """Short name for people and files: the corpus's, or the folder's for the user's own."""
        return self.utterances[0].corpus


@dataclass
class Outcome:
    """What one extraction did."""

    sounds: dict[Path, Sound]
    rejected: list[Rejected]
    extracted: int = 0
    cached: int = 0
    audio_seconds: float = 0.0  # of what was extracted
    wall_seconds: float = 0.0

    def count(self, done: Done) -> None:
        if isinstance(done.sound, Sound):
            self.sounds[done.path] = done.sound
        if done.features is None:
            self.cached += 1
        elif isinstance(done.features, str):
            self.rejected.append(Rejected(done.path, done.features))
        else:
            self.extracted += 1
            self.audio_seconds += done.sound.seconds


def last_line(found: Scan, recipe: Recipe, outcome: Outcome) -> str:
    """Return what a fill did, in one line."""
    speed = outcome.audio_seconds / outcome.wall_seconds
    realtime = f", {speed:.0f}x realtime" if outcome.extracted else ""
    return (
        f"{found.label} {recipe.label}: {len(found.chosen)} clips, {outcome.extracted} extracted, {outcome.cached} "
        f"cached, {len(found.rejected + outcome.rejected)} rejected, {outcome.wall_seconds:.1f} s{realtime}"
    )


def scan(config: Config, limit: int | None = None) -> list[Scan]:
    """Return what the experiment's corpora hold, from their file names and tables alone.

    Raises:
        DataError: a corpus is not there or nothing in it fits its grammar.
        ConfigError: merge, drop or labels name what is not there.
    """
    read = [corpora.read(entry, config.data_folder()) for entry in config.corpora]
    chosen, _ = choose(config, chain.from_iterable(utterances for utterances, _ in read), limit)
    by_id = {utterance.id: utterance for utterance in chosen}
    if len(by_id) < len(chosen):
        raise ConfigError(
            f"{config.name}: two of its corpora give clips the same ids; list each folder once, each with its own name."
        )
    scans = []
    for entry, (utterances, rejected) in zip(config.corpora, read, strict=True):
        mine = [by_id[u.id] for u in utterances if u.id in by_id]
        scans.append(Scan(entry, corpora.find(entry, config.data_folder()), utterances, mine, rejected))
    return scans


def fill(
    found: Scan,
    recipe: Recipe,
    features: Path,
    *,
    jobs: int = -1,
    dask: str | None = None,
    verify: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
    waiting: Callable[[], None] = lambda: None,
) -> Outcome:
    """Bring the cache up to date for one corpus and recipe, and write its clips.parquet and rejected.csv.

    Args:
        found: the corpus; only its chosen utterances are extracted.
        features: the features folder.
        jobs: processes; -1 one a core. Each computes with one thread.
        dask: the address of a Dask scheduler whose workers compute instead.
        verify: decode and digest every file again, whatever its size and time say.
        progress: called with clips done and clips to do.
        waiting: called once if another process is writing the same recipe.
    """
    started = time.perf_counter()
    store = FeatureStore(features, recipe)
    with KnownFiles(features / "files.sqlite") as files:
        with _held(store.lock(), waiting):
            store.refresh()
            outcome = _fill(found, store, files, verify, progress, lambda todo: parallel.work(todo, store, jobs, dask))
            store.compact(found.label)
        folder = corpus_folder(found.entry, found.label, features)
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "writing.lock"):  # another recipe of this corpus may end at the same moment
            # who was looked at above is not asked again: one stat a file
            others = files.unchanged([u.path for u in found.utterances if u.path not in outcome.sounds])
            outcome.sounds |= {path: sound for path, sound in others.items() if isinstance(sound, Sound)}
            write_clips(found.utterances, found.root, outcome.sounds, folder)
            tried, there = [u.path for u in found.chosen], [u.path for u in found.utterances]
            write_rejected(found.rejected + outcome.rejected, tried, there, found.root, recipe, folder)
    outcome.wall_seconds = time.perf_counter() - started
    return outcome


def measure(
    found: Scan,
    recipe: Recipe,
    features: Path,
    *,
    jobs: int = -1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Cache the channel of a corpus's clips, of ``SAMPLE`` at most; of those that cannot be read ``fill`` has told.

    Args:
        found: the corpus.
        recipe: ``load.channel_recipe``.
        features: the features folder.
        jobs: processes; -1 one a core.
        progress: called with clips done and clips to do.
    """
    number = len(found.chosen)
    taken = np.random.default_rng(0).permutation(number)[:SAMPLE]  # the same ones in every call
    some = replace(found, chosen=[found.chosen[row] for row in sorted(taken)])
    store = FeatureStore(features, recipe)
    with KnownFiles(features / "files.sqlite") as files, store.lock():
        store.refresh()
        _fill(some, store, files, False, progress, lambda todo: parallel.work(todo, store, jobs))
        store.compact(found.label)


@contextmanager
def _held(lock: BaseFileLock, waiting: Callable[[], None]) -> Iterator[None]:
    try:
        lock.acquire(timeout=0.5)
    except Timeout:
        waiting()
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _fill(
    found: Scan,
    store: FeatureStore,
    files: KnownFiles,
    verify: bool,
    progress: Callable,
    work: Callable[[list[Path]], Iterator[Done]],
) -> Outcome:
    paths = [u.path for u in found.chosen]
    known = {} if verify else files.unchanged(paths)
    sounds = {path: sound for path, sound in known.items() if isinstance(sound, Sound)}
    outcome = Outcome(sounds, [Rejected(path, known[path]) for path in paths if isinstance(known.get(path), str)])
    decoded = [path for path in paths if path in sounds]
    stored = store.has([key(sounds[path].digest) for path in decoded])
    outcome.cached = int(stored.sum())
    todo = [path for path in paths if path not in known]
    todo += [path for path, done in zip(decoded, stored, strict=True) if not done]
    if not todo:
        return outcome
    pending = _Pending(store, files, found.label, store.recipe.names())  # names: also refuses a rate it cannot work at
    try:
        for number, done in enumerate(work(todo), 1):
            outcome.count(done)
            pending.add(done)
            progress(number, len(todo))
    finally:
        pending.flush()  # what is finished is kept, whatever stopped the rest
    return outcome


class _Pending:
    """Results that are not on disk yet: FLUSH_SECONDS or FLUSH_BYTES of them at most."""

    def __init__(self, store: FeatureStore, files: KnownFiles, prefix: str, names: Sequence[str]):
        self.store, self.files, self.prefix, self.names = store, files, prefix, names
        self._empty()

    def _empty(self) -> None:
        self.clips, self.seen, self.size, self.since = {}, [], 0, time.monotonic()

    def add(self, done: Done) -> None:
        if done.stamped:
            self.seen.append((done.path, done.stamped, done.sound))
        if isinstance(done.features, np.ndarray):
            self.clips[key(done.sound.digest)] = done.features
            self.size += done.features.nbytes
        if time.monotonic() - self.since > FLUSH_SECONDS or self.size > FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        self.store.write(self.prefix, self.clips, self.names)  # features before files: a kill between costs a decode
        self.files.record(self.seen)
        self._empty()
