"""Timelines of several recordings, each made by another process, so that one that kills or blocks it stops no other."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path

from prediction.recogniser import Recogniser
from prediction.timeline import Report
from prediction.timeline_files import Timeline
from prediction.timeline_settings import TimelineSettings
from utils.errors import BROKEN_FILE, DataError, reason_of
from utils.process_pool import Lost, Processes

LONGEST_WORK = 86_400.0  # seconds; a recording may be a day long

Make = Callable[[str], Timeline | str]


def timelines(
    checkpoint: Path, recogniser: Recogniser, files: Sequence[str], settings: TimelineSettings, report: Report
) -> Iterator[tuple[str, Timeline | str]]:
    """Yield each recording with its timeline, or with the reason why there is none, which begins with the file.

    Args:
        checkpoint: the model's folder, which the other process opens.
        recogniser: the same model, open here: a recording that is alone is read by this process.
        files: paths.
        settings: windows, hops and smoothing.
        report: is told the seconds done and in all of one recording, or how many of several are done.

    Raises:
        ConfigError: as ``prediction.timeline.make_timeline``.
    """
    if len(files) == 1:
        yield files[0], _made(files[0], recogniser, settings, report)
        return
    with Processes(1, seconds=LONGEST_WORK) as processes:
        make: Make = partial(_made_elsewhere, checkpoint=checkpoint, settings=settings)
        for done, (file, timeline) in enumerate(processes.map(make, files), 1):
            yield file, f"{file}: {timeline.reason}." if isinstance(timeline, Lost) else timeline
            report(done, len(files))


def _made(file: str, recogniser: Recogniser, settings: TimelineSettings, report: Report) -> Timeline | str:
    try:
        return recogniser.timeline(Path(file), settings, report=report)
    except (DataError, *BROKEN_FILE) as error:
        return reason_of(error, file)


def _made_elsewhere(file: str, checkpoint: Path, settings: TimelineSettings) -> Timeline | str:
    return _made(file, _opened(checkpoint), settings, lambda done, total: None)


@lru_cache(maxsize=1)
def _opened(checkpoint: Path) -> Recogniser:
    return Recogniser.open(checkpoint)
