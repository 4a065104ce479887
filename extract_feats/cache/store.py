"""The feature store: what was extracted once is read from disk, by content and by recipe.

One folder per recipe, in it a few uncompressed Arrow IPC files ("segments") sorted by key, opened by
memory map. A row is a clip: ``key``, the 16-byte digest of its decoded audio, and ``features``, a
list of dims float32 (vectors) or a list of such lists (frames). The schema carries the recipe and
the feature names. Segments appear whole or not at all (written beside, then renamed), so a killed
run leaves nothing behind but what it had finished.

The name of a segment, ``<corpus>-<20 hex digits>.arrow``, ends in the CRC-32 of the whole file in 8 digits; older ones
have 12 digits and no checksum. It is compared when features are first read from an opened segment, or merged, not when
the store is opened or asked what it holds. That reads the whole segment once: 0.1 s per 100 MB from memory, else as
long as the disk takes.
"""

import contextlib
import json
import mmap
import os
import re
import uuid
import zlib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
from filelock import FileLock

from extract_feats.base.recipe import Recipe
from utils.dataset import Features, Frames
from utils.errors import DataError

CHECKED = re.compile(r".*-[0-9a-f]{12}([0-9a-f]{8})")  # the stem of a segment's name with its checksum
DAMAGED = (
    pa.ArrowException,
    KeyError,
    ValueError,
    IndexError,
    TypeError,
    OverflowError,
)  # what damaged Arrow files raise
SEGMENT_BYTES = 256 << 20  # segments below this are merged; a merge holds one such segment in memory


class _Segment:
    """One memory-mapped file: sorted keys and the features behind them, nothing copied."""

    def __init__(self, path: Path):
        self.path = path
        try:
            with pa.memory_map(str(path)) as source:
                batch = pa.ipc.open_file(source).get_batch(0)
            batch.validate(full=True)  # offsets alone: a wrong one would read beyond the file
            self.names = json.loads(batch.schema.metadata[b"names"])
            self.keys = np.frombuffer(batch["key"].buffers()[1], "S16", len(batch))
            column, dims = batch["features"], len(self.names)
            self.offsets = None if isinstance(column, pa.FixedSizeListArray) else column.offsets.to_numpy()
            rows = column if self.offsets is None else column.values
            self.values = rows.values.to_numpy().reshape(-1, dims)
        except FileNotFoundError:  # merged meanwhile
            raise
        except (*DAMAGED, OSError) as error:
            raise self._damaged(" ".join(str(error).split())[:200]) from error
        stated = CHECKED.fullmatch(path.stem)
        self._checksum = stated and stated[1]

    def verify(self) -> None:
        """Compare the file with its checksum, once; 0.1 s per 100 MB that are in memory.

        Raises:
            DataError: they differ.
        """
        if self._checksum and _checksum(self.path) != self._checksum:
            raise self._damaged("its content does not have the checksum in its name")
        self._checksum = None

    def _damaged(self, reason: str) -> DataError:
        return DataError(
            f"{self.path}: damaged ({reason}); remove it and run preprocess.py again: its clips are extracted again."
        )

    def row(self, index: int) -> np.ndarray:
        if self.offsets is None:
            return self.values[index]
        return self.values[self.offsets[index] : self.offsets[index + 1]]


def _checksum(path: Path) -> str:
    """Return the CRC-32 of a file, 8 hex digits."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return f"{zlib.crc32(content):08x}"


def key(digest: str) -> bytes:
    """Return the 16 bytes of a digest of 32 hex digits."""
    return bytes.fromhex(digest)


class FeatureStore:
    """The cached features of one recipe. Opening costs one memory map per segment, whatever they hold."""

    def __init__(self, root: Path, recipe: Recipe):
        self.recipe = recipe
        self.root, self.folder = root, root / recipe.folder
        self.refresh()

    def __reduce__(self) -> tuple:
        """A worker gets the folder, not the rows, and opens it once for all clips until there are new segments."""
        return _opened, (self.root, self.recipe, tuple(segment.path.name for segment in self._segments))

    def refresh(self) -> None:
        """Look again which segments there are."""
        for left in reversed(range(20)):
            try:
                self._segments = [_Segment(path) for path in sorted(self.folder.glob("*.arrow"))]
                return
            except FileNotFoundError:  # merged into another by a process that is just ending: look again
                if not left:
                    raise

    def __len__(self) -> int:
        return len(np.unique(np.concatenate([s.keys for s in self._segments]))) if self._segments else 0

    @property
    def names(self) -> list[str]:
        """Return the name of each dimension, as written when the features were made."""
        return self._segments[0].names

    def lock(self) -> FileLock:
        """Return the lock that a writer holds; the system frees it when its holder dies."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / "writing.lock")

    def find(self, keys: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
        """Return for each key the number of its segment, -1 where it is not stored, and its row there."""
        wanted = np.array(keys, "S16")
        where, row = np.full(len(wanted), -1), np.zeros(len(wanted), np.int64)
        for number, segment in enumerate(self._segments):
            place = np.searchsorted(segment.keys, wanted)
            hit = segment.keys[np.minimum(place, len(segment.keys) - 1)] == wanted
            where[hit], row[hit] = number, place[hit]
        return where, row

    def has(self, keys: Sequence[bytes]) -> np.ndarray:
        """Return for each key whether it is stored, (n,) bool."""
        return self.find(keys)[0] >= 0

    def read(self, keys: Sequence[bytes]) -> Features:
        """Return (n, dims) float32 for vectors, Frames (views into the map) for frames, in the order of the keys.

        Raises:
            KeyError: some keys are not stored.
            DataError: a segment that they are in is damaged.
        """
        where, row = self.find(keys)
        if (where < 0).any():
            raise KeyError(f"{int((where < 0).sum())} of {len(where)} clips are not stored")
        for number in np.unique(where):
            self._segments[number].verify()
        if self.recipe.layout.frames:
            return Frames([self._segments[s].row(r) for s, r in zip(where, row, strict=True)])
        vectors = np.empty((len(row), len(self.names)), np.float32)
        for number in np.unique(where):
            rows_here = where == number
            vectors[rows_here] = self._segments[number].values[row[rows_here]]
        return vectors

    def write(self, prefix: str, clips: Mapping[bytes, np.ndarray], names: Sequence[str]) -> None:
        """Add clips (key -> (dims,) or (frames, dims) float32) as one new segment, durable on return."""
        if not clips:
            return
        keys = sorted(clips)
        table = _batch(keys, [clips[k] for k in keys], names, self.recipe)
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"{prefix}-{uuid.uuid4().hex[:12]}"
        part = self.folder / f"{name}.part"
        with part.open("wb") as file:
            with pa.ipc.new_file(file, table.schema) as writer:
                writer.write_batch(table)
            file.flush()
            os.fsync(file.fileno())
        final = self.folder / f"{name}{_checksum(part)}.arrow"
        os.replace(part, final)
        self._segments.append(_Segment(final))

    def compact(self, prefix: str) -> None:
        """Merge the small segments of a prefix and clear what killed runs left. Needs the lock.

        A kill between writing the merged segment and removing its parts leaves rows twice, which
        does no harm and ends with the next merge.
        """
        for left in self.folder.glob("*.part"):
            left.unlink()
        group: list[_Segment] = []
        size = 0
        for segment in [s for s in self._segments if s.path.name.rpartition("-")[0] == prefix]:
            if segment.values.nbytes >= SEGMENT_BYTES:
                continue
            if size + segment.values.nbytes > SEGMENT_BYTES:
                self._merge(prefix, group)
                group, size = [], 0
            group.append(segment)
            size += segment.values.nbytes
        self._merge(prefix, group)

    def _merge(self, prefix: str, group: list[_Segment]) -> None:
        if len(group) < 2:
            return
        for segment in group:
            segment.verify()  # a merge would give damage a checksum of its own
        clips = {bytes(k).ljust(16, b"\0"): s.row(i) for s in group for i, k in enumerate(s.keys)}
        self.write(prefix, clips, group[0].names)
        self._segments = [s for s in self._segments if s not in group]
        for path in [segment.path for segment in group]:
            with contextlib.suppress(PermissionError):  # Windows: another process reads it; the next merge tries again
                path.unlink()


@lru_cache(maxsize=256)  # more than the recipes of one call
def _opened(root: Path, recipe: Recipe, segments: tuple[str, ...]) -> FeatureStore:
    return FeatureStore(root, recipe)  # the segments are only part of the cache's key


def _batch(keys: list[bytes], clips: list[np.ndarray], names: Sequence[str], recipe: Recipe) -> pa.RecordBatch:
    rows = _column(clips, len(names), frames=recipe.layout.frames)
    metadata = {"names": json.dumps(list(names)), "recipe": recipe.text}
    schema = pa.schema([("key", pa.binary(16)), ("features", rows.type)], metadata=metadata)
    return pa.record_batch([pa.array(keys, pa.binary(16)), rows], schema=schema)


def _column(clips: Sequence[np.ndarray], dims: int, *, frames: bool) -> pa.Array:
    values = pa.array(np.concatenate([clip.reshape(-1) for clip in clips]).astype(np.float32, copy=False))
    rows = pa.FixedSizeListArray.from_arrays(values, dims)
    if not frames:
        return rows
    offsets = np.concatenate([[0], np.cumsum([len(clip) for clip in clips])]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), rows)


def export(store: FeatureStore, clips: Iterable[Mapping], path: Path) -> None:
    """Write a Parquet file: one row per clip, its facts (id, speaker, emotion, ...) and then its features.

    Vectors give one column per feature; frames give one column ``frames`` of lists, and the feature names
    are in the schema's metadata.

    Raises:
        DataError: none of the clips is stored.
    """
    from pyarrow import parquet

    clips = [clip for clip in clips if clip["digest"] and store.has([key(clip["digest"])])[0]]
    if not clips:
        raise DataError(f"{path}: nothing to export, no clip has {store.recipe.label} features.")
    features = store.read([key(clip["digest"]) for clip in clips])
    columns = {name: pa.array([clip[name] for clip in clips]) for name in clips[0]}
    if isinstance(features, Frames):
        columns["frames"] = _column(features.clips, features.dims, frames=True)
    else:
        columns |= {name: pa.array(column) for name, column in zip(store.names, features.T, strict=True)}
    table = pa.table(columns).replace_schema_metadata({"names": json.dumps(store.names), "recipe": store.recipe.text})
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, path)
