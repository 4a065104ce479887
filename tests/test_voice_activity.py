"""Voice activity: WebRTC's flags whatever the pieces and the rate, and segments of speech."""

import sys

import numpy as np
import pytest
import webrtcvad
from toy import toy_speech

from utils.audio.voice_activity import FRAME_SECONDS, RATE, VoiceActivity, speech_segments
from utils.errors import ConfigError


def test_voice_activity_is_the_detectors_own_whatever_the_pieces():
    wave = toy_speech()
    theirs = webrtcvad.Vad(2)
    frames = (wave[: len(wave) // 320 * 320] * 32767).astype("<i2").reshape(-1, 320)
    expected = [theirs.is_speech(frame.tobytes(), RATE) for frame in frames]
    for size in (317, 16000):
        ours = VoiceActivity(RATE, 2)
        for start in range(0, len(wave), size):
            ours.feed(np.stack([wave, 0 * wave], axis=1)[start : start + size])
        assert ours.flags[0].tolist() == expected and not ours.flags[1].any()
    assert 0.5 < np.mean(expected) * len(wave) / (len(wave) - 2 * RATE) <= 1.2
    ((start, end),) = speech_segments(ours.flags[0])
    assert abs(start - 1) < 0.1 and abs(end - (len(wave) / RATE - 1)) < 0.5
    np.testing.assert_allclose(ours.share(start, end)[1], 0)


def test_another_rate_is_resampled_for_the_detector():
    import soxr

    wave = toy_speech()
    wide = soxr.resample(wave, RATE, 44100)
    hears, same = VoiceActivity(44100, 1), VoiceActivity(RATE, 1)
    for start in range(0, len(wide), 4410):
        hears.feed(wide[start : start + 4410, None])
    hears.feed(wide[:0, None], last=True)
    same.feed(wave[:, None])
    assert abs(len(hears.flags[0]) - len(same.flags[0])) <= 1
    n = min(len(hears.flags[0]), len(same.flags[0]))
    assert np.mean(hears.flags[0][:n] == same.flags[0][:n]) > 0.95


def test_segments_of_known_flags():
    def flags(*runs):
        return np.concatenate([np.full(round(s / FRAME_SECONDS), on) for on, s in runs]).astype(bool)

    assert speech_segments(flags((0, 1), (1, 1), (0, 0.2), (1, 1), (0, 0.3), (1, 0.5), (0, 1), (1, 0.1))) == [
        (1.0, 3.2), (3.5, 4.0),
    ]  # fmt: skip
    assert speech_segments(flags((1, 0.4))) == [(0.0, 0.4)]
    assert speech_segments(flags((0, 1))) == [] and speech_segments(np.empty(0, bool)) == []


def test_without_the_detector_there_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "webrtcvad", None)
    with pytest.raises(ConfigError, match="pip install webrtcvad-wheels"):
        VoiceActivity(RATE, 1)
