"""The built-in demo corpus: synthetic voices, made on your machine in seconds.

    python -m corpora.demo data/demo [--seed 1] [--speakers 8] [--clips 6]

writes ``<speaker>/<speaker>_<emotion>_<k>.wav``, 16 kHz mono, 1 to 2 s, five emotions; speakers f01, m02, ...
are female and male in turn. For trying the programs out and for tests; its scores say nothing of real speech.

- Origin: ``corpora.base.synthesis``, a source-filter voice. The same seed gives the same files.
- Licence: none needed.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from corpora.base import synthesis
from corpora.base.utterance import Rejected, Utterance, walk
from utils import cli
from utils.errors import DataError

SOURCE = "Make it: python -m corpora.demo <root>; it is synthesised on your machine and needs no licence."
GRAMMAR = "speaker (f or m and a number), emotion and number, e.g. f01/f01_angry_1.wav"
NOTE = "trained on synthetic voices"
NAME = re.compile(rf"([fm]\d+)_({'|'.join(synthesis.STYLES)})_(\d+)")


def utterances(root: Path) -> Iterator[Utterance | Rejected]:
    """Yield the clips."""
    return walk(root, parse)


def parse(path: Path) -> Utterance:
    """Return the utterance that a file name describes; its text is the vowels said.

    >>> parse(Path("f01_angry_1.wav")).sex
    'female'

    Raises:
        DataError: another name.
    """
    match = NAME.fullmatch(path.stem)
    if not match:
        raise DataError(f"{path}: not a name of the demo corpus; expected {GRAMMAR}")
    speaker, emotion, k = match.groups()
    sex = "female" if speaker.startswith("f") else "male"
    return Utterance(path.stem, path, emotion, speaker, sex, text="-".join(synthesis.sentence(int(k))))


def write(folder: Path, *, seed: int = 1, speakers: int = 8, clips: int = 6) -> int:
    """Write the corpus and return the number of clips: speakers x emotions x clips.

    Raises:
        DataError: the folder cannot be written to.
    """
    import soundfile

    n = 0
    for number in range(1, speakers + 1):
        voice = synthesis.voice(number, seed=seed)
        try:
            folder.joinpath(voice.name).mkdir(parents=True, exist_ok=True)
            for emotion in synthesis.STYLES:
                for k in range(1, clips + 1):
                    wave, _ = synthesis.say(voice, emotion, k, seed=seed)
                    path = folder / voice.name / f"{voice.name}_{emotion}_{k}.wav"
                    soundfile.write(path, wave, synthesis.RATE, subtype="PCM_16")
                    n += 1
        except OSError as error:
            raise DataError(f"{folder}: cannot be written to: {error.strerror or error}.") from error
    return n


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = cli.parser("Make the synthetic demo corpus.", "python -m corpora.demo data/demo")
    parser.add_argument("folder", type=Path, help="where to write it, e.g. data/demo")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other voices (1)")
    parser.add_argument("--speakers", type=int, default=8, help="female and male in turn (8)")
    parser.add_argument("--clips", type=int, default=6, help="a speaker and emotion (6)")
    options = parser.parse_args(arguments)
    if min(options.speakers, options.clips) < 1 or options.seed < 0:
        parser.error("--speakers and --clips must be at least 1, --seed at least 0.")
    try:
        n = write(options.folder, seed=options.seed, speakers=options.speakers, clips=options.clips)
    except DataError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(f"{options.folder}: {n} clips of {options.speakers} synthetic voices\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
