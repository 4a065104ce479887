"""The synthetic corpus: seeded, voice-like, and as its parser reads it."""

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import corpora
from corpora import demo
from corpora.base import synthesis
from utils.audio.decode import decode
from utils.audio.prepare import inspect

SEED = 1


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    assert demo.write(folder, seed=SEED, speakers=3, clips=2) == 30
    return folder


def digest(folder: Path) -> str:
    files = sorted(folder.rglob("*.wav"))
    return hashlib.sha256(b"".join(p.name.encode() + p.read_bytes() for p in files)).hexdigest()


def test_parser_reads_what_was_written(root):
    result, rejected = corpora.read({"name": "demo", "root": str(root)}, root)
    assert len(result) == 30 and not rejected
    assert Counter(u.emotion for u in result) == dict.fromkeys(synthesis.STYLES, 6)
    assert set(synthesis.STYLES) <= set(corpora.EMOTIONS)
    assert {(u.speaker, u.sex) for u in result} == {
        ("demo/f01", "female"), ("demo/m02", "male"), ("demo/f03", "female"),
    }  # fmt: skip
    assert demo.NOTE == "trained on synthetic voices"


def test_files_are_sound(root):
    for path in root.rglob("*.wav"):
        samples, rate = decode(path)
        sound = inspect(samples, rate)
        assert rate == 16000 and sound.channels == 1 and sound.clipped == 0
        assert 1.0 <= sound.seconds <= 2.0 and sound.peak < 0.96


def test_same_seed_same_bytes_other_seed_other_voices(root, tmp_path):
    demo.write(tmp_path / "same", seed=SEED, speakers=3, clips=2)
    demo.write(tmp_path / "other", seed=SEED + 1, speakers=3, clips=2)
    assert digest(tmp_path / "same") == digest(root) != digest(tmp_path / "other")


def test_a_larger_corpus_contains_the_smaller_one(root, tmp_path):
    demo.write(tmp_path, seed=SEED, speakers=1, clips=3)
    for path in tmp_path.rglob("*_1.wav"):
        assert path.read_bytes() == (root / path.parent.name / path.name).read_bytes()


@pytest.mark.parametrize("emotion", synthesis.STYLES)
@pytest.mark.parametrize("number", [1, 2])
def test_pitch_is_the_intended_one(emotion, number):
    librosa = pytest.importorskip("librosa")
    wave, f0 = synthesis.say(synthesis.voice(number, seed=SEED), emotion, 1, seed=SEED)
    heard = librosa.yin(wave, fmin=60, fmax=600, sr=16000, frame_length=1024, hop_length=160)
    meant = f0[::160]
    voiced = meant > 0
    semitones = 12 * np.log2(heard[: len(meant)][voiced] / meant[voiced])
    assert voiced.mean() > 0.3
    assert np.median(np.abs(semitones)) < 0.25 and np.mean(np.abs(semitones) < 1) > 0.85


@pytest.mark.parametrize("vowel", synthesis.VOWELS)
def test_spectrum_peaks_at_the_formants(vowel):
    """White noise through the tract: its mean spectrum peaks where the vowel's first two formants are."""
    random = np.random.default_rng(0)
    hops = 1600
    formants = np.tile(synthesis.VOWELS[vowel] + synthesis.UPPER, (hops, 1)).astype(float)
    wave = synthesis._tract(random.standard_normal(hops * synthesis.HOP), formants, 0.0)
    frames = wave.reshape(-1, 1600) * np.hanning(1600)
    power = np.square(np.abs(np.fft.rfft(frames))).mean(axis=0)  # 10 Hz a bin
    peaks = [10 * i for i in range(1, 400) if power[i] == power[max(0, i - 12) : i + 13].max()]
    for formant in synthesis.VOWELS[vowel][:2]:
        assert min(abs(peak - formant) for peak in peaks) <= 60, (formant, peaks)


def test_emotions_differ_as_the_literature_says():
    voices = [synthesis.voice(n, seed=SEED) for n in range(1, 9)]
    pitch, level, seconds, treble = {}, {}, {}, {}
    for emotion in synthesis.STYLES:
        said = [(v, *synthesis.say(v, emotion, k, seed=SEED)) for v in voices for k in (1, 2)]
        pitch[emotion] = np.mean([12 * np.log2(np.median(f0[f0 > 0]) / v.pitch) for v, _, f0 in said])
        level[emotion] = np.mean([20 * np.log10(wave.std()) for _, wave, _ in said])
        seconds[emotion] = np.mean([len(wave) / 16000 for _, wave, _ in said])
        treble[emotion] = np.mean([_treble_db(wave[f0 > 0]) for _, wave, f0 in said])
    assert min(pitch["angry"], pitch["happy"], pitch["fear"]) > pitch["neutral"] + 2 > pitch["sad"]
    assert level["angry"] > level["neutral"] > level["sad"]
    assert seconds["sad"] > seconds["neutral"] > seconds["fear"]
    assert treble["angry"] > treble["neutral"] > treble["sad"]


def _treble_db(wave: np.ndarray) -> float:
    power = np.square(np.abs(np.fft.rfft(wave)))
    edge = round(1000 / 16000 * len(wave))
    return float(10 * np.log10(power[edge:].sum() / power[:edge].sum()))


def test_command_line(tmp_path, capsys):
    assert demo.main([str(tmp_path / "d"), "--speakers", "1", "--clips", "1"]) == 0
    assert "5 clips" in capsys.readouterr().out
    (tmp_path / "file").write_text("not a folder")
    assert demo.main([str(tmp_path / "file"), "--speakers", "1", "--clips", "1"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(SystemExit) as stop:
        demo.main([str(tmp_path), "--speakers", "0"])
    assert stop.value.code == 2
