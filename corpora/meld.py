"""MELD, the Multimodal EmotionLines Dataset: dialogues of the television series Friends.

13,708 utterances of 304 speakers in seven emotions, which three people judged from picture, sound and text; 13,706
are usable. The sound is that of the mp4 clips, with the laughter, music and street of the series.

- Where: affective-meld.github.io, ``MELD.Raw.tar.gz``; ``train_sent_emo.csv``, ``dev_sent_emo.csv`` and
  ``test_sent_emo.csv`` beside the folders ``train_splits``, ``dev_splits_complete``, ``output_repeated_splits_test``.
- Licence: research only.
- Paper: Poria, Hazarika, Majumder, Naik, Cambria & Mihalcea 2019, doi 10.18653/v1/P19-1050.
- Traps: the official split, ``split: {by: official}``, is speaker-dependent: 96 to 97 % of its dev and test rows are of
  training speakers; ``split: {by: speaker}`` is not. train dia125_utt3 is corrupt, dev dia110_utt7 is missing. Files
  called ``final_videos_test...`` and ``._...`` are left-overs. Some speakers ("All", "Man") are several people.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from corpora.base import tables
from corpora.base.utterance import Published, Rejected, Utterance, walk
from utils.errors import DataError

SOURCE = (
    "Run python -m corpora.download meld (11 GB, research only), or unpack MELD.Raw.tar.gz of "
    "affective-meld.github.io, so that MELD/train_splits and MELD/train_sent_emo.csv lie below $SER_DATA."
)
GRAMMAR = (
    "diaD_uttU.mp4 in train_splits, dev_splits_complete or output_repeated_splits_test, with a row in "
    "train_, dev_ or test_sent_emo.csv, e.g. train_splits/dia0_utt3.mp4"
)
DOWNLOAD = {
    "folder": "MELD",
    "licence": "research only; annotations GPL-3.0, https://affective-meld.github.io/",
    "files": [{"url": "https://web.eecs.umich.edu/~mihalcea/downloads/MELD.Raw.tar.gz"}],
}
EMOTION = {
    "anger": "angry", "disgust": "disgust", "fear": "fear", "joy": "happy", "neutral": "neutral",
    "sadness": "sad", "surprise": "surprise",
}  # fmt: skip
FOLDER = {"train": "train_splits", "dev": "dev_splits_complete", "test": "output_repeated_splits_test"}
SPLIT = {"train": "train", "dev": "validation", "test": "test"}
CORRUPT = "train_dia125_utt3"
COLUMNS = ("Utterance", "Speaker", "Emotion", "Dialogue_ID", "Utterance_ID")
NAME = re.compile(r"dia\d+_utt\d+")


def utterances(root: Path) -> Iterator[Utterance | Rejected]:
    """Yield the clips that have a row, as Rejected the clips without row, the rows without clip and the corrupt clip.

    Raises:
        DataError: a table lacks a column.
    """
    known = _rows(root)
    met = set()

    def parse_known(path: Path) -> Utterance | None:
        if any(part.startswith("final_videos_test") for part in path.relative_to(root).parts):
            return None
        clip = identify(path)
        met.add(clip)
        return _utterance(path, clip, known)

    yield from walk(root, parse_known)
    for clip, (_, table) in known.items():
        if clip not in met:
            part, _, name = clip.partition("_")
            path = table.parent / FOLDER[part] / f"{name}.mp4"
            yield Rejected(path, f"a row of {table.name} names it, but it is not there")


def identify(path: Path) -> str:
    """Return the id of a clip: its part of the official split, dialogue and utterance.

    >>> identify(Path("MELD.Raw/dev_splits_complete/dia3_utt0.mp4"))
    'dev_dia3_utt0'

    Raises:
        DataError: another name, or not in a folder of MELD's.
    """
    part = next((part for part, folder in FOLDER.items() if folder in path.parts), None)
    if not part or not NAME.fullmatch(path.stem):
        raise DataError(f"{path}: not a MELD name; expected {GRAMMAR}")
    return f"{part}_{path.stem}"


def published() -> Published:
    """Return the counts of the paper's tables, less the two clips that nobody can use, both neutral."""
    emotions = {
        "angry": 1607, "disgust": 361, "fear": 358, "happy": 2308, "neutral": 6434, "sad": 1002, "surprise": 1636,
    }  # fmt: skip
    return Published(sum(emotions.values()), emotions)


def _rows(root: Path) -> Mapping[str, tuple[dict[str, str], Path]]:
    """Return the row of each clip by its id, and the table it stands in."""
    rows = {}
    for part in FOLDER:
        table = tables.find(root, f"{part}_sent_emo.csv")
        for row in tables.rows(table, COLUMNS) if table else []:
            rows[f"{part}_dia{row['Dialogue_ID']}_utt{row['Utterance_ID']}"] = row, table
    return rows


def _utterance(path: Path, clip: str, known: Mapping[str, tuple[dict[str, str], Path]]) -> Utterance:
    part, dialogue, _ = clip.split("_")
    if clip == CORRUPT:
        raise DataError(f"{path}: corrupt as published; no sound can be decoded")
    if clip not in known:
        raise DataError(f"{path}: no row in {part}_sent_emo.csv; expected {GRAMMAR}")
    row, table = known[clip]
    if row["Emotion"].lower() not in EMOTION or not row["Speaker"]:
        raise DataError(f"{path}: its row in {table.name} has no speaker or no known emotion ({row['Emotion']!r})")
    return Utterance(
        id=clip,
        path=path,
        emotion=EMOTION[row["Emotion"].lower()],
        speaker=row["Speaker"],
        text=row["Utterance"],
        split=SPLIT[part],
        dialogue=f"{part}_{dialogue}",
    )
