"""The corpus check: the clips on disk against the published counts, in short lines. It decodes nothing."""

import textwrap
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from corpora.base.labels import order
from corpora.base.utterance import Published, Rejected, Utterance
from utils.audio.prepare import Sound

WIDTH = 80
GLUE = "\N{NO-BREAK SPACE}"  # keeps a class and its count on one line
NAMED = 3  # files named in a line; the others are counted
CLIPPED = 1e-3  # share of the samples at full scale from which a clip is called clipped
SAME_LENGTH = 0.01  # relative difference to the published duration that re-encoding can explain


def summary(
    utterances: Sequence[Utterance],
    rejected: Sequence[Rejected],
    sounds: Mapping[Path, Sound],
    published: Published | None,
) -> list[str]:
    """Return the check of one corpus, in lines of at most 80 columns.

    Args:
        utterances: as ``corpora.read`` gives them; clips whose audio cannot be used are better left out.
        rejected: files that cannot be used, for their name or their audio.
        sounds: facts of the decoded files; what is missing is not judged.
        published: what the corpus should hold, or None.
    """
    decoded = [u for u in utterances if u.path in sounds]
    lines = [*_counts(utterances), *_against(utterances, published)]
    if decoded:
        lines += [*_durations(decoded, sounds, published), *_rates(decoded, sounds, published)]
        lines += [*_duplicates(decoded, sounds), *_flagged(decoded, sounds)]
    lines += _rejections(rejected)
    return [
        part.replace(GLUE, " ")
        for line in lines
        for part in textwrap.wrap(line, WIDTH, subsequent_indent="    ", break_on_hyphens=False)
    ]


def duplicates(utterances: Iterable[Utterance], sounds: Mapping[Path, Sound]) -> list[list[Utterance]]:
    """Return the groups of two or more clips whose decoded samples are equal."""
    same = defaultdict(list)
    for utterance in utterances:
        if utterance.path in sounds:
            same[sounds[utterance.path].digest].append(utterance)
    return [group for group in same.values() if len(group) > 1]


def _counts(utterances: Sequence[Utterance]) -> Iterator[str]:
    corpus = " + ".join(sorted({u.corpus for u in utterances if u.corpus})) or "corpus"
    speakers = Counter(u.speaker for u in utterances)
    unknown = speakers.pop("", 0)
    voices = _plural(len(speakers), "speaker") if speakers else "speakers unknown"
    if speakers and unknown:
        voices += f" ({unknown} clips of unknown speakers)"
    yield f"{corpus}: {_plural(len(utterances), 'clip')}, {voices}"
    emotions = Counter(u.emotion for u in utterances)
    yield "  classes: " + ", ".join(f"{e}{GLUE}{emotions[e]}" for e in order(emotions))
    if len(speakers) > 1:
        few, many = min(speakers.values()), max(speakers.values())
        yield f"  clips per speaker: {few}" + (f" to {many}" if many > few else "")


def _against(utterances: Sequence[Utterance], published: Published | None) -> Iterator[str]:
    if published is None:
        return
    emotions = Counter(u.emotion for u in utterances)
    speakers = Counter(u.speaker.rpartition("/")[2] for u in utterances)
    differences = _differences(emotions, published.emotions)
    if published.speakers:
        differences += [f"speaker {d}" for d in _differences(speakers, published.speakers)]
    if differences:
        yield f"  NOT as published ({published.clips} clips): " + ", ".join(_few(differences, 12))
    else:
        every = "every class and speaker" if published.speakers else "every class"
        yield f"  counts as published: {published.clips} clips, {every}"


def _differences(counted: Mapping[str, int], published: Mapping[str, int]) -> list[str]:
    names = [*published, *sorted(set(counted) - set(published))]
    counts = ((name, counted.get(name, 0), published.get(name, 0)) for name in names)
    return [f"{name} {count} of {expected}" for name, count, expected in counts if count != expected]


def _durations(decoded: Sequence[Utterance], sounds: Mapping, published: Published | None) -> Iterator[str]:
    seconds = [sounds[u.path].seconds for u in decoded]
    total = sum(seconds)
    low, mean, high = min(seconds), total / len(seconds), max(seconds)
    yield f"  {total / 60:.1f} minutes; {low:.2f} to {high:.2f} s, mean {mean:.2f} s"
    seconds_published = published.seconds if published and len(decoded) == published.clips else 0
    if seconds_published and abs(total / seconds_published - 1) > SAME_LENGTH:
        yield f"  NOT the published audio: that has {seconds_published / 60:.1f} minutes; this was cut or padded"


def _rates(decoded: Sequence[Utterance], sounds: Mapping, published: Published | None) -> Iterator[str]:
    usual = Counter(sounds[u.path].rate for u in decoded).most_common(1)[0][0]
    expected = f" (published: {published.rate} Hz)" if published and published.rate not in (0, usual) else ""
    yield f"  rate: {usual} Hz{expected}"
    odd = defaultdict(list)
    for utterance in decoded:
        if sounds[utterance.path].rate != usual:
            odd[sounds[utterance.path].rate].append(utterance)
    for rate, clips in sorted(odd.items()):
        yield f"  odd rate: {_plural(len(clips), 'file')} at {rate} Hz: {_names(clips)}"


def _duplicates(decoded: Sequence[Utterance], sounds: Mapping) -> Iterator[str]:
    groups = duplicates(decoded, sounds)
    if groups:
        equal = [" = ".join(_name(u) for u in group) for group in groups]
        yield f"  exact duplicates: {_plural(len(groups), 'group')}: {', '.join(_few(equal, 2 * NAMED))}"
    for group in groups:
        if len({u.emotion for u in group}) > 1:
            labels = ", ".join(f"{u.id} {u.emotion}" for u in group)
            yield f"  CONTRADICTION: the same audio has several labels: {labels}"


def _flagged(decoded: Sequence[Utterance], sounds: Mapping) -> Iterator[str]:
    flags: dict[str, Callable[[Sound], bool]] = {
        "stereo": lambda sound: sound.channels > 1,
        "clipped": lambda sound: sound.clipped >= CLIPPED,
    }
    for flag, holds in flags.items():
        clips = [u for u in decoded if holds(sounds[u.path])]
        if clips:
            yield f"  {flag}: {_plural(len(clips), 'file')}: {_names(clips, 2 * NAMED)}"


def _rejections(rejected: Sequence[Rejected]) -> Iterator[str]:
    reasons = defaultdict(list)
    for item in rejected:
        reasons[item.reason].append(item.path.name)
    if reasons:
        yield f"  rejected: {_plural(len(rejected), 'file')}"
    for reason, names in sorted(reasons.items(), key=lambda pair: -len(pair[1])):
        yield f"  - {len(names)} x {reason}: {', '.join(_few(names))}"


def _names(clips: Sequence[Utterance], n: int = NAMED) -> str:
    return ", ".join(_few([_name(u) for u in clips], n))


def _name(utterance: Utterance) -> str:
    return utterance.id.removeprefix(f"{utterance.corpus}/")


def _few(words: Sequence[str], n: int = NAMED) -> list[str]:
    return [*words[:n], *([f"... ({len(words) - n} more)"] if len(words) > n else [])]


def _plural(n: int, word: str) -> str:
    return f"{n} {word}" + ("" if n == 1 else "s")
