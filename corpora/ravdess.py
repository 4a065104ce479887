"""RAVDESS, the Ryerson Audio-Visual Database of Emotional Speech and Song.

24 actors (odd numbers male, even female) say, and all but actor 18 sing, two English sentences in 8 (song: 6)
emotions, each but neutral in two intensities and every one twice: 1440 clips of speech, 1012 of song, 48 kHz.

- Where: Zenodo record 1188976, ``Audio_Speech_Actors_01-24.zip`` (md5 bc696df654c87fed845eb13823edef8a) and
  ``Audio_Song_Actors_01-24.zip`` (md5 5411230427d67a21e18aa4d466e6d1b9).
- Licence: CC BY-NC-SA 4.0.
- Paper: Livingstone & Russo 2018, doi 10.1371/journal.pone.0196391.
- Traps: of actor 07, 03-01-03-01-02-01-07 and 03-01-03-01-02-02-07 are the same audio; five files of actors
  01, 05 and 20 are stereo; circulating archives hold the whole tree twice.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from corpora.base.utterance import Published, Rejected, Utterance, walk
from utils.errors import DataError

SOURCE = (
    "Run python -m corpora.download ravdess, or get Audio_Speech_Actors_01-24.zip (and Audio_Song_Actors_01-24.zip) "
    "of zenodo.org/records/1188976, CC BY-NC-SA 4.0, and unpack it so that "
    "RAVDESS/Actor_01/03-01-01-01-01-01-01.wav lies below $SER_DATA."
)
GRAMMAR = (
    "seven two-digit fields, audio(03)-channel(01 speech, 02 song)-emotion(01-08)-intensity(01-02)-"
    "statement(01-02)-repetition(01-02)-actor(01-24), e.g. 03-01-05-02-01-01-07.wav"
)
DOWNLOAD = {
    "folder": "RAVDESS",
    "licence": "CC BY-NC-SA 4.0, https://creativecommons.org/licenses/by-nc-sa/4.0/",
    "arguments": {"channel": "both"},
    "files": [
        {
            "url": "https://zenodo.org/records/1188976/files/Audio_Speech_Actors_01-24.zip",
            "md5": "bc696df654c87fed845eb13823edef8a",
        },
        {
            "url": "https://zenodo.org/records/1188976/files/Audio_Song_Actors_01-24.zip",
            "md5": "5411230427d67a21e18aa4d466e6d1b9",
        },
    ],
}
EMOTION = {
    "01": "neutral", "02": "calm", "03": "happy", "04": "sad",
    "05": "angry", "06": "fear", "07": "disgust", "08": "surprise",
}  # fmt: skip
INTENSITY = {"01": "normal", "02": "strong"}
STATEMENT = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}
CHANNEL = {"speech": ("01",), "song": ("02",), "both": ("01", "02")}
ACTORS = tuple(f"{actor:02}" for actor in range(1, 25))


def utterances(root: Path, *, channel: Literal["speech", "song", "both"] = "speech") -> Iterator[Utterance | Rejected]:
    """Yield the clips of a channel.

    Args:
        channel: what the actors do, "both" for speech and song.
    """

    def parse_channel(path: Path) -> Utterance | None:
        utterance = parse(path)
        return utterance if utterance.id.split("-")[1] in CHANNEL[channel] else None

    return walk(root, parse_channel)


def parse(path: Path) -> Utterance:
    """Return the utterance that a RAVDESS file name describes.

    >>> parse(Path("03-01-05-02-01-01-07.wav")).emotion
    'angry'

    Raises:
        DataError: another name, or a video.
    """
    fields = path.stem.split("-")
    allowed = (("01", "02", "03"), CHANNEL["both"], EMOTION, INTENSITY, STATEMENT, ("01", "02"), ACTORS)
    if len(fields) != 7 or any(f not in known for f, known in zip(fields, allowed, strict=True)):
        raise DataError(f"{path}: not a RAVDESS name; expected {GRAMMAR}")
    modality, _, emotion, intensity, statement, _, actor = fields
    if modality != "03":
        raise DataError(f"{path}: a RAVDESS video; its sound is published by itself, the first field 03")
    return Utterance(
        id=path.stem,
        path=path,
        emotion=EMOTION[emotion],
        speaker=actor,
        sex="male" if int(actor) % 2 else "female",
        intensity=INTENSITY[intensity],
        text=STATEMENT[statement],
    )


def published(*, channel: str = "speech") -> Published:
    """Return the counts of the paper: an actor says 8 clips of an emotion, of neutral 4."""
    speech = {e: 4 if e == "neutral" else 8 for e in EMOTION.values()}
    song = {e: n for e, n in speech.items() if e not in ("disgust", "surprise")}
    parts = {"speech": [(speech, ACTORS)], "song": [(song, [a for a in ACTORS if a != "18"])]}
    parts["both"] = parts["speech"] + parts["song"]
    emotions: dict[str, int] = {}
    speakers: dict[str, int] = {}
    for per_actor, actors in parts[channel]:
        for emotion, n in per_actor.items():
            emotions[emotion] = emotions.get(emotion, 0) + n * len(actors)
        for actor in actors:
            speakers[actor] = speakers.get(actor, 0) + sum(per_actor.values())
    seconds = 5329 if channel == "speech" else 0
    return Published(sum(emotions.values()), emotions, speakers, rate=48000, seconds=seconds)
