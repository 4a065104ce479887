"""Clips that no model here was trained on, through text, JSON, CSV, timeline and --live: the same words in each."""

import csv
import io
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from scipy.signal import lfilter
from toy import outcome

import predict
from augmentation import gaussian_noise, telephone
from prediction.answers import NO_ANSWER, UNLIKE

RATE, SECONDS = 16000, 4
FORMANTS = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480))  # Peterson & Barney 1952
TIME = np.arange(SECONDS * RATE) / RATE


def voice(pitch: float = 120.0, rng=None) -> np.ndarray:
    """Return (n,) of a source-filter voice: pulses of a falling pitch through the formants of vowel after vowel."""
    phase = np.cumsum((pitch - 8 * TIME) / RATE)
    source = np.diff(np.floor(phase), prepend=0.0)
    parts = []
    for vowel, part in zip(FORMANTS, np.split(source, len(FORMANTS)), strict=True):
        for formant in vowel:
            radius, angle = np.exp(-np.pi * 80 / RATE), 2 * np.pi * formant / RATE
            part = lfilter([1.0], [1, -2 * radius * np.cos(angle), radius**2], part)
        parts.append(part)
    sound = np.concatenate(parts) * np.maximum(np.sin(2 * np.pi * 2 * TIME), 0.05)
    return np.float32(0.5 * sound / np.abs(sound).max())


def chords() -> np.ndarray:
    """Return (n,) of a cadence of three chords, each note with four harmonics."""
    steps = np.repeat([0, 5, 7, 0], len(TIME) // 4)
    notes = sum(
        np.sin(2 * np.pi * 220 * 2 ** ((steps + n) / 12) * h * TIME) / h for n in (0, 4, 7) for h in range(1, 5)
    )
    return np.float32(0.4 * notes / np.abs(notes).max())


def clips(speech: np.ndarray) -> dict[str, np.ndarray]:
    """Return ten clips by file name, (n,) or (n, 2) at 16 kHz; some are made of ``speech``."""
    rng = np.random.default_rng(1)
    cough = 1e-4 * rng.standard_normal(len(TIME))
    cough[RATE : RATE + 4000] += 0.5 * rng.standard_normal(4000) * np.exp(-np.arange(4000) / 800)
    noisy = gaussian_noise.augment(speech, RATE, rng, snr_db=[0.0, 0.0])
    return {
        "voice.wav": voice(),
        "high_voice.wav": voice(260.0),
        "music.wav": chords(),
        "noise.wav": np.float32(rng.uniform(-0.9, 0.9, len(TIME))),
        "cough.wav": np.float32(cough),
        "telephone.wav": telephone.augment(noisy, RATE, rng),
        "stereo.wav": np.stack([chords(), voice()], axis=1),
        "music.mp3": chords(),
        "clipped.wav": np.clip(40 * noisy, -1, 1),
        "song.flac": 0.5 * (voice(200.0) + chords()),
    }


@pytest.fixture
def said(demo_zoo, demo_root, tmp_path, monkeypatch, capsys):
    """Return a function that runs predict.py with the demo's model beside the ten clips, and gives what it prints."""
    parts = [soundfile.read(path, dtype="float32")[0] for path in sorted((demo_root / "m08").glob("*.wav"))[:4]]
    monkeypatch.chdir(tmp_path)
    for name, samples in clips(np.resize(np.concatenate(parts), len(TIME))).items():
        soundfile.write(name, samples, RATE)

    def call(*arguments) -> str:
        status, out, err = outcome(predict.main, monkeypatch, capsys, "--checkpoint", demo_zoo / "plain", *arguments)
        assert status == 0, err
        return out

    return call


def test_the_same_warning_reaches_text_json_csv_and_chart(said, tmp_path):
    names = sorted(path.name for path in tmp_path.glob("*.*"))
    assert len(names) == 10
    answers = {one["file"]: one for one in map(json.loads, said("--json", *names).splitlines())}
    text = said("--csv", "table.csv", "--radar", "charts", *names)
    rows = {row["file"]: row for row in csv.DictReader((tmp_path / "table.csv").read_text().splitlines())}
    blocks = {block.partition(": ")[0]: block for block in text.replace("\n  ", " ").splitlines()}
    warned = [name for name in names if answers[name]["warning"]]
    assert len(warned) >= 8
    for name in names:
        warning, block = answers[name]["warning"], " ".join(blocks[name].split())
        assert rows[name]["warning"] == warning and (warning in block if warning else "warning" not in block)
        assert (answers[name]["emotion"] is None) == (rows[name]["emotion"] == "") == bool(warning)
        assert block.startswith(f"{name}: {NO_ANSWER}") == bool(warning) == warning.startswith(UNLIKE)
        assert sum(answers[name]["probabilities"].values()) == pytest.approx(1, abs=1e-4)
        assert rows[name]["p_sad"] == str(answers[name]["probabilities"]["sad"])
    assert max(map(len, (line for line in text.splitlines() if "hint: " not in line and ": UAR" not in line))) <= 80


def test_the_same_words_reach_timeline_and_live(said, tmp_path, monkeypatch):
    whole = [json.loads(line) for line in said("--json", "voice.wav", "noise.wav", "music.wav").splitlines()]
    assert all(one["warning"] for one in whole)
    for name in ("voice", "noise", "music"):
        text = said("--timeline", f"{name}.wav")
        (channel,) = json.loads((tmp_path / f"{name}_timeline.json").read_text())["channels"]
        rows = list(csv.DictReader((tmp_path / f"{name}_timeline.csv").read_text().splitlines()))
        assert len(rows) == len(channel["hops"])
        if rows:  # where the detector found speech
            assert channel["warning"].startswith(UNLIKE) and f"changes: {NO_ANSWER}" in text
            assert {row["emotion"] for row in rows} == {""} and {row["warning"] for row in rows} == {channel["warning"]}
            assert {spell["emotion"] for spell in channel["spells"]} == {None}
            assert 'text = "no answer"' in (tmp_path / f"{name}_timeline.TextGrid").read_text()
    hops = [json.loads(line) for line in live(said, monkeypatch, tmp_path / "voice.wav", "--json")]
    words = [line for line in live(said, monkeypatch, tmp_path / "voice.wav") if " s  mono: " in line]
    assert any(hop["probabilities"] for hop in hops)
    outside = [hop for hop in hops if hop["warning"]]  # windows of the first seconds are short, and may be like others
    assert len(outside) > len(hops) / 2
    assert all(hop["emotion"] is None and hop["warning"].startswith(UNLIKE) for hop in outside)
    for hop, line in zip(hops, words, strict=True):
        assert line.endswith(f"mono: {NO_ANSWER}") == bool(hop["warning"])


def live(said, monkeypatch, path, *arguments) -> list[str]:
    """Return the lines that predict.py prints while a file comes through stdin."""
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(path.read_bytes())))
    return said("--live", "-", *arguments).splitlines()


def test_with_the_option_each_clip_has_an_emotion_and_keeps_its_warning(said):
    plain, named = (
        [json.loads(line) for line in said("--json", *more, "noise.wav", "voice.wav").splitlines()]
        for more in ([], ["--always-name"])
    )
    for one, other in zip(plain, named, strict=True):
        assert other == one | {"emotion": max(one["probabilities"], key=one["probabilities"].get)} and one["warning"]
