"""Radar charts of answers: where each goes, and writing it. matplotlib is loaded only where a chart is asked for."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from prediction.answers import Answer, distinct
from utils.errors import ConfigError


def chart_paths(files: Sequence[str], radar: Path | None) -> dict[str, Path]:
    """Return where each file's chart goes: ``radar``, or <stem>_radar.png in the folder it names (or the working one).

    Files of one stem get their path in the name, so that none overwrites another.

    Raises:
        ConfigError: many charts for one picture file, or a kind of picture that is not drawn.
    """
    from utils import plots

    if radar and radar.suffix and not radar.is_dir():
        if radar.suffix.lower() not in plots.SUFFIXES:
            raise ConfigError(f"--radar {radar}: must end in {', '.join(plots.SUFFIXES)}, or be a folder.")
        if len(files) > 1:
            raise ConfigError(f"--radar {radar}: one picture for {len(files)} files. Name a folder.")
        return {files[0]: radar}
    return {file: Path(radar or "", f"{name}_radar.png") for file, name in distinct(files).items()}


def draw_all(answers: Iterable[Answer], paths: Mapping[str, Path]) -> Iterator[Path]:
    """Write the charts of the answers that have one and no error; yield the path of each."""
    for answer in answers:
        if answer.file in paths and not answer.error:
            draw(answer, paths[answer.file])
            yield paths[answer.file]


def draw(answer: Answer, path: Path) -> None:
    """Write the chart of an answer without an error, grey where the model does not know; PNG, SVG or PDF by suffix."""
    from utils import plots

    values, labels = list(answer.probabilities.values()), list(answer.probabilities)
    plots.save(plots.radar(values, labels, title=answer.headline, grey=answer.is_outside), path)
