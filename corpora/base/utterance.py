"""What a corpus consists of, and the walk over its folder that every parser uses."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from utils.audio.files import audio_files
from utils.errors import DataError

EMOTIONS = (
    "angry", "happy", "sad", "neutral", "fear", "disgust", "surprise",
    "calm", "boredom", "excited", "frustrated",
)  # fmt: skip


@dataclass(frozen=True)
class Utterance:
    """One labelled clip, with what the corpus knows of it.

    A parser gives ``id`` and ``speaker`` as the corpus has them; ``corpora.read`` puts the corpus
    before both. "" means that the corpus does not know.
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
    age: str = ""  # years
    dialogue: str = ""
    votes: str = ""  # of listeners to the sound alone, e.g. "fear=3 neutral=6"
    valence: str = ""  # mean rating on the corpus's own scale, as it states it; likewise:
    arousal: str = ""
    dominance: str = ""


@dataclass(frozen=True)
class Rejected:
    """A file that cannot be used, and why (without the path: equal reasons can be counted)."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Published:
    """What the corpus's paper or record says it holds; the check compares with it. 0 and {}: not known."""

    clips: int
    emotions: dict[str, int]
    speakers: dict[str, int] = field(default_factory=dict)  # speaker -> clips
    rate: int = 0  # Hz
    seconds: int = 0  # duration of all clips together


def walk(
    root: Path, parse: Callable[[Path], Utterance | None], *, copies: bool = True
) -> Iterator[Utterance | Rejected]:
    """Yield what parse makes of every audio file below root, in a stable order.

    A DataError becomes a Rejected; None (a part of the corpus that was not asked for) is left out.

    Args:
        root: the corpus's folder.
        parse: the parser of one path.
        copies: one id names one recording, so a second file of the same id and size is a copy (circulating
            archives hold whole trees twice) and left out; one of another size is rejected. False: no
            judgement on equal ids.
    """
    first: dict[str, Path] = {}
    for path in audio_files(root):
        try:
            utterance = parse(path)
        except DataError as error:
            yield Rejected(path, str(error).removeprefix(f"{path}: "))
            continue
        if utterance is None:
            continue
        known = first.setdefault(utterance.id, path)
        if known is path or not copies:
            yield utterance
        elif _size(known) != _size(path):
            yield Rejected(path, "a second file of a recording that is there already, and not a copy of it")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else -1  # a broken link
