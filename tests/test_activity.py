"""Level and silence made equal: gain, noise and pauses decide nothing."""

import numpy as np
import pytest

from utils.audio import activity
from utils.audio.prepare import prepare

RATE = 16000


def speech(seconds: float = 1.5, before: float = 1.0, after: float = 0.7, noise_db: float = -60.0) -> np.ndarray:
    """Return a buzz of 120 Hz that is loud and soft by turns, with noise before, after and below it."""
    time = np.arange(round(seconds * RATE)) / RATE
    buzz = sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 20)) * (
        0.6 + 0.4 * np.sin(2 * np.pi * 4 * time)
    )
    wave = np.pad(0.1 * buzz, (round(before * RATE), round(after * RATE)))
    return (wave + 10 ** (noise_db / 20) * np.random.default_rng(1).standard_normal(len(wave))).astype(np.float32)


def equal(wave: np.ndarray) -> np.ndarray:
    return prepare(wave[:, None], RATE, RATE, trim="adaptive", level="active")


@pytest.mark.parametrize("gain_db", [-30.0, -12.0, 6.0])
def test_gain_does_not_matter(gain_db):
    wave = speech()
    np.testing.assert_allclose(equal(wave * np.float32(10 ** (gain_db / 20))), equal(wave), atol=1e-5)


@pytest.mark.parametrize("noise_db", [-80.0, -50.0, -35.0])
def test_silence_is_cut_to_a_tenth_of_a_second(noise_db):
    wave = equal(speech(noise_db=noise_db))
    assert abs(len(wave) / RATE - (1.5 + 2 * activity.MARGIN_S)) < 0.12


def test_active_frames_get_the_level_asked_for():
    wave = equal(speech())
    power = activity.smoothed_power(wave, RATE)
    level = 10 * np.log10(power[activity.active(power)].mean())
    assert level == pytest.approx(activity.TARGET_DB, abs=0.05)


def test_rumble_goes_and_speech_stays():
    time = np.arange(RATE) / RATE
    for hz, kept in ((15, 0.0624), (60, 0.7071), (300, 0.9992), (1000, 1.0)):
        tone = np.sin(2 * np.pi * hz * time).astype(np.float32)
        inner = activity.without_rumble(tone, RATE)[3000:-3000]
        assert np.sqrt(2 * np.mean(np.square(inner))) == pytest.approx(kept, abs=0.01)


def test_what_is_all_alike_is_kept_and_silence_stays_silent():
    hum = np.random.default_rng(1).normal(0, 0.1, RATE).astype(np.float32)
    assert len(activity.trimmed(hum, RATE)) > 0.5 * RATE
    assert not activity.levelled(np.zeros(RATE, np.float32), RATE).any()
    assert len(activity.smoothed_power(np.zeros(100, np.float32), RATE)) == 1
