"""What explain.py writes: explanations.json and .txt of a run, and a JSON and a picture per recording."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.explanations import pictures, text
from evaluation.explanations.explain import explain_clip
from evaluation.explanations.unseen import shipped_model
from prediction.answers import distinct
from prediction.extractor import Extractor
from utils.audio.prepare import read_wave
from utils.config import Config
from utils.errors import DataError


def write_run(explanation: Mapping[str, Any], folder: Path) -> str:
    """Write explanations.json, explanations.txt and their pictures; return the text."""
    pictures.write_run(explanation, folder)
    words = text.of_run(explanation)
    _write_json(folder / "explanations.json", explanation)
    (folder / "explanations.txt").write_text(words, encoding="utf8")
    return words


def explain_recordings(
    checkpoint: Path, config: Config, card: Mapping[str, Any], files: Sequence[Path], folder: Path
) -> Iterator[str | DataError]:
    """Explain recordings by the shipped model, and write a JSON and a picture of each.

    Args:
        checkpoint: of the model.
        config: of its run.
        card: its model.json.
        files: audio.
        folder: to write to.

    Yields:
        what is to be said of each file; of a file that cannot be read, the error.
    """
    extract, model = Extractor(card), shipped_model(checkpoint, config, card["labels"])
    names = distinct([str(file) for file in files])
    for file in files:
        try:
            clip, wave = extract(file), read_wave(file, config.rate, **config.clip.model_dump())
        except DataError as error:
            yield error
            continue
        explanation = explain_clip(model, clip, config)
        title = f"{file.name}: {explanation['answer']} ({explanation['probability']:.2f}), by {config.name}"
        path = folder / names[str(file)]
        pictures.write_clip(
            explanation, model, clip, wave, config, title=title, path=path.with_name(f"{path.name}.png")
        )
        _write_json(path.with_name(f"{path.name}.json"), {"file": str(file), "name": config.name} | explanation)
        yield text.of_clip(explanation, title)


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf8")
