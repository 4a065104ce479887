"""The grammar of each corpus, on trees of tiny files made to it, against the published counts."""

from collections import Counter
from pathlib import Path

import pytest

import corpora
from corpora import EMOTIONS, casia, emodb, ravdess, savee
from corpora.base.check import summary
from utils.errors import ConfigError, DataError


def touch(root: Path, names) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return root


def ravdess_names(channel: str, emotions: range, actors) -> list[str]:
    return [
        f"Actor_{a:02}/03-{channel}-{e:02}-{i:02}-{s:02}-{r:02}-{a:02}.wav"
        for a in actors
        for e in emotions
        for i in ((1,) if e == 1 else (1, 2))
        for s in (1, 2)
        for r in (1, 2)
    ]


def savee_names(form: str) -> list[str]:
    emotions = {"a": 15, "d": 15, "f": 15, "h": 15, "n": 30, "sa": 15, "su": 15}
    return [
        form.format(s, f"{e}{i:02}")
        for s in ("DC", "JE", "JK", "KL")
        for e, n in emotions.items()
        for i in range(1, n + 1)
    ]


def casia_names(form: str) -> list[str]:
    return [
        form.format(speaker=s, emotion=e, number=i)
        for s in ("liuchanhg", "wangzhe", "zhaoquanyin", "ZhaoZuoxiang")
        for e in ("angry", "fear", "happy", "neutral", "sad", "surprise")
        for i in range(201, 251)
    ]


SPEECH = ravdess_names("01", range(1, 9), range(1, 25))
SONG = ravdess_names("02", range(1, 7), [a for a in range(1, 25) if a != 18])
TREES = {
    "RAVDESS speech": ({"name": "ravdess"}, SPEECH + SONG, 1440),
    "RAVDESS song": ({"name": "ravdess", "channel": "song"}, SPEECH + SONG, 1012),
    "RAVDESS both": ({"name": "ravdess", "channel": "both"}, SPEECH + SONG, 2452),
    "SAVEE nested": ({"name": "savee"}, savee_names("AudioData/{}/{}.wav"), 480),
    "SAVEE flat": ({"name": "savee"}, savee_names("ALL/{}_{}.wav"), 480),
    "CASIA nested": ({"name": "casia"}, casia_names("{speaker}/{emotion}/{number}.wav"), 1200),
    "CASIA flat": ({"name": "casia"}, casia_names("{emotion}/{number}-{emotion}-{speaker}.wav"), 1200),
}


@pytest.mark.parametrize("tree", TREES)
def test_counts_as_published(tree, tmp_path):
    entry, names, n = TREES[tree]
    touch(tmp_path, names)
    result, rejected = corpora.read({**entry, "root": str(tmp_path)}, tmp_path)
    known = corpora.published(entry)
    assert len(result) == known.clips == n and not rejected
    assert len({u.id for u in result}) == n
    assert Counter(u.emotion for u in result) == known.emotions
    assert Counter(u.speaker.split("/")[1] for u in result) == known.speakers
    assert set(known.emotions) <= set(EMOTIONS) and {u.sex for u in result} <= {"female", "male"}
    assert any("counts as published" in line for line in summary(result, rejected, {}, known))


def test_both_forms_give_the_same_ids(tmp_path):
    ids = []
    for i, tree in enumerate(("SAVEE nested", "SAVEE flat", "CASIA nested", "CASIA flat")):
        entry, names, _ = TREES[tree]
        touch(tmp_path / str(i), names)
        ids.append({u.id for u in corpora.read({**entry, "root": str(i)}, tmp_path)[0]})
    assert ids[0] == ids[1] and ids[2] == ids[3]


def test_ravdess_knows_what_the_name_says():
    clip = ravdess.parse(Path("Actor_12/03-01-06-02-01-02-12.wav"))
    assert (clip.emotion, clip.intensity, clip.speaker, clip.sex) == ("fear", "strong", "12", "female")
    assert clip.text == "Kids are talking by the door" and clip.id == "03-01-06-02-01-02-12"
    assert ravdess.parse(Path("03-01-08-01-02-01-13.wav")).sex == "male"


def test_emodb_knows_what_the_name_says():
    clip = emodb.parse(Path("wav/16b10Lb.wav"))
    assert (clip.emotion, clip.speaker, clip.sex) == ("boredom", "16", "female")
    assert clip.text == "Die wird auf dem Platz sein, wo wir sie immer hinlegen."
    letters = {
        "W": "angry",
        "L": "boredom",
        "E": "disgust",
        "A": "fear",
        "F": "happy",
        "T": "sad",
        "N": "neutral",
    }
    assert {letter: emodb.parse(Path(f"03a01{letter}a.wav")).emotion for letter in letters} == letters


def test_savee_tells_sad_and_surprise_from_one_letter():
    names = {"a01": "angry", "sa01": "sad", "su15": "surprise", "n30": "neutral", "d01": "disgust"}
    assert {n: savee.parse(Path(f"KL/{n}.wav")).emotion for n in names} == names
    assert {n: savee.parse(Path(f"x/KL_{n}.wav")).emotion for n in names} == names
    assert savee.parse(Path("DC/a01.wav")).id == "DC_a01"


def test_casia_speakers():
    clip = casia.parse(Path("x/217-sad-liuchanhg.wav"))
    assert (clip.id, clip.emotion, clip.sex, clip.text) == ("liuchanhg_sad_217", "sad", "female", "217")
    assert casia.parse(Path("ZhaoZuoxiang/Angry/201.wav")).speaker == "zhaozuoxiang"
    women = {s for s in casia.SEX if casia.parse(Path(f"{s}/sad/201.wav")).sex == "female"}
    assert women == {"liuchanhg", "zhaoquanyin"}


@pytest.mark.parametrize(
    ("parse", "name"),
    [
        (ravdess.parse, "03-01-09-01-01-01-01.wav"),
        (ravdess.parse, "03-01-05-01-01-01-25.wav"),
        (ravdess.parse, "03-01-05-01-01-01.wav"),
        (ravdess.parse, "01-01-05-01-01-01-07.mp4"),
        (emodb.parse, "03a01Xa.wav"),
        (emodb.parse, "04a01Fa.wav"),
        (emodb.parse, "03a01Fab.wav"),
        (savee.parse, "XX/a01.wav"),
        (savee.parse, "DC/s01.wav"),
        (casia.parse, "liuchanhg/bored/201.wav"),
        (casia.parse, "somebody/angry/201.wav"),
    ],
)
def test_odd_names_are_refused_in_one_line_that_begins_with_the_path(parse, name):
    with pytest.raises(DataError) as error:
        parse(Path(name))
    assert str(error.value).startswith(f"{Path(name)}: ") and "\n" not in str(error.value)


def folders(root: Path, **arguments):
    return corpora.read({"name": "folders", "root": str(root), **arguments}, root)


def test_folders_keep_the_users_words(tmp_path):
    touch(tmp_path, ["Wut/anna_1.wav", "Wut/ben_1.mp3", "hot anger/anna_2.wav", "loose.wav"])
    result, (reject,) = folders(tmp_path, speaker=r"^(\w+?)_")
    assert [(u.emotion, u.speaker.split("/")[1]) for u in result] == [
        ("Wut", "anna"), ("Wut", "ben"), ("hot anger", "anna"),
    ]  # fmt: skip
    assert reject.path.name == "loose.wav" and "no emotion's folder" in reject.reason


def test_folders_find_speakers_and_emotions_in_the_path(tmp_path):
    touch(tmp_path, ["anna/sad/1.wav", "ben/sad/1.wav"])
    result, _ = folders(tmp_path, speaker="^(\\w+)/")
    assert {(u.emotion, u.speaker.split("/")[1]) for u in result} == {("sad", "anna"), ("sad", "ben")}
    result, _ = folders(tmp_path, speaker="/(\\w+)/", emotion="^(\\w+)/")
    assert {(u.emotion, u.speaker.split("/")[1]) for u in result} == {("anna", "sad"), ("ben", "sad")}
    result, _ = folders(tmp_path)
    assert {u.speaker for u in result} == {""}


def test_folders_refuse_patterns_that_cannot_work(tmp_path):
    touch(tmp_path, ["sad/anna_1.wav", "sad/x.wav"])
    with pytest.raises(ConfigError, match="no group"):
        folders(tmp_path, speaker="anna")
    with pytest.raises(ConfigError, match="no pattern"):
        folders(tmp_path, speaker="(")
    _, (reject,) = folders(tmp_path, speaker="^([a-z]+)_")
    assert reject.path.name == "x.wav" and "finds nothing" in reject.reason


def test_clips_of_the_same_stem_stay_apart(tmp_path):
    touch(tmp_path, ["sad/x.wav", "sad/x.flac"])
    result, rejected = folders(tmp_path)
    assert [u.id.partition("/")[2] for u in result] == ["sad/x", "sad/x.wav"] and not rejected
