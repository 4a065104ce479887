"""The corpus check: what it must find, on made-up facts."""

from pathlib import Path

from corpora import Published, Rejected, Utterance
from corpora.base.check import duplicates, summary
from utils.audio.prepare import Sound

PUBLISHED = Published(4, {"sad": 2, "angry": 2}, {"1": 2, "2": 2}, rate=16000, seconds=8)


def corpus(**changes) -> tuple[list[Utterance], dict[Path, Sound]]:
    """Return four clips of two speakers and their facts; ``changes`` are facts of a clip by its id."""
    clips = [
        Utterance(f"c/{name}", Path(f"{name}.wav"), emotion, f"c/{speaker}", corpus="c")
        for name, emotion, speaker in (("a", "sad", 1), ("b", "angry", 1), ("d", "sad", 2), ("e", "angry", 2))
    ]
    usual = {"seconds": 2.0, "rate": 16000, "channels": 1, "peak": 0.5, "rms_db": -20.0, "clipped": 0.0}
    names = [clip.path.stem for clip in clips]
    return clips, {Path(f"{n}.wav"): Sound(**{**usual, "digest": n, **changes.get(n, {})}) for n in names}


def text(clips, sounds, published=PUBLISHED, rejected=()) -> str:
    lines = summary(clips, rejected, sounds, published)
    assert all(len(line) <= 80 for line in lines)
    return "\n".join(lines)


def test_a_corpus_as_published():
    result = text(*corpus())
    assert "c: 4 clips, 2 speakers" in result and "counts as published: 4 clips" in result
    assert "angry 2, sad 2" in result and "0.1 minutes; 2.00 to 2.00 s, mean 2.00 s" in result
    for word in ("NOT", "odd", "duplicates", "stereo", "clipped", "rejected", "CONTRADICTION"):
        assert word not in result


def test_what_differs_is_named():
    clips, sounds = corpus()
    result = text(clips[1:], sounds)
    assert "NOT as published (4 clips): sad 1 of 2, speaker 1 1 of 2" in result
    assert "NOT" not in text(clips, sounds, None)
    other = Published(4, {"sad": 2, "calm": 2}, rate=8000, seconds=16)
    result = text(clips, sounds, other)
    assert "calm 0 of 2, angry 2 of 0" in result
    assert "rate: 16000 Hz (published: 8000 Hz)" in result and "NOT the published audio" in result


def test_odd_files_are_named():
    result = text(*corpus(a={"rate": 48000}, b={"channels": 2}, d={"clipped": 0.01}))
    assert "odd rate: 1 file at 48000 Hz: a" in result
    assert "stereo: 1 file: b" in result and "clipped: 1 file: d" in result


def test_duplicates_are_named_and_contradictions_too():
    clips, sounds = corpus(a={"digest": "same"}, d={"digest": "same"})
    result = text(clips, sounds)
    assert "exact duplicates: 1 group: a = d" in result and "CONTRADICTION" not in result
    assert [[u.id for u in group] for group in duplicates(clips, sounds)] == [["c/a", "c/d"]]
    result = text(*corpus(a={"digest": "same"}, b={"digest": "same"}))
    assert "CONTRADICTION" in result and "c/a sad, c/b angry" in result


def test_rejected_files_are_counted_by_reason():
    rejected = [Rejected(Path(f"{i}.wav"), "empty file.") for i in range(5)] + [Rejected(Path("x.wav"), "silent")]
    result = text(*corpus(), rejected=rejected)
    assert "rejected: 6 files" in result and "- 5 x empty file.: 0.wav, 1.wav, 2.wav, ... (2 more)" in result
    assert result.index("5 x empty") < result.index("1 x silent: x.wav")


def test_unknown_speakers_and_unheard_files():
    clips, _ = corpus()
    clips = [Utterance(u.id, u.path, u.emotion, corpus="c") for u in clips]
    assert text(clips, {}, None) == "c: 4 clips, speakers unknown\n  classes: angry 2, sad 2"
