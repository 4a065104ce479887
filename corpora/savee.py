"""SAVEE, Surrey Audio-Visual Expressed Emotion.

Four British men (DC, JE, JK, KL) say TIMIT sentences in seven emotions, 15 clips each and 30 of neutral: 480
clips, 44.1 kHz.

- Where: kahlan.eps.surrey.ac.uk/savee, after registration.
- Licence: research only.
- Paper: Haq & Jackson 2010, Multimodal Emotion Recognition, in: Machine Audition: Principles, Algorithms and
  Systems (Wang, ed.), IGI Global, 398-423.
- Forms: one folder per speaker (``DC/a01.wav``), or flat (``DC_a01.wav``).
"""

import re
from collections.abc import Iterator
from pathlib import Path

from corpora.base.utterance import Published, Rejected, Utterance, walk
from utils.errors import DataError

SOURCE = (
    "Register at kahlan.eps.surrey.ac.uk/savee (research only) and unpack AudioData so that SAVEE/DC/a01.wav "
    "or SAVEE/DC_a01.wav lies below $SER_DATA."
)
GRAMMAR = "a, d, f, h, n, sa or su and two digits, of speaker DC, JE, JK or KL: DC/a01.wav or DC_a01.wav"
EMOTION = {
    "a": "angry", "d": "disgust", "f": "fear", "h": "happy", "n": "neutral", "sa": "sad", "su": "surprise",
}  # fmt: skip
SPEAKERS = ("DC", "JE", "JK", "KL")
NAME = re.compile(r"(?:(DC|JE|JK|KL)_)?(sa|su|[adfhn])(\d\d)")


def utterances(root: Path) -> Iterator[Utterance | Rejected]:
    """Yield the clips of either form."""
    return walk(root, parse)


def parse(path: Path) -> Utterance:
    """Return the utterance that a SAVEE path describes.

    >>> parse(Path("JE/su03.wav")).id, parse(Path("JE_su03.wav")).emotion
    ('JE_su03', 'surprise')

    Raises:
        DataError: another name, or no speaker in the name or above it.
    """
    match = NAME.fullmatch(path.stem)
    speaker = (match and match[1]) or path.parent.name.upper()
    if not match or speaker not in SPEAKERS:
        raise DataError(f"{path}: not a SAVEE name; expected {GRAMMAR}")
    return Utterance(f"{speaker}_{match[2]}{match[3]}", path, EMOTION[match[2]], speaker, "male")


def published() -> Published:
    """Return the counts of the published database."""
    emotions = {emotion: 120 if emotion == "neutral" else 60 for emotion in EMOTION.values()}
    return Published(480, emotions, dict.fromkeys(SPEAKERS, 120), rate=44100, seconds=1843)
