"""The measures of a recording's channel: known values, and what changed sound does to them."""

import numpy as np
import pytest

from augmentation import clipping, telephone
from tests.toy_channel import RATE, measured, rng, speech


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_a_tone_has_the_known_level_crest_and_bandwidth(rate):
    time = np.arange(round(1.5 * rate)) / rate
    result = measured(0.5 * np.sin(2 * np.pi * 1000 * time), rate)
    assert result["seconds"] == 1.5
    assert result["level_db"] == pytest.approx(20 * np.log10(0.5) - 3.01, abs=0.05)
    assert result["crest_db"] == pytest.approx(3.01, abs=0.05)
    assert result["snr_db"] == pytest.approx(0, abs=0.1)  # no pause to hear the noise in
    assert 1000 <= result["bandwidth_hz"] <= 1200


@pytest.mark.parametrize("snr", [5.0, 20.0, 40.0])
def test_noise_is_heard_in_the_pauses(snr):
    wave = speech(floor=0)
    loud = measured(wave)["level_db"]
    noise = 10 ** ((loud - snr) / 20) * rng(5).standard_normal(len(wave))
    over = 10 * np.log10(1 + 10 ** (snr / 10))  # the loud frames hold the noise too
    assert measured(wave + noise)["snr_db"] == pytest.approx(over, abs=0.8)


@pytest.mark.parametrize("rate", [16000, 48000])
def test_a_telephone_is_narrow_and_clipping_is_flat(rate):
    wave = speech(rate=rate)
    before, line = measured(wave, rate), measured(telephone.augment(wave, rate, rng()), rate)
    assert before["bandwidth_hz"] > 0.95 * rate / 2 and 3300 < line["bandwidth_hz"] < 3900
    flat = measured(clipping.augment(wave, rate, rng(), share=[0.01, 0.01]), rate)
    assert before["crest_db"] - flat["crest_db"] > 3
    assert abs(before["level_db"] - flat["level_db"]) < 1


def test_silence_is_measured_too():
    result = measured(np.zeros(RATE))
    assert result == {"seconds": 1, "level_db": -90, "snr_db": 0, "bandwidth_hz": 8000, "crest_db": 0}
