"""CASIA, a Mandarin emotional speech corpus of the Chinese Academy of Sciences, in its usual subset.

Two women and two men say the same 50 Mandarin sentences (201 to 250) in six emotions: 1200 clips, 16 kHz.

- Where: from the Institute of Automation of the Chinese Academy of Sciences.
- Licence: no open one.
- Paper: none of its own; shachi.org/resources/27 describes it.
- Forms: ``liuchanhg/angry/201.wav`` (capitals vary), or flat, ``201-angry-liuchanhg.wav``, often in folders
  named after emotions.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from corpora.base.utterance import Published, Rejected, Utterance, walk
from utils.errors import DataError

SOURCE = (
    "Ask the Institute of Automation, Chinese Academy of Sciences, for it (no open licence), and put it so "
    "that CASIA/liuchanhg/angry/201.wav or CASIA/201-angry-liuchanhg.wav lies below $SER_DATA."
)
GRAMMAR = (
    "SPEAKER/EMOTION/NUMBER.wav or NUMBER-EMOTION-SPEAKER.wav of speakers liuchanhg, wangzhe, zhaoquanyin, "
    "zhaozuoxiang, e.g. liuchanhg/angry/201.wav"
)
EMOTIONS = ("angry", "fear", "happy", "neutral", "sad", "surprise")
SEX = {"liuchanhg": "female", "wangzhe": "male", "zhaoquanyin": "female", "zhaozuoxiang": "male"}


def utterances(root: Path) -> Iterator[Utterance | Rejected]:
    """Yield the clips of either form."""
    return walk(root, parse)


def parse(path: Path) -> Utterance:
    """Return the utterance that a CASIA path describes; its text is the sentence's number.

    >>> parse(Path("ZhaoZuoxiang/fear/217.wav")).id, parse(Path("sad/217-sad-liuchanhg.wav")).speaker
    ('zhaozuoxiang_fear_217', 'liuchanhg')

    Raises:
        DataError: another name.
    """
    number, *rest = re.split(r"[-_ ]+", path.stem.lower())
    if not rest:
        rest = [path.parent.name.lower(), path.parent.parent.name.lower()]
    if len(rest) != 2 or not number.isdecimal() or rest[0] not in EMOTIONS or rest[1] not in SEX:
        raise DataError(f"{path}: not a CASIA name; expected {GRAMMAR}")
    emotion, speaker = rest
    return Utterance(f"{speaker}_{emotion}_{number}", path, emotion, speaker, SEX[speaker], text=number)


def published() -> Published:
    """Return the counts of the usual subset."""
    return Published(1200, dict.fromkeys(EMOTIONS, 200), dict.fromkeys(SEX, 300), rate=16000, seconds=2287)
