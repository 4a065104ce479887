r"""One folder per emotion: the layout most people have.

The folder a file lies in is its emotion, in your own words; ``speaker`` finds the speaker in the name.

    mine/angry/anna_01.wav      {name: folders, root: mine, speaker: '^(\w+?)_'}
    mine/anna/angry/01.wav      {name: folders, root: mine, speaker: '^(\w+)/'}
    mine/angry/anna/01.wav      {name: folders, root: mine, speaker: '/(\w+)/', emotion: '^(\w+)/'}
"""

import re
from collections.abc import Iterator
from pathlib import Path

from corpora.base.utterance import Rejected, Utterance, walk
from utils.errors import ConfigError, DataError

SOURCE = "Sort your own clips, one folder per emotion, so that <root>/angry/anna_01.wav lies below $SER_DATA."
GRAMMAR = "one folder per emotion, e.g. angry/anna_01.wav"
NAMED_BY_FOLDER = True


def utterances(root: Path, *, speaker: str | None = None, emotion: str | None = None) -> Iterator[Utterance | Rejected]:
    r"""Yield the clips.

    Args:
        root: the folder that holds the emotions' folders.
        speaker: a regular expression whose first group is the speaker. It is searched in the file's name
            without suffix, or, if it contains "/", in the path below root. None: speakers are unknown.
        emotion: likewise for the emotion. None: the name of the folder that the file lies in.

    Raises:
        ConfigError: a pattern that is no regular expression or has no group.
    """
    patterns = _compile("speaker", speaker), _compile("emotion", emotion)
    return walk(root, lambda path: parse(path, root, *patterns), copies=False)


def parse(path: Path, root: Path, speaker: re.Pattern | None = None, emotion: re.Pattern | None = None) -> Utterance:
    r"""Return the utterance of a file below root.

    >>> clip = parse(Path("mine/angry/anna_01.wav"), Path("mine"), re.compile(r"^(\w+?)_"))
    >>> clip.id, clip.emotion, clip.speaker
    ('angry/anna_01', 'angry', 'anna')

    Raises:
        DataError: it lies in no folder, or a pattern does not match.
    """
    below = path.relative_to(root)
    if emotion is None and len(below.parts) == 1:
        raise DataError(f"{path}: lies in no emotion's folder; expected {GRAMMAR}")
    return Utterance(
        id=below.with_suffix("").as_posix(),
        path=path,
        emotion=_first_group("emotion", emotion, path, below) if emotion else path.parent.name,
        speaker=_first_group("speaker", speaker, path, below) if speaker else "",
    )


def _compile(key: str, pattern: str | None) -> re.Pattern | None:
    if pattern is None:
        return None
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ConfigError(f"corpus folders: {key}: {pattern!r} is no pattern that re reads ({error}).") from error
    if not compiled.groups:
        raise ConfigError(f"corpus folders: {key}: {pattern!r} has no group; bracket the {key}: '^(\\w+?)_'.")
    return compiled


def _first_group(key: str, pattern: re.Pattern, path: Path, below: Path) -> str:
    match = pattern.search(below.as_posix() if "/" in pattern.pattern else path.stem)
    if not match or not match[1]:
        raise DataError(f"{path}: the {key} pattern {pattern.pattern!r} finds nothing in it")
    return match[1]
