"""The project's own functionals on sounds of known pitch, rate and modulation; gain and filters change little."""

import numpy as np
import pytest

from extract_feats import functionals
from extract_feats.dsp.pitch_path import pitch_path
from extract_feats.dsp.voice_contours import contours
from utils.errors import ConfigError, DataError

RATE = 16000


def voice(hertz: float | np.ndarray = 150.0, seconds: float = 2.0, rate: int = RATE, syllables: float = 4.0):
    """Return harmonics that fall by 6 dB per octave, in so many syllables per second, with a little noise."""
    time = np.arange(int(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(hertz, time.shape)) / rate
    buzz = sum(np.cos(k * phase) / k for k in range(1, 30))
    noise = np.random.default_rng(0).normal(0, 1e-3, len(time))
    return (0.1 * buzz * (0.05 + np.sin(np.pi * syllables * time) ** 2) + noise).astype(np.float32)


def described(wave: np.ndarray, rate: int = RATE) -> dict[str, float]:
    return dict(zip(functionals.names(rate), functionals.extract(wave, rate).tolist(), strict=True))


@pytest.mark.parametrize("hertz", [80.0, 150.0, 300.0, 500.0])
@pytest.mark.parametrize("rate", [16000, 22050])
def test_the_pitch_of_harmonics(hertz, rate):
    c = contours(voice(hertz, rate=rate), rate)
    assert np.median(c.hertz[c.voiced]) == pytest.approx(hertz, rel=0.02)  # candidates are 2 % apart
    assert described(voice(hertz, rate=rate), rate)["register_pitch_median"] == pytest.approx(
        12 * np.log2(hertz / 100), abs=0.35
    )


def test_a_missing_fundamental_is_heard():
    time = np.arange(RATE) / RATE
    wave = sum(np.cos(2 * np.pi * 200 * k * time) for k in range(3, 9))
    frames = np.lib.stride_tricks.sliding_window_view(wave, 720)[::160]
    assert np.median(pitch_path(frames, RATE)[0]) == pytest.approx(200, rel=0.02)


def test_an_octave_upwards_within_the_clip():
    glide = 120 * 2 ** (np.arange(2 * RATE) / (2 * RATE))
    rising, falling = described(voice(glide, syllables=6.0)), described(voice(glide[::-1], syllables=6.0))
    assert 9 < rising["pitch_range"] < 12.5
    assert rising["voiced_pitch_slope"] == pytest.approx(-falling["voiced_pitch_slope"], rel=0.1)
    assert rising["voiced_pitch_slope"] > 3 and rising["pitch_rising"] > 0.08 > falling["pitch_rising"]


@pytest.mark.parametrize("syllables", [2.0, 4.0, 6.0])
def test_syllables_are_counted_and_are_the_strongest_modulation(syllables):
    values = described(voice(syllables=syllables, seconds=3.0))
    assert values["peaks_per_second"] == pytest.approx(syllables, rel=0.15)
    shares = {name: value for name, value in values.items() if name.startswith("modulation_level")}
    assert max(shares, key=shares.get) == f"modulation_level_{ {2: '1.5', 4: '3', 6: '5'}[int(syllables)] }_hz"


def test_peaks_of_a_known_contour():
    slow = np.repeat([0.0, 10.0, 0.0, 2.0, 0.0, 10.0, 0.0], 10)  # the middle one rises by 2 dB only
    assert functionals.peaks(slow) == 2
    assert functionals.peaks(np.zeros(50)) == 0


def test_gain_changes_nothing():
    wave = voice()
    for gain in (0.01, 30.0):
        np.testing.assert_allclose(
            functionals.extract(gain * wave, RATE), functionals.extract(wave, RATE), rtol=1e-3, atol=2e-3
        )


def test_a_filter_changes_the_register_and_hardly_anything_else():
    """A first difference raises the treble by 6 dB per octave."""
    before, after = described(voice()), described(np.diff(voice(), prepend=0.0).astype(np.float32))
    register = [abs(after[name] - before[name]) for name in before if name.startswith("register_band")]
    assert max(register) > 8
    for name in ("voiced_pitch_std", "active_level_std", "voiced_level_slope", "pitch_range", "voiced_share"):
        assert after[name] == pytest.approx(before[name], rel=0.25, abs=0.25), name


def test_names_and_what_is_refused():
    assert len(functionals.names(RATE)) == len(functionals.extract(voice(), RATE)) == 724
    with pytest.raises(ConfigError, match="15200 Hz or more"):
        functionals.extract(voice(rate=8000), 8000)
    with pytest.raises(DataError, match="silent"):
        functionals.extract(np.zeros(RATE, np.float32), RATE)
    with pytest.raises(DataError, match="too short"):
        functionals.extract(voice()[:3000], RATE)


def test_noise_alone_gives_finite_numbers():
    noise = np.random.default_rng(1).normal(0, 0.1, RATE).astype(np.float32)
    assert np.isfinite(functionals.extract(noise, RATE)).all()
