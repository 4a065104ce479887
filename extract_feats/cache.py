"""From an experiment to cached features and back: what preprocess.py fills and train.py reads.

Below the features folder: ``files.sqlite`` (known audio files), one folder a corpus (``clips.parquet``,
``rejected.csv``) and one folder a recipe (see ``extract_feats.store``).
"""

import csv
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from filelock import BaseFileLock, FileLock, Timeout

import corpora
from corpora import Rejected, Utterance
from extract_feats import parallel
from extract_feats.known_files import KnownFiles
from extract_feats.parallel import Done
from extract_feats.store import FeatureStore, Recipe, key
from utils.audio import Sound
from utils.config import Config
from utils.dataset import Dataset
from utils.errors import ConfigError

FLUSH_SECONDS, FLUSH_BYTES = 10.0, 64 << 20  # what a killed run may lose, what a run may hold
FACTS = ("sex", "intensity", "text", "session", "split", "corpus")


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
        if done.features is None:
            self.cached += 1
        elif isinstance(done.features, str):
            self.rejected.append(Rejected(done.path, done.features))
        else:
            self.extracted += 1
            self.audio_seconds += done.sound.seconds


def recipe_of(config: Config) -> Recipe:
    """Return the feature recipe of an experiment."""
    return Recipe.of(config.features, config.rate, config.clip.model_dump())


def scan(config: Config, limit: int | None = None) -> list[Scan]:
    """Return what the experiment's corpora hold, from their file names and tables alone.

    Raises:
        DataError: a corpus is not there or nothing in it fits its grammar.
        ConfigError: merge, drop or labels name what is not there.
    """
    read = [corpora.read(entry, config.data_folder()) for entry in config.corpora]
    chosen, _ = _choose(config, chain.from_iterable(utterances for utterances, _ in read), limit)
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


def _choose(config: Config, utterances: Iterable[Utterance], limit: int | None) -> tuple[list[Utterance], tuple]:
    chosen, labels = corpora.relabel(list(utterances), config.merge, config.drop, config.labels)
    return (corpora.limit(chosen, limit) if limit else chosen), labels


def fill(
    found: Scan,
    recipe: Recipe,
    features: Path,
    *,
    jobs: int = -1,
    verify: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
    waiting: Callable[[], None] = lambda: None,
) -> Outcome:
    """Bring the cache up to date for one corpus and recipe, and write its clips.parquet and rejected.csv.

    Args:
        found: the corpus; only its chosen utterances are extracted.
        features: the features folder.
        jobs: processes; -1 one a core. Each computes with one thread.
        verify: decode and digest every file again, whatever its size and time say.
        progress: called with clips done and clips to do.
        waiting: called once if another process is writing the same recipe.
    """
    started = time.perf_counter()
    store = FeatureStore(features, recipe)
    with KnownFiles(features / "files.sqlite") as files:
        with _held(store.lock(), waiting):
            store.refresh()
            outcome = _fill(found, store, files, jobs, verify, progress)
            store.compact(found.label)
        folder = corpus_folder(found.entry, found.label, features)
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "writing.lock"):  # another recipe of this corpus may end at the same moment
            known = files.unchanged([u.path for u in found.utterances])
            outcome.sounds = {path: sound for path, sound in known.items() if isinstance(sound, Sound)}
            _write_clips(found, outcome.sounds, folder)
            _write_rejected(found, outcome.rejected, recipe, folder)
    outcome.wall_seconds = time.perf_counter() - started
    return outcome


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


def _fill(found: Scan, store: FeatureStore, files: KnownFiles, jobs: int, verify: bool, progress: Callable) -> Outcome:
    paths = [u.path for u in found.chosen]
    known = {} if verify else files.unchanged(paths)
    outcome = Outcome({}, [Rejected(path, known[path]) for path in paths if isinstance(known.get(path), str)])
    decoded = [path for path in paths if isinstance(known.get(path), Sound)]
    stored = store.has([key(known[path].digest) for path in decoded])
    outcome.cached = int(stored.sum())
    todo = [path for path in paths if path not in known]
    todo += [path for path, done in zip(decoded, stored, strict=True) if not done]
    if not todo:
        return outcome
    pending = _Pending(store, files, found.label, store.recipe.names())  # names: also refuses a rate it cannot work at
    try:
        for number, done in enumerate(parallel.work(todo, store, jobs), 1):
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


def corpus_folder(entry: Mapping, label: str, features: Path) -> Path:
    """Return where the clips of a corpus entry are listed; another root or argument is another folder."""
    text = json.dumps(dict(entry), sort_keys=True)
    return features / f"{label}-{hashlib.blake2b(text.encode(), digest_size=4).hexdigest()}"


def _write_clips(found: Scan, sounds: Mapping[Path, Sound], folder: Path) -> None:
    """Write clips.parquet: every utterance, with what its audio says where it has been decoded."""
    columns = {field.name: [str(getattr(u, field.name)) for u in found.utterances] for field in fields(Utterance)}
    columns["path"] = [_below(u.path, found.root) for u in found.utterances]
    nothing = Sound("", 0.0, 0, 0, 0.0, 0.0, 0.0)
    facts = [asdict(sounds.get(u.path, nothing)) for u in found.utterances]
    columns |= {field.name: [fact[field.name] for fact in facts] for field in fields(Sound)}
    table = pa.table(columns).replace_schema_metadata({"root": str(found.root.resolve())})
    aside = folder / "clips.part"
    pa.parquet.write_table(table, aside)
    os.replace(aside, folder / "clips.parquet")


def _write_rejected(found: Scan, rejected: list[Rejected], recipe: Recipe, folder: Path) -> None:
    """Bring rejected.csv up to date: what this run tried under this recipe, and what others found before."""
    tried = {_below(u.path, found.root) for u in found.chosen}
    there = {_below(u.path, found.root) for u in found.utterances} - tried
    rows = {(_below(r.path, found.root), recipe.folder, r.reason) for r in found.rejected + rejected}
    rows |= {row for row in _read_rejected(folder) if row[1] != recipe.folder or row[0] in there}
    aside = folder / "rejected.part"
    with aside.open("w", newline="", encoding="utf8", errors="backslashreplace") as file:  # a name need not be text
        writer = csv.writer(file)
        writer.writerow(("path", "features", "reason"))
        writer.writerows(sorted(rows))
    os.replace(aside, folder / "rejected.csv")


def _below(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _read_rejected(folder: Path) -> list[tuple[str, str, str]]:
    """Return path below the corpus's root, the recipe's folder and the reason of what was rejected so far."""
    path = folder / "rejected.csv"
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf8") as file:
        return [tuple(row) for row in csv.reader(file)][1:]


def read_clips(config: Config, entry: Mapping, features: Path, command: str) -> tuple[list[Utterance], dict, set]:
    """Return a corpus's utterances, digest and seconds by id, and (path, recipe's folder) of what was rejected.

    Raises:
        ConfigError: nothing cached, or cached from another folder; says what to run.
    """
    candidates = sorted(features.glob(f"*{corpus_folder(entry, '', features).name}/clips.parquet"))
    if not candidates:
        raise ConfigError(f"{config.name}: no cached features for corpus {entry['name']!r}. Run: {command}")
    table = pa.parquet.read_table(candidates[0])
    root = Path(config.data_folder(), Path(entry["root"]).expanduser())
    made_from = table.schema.metadata[b"root"].decode()
    if root.exists() and str(root.resolve()) != made_from:
        raise ConfigError(f"{config.name}: features were made from {made_from}, not from {root}. Run: {command}")
    own = [field.name for field in fields(Utterance)]
    rows = table.to_pylist()
    utterances = [Utterance(**{n: row[n] for n in own} | {"path": Path(made_from, row["path"])}) for row in rows]
    sounds = {row["id"]: (row["digest"], row["seconds"]) for row in rows}
    rejected = {(Path(made_from, path), recipe) for path, recipe, _ in _read_rejected(candidates[0].parent)}
    return utterances, sounds, rejected


def dataset(config: Config, features: Path, *, command: str, limit: int | None = None) -> Dataset:
    """Return an experiment's clips and features from the cache alone; no audio is read.

    Args:
        features: the features folder.
        command: the preprocess command that an error should name.
        limit: clips a class, for a trial.

    Raises:
        ConfigError: features are missing; says which command makes them.
    """
    recipe = recipe_of(config)
    read = [read_clips(config, entry, features, command) for entry in config.corpora]
    chosen, labels = _choose(config, chain.from_iterable(utterances for utterances, _, _ in read), limit)
    sounds = {identity: sound for _, by_id, _ in read for identity, sound in by_id.items()}
    refused = set().union(*(rejected for _, _, rejected in read))
    chosen = [u for u in chosen if (u.path, recipe.folder) not in refused]
    store = FeatureStore(features, recipe)
    digests = [sounds[u.id][0] for u in chosen]
    missing = sum(not digest for digest in digests)
    keys = [key(digest) for digest in digests if digest]
    missing += int((~store.has(keys)).sum())
    if missing or not chosen:
        count = f"{missing} of {len(chosen)} clips have" if chosen else "no clip has"
        raise ConfigError(f"{config.name}: {count} no cached {recipe.label} features. Run: {command}")
    facts = {name: np.array([getattr(u, name) for u in chosen]) for name in FACTS}
    facts["seconds"] = np.array([sounds[u.id][1] for u in chosen])
    facts["path"] = np.array([str(u.path) for u in chosen])
    index = {label: number for number, label in enumerate(labels)}
    return Dataset(
        features=store.read(keys),
        labels=labels,
        truth=np.array([index[u.emotion] for u in chosen], np.int64),
        ids=np.array([u.id for u in chosen]),
        speakers=np.array([u.speaker for u in chosen]),
        digests=np.array(digests),
        facts=facts,
    )


def exported(config: Config, features: Path, *, command: str) -> Sequence[dict]:
    """Return the cached clips of an experiment, under its labels, as rows for ``extract_feats.store.export``."""
    read = [read_clips(config, entry, features, command) for entry in config.corpora]
    chosen, _ = _choose(config, chain.from_iterable(utterances for utterances, _, _ in read), None)
    sounds = {identity: sound for _, by_id, _ in read for identity, sound in by_id.items()}
    return [asdict(u) | {"path": str(u.path), "digest": sounds[u.id][0]} for u in chosen]
