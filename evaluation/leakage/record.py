"""The record of a run on disk: audit.parquet, a row for each fold, purpose and clip."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from models.common import EmotionModel
from models.moments import moments, safe_std
from models.usage import Clips, ClipUsage
from utils.dataset import Dataset, Frames

FILE = "audit.parquet"
SHIPPED = 0  # the fold that stands for the shipped model; others count from 1
LEARNED = ("fit", "validation", "init")  # what the weights of a network were learned from
SCHEMA = pa.schema(
    {"fold": pa.int16(), "purpose": pa.string()}
    | dict.fromkeys(("id", "speaker", "digest", "text"), pa.string())
    | {"times": pa.int32()}
)


def rows(fold: int, purpose: str, clips: Clips) -> pa.Table:
    """Return the rows of one purpose in one fold: each clip once, with the times it was given."""
    ids, first, times = np.unique(clips.ids, return_index=True, return_counts=True)
    columns = [ids, clips.speakers[first], clips.digests[first], clips.texts[first]]
    constant = [np.full(len(ids), fold), [purpose] * len(ids)]
    return pa.Table.from_arrays(
        [pa.array(c, kind.type) for c, kind in zip([*constant, *columns, times], SCHEMA, strict=True)], schema=SCHEMA
    )


def table(usage: ClipUsage, fold: int, *, only: Sequence[str] = (), prefix: str = "") -> pa.Table:
    """Return all that was noted while a fold's model learned and was scored, and what its initial weights learned from.

    Args:
        usage: what was noted.
        fold: whose model it was.
        only: purposes to keep, if given.
        prefix: before each purpose, where the model is a part of the fold's.
    """
    parts: dict[str, list[Clips]] = {}
    for purpose, clips in usage.parts:
        if not only or purpose in only:
            parts.setdefault(prefix + purpose, []).append(clips)
    tables = [rows(fold, purpose, _joined(clips)) for purpose, clips in parts.items()]
    if usage.start:
        tables.append(rows(fold, "init", training_clips(Path(usage.start))))
    return pa.concat_tables(tables or [SCHEMA.empty_table()])


def fitted(model: EmotionModel, data: Dataset, fold: int) -> pa.Table:
    """Return a model's rows; clips under ``scale`` that do not give the scaler it has are repeated as ``misscaled``.

    The scaler is computed again from the features, so one that was fitted on other clips than noted is discovered.
    """
    noted = table(model.usage, fold)
    row_of = {identity: row for row, identity in enumerate(data.ids.tolist())}
    given = np.array([row_of.get(identity, -1) for identity in model.usage.ids("scale").tolist()], np.int64)
    if len(given) and (given >= 0).all():
        features = data.features[given]
        mean, std = moments(features.clips if isinstance(features, Frames) else [features])
        slack = 1e-6 * (np.abs(mean) + std)
        same = np.abs(model.mean_ - mean) <= slack, np.abs(model.std_ - safe_std(std, np.abs(mean))) <= slack
        if not np.all(same):
            noted = pa.concat_tables([noted, rows(fold, "misscaled", Clips.of(data[given]))])
    return noted


def write(path: Path, tables: Sequence[pa.Table]) -> None:
    """Write the rows of several folds."""
    parquet.write_table(pa.concat_tables(tables or [SCHEMA.empty_table()]), path, compression="zstd")


def read(path: Path) -> pa.Table:
    """Return what ``write`` wrote."""
    return parquet.read_table(path, schema=SCHEMA)


def folds(record: pa.Table) -> dict[int, dict[str, Clips]]:
    """Return fold -> purpose -> clips, in the order of the rows."""
    columns = [np.array(record[name].to_pylist()) for name in SCHEMA.names]
    number, purpose, *clips, _ = columns
    sides: dict[int, dict[str, Clips]] = {}
    for fold in np.unique(number):
        for name in dict.fromkeys(purpose[number == fold].tolist()):
            chosen = (number == fold) & (purpose == name)
            sides.setdefault(int(fold), {})[name] = Clips(*(column[chosen] for column in clips))
    return sides


def training_clips(checkpoint: Path) -> Clips:
    """Return the clips that the shipped weights of a checkpoint learned from; one nameless clip if it has no record."""
    path = checkpoint / FILE
    shipped = folds(read(path)).get(SHIPPED, {}) if path.exists() else {}
    nameless = Clips(*(np.array([""]) for _ in range(4)))
    return _joined([shipped[purpose] for purpose in LEARNED if purpose in shipped] or [nameless])


def _joined(clips: Sequence[Clips]) -> Clips:
    return Clips(*(np.concatenate(column) for column in zip(*(vars(c).values() for c in clips), strict=True)))
