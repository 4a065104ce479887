"""CREMA-D, the Crowd-sourced Emotional Multimodal Actors Dataset.

91 actors (48 male, 43 female, aged 20 to 74) say twelve English sentences in six emotions, one of the sentences at
three levels: 7442 clips, 16 kHz. 2443 people have rated them, by sound alone, picture alone, and both.

- Where: github.com/CheyneyComputerScience/CREMA-D, ``AudioWAV`` (the same clips as MP3 are left out beside it), with
  ``VideoDemographics.csv`` (sex and age) and ``processedResults/tabulatedVotes.csv`` (the votes), if there.
- Licence: Open Database License 1.0.
- Paper: Cao, Cooper, Keutmann, Gur, Nenkova & Verma 2014, doi 10.1109/TAFFC.2014.2336244.
- Traps: a plain clone or zip of the repository holds Git-LFS pointers of 130 bytes in place of the audio; of the
  clips 1076_MTI_SAD_XX is silent; the label is what the actor was asked to play, not what listeners heard.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from corpora.base import tables
from corpora.base.utterance import Published, Rejected, Utterance, walk
from utils.errors import DataError

SOURCE = (
    "Run python -m corpora.download crema_d, or 'git lfs pull' in a clone of "
    "github.com/CheyneyComputerScience/CREMA-D (ODbL), so that CREMA-D/AudioWAV/1001_DFA_ANG_XX.wav lies below "
    "$SER_DATA."
)
GRAMMAR = "actor(1001-1091)_sentence_emotion(ANG DIS FEA HAP NEU SAD)_level(LO MD HI XX), e.g. 1001_DFA_ANG_XX.wav"
DOWNLOAD = {
    "folder": "CREMA-D",
    "licence": "Open Database License (ODbL) 1.0, https://opendatacommons.org/licenses/odbl/1-0/",
    "files": [
        {"url": "https://raw.githubusercontent.com/CheyneyComputerScience/CREMA-D/master/VideoDemographics.csv"},
        {
            "url": "https://raw.githubusercontent.com/CheyneyComputerScience/CREMA-D/master/processedResults/"
            "tabulatedVotes.csv",
        },
        {
            "url": "https://raw.githubusercontent.com/CheyneyComputerScience/CREMA-D/master/SentenceFilenames.csv",
            "names": r"\d{4}_[A-Z]{3}_[A-Z]{3}_[A-Z]{2}",  # of the clips, each a file of its own:
            "each": "https://media.githubusercontent.com/media/CheyneyComputerScience/CREMA-D/master/AudioWAV/{}.wav",
            "to": "AudioWAV",
        },
    ],
}
EMOTION = {
    "ANG": "angry", "DIS": "disgust", "FEA": "fear", "HAP": "happy", "NEU": "neutral", "SAD": "sad",
}  # fmt: skip
LEVEL = {"LO": "low", "MD": "medium", "HI": "high", "XX": ""}
SENTENCE = {
    "IEO": "It's eleven o'clock.",
    "TIE": "That is exactly what happened.",
    "IOM": "I'm on my way to the meeting.",
    "IWW": "I wonder what this is about.",
    "TAI": "The airplane is almost full.",
    "MTI": "Maybe tomorrow it will be cold.",
    "IWL": "I would like a new alarm clock.",
    "ITH": "I think I have a doctor's appointment.",
    "DFA": "Don't forget a jacket.",
    "ITS": "I think I've seen this before.",
    "TSI": "The surface is slick.",
    "WSI": "We'll stop in a couple of minutes.",
}
LETTER = {emotion[0]: EMOTION[emotion] for emotion in EMOTION}  # of the votes
ACTORS = tuple(str(actor) for actor in range(1001, 1092))


def utterances(root: Path) -> Iterator[Utterance | Rejected]:
    """Yield the clips, with sex and age where VideoDemographics.csv is, and votes where tabulatedVotes.csv is.

    Raises:
        DataError: one of these tables lacks a column.
    """
    actors, votes = _actors(root), _votes(root)

    def parse_known(path: Path) -> Utterance | None:
        if path.parent.name == "AudioMP3" and path.parent.with_name("AudioWAV").is_dir():
            return None
        clip = parse(path)
        _refuse_pointer(path)
        return replace(clip, **actors.get(clip.speaker, {}), votes=votes.get(clip.id, ""))

    return walk(root, parse_known)


def parse(path: Path) -> Utterance:
    """Return the utterance that a CREMA-D file name describes.

    >>> parse(Path("1001_IEO_FEA_HI.wav")).intensity
    'high'

    Raises:
        DataError: another name.
    """
    fields = path.stem.split("_")
    allowed = (ACTORS, SENTENCE, EMOTION, LEVEL)
    if len(fields) != 4 or any(field not in known for field, known in zip(fields, allowed, strict=True)):
        raise DataError(f"{path}: not a CREMA-D name; expected {GRAMMAR}")
    actor, sentence, emotion, level = fields
    return Utterance(path.stem, path, EMOTION[emotion], speaker=actor, intensity=LEVEL[level], text=SENTENCE[sentence])


def published() -> Published:
    """Return the counts of the repository; how many clips each actor has is not stated there."""
    emotions = {emotion: 1087 if emotion == "neutral" else 1271 for emotion in EMOTION.values()}
    return Published(7442, emotions, rate=16000, seconds=18924)


def _refuse_pointer(path: Path) -> None:
    if path.is_file() and path.stat().st_size < 200 and path.read_bytes().startswith(b"version https://git-lfs"):
        raise DataError(f"{path}: a Git-LFS pointer, not audio; run 'git lfs pull' in the clone")


def _actors(root: Path) -> Mapping[str, dict[str, str]]:
    table = tables.find(root, "VideoDemographics.csv")
    rows = tables.rows(table, ("ActorID", "Age", "Sex")) if table else []
    return {row["ActorID"]: {"sex": row["Sex"].lower(), "age": row["Age"]} for row in rows}


def _votes(root: Path) -> Mapping[str, str]:
    """Return the votes by clip. A row's number begins with what was shown: 1 sound alone, 2 picture alone, 3 both."""
    table = tables.find(root, "tabulatedVotes.csv")
    rows = tables.rows(table, ("", *LETTER, "fileName")) if table else []
    return {
        row["fileName"]: " ".join(f"{word}={row[letter]}" for letter, word in LETTER.items() if row[letter] != "0")
        for row in rows
        if row[""].startswith("1")
    }
