"""TESS, the Toronto Emotional Speech Set.

Two actresses, of 26 (YAF) and 64 years (OAF), say "Say the word ..." with 200 English words in seven emotions, of
which the surprise is a pleasant one: 2800 clips, 24.4 kHz.

- Where: doi 10.5683/SP2/E8H2MF, at borealisdata.ca.
- Licence: CC BY-NC-ND 4.0.
- Paper: Pichora-Fuller & Dupuis 2020, Toronto emotional speech set, doi 10.5683/SP2/E8H2MF.
- Traps: with two speakers nothing is learnt of speakers; one file is misnamed, OA_bite_neutral.wav for OAF;
  circulating archives hold the whole tree twice.
"""

from collections.abc import Iterator
from pathlib import Path

from corpora.base.utterance import Published, Rejected, Utterance, walk
from utils.errors import DataError

SOURCE = (
    "Run python -m corpora.download tess, or get the files of doi.org/10.5683/SP2/E8H2MF (CC BY-NC-ND 4.0), so that "
    "TESS/OAF_lid_fear.wav lies below $SER_DATA, in any folders."
)
GRAMMAR = "speaker (OAF or YAF), word and emotion (angry disgust fear happy neutral ps sad), e.g. OAF_lid_fear.wav"
DOWNLOAD = {
    "folder": "TESS",
    "licence": "CC BY-NC-ND 4.0, https://creativecommons.org/licenses/by-nc-nd/4.0/",
    "files": [
        {
            "url": "https://borealisdata.ca/api/datasets/:persistentId/?persistentId=doi:10.5683/SP2/E8H2MF",
            "dataverse": "https://borealisdata.ca/api/access/datafile/{}",
        },
    ],
}
EMOTION = {
    "angry": "angry", "disgust": "disgust", "fear": "fear", "happy": "happy", "neutral": "neutral",
    "ps": "surprise", "sad": "sad",
}  # fmt: skip
AGE = {"OAF": "64", "YAF": "26"}
MISNAMED = {"OA_bite_neutral": "OAF_bite_neutral"}


def utterances(root: Path) -> Iterator[Utterance | Rejected]:
    """Yield the clips."""
    return walk(root, parse)


def parse(path: Path) -> Utterance:
    """Return the utterance that a TESS file name describes; its text is the word.

    >>> parse(Path("YAF_lid_ps.wav")).emotion, parse(Path("OA_bite_neutral.wav")).id
    ('surprise', 'OAF_bite_neutral')

    Raises:
        DataError: another name.
    """
    name = MISNAMED.get(path.stem, path.stem)
    speaker, _, rest = name.partition("_")
    word, _, emotion = rest.rpartition("_")
    if speaker not in AGE or not word or emotion not in EMOTION:
        raise DataError(f"{path}: not a TESS name; expected {GRAMMAR}")
    return Utterance(name, path, EMOTION[emotion], speaker, "female", text=word, age=AGE[speaker])


def published() -> Published:
    """Return the counts of the published set."""
    return Published(2800, dict.fromkeys(EMOTION.values(), 400), dict.fromkeys(AGE, 1400), rate=24414, seconds=5754)
