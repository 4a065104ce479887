"""The speech that a network is distilled on: clips of corpora and of folders, cut into pieces of a few seconds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from corpora.base.read import read
from utils.audio.files import audio_files
from utils.audio.prepare import read_wave
from utils.config import Config
from utils.errors import DataError

LONGEST, SHORTEST = 5.0, 0.6  # seconds of a piece


@dataclass(frozen=True)
class Source:
    """A file of speech; ``id`` is corpus/clip, or its path beginning with the name of the folder that was given."""

    id: str
    path: Path


def sources(config: Config, folders: Sequence[Path]) -> list[Source]:
    """Return the files of a config's corpora, whose labels are not read, and of folders; sorted by id.

    Args:
        config: of which ``corpora`` counts.
        folders: with audio files anywhere below.

    Raises:
        ConfigError, DataError: as reading a corpus; a folder without audio.
    """
    clips = [clip for entry in config.corpora for clip in read(entry, Config.data_folder())[0]]
    files = [Source(clip.id, clip.path) for clip in clips]
    for folder in folders:
        below = [Source(f"{folder.name}/{path.relative_to(folder)}", path) for path in audio_files(folder)]
        if not below:
            raise DataError(f"{folder}: holds no audio files.")
        files += below
    return sorted(files, key=lambda source: source.id)


def pieces(path: Path, config: Config) -> Iterator[np.ndarray]:
    """Yield the waves (n,) float32 of a file, prepared as the config's ``clip`` says and cut into equal parts.

    Raises:
        DataError: the file cannot be read, is silent or too short.
    """
    wave = read_wave(path, config.rate, **config.clip.model_dump())
    count = max(1, round(len(wave) / config.rate / LONGEST))
    for piece in np.array_split(wave, count):
        if len(piece) >= SHORTEST * config.rate:
            yield np.ascontiguousarray(piece)
