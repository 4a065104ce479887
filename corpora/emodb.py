"""EMO-DB, the Berlin Database of Emotional Speech.

Ten actors (5 female, 5 male) say ten German sentences in seven emotions; the 535 clips that at least 80 % of
the listeners recognised and 60 % found natural are published, 16 kHz. Speaker 08 has no disgust.

- Where: emodb.bilderbar.info/download/download.zip, also Zenodo record 7447302.
- Licence: free to use; the authors ask to be cited.
- Paper: Burkhardt, Paeschke, Rolfes, Sendlmeier & Weiss 2005, doi 10.21437/Interspeech.2005-446.
- Traps: a version cut or padded to 2.0 s at 22,050 Hz circulates; scores on it are no scores on EMO-DB.
"""

from collections.abc import Iterator
from pathlib import Path

from corpora.base.utterance import Published, Rejected, Utterance, walk
from utils.errors import DataError

SOURCE = (
    "Run python -m corpora.download emodb, or get download.zip of emodb.bilderbar.info/download or Zenodo record "
    "7447302, free to use when cited, and unpack it so that EMO-DB/wav/03a01Fa.wav lies below $SER_DATA."
)
GRAMMAR = "speaker, sentence, German letter of the emotion (W L E A F T N) and version, e.g. 03a01Fa.wav"
DOWNLOAD = {
    "folder": "EMO-DB",
    "licence": "free to use, to be cited as Burkhardt et al. 2005, http://emodb.bilderbar.info/",
    "files": [{"url": "http://emodb.bilderbar.info/download/download.zip"}],
}
EMOTION = {
    "W": "angry",  # Wut
    "L": "boredom",  # Langeweile
    "E": "disgust",  # Ekel
    "A": "fear",  # Angst
    "F": "happy",  # Freude
    "T": "sad",  # Trauer
    "N": "neutral",
}
SENTENCE = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}
CLIPS = {
    "03": 49, "08": 58, "09": 43, "10": 38, "11": 55, "12": 35, "13": 61, "14": 69, "15": 56, "16": 71,
}  # fmt: skip
MALE = ("03", "10", "11", "12", "15")


def utterances(root: Path) -> Iterator[Utterance | Rejected]:
    """Yield the clips."""
    return walk(root, parse)


def parse(path: Path) -> Utterance:
    """Return the utterance that an EMO-DB file name describes.

    >>> parse(Path("03a01Fa.wav")).emotion
    'happy'

    Raises:
        DataError: another name.
    """
    stem = path.stem
    speaker, sentence, emotion, version = stem[:2], stem[2:5], stem[5:6], stem[6:]
    known = speaker in CLIPS and sentence in SENTENCE and emotion in EMOTION
    if not known or len(version) > 1 or not (version == "" or version.isalpha()):
        raise DataError(f"{path}: not an EMO-DB name; expected {GRAMMAR}")
    sex = "male" if speaker in MALE else "female"
    return Utterance(stem, path, EMOTION[emotion], speaker, sex, text=SENTENCE[sentence])


def published() -> Published:
    """Return the counts of the published database."""
    emotions = {"angry": 127, "boredom": 81, "disgust": 46, "fear": 69, "happy": 71, "sad": 62, "neutral": 79}
    return Published(535, emotions, CLIPS, rate=16000, seconds=1487)
