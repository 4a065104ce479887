"""Make wav files of the speech in free software packages, in some twenty languages, for the distillation.

Telephone prompts, voices of games and spoken words of programs for children are in packages of Debian. Unpack each
into a folder of its name (``apt-get download NAME; dpkg-deb -x NAME_*.deb packages/NAME``). What is written, for
example ``speech/asterisk/``, has 16 kHz. Packages and licences: docs/guides/general.md.
"""

import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile

from utils import cli
from utils.errors import DataError

RATE = 16000
SHORTEST, LONGEST = 0.7, 25.0  # seconds of a file
GROUPS = {  # folder to be written: files of the packages, and how many seconds of them are enough
    "asterisk": ("asterisk*/**/*.*", 4600),
    "hedgewars": ("hedgewars-data/**/Sounds/voices/*/*.ogg", 900),
    "klettres": ("klettres-data/**/*.ogg", 1300),
    "ktuberling": ("ktuberling-data/**/*.ogg", 1200),
    "tuxpaint": ("tuxpaint*/**/*_desc*.ogg", 5000),
}
SUFFIXES = (".ogg", ".wav", ".g722", ".gsm")
NO_SPEECH = ("Robot", "/silence/", "/letters")  # a synthetic voice; pauses; single letters


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = cli.parser(__doc__, "python -m distillation.prompts packages speech")
    parser.add_argument("packages", type=Path, help="folder with a folder per unpacked package")
    parser.add_argument("out", type=Path, help="gets a folder per group")
    options = parser.parse_args(argv)
    written = 0
    for group, (pattern, enough) in GROUPS.items():
        usable = list(_waves(sorted(filter(_is_speech, options.packages.glob(pattern)), key=str)))
        random.Random(1).shuffle(usable)
        seconds = 0.0
        for path, wave in usable:
            if seconds > enough:
                break
            seconds += len(wave) / RATE
            parts = path.relative_to(options.packages).with_suffix(".wav").parts
            target = options.out / group / "_".join(part for part in parts if part not in ("usr", "share"))
            target.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(target, wave, RATE)
            written += 1
        sys.stdout.write(f"{group}: {seconds:.0f} s\n")
    if not written:
        raise DataError(f"{options.packages}: holds none of the packages; see docs/guides/general.md.")
    return 0


def _is_speech(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not any(part in str(path) for part in NO_SPEECH)


def _waves(files: Sequence[Path]) -> Iterator[tuple[Path, np.ndarray]]:
    """Yield the files that can be read and are neither short nor long, with their samples (n,) int16."""
    import av

    for path in files:
        try:
            with av.open(str(path), format="g722" if path.suffix == ".g722" else None) as container:
                resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
                frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
                frames += resampler.resample(None)
        except (av.error.FFmpegError, UnicodeDecodeError) as error:  # a few files are damaged, or have broken tags
            sys.stderr.write(f"left out: {path.name}: {error}\n")
            continue
        wave = np.concatenate([np.zeros(0, np.int16), *(frame.to_ndarray().ravel() for frame in frames)])
        if SHORTEST <= len(wave) / RATE <= LONGEST:
            yield path, wave


if __name__ == "__main__":
    cli.run(main)
