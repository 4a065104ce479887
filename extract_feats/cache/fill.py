"""Filling the cache: the features of an experiment's corpora, extracted where they are not stored yet.

Below the features folder: ``files.sqlite`` (known audio files), one folder per corpus (``clips.parquet``,
``rejected.csv``) and one folder per recipe (see ``extract_feats.cache.store``).
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from corpora import Rejected
from extract_feats.cache import parallel
from extract_feats.cache.corpus_lists import corpus_folder, read_rejected, write_clips, write_rejected
from extract_feats.cache.known_files import KnownFiles
from extract_feats.cache.parallel import Done, Item
from extract_feats.cache.store import FeatureStore, key
from extract_feats.cache.task import Outcome, Task
from utils.audio.prepare import Sound
from utils.process_pool import is_lost

FLUSH_SECONDS, FLUSH_BYTES = 10.0, 64 << 20  # what a killed run may lose, what a run may hold


def fill(
    wanted: Sequence[Task],
    features: Path,
    *,
    jobs: int = -1,
    dask: str | None = None,
    verify: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
    waiting: Callable[[], None] = lambda: None,
) -> list[Outcome]:
    """Bring the cache up to date for one corpus and several recipes, and write its clips.parquet and rejected.csv.

    Each file is decoded once for all recipes. What another process is writing at the moment comes at the end.

    Args:
        wanted: tasks of the same corpus entry; only their chosen utterances are extracted.
        features: the features folder.
        jobs: processes; -1 one per core; 0: this one, which a file can then kill or block. Each computes with one
            thread.
        dask: the address of a Dask scheduler whose workers compute instead.
        verify: decode and digest every file again, whatever its size and time say.
        progress: called with clips done and clips to do.
        waiting: called once if another process is writing one of the recipes.

    Returns:
        one outcome per task, in their order.
    """
    started = time.perf_counter()
    first = wanted[0].scan
    folder = corpus_folder(first.entry, first.label, features)
    lost = {(first.root / path, recipe): reason for path, recipe, reason in read_rejected(folder) if is_lost(reason)}

    def work(todo: Sequence[Item], stores: Sequence[FeatureStore]) -> Iterator[Done]:
        return parallel.work(todo, stores, jobs, dask)

    outcomes: dict[Task, Outcome] = {}
    with KnownFiles(features / "files.sqlite") as files:
        for wait in (None, waiting):
            left = [task for task in wanted if task not in outcomes]
            stores = {task.recipe: FeatureStore(features, task.recipe) for task in left}
            with _locked(stores.values(), wait) as free:
                now = [task for task in left if stores[task.recipe] in free]
                outcomes |= zip(now, _extract(now, free, files, lost, verify, progress, work), strict=True)
        if any(task.listed for task in wanted):
            _write_lists(outcomes, files, folder)
    total, passed = sum(outcome.work_seconds for outcome in outcomes.values()), time.perf_counter() - started
    for outcome in outcomes.values():
        outcome.wall_seconds = passed * (outcome.work_seconds / total if total else 1 / len(outcomes))
    return [outcomes[task] for task in wanted]


@contextmanager
def _locked(stores: Iterable[FeatureStore], waiting: Callable[[], None] | None) -> Iterator[list[FeatureStore]]:
    """Yield the stores whose lock is free; all of them, if ``waiting`` is to be called where one is not.

    They are locked in the order of their names: two processes that wait for each other would wait forever.
    """
    free, asked = [], False
    with ExitStack() as locks:
        for store in sorted(stores, key=lambda store: store.folder):
            lock = store.lock()
            try:
                lock.acquire(timeout=0.5)
            except Timeout:
                if waiting is None:
                    continue
                if not asked:
                    waiting()
                asked = True
                lock.acquire()
            locks.callback(lock.release)
            store.refresh()
            free.append(store)
        yield free


def _extract(
    wanted: Sequence[Task],
    stores: Sequence[FeatureStore],
    files: KnownFiles,
    lost: Mapping[tuple[Path, str], str],
    verify: bool,
    progress: Callable[[int, int], None],
    work: Callable[[Sequence[Item], Sequence[FeatureStore]], Iterator[Done]],
) -> list[Outcome]:
    """Extract what the stores lack, and return what each task came to; the stores are locked.

    What killed or blocked a process before (``lost``: the reason by path and recipe) is tried again only if the file
    has changed, or to verify.
    """
    paths = list(dict.fromkeys(u.path for task in wanted for u in task.scan.chosen))
    known = {} if verify else files.unchanged(paths)
    plan = _Plan(wanted, stores, known, lost)
    if plan.todo:
        pending = _Pending(stores, files, wanted[0].scan.label)
        try:
            for number, done in enumerate(work(plan.todo, stores), 1):
                plan.count(done)
                pending.add(done)
                progress(number, len(plan.todo))
        finally:
            pending.flush()  # what is finished is kept, whatever stopped the rest
    for store in stores:
        store.compact(wanted[0].scan.label)
    return plan.outcomes


class _Plan:
    """Which files are to be read, for which stores, and for which tasks that counts."""

    def __init__(
        self,
        wanted: Sequence[Task],
        stores: Sequence[FeatureStore],
        known: Mapping[Path, Sound | str],
        lost: Mapping[tuple[Path, str], str],
    ):
        self.sounds = {path: sound for path, sound in known.items() if isinstance(sound, Sound)}
        self.outcomes: list[Outcome] = []
        self._missing: list[tuple[int, Outcome, set[Path]]] = []  # per task: the number of its store, what it lacks
        numbers = {store.recipe: number for number, store in enumerate(stores)}
        needed: dict[Path, list[int]] = {}
        for task in wanted:
            paths, number, folder = [u.path for u in task.scan.chosen], numbers[task.recipe], task.recipe.folder
            decoded = [path for path in paths if path in self.sounds]
            stored = stores[number].has([key(self.sounds[path].digest) for path in decoded])
            lacking = [path for path, has in zip(decoded, stored, strict=True) if not has]
            hopeless = {path: lost[path, folder] for path in lacking if path in known and (path, folder) in lost}
            missing = [path for path in paths if path not in known]
            missing += [path for path in lacking if path not in hopeless]
            refused = [Rejected(path, known[path]) for path in paths if isinstance(known.get(path), str)]
            refused += [Rejected(path, reason) for path, reason in hopeless.items()]
            self.outcomes.append(Outcome(self.sounds, refused, cached=int(stored.sum())))
            self._missing.append((number, self.outcomes[-1], set(missing)))
            for path in missing:
                needed.setdefault(path, []).append(number)
        self.todo: list[Item] = [(path, tuple(dict.fromkeys(stores_))) for path, stores_ in needed.items()]

    def count(self, done: Done) -> None:
        """Count a file for the tasks that need it: as extracted for the first one of a recipe, for others as cached."""
        if isinstance(done.sound, Sound):
            self.sounds[done.path] = done.sound
        counted = set()
        for number, outcome, missing in self._missing:
            if done.path in missing:
                outcome.count(done, number, again=number in counted)
                counted.add(number)


class _Pending:
    """Results that are not on disk yet: FLUSH_SECONDS or FLUSH_BYTES of them at most."""

    def __init__(self, stores: Sequence[FeatureStore], files: KnownFiles, prefix: str):
        self.stores, self.files, self.prefix = stores, files, prefix
        self.names = [store.recipe.names() for store in stores]  # also refuses a rate that a plug-in cannot work at
        self._empty()

    def _empty(self) -> None:
        self.clips = [{} for _ in self.stores]
        self.seen, self.size, self.since = [], 0, time.monotonic()

    def add(self, done: Done) -> None:
        if done.stamped:
            self.seen.append((done.path, done.stamped, done.sound))
        for number, features in done.features.items():
            if isinstance(features, np.ndarray):
                self.clips[number][key(done.sound.digest)] = features
                self.size += features.nbytes
        if time.monotonic() - self.since > FLUSH_SECONDS or self.size > FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        for store, clips, names in zip(self.stores, self.clips, self.names, strict=True):
            store.write(self.prefix, clips, names)
        self.files.record(self.seen)  # after the features: a kill between the two costs decoding again
        self._empty()


def _write_lists(outcomes: Mapping[Task, Outcome], files: KnownFiles, folder: Path) -> None:
    """Write clips.parquet and rejected.csv of the corpus, and complete the sounds of its outcomes."""
    corpus = next(iter(outcomes)).scan
    paths = [u.path for u in corpus.utterances]
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "writing.lock"):  # another recipe of this corpus may end at the same moment
        sounds = {path: sound for outcome in outcomes.values() for path, sound in outcome.sounds.items()}
        # the files of this call are not looked at again: that would be one stat per file
        others = files.unchanged([path for path in paths if path not in sounds])
        sounds |= {path: sound for path, sound in others.items() if isinstance(sound, Sound)}
        write_clips(corpus.utterances, corpus.root, sounds, folder)
        for task, outcome in outcomes.items():
            outcome.sounds = sounds
            if task.listed:
                tried = [u.path for u in task.scan.chosen]
                write_rejected(task.scan.rejected + outcome.rejected, tried, paths, corpus.root, task.recipe, folder)
