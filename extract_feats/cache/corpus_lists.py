"""The lists of a corpus in the cache: which clips there are, what their audio is, which files were rejected and why.

One folder per corpus entry: ``clips.parquet`` (every utterance) and ``rejected.csv``, each replaced whole.
"""

import csv
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from corpora import Rejected, Utterance
from extract_feats.base.recipe import Recipe
from utils.audio.prepare import Sound
from utils.config import Config
from utils.errors import ConfigError, DataError

LATER = ("also",)  # arguments that came later: at their default, lists written before them are found


def corpus_folder(entry: Mapping, label: str, features: Path) -> Path:
    """Return where the clips of a corpus entry are listed; another root or argument is another folder."""
    stated = {key: value for key, value in entry.items() if key not in LATER or value is not None}
    text = json.dumps(stated, sort_keys=True)
    return features / f"{label}-{hashlib.blake2b(text.encode(), digest_size=4).hexdigest()}"


def write_clips(utterances: Sequence[Utterance], root: Path, sounds: Mapping[Path, Sound], folder: Path) -> None:
    """Write clips.parquet: every utterance, with what its audio says where it has been decoded."""
    columns = {field.name: [str(getattr(u, field.name)) for u in utterances] for field in fields(Utterance)}
    columns["path"] = [_below(u.path, root) for u in utterances]
    nothing = Sound("", 0.0, 0, 0, 0.0, 0.0, 0.0)
    facts = [sounds.get(u.path, nothing) for u in utterances]
    columns |= {field.name: [getattr(fact, field.name) for fact in facts] for field in fields(Sound)}
    table = pa.table(columns).replace_schema_metadata({"root": str(root.resolve())})
    part = folder / "clips.part"
    pa.parquet.write_table(table, part, write_page_checksum=True)
    os.replace(part, folder / "clips.parquet")


def write_rejected(
    rejected: Sequence[Rejected],
    tried: Sequence[Path],
    others: Sequence[Path],
    root: Path,
    recipe: Recipe,
    folder: Path,
) -> None:
    """Bring rejected.csv up to date: what a run rejected under this recipe, and what was rejected before.

    Args:
        rejected: what the run could not use.
        tried: what it looked at.
        others: all files of the corpus; those that were not tried keep their rows of this recipe.
        root: the corpus's folder; paths are written below it.
        recipe: under which features.
        folder: the corpus's, in the cache.
    """
    untried = {_below(path, root) for path in others} - {_below(path, root) for path in tried}
    rows = {(_below(r.path, root), recipe.folder, r.reason) for r in rejected}
    rows |= {row for row in read_rejected(folder) if row[1] != recipe.folder or row[0] in untried}
    part = folder / "rejected.part"
    with part.open("w", newline="", encoding="utf8", errors="backslashreplace") as file:  # a name need not be text
        writer = csv.writer(file)
        writer.writerow(("path", "features", "reason"))
        writer.writerows(sorted(rows))
    os.replace(part, folder / "rejected.csv")


def _below(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def read_rejected(folder: Path) -> list[tuple[str, str, str]]:
    """Return path below the corpus's root, the recipe's folder and the reason of what was rejected so far."""
    path = folder / "rejected.csv"
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf8") as file:
            rows = [(place, recipe, reason) for place, recipe, reason in csv.reader(file)]
    except (ValueError, csv.Error) as error:  # ValueError: not UTF-8, or other than three columns
        raise DataError(f"{path}: damaged ({error}); remove it and run preprocess.py again.") from error
    return rows[1:]


def _table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Return a clips.parquet, its pages compared with their checksums; older files have none.

    Raises:
        DataError: it is damaged, or lacks what every version has written.
    """
    try:
        table = pa.parquet.read_table(path, columns=columns, page_checksum_verification=True)
        table.schema.metadata[b"root"].decode()
        if lacking := [
            name for name in columns or ("id", "path", "digest", "seconds") if name not in table.column_names
        ]:
            raise ValueError(f"no column {lacking[0]}")
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{path}: damaged ({reason}); remove it and run preprocess.py again.") from error
    return table


def _listed(entry: Mapping, features: Path) -> list[Path]:
    return sorted(features.glob(f"*{corpus_folder(entry, '', features).name}/clips.parquet"))


def read_sounds(entries: Sequence[Mapping], features: Path) -> dict[str, Sound]:
    """Return what the audio of every listed clip says of itself, by the clip's id; who was never decoded is left out.

    Args:
        entries: corpora of a config; one that is not listed adds nothing.
        features: the features folder.
    """
    names = [field.name for field in fields(Sound)]
    sounds = {}
    for path in (listed[0] for entry in entries if (listed := _listed(entry, features))):
        table = _table(path, ["id", *names])
        rows = zip(*(table[name].to_pylist() for name in ("id", *names)), strict=True)
        sounds |= {identity: Sound(*facts) for identity, *facts in rows if facts[0]}
    return sounds


def read_clips(config: Config, entry: Mapping, features: Path, command: str) -> tuple[list[Utterance], dict, set]:
    """Return a corpus's utterances, digest and seconds by id, and (path, recipe's folder) of what was rejected.

    Raises:
        ConfigError: nothing cached, or cached from another folder; says what to run.
        DataError: a damaged list.
    """
    candidates = _listed(entry, features)
    if not candidates:
        raise ConfigError(f"{config.name}: no cached features for corpus {entry['name']!r}. Run: {command}")
    table = _table(candidates[0])
    root = Path(config.data_folder(), Path(entry["root"]).expanduser())
    made_from = table.schema.metadata[b"root"].decode()
    if root.exists() and str(root.resolve()) != made_from:
        raise ConfigError(f"{config.name}: features were made from {made_from}, not from {root}. Run: {command}")
    # by column: a dict per row takes a third longer, seconds for a million clips. A list written before a column was
    # thought of lacks it, and its features are as good as ever
    nothing = [""] * len(table)
    known = [field.name for field in fields(Utterance)]
    columns = {name: table[name].to_pylist() if name in table.column_names else nothing for name in known}
    columns["path"] = [Path(made_from, path) for path in columns["path"]]
    utterances = [Utterance(*row) for row in zip(*columns.values(), strict=True)]
    facts = zip(table["digest"].to_pylist(), table["seconds"].to_pylist(), strict=True)
    sounds = dict(zip(columns["id"], facts, strict=True))
    rejected = {(Path(made_from, path), recipe) for path, recipe, _ in read_rejected(candidates[0].parent)}
    return utterances, sounds, rejected
