"""IEMOCAP, the Interactive Emotional Dyadic Motion Capture database.

Five sessions, in each of which an actress and an actor improvise and play scenes in English: 10,039 utterances,
16 kHz. Three listeners named the emotion of each; on 7529 they agreed on one of nine words. Others rated valence,
arousal and dominance from 1 to 5; the means are kept.

- Where: by request from the Signal Analysis and Interpretation Laboratory, University of Southern California,
  sail.usc.edu/iemocap.
- Licence: research only, by agreement.
- Paper: Busso, Bulut, Lee et al. 2008, doi 10.1007/s10579-008-9076-6.
- The usual four classes, 5531 clips: ``merge: {excited: happy}`` and ``drop: [frustrated, surprise, fear, disgust]``;
  the usual split: ``{by: session}``. Of disgust there are two clips.
- Traps: an utterance's speaker is told by the letter before its turn, not by that after the session (who wore the
  markers); 2507 utterances without agreement (xxx) and 3 of another emotion (oth) are rejected with that reason.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from corpora.base.utterance import Published, Rejected, Utterance, walk
from utils.errors import DataError

SOURCE = (
    "Apply for it at sail.usc.edu/iemocap (research only) and unpack it so that "
    "IEMOCAP/Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav and "
    "IEMOCAP/Session1/dialog/EmoEvaluation/Ses01F_impro01.txt lie below $SER_DATA."
)
GRAMMAR = (
    "session, dialogue and turn, with a line in dialog/EmoEvaluation/DIALOGUE.txt, e.g. "
    "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav"
)
EMOTION = {
    "neu": "neutral", "ang": "angry", "sad": "sad", "hap": "happy", "exc": "excited", "fru": "frustrated",
    "sur": "surprise", "fea": "fear", "dis": "disgust",
}  # fmt: skip
NOT_AGREED = {
    "xxx": "the listeners agreed on no emotion (xxx)",
    "oth": "the listeners agreed on another emotion than the corpus names (oth)",
}
SEX = {"F": "female", "M": "male"}
NAME = re.compile(r"((Ses0[1-5])[FM]_\w+)_([FM])(\d{3})")
DIALOGUE = re.compile(r"Ses0[1-5][FM]_(impro|script)\d\w*")
LINE = re.compile(r"\[[\d.]+ - [\d.]+\]\s+(Ses\w+)\s+(\w{3})\s+\[([\d.]+),\s*([\d.]+),\s*([\d.]+)\]")


def utterances(root: Path) -> Iterator[Utterance | Rejected]:
    """Yield the clips that listeners agreed on, as Rejected the others and the labels without a clip."""
    known = _labels(root)
    met = set()

    def parse_known(path: Path) -> Utterance | None:
        if DIALOGUE.fullmatch(path.stem) and not NAME.fullmatch(path.stem):
            return None  # a whole dialogue, of which the sentences are the parts
        met.add(path.stem)
        return parse(path, known)

    yield from walk(root, parse_known)
    for name, label in known.items():
        if name not in met:
            path = label.file.parents[2] / "sentences" / "wav" / name.rpartition("_")[0] / f"{name}.wav"
            yield Rejected(path, "a line of dialog/EmoEvaluation names it, but it is not there")


class Label(NamedTuple):
    """A line of EmoEvaluation: the word, mean ratings from 1 to 5, and the file it stands in."""

    word: str
    valence: str
    arousal: str
    dominance: str
    file: Path


def parse(path: Path, known: Mapping[str, Label]) -> Utterance:
    """Return the utterance of a clip.

    >>> label = Label("exc", "4.5000", "4.0000", "3.0000", Path("Ses01F_impro01.txt"))
    >>> clip = parse(Path("Ses01F_impro01_M003.wav"), {"Ses01F_impro01_M003": label})
    >>> clip.speaker, clip.emotion, clip.session, clip.valence
    ('Ses01M', 'excited', 'Ses01', '4.5000')

    Raises:
        DataError: another name, no label, or none that listeners agreed on.
    """
    match = NAME.fullmatch(path.stem)
    if not match or path.stem not in known:
        raise DataError(f"{path}: not an IEMOCAP sentence with a label; expected {GRAMMAR}")
    dialogue, session, letter, _ = match.groups()
    label = known[path.stem]
    if label.word not in EMOTION:
        reason = NOT_AGREED.get(label.word, f"its label {label.word!r} is none of the corpus's")
        raise DataError(f"{path}: {reason}")
    return Utterance(
        id=path.stem,
        path=path,
        emotion=EMOTION[label.word],
        speaker=session + letter,
        sex=SEX[letter],
        session=session,
        dialogue=dialogue,
        valence=label.valence,
        arousal=label.arousal,
        dominance=label.dominance,
    )


def published() -> Published:
    """Return how many of the 10,039 utterances bear each word; how many of them each speaker says is not stated."""
    emotions = {
        "neutral": 1708, "angry": 1103, "sad": 1084, "happy": 595, "excited": 1041, "frustrated": 1849,
        "surprise": 107, "fear": 40, "disgust": 2,
    }  # fmt: skip
    return Published(sum(emotions.values()), emotions, rate=16000)


def _labels(root: Path) -> Mapping[str, Label]:
    labels = {}
    for file in sorted(root.rglob("EmoEvaluation/*.txt")):
        if not file.name.startswith("."):
            for name, word, *ratings in LINE.findall(file.read_text(encoding="utf8", errors="replace")):
                labels[name] = Label(word, *ratings, file)
    return labels
