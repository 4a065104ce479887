"""What a student reads and what it has to answer: frames of its own features beside frames of the teacher.

The teacher hears a piece as it is, and once faster or slower, which changes the voice with it; the student hears the
same, as it is or in a random recording condition (augmentation/conditions.py). So it learns what the teacher would have
said of the voice, whatever the room.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from augmentation.base.variants import applied
from distillation.speech import Source, pieces
from extract_feats import logmel
from utils import plugins
from utils.audio.prepare import equalised
from utils.config import Config
from utils.errors import DataError
from utils.process_pool import Lost, Processes

STRIDE = 2  # frames of the teacher at 50 Hz that are averaged to one of the student at 25 Hz
SPEEDS = (0.85, 1.18)  # of the second version of a piece
DAY = 86_400.0  # seconds
PARTS = ("clean", "degraded", "teacher")


@dataclass(frozen=True)
class Pair:
    """One version of a piece: features (T, bands) as it is and degraded, and the teacher's frames (T / 4, D).

    All are float16, to fit all speech into memory.
    """

    clean: np.ndarray
    degraded: np.ndarray
    teacher: np.ndarray


@dataclass(frozen=True)
class Recipe:
    """What makes the pairs of a file: the config, and the teacher's feature section."""

    config: Config
    teacher: Mapping[str, Any]

    def digest(self, files: Sequence[Source]) -> str:
        """Return 16 hex digits of all that the pairs depend on."""
        layouts = [logmel.layout().recipe, plugins.call("features", self.teacher, "layout").recipe]
        versions = plugins.get("augment", "conditions").constants["VERSION"]
        clip = [self.config.rate, self.config.clip.model_dump(), SPEEDS, versions, layouts]
        text = json.dumps([clip, [(file.id, file.path.stat().st_size) for file in files]], sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def stored(
    files: Sequence[Source], recipe: Recipe, cache: Path, jobs: int, report: Callable[[int, int], None]
) -> dict[str, list[list[Pair]]]:
    """Return the pairs of each file, by the id of its source: one list per piece, one pair per version.

    They are computed once and kept in a folder below ``cache``; the arrays are maps of its files. A file that cannot
    be read, or holds nothing but silence, has none.

    Args:
        files: the sources.
        recipe: how.
        cache: folder.
        jobs: processes, -1 for one per core.
        report: called with (files done, files in all) while they are computed.

    Raises:
        ConfigError: no such teacher.
        DataError: no file can be read.
    """
    folder = cache / f"distillation-{recipe.digest(files)}"
    if not (folder / "index.json").is_file():
        _compute(files, recipe, folder, jobs, report)
    index = json.loads((folder / "index.json").read_text())
    arrays = {
        part: np.memmap(folder / f"{part}.f16", np.float16, mode="r").reshape(-1, index["widths"][part])
        for part in PARTS
    }
    return {id_: [[_pair(arrays, rows) for rows in piece] for piece in made] for id_, made in index["files"].items()}


def _pair(arrays: Mapping[str, np.ndarray], rows: Mapping[str, Sequence[int]]) -> Pair:
    return Pair(**{part: arrays[part][slice(*rows[part])] for part in PARTS})


def _compute(files: Sequence[Source], recipe: Recipe, folder: Path, jobs: int, report) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    widths, ends = {}, dict.fromkeys(PARTS, 0)
    by_file: dict[str, list] = {}
    outputs = {part: (folder / f"{part}.f16").open("wb") for part in PARTS}
    try:
        with Processes(jobs, seconds=DAY) as processes:  # a file may be a whole book
            for source, made in processes.map(_Made(recipe), files):
                made = [] if isinstance(made, Lost) else made
                by_file[source.id] = [[{} for _ in piece] for piece in made]
                for piece, rows in zip(made, by_file[source.id], strict=True):
                    for pair, row in zip(piece, rows, strict=True):
                        for part in PARTS:
                            array = getattr(pair, part)
                            widths[part] = array.shape[1]
                            row[part] = [ends[part], ends[part] + len(array)]
                            ends[part] += len(array)
                            outputs[part].write(array.tobytes())
                report(len(by_file), len(files))
    finally:
        for output in outputs.values():
            output.close()
    if not widths:
        raise DataError("none of the files holds speech that can be read.")
    index = {"widths": widths, "files": {source.id: by_file[source.id] for source in files}}
    (folder / "index.json").write_text(json.dumps(index))


@dataclass(frozen=True)
class _Made:
    recipe: Recipe

    def __call__(self, source: Source) -> list[list[Pair]]:
        config = self.recipe.config
        try:
            waves = list(pieces(source.path, config))
        except DataError:  # silence between prompts, an empty file: nothing to learn from
            return []
        return [[self._pair(wave, f"{source.id} {n}"), self._pair(wave, f"{source.id} {n} speed", speed=True)]
                for n, wave in enumerate(waves)]  # fmt: skip

    def _pair(self, wave: np.ndarray, name: str, *, speed: bool = False) -> Pair:
        config, rng = self.recipe.config, _rng(name)
        if speed:
            wave = _faster(wave, config.rate, rng.uniform(*SPEEDS))
        noisy = _degraded(wave, config.rate, rng)
        clean, degraded = logmel.extract(wave, config.rate), logmel.extract(noisy, config.rate)
        frames = plugins.call("features", self.recipe.teacher, "extract", wave, config.rate)
        whole = frames[: len(frames) // STRIDE * STRIDE]
        teacher = whole.reshape(-1, STRIDE, whole.shape[1]).mean(axis=1)
        return Pair(*(array.astype(np.float16) for array in (clean, degraded, teacher)))


def _rng(name: str) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest()))


def _faster(wave: np.ndarray, rate: int, speed: float) -> np.ndarray:
    import soxr

    return soxr.resample(wave, rate * speed, rate, quality="HQ").astype(np.float32)


def _degraded(wave: np.ndarray, rate: int, rng: np.random.Generator) -> np.ndarray:
    """Return the wave in a random condition, as long as before and at the same active level."""
    section = {"name": "conditions"} | plugins.arguments("augment", {"name": "conditions"})
    noisy = applied(section, wave, rate, rng)[: len(wave)]
    noisy = np.pad(noisy, (0, len(wave) - len(noisy)))
    return equalised(noisy, rate, trim=None, level="active").astype(np.float32)
