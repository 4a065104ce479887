"""Corpora: each plug-in file turns one corpus on disk into utterances."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from utils.errors import DataError

EMOTIONS = (
    "angry", "happy", "sad", "neutral", "fear", "disgust", "surprise", "calm", "boredom", "excited", "frustrated",
)  # fmt: skip
AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".mp4", ".m4a", ".webm")


@dataclass(frozen=True)
class Utterance:
    """One labelled clip, with what the corpus knows of it.

    A parser gives ``id`` and ``speaker`` as the corpus has them; ``corpora.read`` puts the corpus
    before both. None and "" mean that the corpus does not know.
    """

    id: str
    path: Path
    emotion: str
    speaker: str = ""
    sex: str = ""  # female | male
    intensity: str = ""
    text: str = ""
    session: str = ""
    split: str = ""  # train | validation | test, where the corpus publishes one
    corpus: str = ""


@dataclass(frozen=True)
class Rejected:
    """A file that cannot be used, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Published:
    """What the corpus's paper or record says it holds; the check compares against it."""

    clips: int
    emotions: dict[str, int]
    speakers: dict[str, int] = field(default_factory=dict)  # clips a speaker; empty: only their number is known
    n_speakers: int = 0
    rate: int = 0  # Hz


def audio_files(root: Path) -> Iterator[Path]:
    """Yield the audio files below root in a stable order, hidden and AppleDouble files left out."""
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith("."):
            yield path


def walk(root: Path, parse: Callable[[Path], Utterance | None]) -> Iterator[Utterance | Rejected]:
    """Yield what parse makes of every audio file below root; a DataError becomes a Rejected, None is left out."""
    for path in audio_files(root):
        try:
            utterance = parse(path)
        except DataError as error:
            yield Rejected(path, str(error))
        else:
            if utterance:
                yield utterance
