"""CREMA-D, TESS, MELD and IEMOCAP on trees made to their published grammar, headers and counts."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import corpora
from corpora import Rejected, crema_d, iemocap, meld, tess
from corpora.base import tables
from corpora.base.check import summary
from evaluation.checkpoint.protocol import of_folds
from evaluation.splits.folds import draw_folds, validation_rows
from utils.audio.decode import decode
from utils.audio.prepare import inspect
from utils.dataset import Dataset
from utils.errors import DataError


def touch(root: Path, names) -> Path:
    for folder in {(root / name).parent for name in names}:
        folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        os.close(os.open(root / name, os.O_CREAT))  # Path.touch takes twice as long, and these are 40,000
    return root


def read(name: str, root: Path):
    return corpora.read({"name": name, "root": str(root)}, root)


def as_published(name: str, root: Path):
    """Return the clips by id and the rejected files, once the counts are found to be those of the corpus."""
    result, rejected = read(name, root)
    known = corpora.published({"name": name})
    assert Counter(u.emotion for u in result) == known.emotions and len(result) == known.clips
    assert any("counts as published" in line for line in summary(result, rejected, {}, known))
    return {u.id.removeprefix(f"{name}/"): u for u in result}, rejected


def crema_names() -> list[str]:
    names = []
    for sentence in crema_d.SENTENCE:
        for emotion in crema_d.EMOTION:
            levels = ("LO", "MD", "HI") if sentence == "IEO" and emotion != "NEU" else ("XX",)
            names += [f"{a}_{sentence}_{emotion}_{level}" for a in crema_d.ACTORS for level in levels]
    for emotion in crema_d.EMOTION:  # 91 actors of 82 clips would be 20 more than there are
        for actor in crema_d.ACTORS[: 5 if emotion == "NEU" else 3]:
            names.remove(f"{actor}_WSI_{emotion}_XX")
    return names


@pytest.fixture(scope="module")
def crema(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("CREMA-D")
    names = crema_names()
    touch(root, [f"AudioWAV/{name}.wav" for name in names] + [f"AudioMP3/{name}.mp3" for name in names[:50]])
    rows = [f'{a},{20 + i % 55},"{"Male" if i < 48 else "Female"}","x","y"' for i, a in enumerate(crema_d.ACTORS)]
    (root / "VideoDemographics.csv").write_text("\n".join(['"ActorID","Age","Sex","Race","Ethnicity"', *rows]))
    votes = [
        '"","A","D","F","H","N","S","fileName","numResponses","agreement","emoVote"',
        '"100001",0,0,3,0,6,0,"1001_IEO_FEA_HI",9,0.67,"N"',  # heard
        '"200001",0,0,9,0,0,0,"1001_IEO_FEA_HI",9,1,"F"',  # seen
        '"300001",1,0,8,0,0,0,"1001_IEO_FEA_HI",9,0.89,"F"',  # both
    ]
    (root / "processedResults").mkdir()
    (root / "processedResults" / "tabulatedVotes.csv").write_text("\n".join(votes))
    return root


def test_crema_d_counts_sexes_ages_levels_and_votes(crema):
    clips, rejected = as_published("crema_d", crema)
    assert not rejected and len(clips) == 7442 and len({c.speaker for c in clips.values()}) == 91
    assert Counter(sex for _, sex in {(c.speaker, c.sex) for c in clips.values()}) == {"male": 48, "female": 43}
    assert Counter(c.intensity for c in clips.values()) == {"": 7442 - 3 * 455, "low": 455, "medium": 455, "high": 455}
    clip = clips["1001_IEO_FEA_HI"]
    assert (clip.speaker, clip.age, clip.intensity) == ("crema_d/1001", "20", "high")
    assert clip.votes == "fear=3 neutral=6", "the votes of those who heard it, and saw nothing"
    assert clip.text == "It's eleven o'clock." and clips["1002_DFA_NEU_XX"].votes == ""


def test_crema_d_without_its_tables_knows_no_sex_and_mp3_alone_will_do(tmp_path):
    touch(tmp_path, ["AudioMP3/1001_DFA_ANG_XX.mp3"])
    (clip,), rejected = read("crema_d", tmp_path)
    assert (clip.sex, clip.age, clip.votes, rejected) == ("", "", "", [])


def test_crema_d_pointers_are_called_pointers(tmp_path):
    touch(tmp_path, ["AudioWAV/1001_DFA_ANG_XX.wav"])
    pointer = tmp_path / "AudioWAV" / "1002_DFA_ANG_XX.wav"
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 78492\n")
    (clip,), (reject,) = read("crema_d", tmp_path)
    assert clip.id == "crema_d/1001_DFA_ANG_XX"
    assert reject.path == pointer and reject.reason == "a Git-LFS pointer, not audio; run 'git lfs pull' in the clone"
    (tmp_path / "AudioWAV" / "1001_DFA_ANG_XX.wav").unlink()
    with pytest.raises(DataError, match=r"none of 1 files can be used, e\.g\. 1002_DFA_ANG_XX\.wav \(a Git-LFS"):
        read("crema_d", tmp_path)


def test_the_silent_clip_of_crema_d_is_rejected_as_silent():
    with pytest.raises(DataError, match="silent"):
        inspect(np.zeros((16000, 1), np.float32), 16000)  # what 1076_MTI_SAD_XX.wav holds
    assert crema_d.parse(Path("1076_MTI_SAD_XX.wav")).emotion == "sad"  # by its name nothing is wrong
    assert "1076_MTI_SAD_XX" in crema_d.__doc__


def tess_names() -> list[str]:
    words = ["bite", *(f"w{i:03}" for i in range(199))]
    names = [f"{s}_{e}/{s}_{w}_{e}.wav" for s in tess.AGE for e in tess.EMOTION for w in words]
    names[names.index("OAF_neutral/OAF_bite_neutral.wav")] = "OAF_neutral/OA_bite_neutral.wav"
    return names


def test_tess_counts_with_the_misnamed_file(tmp_path):
    touch(tmp_path, tess_names())
    clips, rejected = as_published("tess", tmp_path)
    assert not rejected and Counter(c.speaker for c in clips.values()) == {"tess/OAF": 1400, "tess/YAF": 1400}
    assert {(c.speaker, c.sex, c.age) for c in clips.values()} == {
        ("tess/OAF", "female", "64"), ("tess/YAF", "female", "26"),
    }  # fmt: skip
    assert clips["OAF_bite_neutral"].path.stem == "OA_bite_neutral" and clips["YAF_w001_ps"].emotion == "surprise"
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "OAF_bite_neutral.wav").write_bytes(b"of another size")
    _, (reject,) = as_published("tess", tmp_path)
    assert "not a copy" in reject.reason


MELD = {  # the paper's table
    "train": {"neutral": 4710, "joy": 1743, "surprise": 1205, "anger": 1109, "sadness": 683, "disgust": 271,
              "fear": 268},
    "dev": {"fear": 40, "disgust": 22, "sadness": 111, "anger": 153, "surprise": 150, "joy": 163, "neutral": 470},
    "test": {"neutral": 1256, "joy": 402, "surprise": 281, "anger": 345, "sadness": 208, "disgust": 68, "fear": 50},
}  # fmt: skip
SAID = "It\N{RIGHT SINGLE QUOTATION MARK}s late, no?"  # byte 92 in Windows-1252
HEADER = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime\n"
ENCODING = {"train": "cp1252", "dev": "utf-8-sig", "test": "utf-8"}


def meld_rows(part: str) -> list[tuple[str, str, str]]:
    """Return speaker, emotion and name of a part's clips: of dev's and test's, 97 % are of training speakers."""
    emotions = [emotion for emotion, n in MELD[part].items() for _ in range(n)]
    rows = []
    for i, emotion in enumerate(emotions):
        speaker = f"S{i % 260}" if part == "train" or i % 33 else f"{part}{i // 33 % 22}"
        rows.append((speaker, emotion, f"dia{i // 10}_utt{i % 10}"))
    return rows


@pytest.fixture(scope="module")
def meld_tree(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("MELD")
    raw = root / "MELD.Raw"
    for part in MELD:
        rows = meld_rows(part)
        touch(raw / part / meld.FOLDER[part], [f"{name}.mp4" for _, _, name in rows])
        lines = []
        for i, (speaker, emotion, name) in enumerate(rows):
            dialogue, utterance = name.removeprefix("dia").split("_utt")
            lines.append(f'{i},"{SAID}",{speaker},{emotion},x,{dialogue},{utterance},1,1,"00:0,1","00:0,2"\n')
        (raw / f"{part}_sent_emo.csv").write_bytes((HEADER + "".join(lines)).encode(ENCODING[part]))
    (raw / "dev" / meld.FOLDER["dev"] / "dia110_utt7.mp4").unlink()
    leftovers = ["final_videos_testdia0_utt0.mp4", "._dia0_utt0.mp4", "dia999_utt0.mp4"]
    touch(raw / "test" / meld.FOLDER["test"], leftovers)
    touch(raw / "test" / "final_videos_test", ["dia1_utt0.mp4"])
    return root


def test_meld_counts_by_class_and_part_and_names_what_is_wrong(meld_tree):
    clips, rejected = as_published("meld", meld_tree)
    assert len(clips) == 13706 and len({c.speaker for c in clips.values()}) == 304
    assert {(r.path.name, r.reason.partition(";")[0]) for r in rejected} == {
        ("dia125_utt3.mp4", "corrupt as published"),
        ("dia110_utt7.mp4", "a row of dev_sent_emo.csv names it, but it is not there"),
        ("dia999_utt0.mp4", "no row in test_sent_emo.csv"),
    }
    for part, counts in MELD.items():
        result = Counter(c.emotion for c in clips.values() if c.split == meld.SPLIT[part])
        lost = part in ("train", "dev")
        assert result == {meld.EMOTION[e]: n - (lost and e == "neutral") for e, n in counts.items()}
    assert {c.text for c in clips.values()} == {SAID}, "all three encodings"
    clip = clips["dev_dia3_utt0"]
    assert (clip.split, clip.dialogue, clip.speaker) == ("validation", "dev_dia3", "meld/S30")


def as_dataset(clips) -> Dataset:
    labels = tuple(sorted({c.emotion for c in clips}))
    n = len(clips)
    return Dataset(
        np.zeros((n, 1), np.float32), labels, np.array([labels.index(c.emotion) for c in clips]),
        np.array([c.id for c in clips]), np.array([c.speaker for c in clips]), np.arange(n).astype(str),
        {key: np.array([getattr(c, key) for c in clips]) for key in ("split", "session")},
    )  # fmt: skip


def test_the_official_split_of_meld_is_called_speaker_dependent_and_that_by_speaker_is_not(meld_tree):
    data = as_dataset(read("meld", meld_tree)[0])
    (fold,) = parts = draw_folds(data, {"by": "official"}, seed=1)
    assert len(fold.test) == 2610 and len(fold.train) == 9988 + 1108
    assert np.isin(data.speakers[fold.test], data.speakers[fold.train]).mean() == pytest.approx(0.97, abs=0.005)
    fit, held, kind = validation_rows(data, fold.train, "official", seed=1)
    assert (len(fit), len(held), kind) == (9988, 1108, "official")
    assert of_folds(data, {"by": "official"}, parts, validation=kind).speaker_disjoint is False
    parts = draw_folds(data, {"by": "speaker", "folds": 5}, seed=1)
    assert of_folds(data, {"by": "speaker", "folds": 5}, parts, validation="none").speaker_disjoint is True


def test_the_sound_of_a_meld_clip_is_read_out_of_its_mp4(tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "train_splits" / "dia0_utt0.mp4"
    path.parent.mkdir()
    tone = np.sin(2 * np.pi * 440 * np.arange(16000) / 16000).astype(np.float32)
    with av.open(str(path), "w") as container:
        video, sound = container.add_stream("mpeg4", rate=25), container.add_stream("aac", rate=16000, layout="mono")
        video.width = video.height = 16
        frame = av.AudioFrame.from_ndarray(tone[None], format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")))
        for packet in [*sound.encode(frame), *sound.encode(None), *video.encode(None)]:
            container.mux(packet)
    (tmp_path / "train_sent_emo.csv").write_text(HEADER + '1,"Oh",Ross,joy,x,0,0,1,1,"0","1"\n')
    (clip,), rejected = read("meld", tmp_path)
    samples, rate = decode(clip.path)
    assert (clip.emotion, rate, rejected) == ("happy", 16000, []) and samples.shape[1] == 1
    peak = np.argmax(np.abs(np.fft.rfft(samples[:16000, 0]))) * rate / min(len(samples), 16000)
    assert peak == pytest.approx(440, abs=2)


def test_a_table_without_a_column_is_refused_with_those_it_has(tmp_path):
    touch(tmp_path, ["train_splits/dia0_utt0.mp4"])
    (tmp_path / "train_sent_emo.csv").write_text("Speaker,Emotion\nRoss,joy\n")
    with pytest.raises(DataError, match=r"train_sent_emo\.csv: no column 'Utterance'; it has: Speaker, Emotion\."):
        read("meld", tmp_path)
    assert tables.find(tmp_path, "nowhere.csv") is None


IEMOCAP = {
    "neu": 1708, "ang": 1103, "sad": 1084, "hap": 595, "exc": 1041, "fru": 1849, "sur": 107, "fea": 40, "dis": 2,
    "oth": 3, "xxx": 2507,
}  # fmt: skip
FOUR = {"neutral": 1708, "angry": 1103, "sad": 1084, "happy": 595 + 1041}


@pytest.fixture(scope="module")
def iemocap_tree(tmp_path_factory) -> Path:
    """Return a tree of 10 dialogues a session whose turns are both actors' in turn, classes spread over all."""
    root = tmp_path_factory.mktemp("IEMOCAP")
    words = [word for word, n in IEMOCAP.items() for _ in range(n)]
    assert len(words) == 10039
    lines: dict[str, list[str]] = {}
    names = []
    for i, word in enumerate(words):
        session, number = i % 5 + 1, i // 5 % 10
        kind = f"impro{number:02}" if number < 5 else f"script0{number - 4}_1"
        dialogue = f"Ses0{session}{'FM'[number % 2]}_{kind}"
        turns = lines.setdefault(dialogue, ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n"])
        name = f"{dialogue}_{'FM'[len(turns) % 2]}{len(turns) - 1:03}"
        turns.append(
            f"[6.2901 - 8.2357]\t{name}\t{word}\t[2.5000, 3.0000, {1 + i % 5}.5000]\n"
            "C-E2:\tNeutral;\t()\nA-E3:\tval 3; act 2; dom  2;\t()\n"
        )
        names.append(f"Session{session}/sentences/wav/{dialogue}/{name}.wav")
    touch(root, names + [f"Session{d[4]}/dialog/wav/{d}.wav" for d in lines])
    for dialogue, turns in lines.items():
        file = root / f"Session{dialogue[4]}/dialog/EmoEvaluation/{dialogue}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(turns))
        (file.parent / f"._{dialogue}.txt").write_bytes(b"\0\5\x16\7")
    return root


def test_iemocap_counts_speakers_sessions_dialogues_and_dimensions(iemocap_tree):
    clips, rejected = as_published("iemocap", iemocap_tree)
    assert len(clips) == 7529 and len(clips) + len(rejected) == 10039
    assert Counter(r.reason[-5:] for r in rejected) == {"(xxx)": 2507, "(oth)": 3}
    assert {c.session for c in clips.values()} == {f"Ses0{s}" for s in range(1, 6)}
    assert {c.speaker for c in clips.values()} == {f"iemocap/Ses0{s}{x}" for s in range(1, 6) for x in "FM"}
    for name, clip in clips.items():
        assert clip.speaker[-1] == name[-4] and clip.sex == iemocap.SEX[name[-4]]
        assert name.startswith(clip.dialogue) and clip.dialogue.startswith(clip.session)
    clip = clips["Ses01F_impro00_M000"]
    assert (clip.speaker, clip.valence, clip.arousal, clip.dominance) == (
        "iemocap/Ses01M", "2.5000", "3.0000", "1.5000",
    )  # fmt: skip


def test_iemocap_in_the_usual_four_classes_by_session(iemocap_tree):
    result, _ = read("iemocap", iemocap_tree)
    kept, labels = corpora.relabel(result, {"excited": "happy"}, ["frustrated", "surprise", "fear", "disgust"])
    assert Counter(u.emotion for u in kept) == FOUR and len(kept) == 5531
    parts = draw_folds(data := as_dataset(kept), {"by": "session"}, seed=1)
    assert [fold.name for fold in parts] == [f"iemocap/Ses0{s}" for s in range(1, 6)] and len(labels) == 4
    assert of_folds(data, {"by": "session"}, parts, validation="none").speaker_disjoint is True


def test_iemocap_names_labels_without_sound_and_sound_without_label(tmp_path):
    file = tmp_path / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
    touch(tmp_path, ["Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F007.wav"])
    file.parent.mkdir(parents=True)
    file.write_text("[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]\n")
    result = list(iemocap.utterances(tmp_path))
    assert all(isinstance(item, Rejected) for item in result) and len(result) == 2
    assert result[0].path.stem == "Ses01F_impro01_F007" and result[0].reason.startswith("not an IEMOCAP sentence")
    assert result[1].path == tmp_path / "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav"
    assert "not there" in result[1].reason
