"""training.csv: the clips that a shipped model learned from, by which an evaluation knows its unseen speakers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.splits.folds import holdout
from evaluation.splits.groups import corpus_of
from utils import foreign_text
from utils.config import Config
from utils.dataset import Dataset

COLUMNS = ("id", "speaker", "digest")


def write(folder: Path, config: Config, data: Dataset) -> None:
    """Write training.csv: every clip that the shipped model learned from.

    Those of the model whose weights it began with are among them, and those of an ensemble's members, which lie beside
    ``folder``.
    """
    rest, _ = holdout(data, config.split.model_dump())
    rows = list(zip(data.ids[rest], data.speakers[rest], data.digests[rest], strict=True))
    starts = [Path(config.init)] if config.init else []
    for source in starts + [folder.parent / name for name in config.members]:
        if (source / "training.csv").is_file():
            rows += zip(*_read(source), strict=True)
    with (folder / "training.csv").open("w", newline="", encoding="utf8") as file:
        writer = foreign_text.Writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(dict.fromkeys(rows))


def corpora(folder: Path, card: Mapping[str, Any]) -> set[str]:
    """Return the corpora that a checkpoint has learned from, those of its initial weights included."""
    recorded = (folder / "training.csv").is_file()
    return set(card["corpora"]) | (set(_corpora(_read(folder)[0]).tolist()) if recorded else set())


def shared(folder: Path, card: Mapping[str, Any], data: Dataset) -> dict[str, Any]:
    """Return what of these clips a checkpoint has learned from: {speaker_disjoint, shared_speakers, shared_clips}.

    Clips are the same where their decoded audio is, whatever their names. Clips of unknown speakers count as
    one speaker per corpus. A checkpoint without training.csv knows its corpora alone, so every clip of one of
    them counts as seen, and the numbers are None.

    Args:
        folder: the checkpoint.
        card: its model.json.
        data: the clips to be tested.
    """
    if not (folder / "training.csv").is_file():
        disjoint = not set(card["corpora"]) & set(corpus_of(data).tolist())
        return {"speaker_disjoint": disjoint, "shared_speakers": None, "shared_clips": None}
    ids, speakers, digests = _read(folder)
    known = set(np.where(speakers == "", _corpora(ids), speakers).tolist())
    tested = set(np.where(data.speakers == "", corpus_of(data), data.speakers).tolist())
    same = int(np.isin(data.digests, digests).sum())
    return {
        "speaker_disjoint": not known & tested and not same,
        "shared_speakers": len(known & tested),
        "shared_clips": same,
    }


def _read(folder: Path) -> list[np.ndarray]:
    """Id, speaker and digest of every clip learned from, (n,) each."""
    with (folder / "training.csv").open(newline="", encoding="utf8") as file:
        rows = list(foreign_text.read_records(file))
    return [np.array([row[name] for row in rows], dtype=str) for name in COLUMNS]


def _corpora(ids: np.ndarray) -> np.ndarray:
    return np.array([str(name).partition("/")[0] for name in ids], dtype=str)
