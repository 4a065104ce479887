"""A table of clips: CSV, TSV or parquet, one row per clip, with your own column names and labels.

    {name: manifest, root: nemo, file: data.tsv, path: file_id, emotion: emotion, speaker: speaker_id}

Paths are relative to root, or absolute and below root; a file that is not there is looked for by its name
anywhere below root, and a name without a suffix gets that of the audio file there is. A table of somebody else
can name any file of this machine, so that files outside root are read only from the folders listed under ``also``.
"""

import csv
import io
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from corpora.base.utterance import Rejected, Utterance
from utils.audio.files import AUDIO_SUFFIXES, audio_files
from utils.errors import ConfigError, DataError
from utils.plugins import nearest

SOURCE = "Put your table and its clips into one folder, so that <root>/<file> lies below $SER_DATA."
GRAMMAR = "a table whose path column names audio files below root, and whose emotion column is filled"
NAMED_BY_FOLDER = True
SEX = {"f": "female", "female": "female", "woman": "female", "m": "male", "male": "male", "man": "male"}
SPLIT = {
    "": "", "train": "train", "training": "train", "test": "test", "testing": "test",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
}  # fmt: skip


def utterances(
    root: Path,
    *,
    file: str,
    path: str = "path",
    emotion: str = "emotion",
    speaker: str | None = None,
    sex: str | None = None,
    text: str | None = None,
    intensity: str | None = None,
    split: str | None = None,
    session: str | None = None,
    also: list[str] | None = None,
) -> Iterator[Utterance | Rejected]:
    """Yield the rows of a table as clips; all arguments but file and also are column names, None: there is none.

    Args:
        root: the folder that paths are relative to.
        file: the table, relative to root or absolute: .csv, .tsv or .parquet.
        path: the audio file of a clip.
        emotion: its label, kept as it is.
        speaker: who speaks.
        sex: female or male, also f, m, woman, man; other words count as unknown.
        text: what is said.
        intensity: how strongly.
        split: train, validation or test, also training, valid, val, dev, testing.
        session: recording session.
        also: folders outside root that paths may lie in, absolute or relative to root.

    Raises:
        DataError: no such table, or not one.
        ConfigError: no such column; names the nearest.
    """
    columns = {
        "path": path, "emotion": emotion, "speaker": speaker, "sex": sex, "text": text,
        "intensity": intensity, "split": split, "session": session,
    }  # fmt: skip
    rows = _rows(root / file, {key: column for key, column in columns.items() if column is not None})
    return _clips(root, [Path(os.path.normpath(root / folder)) for folder in ("", *(also or []))], rows)


def _rows(table: Path, columns: dict[str, str]) -> list[dict[str, str]]:
    """Return the rows, by our names of the columns, as stripped text, "" where nothing is stated."""
    try:
        known, rows = _read_parquet(table) if table.suffix.lower() == ".parquet" else _read_text(table)
    except OSError as error:
        raise DataError(f"corpus manifest: no table {table}: {error.strerror or error}. {SOURCE}") from error
    except (ValueError, csv.Error) as error:  # also Arrow's errors and those of Unicode
        reason = str(error).partition("\n")[0].rstrip(".")
        raise DataError(f"corpus manifest: {table} is no CSV, TSV or parquet table ({reason}).") from error
    for key, column in columns.items():
        if column not in known:
            hint, listed = nearest(column, known), ", ".join(known)
            raise ConfigError(f"corpus manifest: {key}: {table} has no column {column!r}.{hint} It has: {listed}.")
    return [{key: "" if row[c] is None else str(row[c]).strip() for key, c in columns.items()} for row in rows]


def _read_parquet(table: Path) -> tuple[list[str], list[dict]]:
    from pyarrow import parquet  # costs start-up, and few tables are parquet

    content = parquet.read_table(table)
    return content.column_names, content.to_pylist()


def _read_text(table: Path) -> tuple[list[str], list[dict]]:
    text = table.read_text(encoding="utf-8-sig")
    separator = max("\t,;", key=text.partition("\n")[0].count)
    reader = csv.DictReader(io.StringIO(text), delimiter=separator)
    rows = []
    for row in reader:
        if None in row:  # DictReader's key for what the header has no column for
            raise ValueError(f"line {reader.line_num} has more fields than the header; quote those with {separator!r}")
        rows.append(row)
    if not reader.fieldnames:
        raise ValueError("it is empty")
    return list(reader.fieldnames), rows


def _clips(root: Path, folders: list[Path], rows: list[dict[str, str]]) -> Iterator[Utterance | Rejected]:
    files = cache(lambda: _by_name(root))  # looked through once, and only when a row needs it
    for row in rows:
        named = row.pop("path").replace("\\", "/")
        path = root / named
        sex, split = row.get("sex", "").lower(), row.get("split", "").lower()
        if not named or not row["emotion"]:
            yield Rejected(path, "its row in the table has no path or no emotion")
        elif split not in SPLIT:
            yield Rejected(path, f"split {split!r} is none of train, validation, test")
        else:
            try:
                path = _find(root, folders, named, files)
            except DataError as error:
                yield Rejected(path, str(error).removeprefix(f"{path}: "))
                continue
            name = named[: -len(path.suffix)] if named.lower().endswith(AUDIO_SUFFIXES) else named
            parts = [part for part in name.split("/") if part != ".."]  # results are written under names made of ids
            yield Utterance("/".join(parts).lstrip("/"), path, **row | {"sex": SEX.get(sex, ""), "split": SPLIT[split]})


def _by_name(root: Path) -> dict[str, list[Path]]:
    files = defaultdict(list)
    for file in audio_files(root):
        files[file.name].append(file)
        files[file.stem].append(file)
    return files


def _find(root: Path, folders: list[Path], named: str, files: Callable[[], dict[str, list[Path]]]) -> Path:
    path = Path(os.path.normpath(root / named))  # without "..", which would lead on from where a link points
    inside = any(path.is_relative_to(folder) for folder in folders)
    suffixes = ("",) if named.lower().endswith(AUDIO_SUFFIXES) else ("", *AUDIO_SUFFIXES)
    for beside in (path.with_name(path.name + suffix) for suffix in suffixes * inside):
        if _is_file(beside):
            return beside
    same_name = files().get(path.name, [])
    if len(same_name) == 1:
        return same_name[0]
    if same_name:
        raise DataError(f"{root / named}: several files below root have its name")
    reason = "no such file" if inside else "it lies outside root; list its folder under also: [...] to allow it"
    raise DataError(f"{root / named}: {reason}")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long
        return False
