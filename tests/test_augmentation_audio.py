"""Augmentation on audio: what each plug-in does to a wave, measured; what decides a copy; what is refused."""

import numpy as np
import pytest
import soundfile

from augmentation import telephone
from augmentation.base import recordings, variants
from augmentation.reverberation import room
from augmentation.time_stretch import stretched
from utils import config, plugins
from utils.errors import ConfigError

AUDIO = {name: plugin for name, plugin in plugins.every("augment").items() if plugin.constants["ON"] == "audio"}
RATE = 16000


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def tone(hz: float, seconds: float = 1.5, rate: int = RATE) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def voice(seconds: float = 1.0, rate: int = RATE, pitch: float = 120.0) -> np.ndarray:
    """Return a buzz of ten harmonics whose level rises and falls, and a little breath."""
    time = np.arange(round(seconds * rate)) / rate
    buzz = sum(np.sin(2 * np.pi * k * pitch * time) / k for k in range(1, 11)) * (1.1 + np.sin(2 * np.pi * 3 * time))
    return (0.1 * buzz + 0.01 * rng().standard_normal(len(time))).astype(np.float32)


def peak_hz(wave: np.ndarray, rate: int = RATE) -> float:
    """Return the strongest frequency, to a fraction of a bin, by a parabola through its neighbours."""
    spectrum = np.log(np.abs(np.fft.rfft(wave * np.hanning(len(wave)))) + 1e-12)
    k = int(spectrum.argmax())
    left, middle, right = spectrum[k - 1 : k + 2]
    return (k + 0.5 * (left - right) / (left - 2 * middle + right)) * rate / len(wave)


def power(wave: np.ndarray) -> float:
    return float(np.mean(np.square(wave, dtype=np.float64)))


def made(name: str, wave: np.ndarray, rate: int = RATE, seed: int = 1, **arguments) -> np.ndarray:
    return AUDIO[name].load().augment(wave, rate, rng(seed), **arguments)


@pytest.fixture
def noises(tmp_path, monkeypatch):
    """Return the name of a folder below $SER_DATA with two recordings, one at another rate and in stereo."""
    folder = tmp_path / "data" / "noises"
    folder.mkdir(parents=True)
    soundfile.write(folder / "a.wav", 0.1 * rng(8).standard_normal(4000), RATE)
    soundfile.write(folder / "b.flac", 0.1 * rng(9).standard_normal((30000, 2)), 22050)
    monkeypatch.setenv("SER_DATA", str(tmp_path / "data"))
    return "noises"


@pytest.mark.parametrize("snr", [-3.0, 12.5, 30.0])
def test_the_measured_signal_to_noise_ratio_is_the_asked_one(snr, noises):
    wave = voice()
    for name, given in (("gaussian_noise", {}), ("background_noise", {"folder": noises})):
        noise = made(name, wave, snr_db=[snr, snr], **given).astype(np.float64) - wave
        assert 10 * np.log10(power(wave) / power(noise)) == pytest.approx(snr, abs=0.1)


def test_a_drawn_ratio_stays_within_its_range():
    wave = voice()
    drawn = [10 * np.log10(power(wave) / power(made("gaussian_noise", wave, seed=s) - wave)) for s in range(60)]
    assert 9.9 < min(drawn) < 13 and 27 < max(drawn) < 30.1


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.25])
@pytest.mark.parametrize("hz", [110.0, 440.0, 1000.0])
def test_stretching_changes_the_duration_and_keeps_the_pitch(factor, hz):
    wave = tone(hz)
    result = made("time_stretch", wave, factor=[factor, factor])
    assert len(result) == round(factor * len(wave))
    assert peak_hz(result) == pytest.approx(hz, rel=0.002)
    middle = result[2000:-2000]
    assert power(middle) == pytest.approx(power(wave), rel=0.05)  # joined in phase: no holes, no beats


def test_stretching_by_one_gives_the_wave_back():
    np.testing.assert_allclose(stretched(voice(), RATE, 1.0), voice(), atol=1e-6)


def test_stretching_moves_events_to_their_place():
    wave = np.zeros(RATE, np.float32)
    wave[[4000, 12000]] = 1.0
    result = np.flatnonzero(stretched(wave, RATE, 1.2) > 0.4)
    assert np.abs(result[0] - 4800) < 0.02 * RATE and np.abs(result[-1] - 14400) < 0.02 * RATE


@pytest.mark.parametrize("semitones", [-4.0, -1.0, 2.0, 12.0])
def test_a_pitch_shift_moves_a_tone_by_its_semitones_and_keeps_the_duration(semitones):
    wave = tone(440)
    result = made("pitch_shift", wave, semitones=[semitones, semitones])
    assert len(result) == len(wave)
    assert 12 * np.log2(peak_hz(result) / 440) == pytest.approx(semitones, abs=0.03)


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_speed_moves_duration_and_pitch_together(factor):
    wave = tone(440)
    result = made("speed", wave, factor=[factor, factor])
    assert len(result) == pytest.approx(len(wave) / factor, abs=1)
    assert peak_hz(result) == pytest.approx(440 * factor, rel=0.001)


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_a_telephone_leaves_next_to_nothing_outside_its_band(rate):
    level = {}
    for hz in (100, 200, 500, 1000, 2000, 3000, 3800, *((6000,) if rate > 12000 else ())):
        wave = tone(hz, rate=rate)
        level[hz] = 10 * np.log10(power(made("telephone", wave, rate)) / power(wave))
    assert all((level[hz] < -30) == (hz in (100, 200, 3800, 6000)) for hz in level), level
    assert all(abs(level[hz]) < 1 for hz in (500, 1000, 2000, 3000)), level


def test_the_mu_law_has_its_published_quality():
    line = tone(1000, rate=8000)
    error = telephone.coded(line) - line
    assert 36 < 10 * np.log10(power(line) / power(error)) < 40  # about 38 dB over the whole range of levels
    soft = line / 30
    assert 10 * np.log10(power(soft) / power(telephone.coded(soft) - soft)) > 30  # 8 linear bits would leave 15
    assert np.abs(telephone.coded(np.float32([-3, 0, 3]))).tolist() == pytest.approx([1, 0, 1])


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_mp3_delays_nothing_and_loses_more_at_a_lower_rate(rate):
    wave, quality = voice(1.5, rate), {}
    for kbit in (32, 64):
        result = made("mp3", wave, rate, kbit=[kbit, kbit])
        size = 4 * len(wave)
        assert np.fft.irfft(np.fft.rfft(wave, size) * np.conj(np.fft.rfft(result, size))).argmax() == 0
        quality[kbit] = 10 * np.log10(power(wave) / power(wave - result))
    assert 8 < quality[32] <= quality[64] < 60, quality
    with pytest.raises(ConfigError, match="mp3 has no 12345 Hz"):
        made("mp3", wave, 12345)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.2])
def test_clipping_cuts_the_asked_share_flat_and_leaves_the_rest(share):
    wave = voice()
    result = made("clipping", wave, share=[share, share])
    assert np.mean(result != wave) == pytest.approx(share, abs=1e-3)
    flat = result[result != wave]
    assert not len(flat) or (np.ptp(np.abs(flat)) < 1e-6 and np.abs(result).max() == pytest.approx(np.abs(flat).max()))


@pytest.mark.parametrize("rt60", [0.3, 0.8])
def test_the_reverberation_decays_as_asked(rt60):
    click = np.zeros(2 * RATE, np.float32)
    click[0] = 1
    result = made("reverberation", click, rt60=[rt60, rt60], direct_db=[3.0, 3.0])
    tail = np.square(result[1 : round(rt60 * RATE)], dtype=np.float64)
    left = 10 * np.log10(np.cumsum(tail[::-1])[::-1] / tail.sum())  # Schroeder 1965
    seconds = np.arange(len(left)) / RATE
    used = (left < -5) & (left > -35)
    slope = np.polyfit(seconds[used], left[used], 1)[0]
    assert -60 / slope == pytest.approx(rt60, rel=0.05)
    assert 10 * np.log10(result[0] ** 2 / tail.sum()) == pytest.approx(3.0, abs=0.05)


def test_a_measured_room_is_convolved_and_moves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("SER_DATA", str(tmp_path))
    answer = np.concatenate([np.zeros(300), room(RATE, rng(), 0.2, 6.0)])  # 300 samples of way to the microphone
    (tmp_path / "rooms").mkdir()
    soundfile.write(tmp_path / "rooms" / "hall.wav", 0.5 * answer, RATE, subtype="FLOAT")
    wave = voice()
    result = made("reverberation", wave, folder="rooms")
    expected = np.convolve(wave, answer[300:])[: len(wave)]
    np.testing.assert_allclose(result, expected * np.sqrt(power(wave) / power(expected)), atol=1e-4)


def test_volume_is_exact_and_a_shift_keeps_every_sample():
    wave = voice()
    np.testing.assert_allclose(made("volume", wave, gain_db=[-6.0, -6.0]), wave * 10 ** (-6 / 20), rtol=1e-6)
    np.testing.assert_array_equal(made("time_shift", wave, seconds=[0.1, 0.1]), np.roll(wave, 1600))
    result = made("time_shift", wave, seconds=[-0.5, -0.5])
    np.testing.assert_array_equal(np.sort(result), np.sort(wave))


def test_a_chain_is_its_steps_one_after_the_other():
    wave, generator = voice(), rng(5)
    steps = [{"name": "volume", "gain_db": [6.0, 6.0]}, {"name": "gaussian_noise", "snr_db": [10.0, 20.0]}]
    louder = AUDIO["volume"].load().augment(wave, RATE, generator, gain_db=[6.0, 6.0])
    expected = AUDIO["gaussian_noise"].load().augment(louder, RATE, generator, snr_db=[10.0, 20.0])
    np.testing.assert_array_equal(made("chain", wave, seed=5, steps=steps), expected)


# the contract


def test_conditions_differ_from_copy_to_copy_and_can_be_left_out():
    wave = voice(2.0)
    copies = [made("conditions", wave, seed=seed) for seed in range(12)]
    assert len({copy.tobytes() for copy in copies}) == 12
    levels = [10 * np.log10(power(copy) / power(wave)) for copy in copies]
    assert max(levels) - min(levels) > 6
    none = {f"p_{what}": 0.0 for what in ("equaliser", "room", "noise", "telephone", "codec", "band", "clipping")}
    np.testing.assert_allclose(made("conditions", wave, gain_db=[0.0, 0.0], **none), wave, atol=1e-7)
    only_line = none | {"p_telephone": 1.0, "gain_db": [0.0, 0.0]}
    spectrum = np.abs(np.fft.rfft(made("conditions", wave, **only_line)))
    hz = np.fft.rfftfreq(len(wave), 1 / RATE)
    assert np.square(spectrum[hz > 4200]).sum() < 1e-3 * np.square(spectrum).sum()


def test_babble_has_the_voices_of_the_clip_and_no_more_level_than_asked():
    from augmentation import conditions

    wave = voice(2.0)
    babble = conditions.babble(wave, rng())
    assert babble.shape == wave.shape and np.isfinite(babble).all() and power(babble) > 0
    given = made("conditions", wave, snr_db=[10.0, 10.0], gain_db=[0.0, 0.0], p_noise=1.0, p_equaliser=0.0, p_room=0.0,
                 p_telephone=0.0, p_codec=0.0, p_band=0.0, p_clipping=0.0)  # fmt: skip
    assert 10 * np.log10(power(wave) / power(given - wave)) == pytest.approx(10, abs=0.01)


def section(name: str, noises: str) -> dict:
    """Return a config's section, complete, whatever the plug-in requires filled in."""
    required = {"folder": noises}
    given = {k: required[k] for k, a in AUDIO[name].arguments.items() if a.default is plugins.REQUIRED}
    return {"name": name, **plugins.arguments("augment", {"name": name, **given})}


@pytest.mark.parametrize("name", AUDIO)
@pytest.mark.parametrize("rate", [8000, 16000, 48000])
@pytest.mark.parametrize("seconds", [0.3, 2.0])
def test_contract(name, rate, seconds, noises):
    wave = voice(seconds, rate)
    before = wave.copy()
    (variant,) = variants.variants([section(name, noises) | {"copies": 1}], seed=7)
    result = variant.apply(wave, rate, "digest one")
    assert result.dtype == np.float32 and result.ndim == 1 and result.flags.c_contiguous
    assert np.isfinite(result).all() and power(result) > 1e-6
    assert 0.5 * len(wave) < len(result) < 2 * len(wave)
    np.testing.assert_array_equal(wave, before)
    wave.flags.writeable = False
    np.testing.assert_array_equal(variant.apply(wave, rate, "digest one"), result)
    assert result.shape != wave.shape or (result != wave).any()


@pytest.mark.parametrize("name", sorted(set(AUDIO) - {"telephone"}))  # draws nothing
def test_the_clip_the_copy_and_the_seed_decide_the_draws(name, noises):
    step = section(name, noises)
    one, two = variants.variants([step | {"copies": 2}], seed=7)
    (other,) = variants.variants([step | {"copies": 1}], seed=8)
    result = [one.apply(voice(), RATE, "a"), one.apply(voice(), RATE, "b"), two.apply(voice(), RATE, "a")]
    result.append(other.apply(voice(), RATE, "a"))
    assert len({wave.tobytes() for wave in result}) == 4
    (same,) = variants.variants([step | {"copies": 1}], seed=7)  # how many copies there are does not matter
    assert same.recipe == one.recipe and (same.apply(voice(), RATE, "a") == result[0]).all()


def test_a_recipe_depends_on_what_a_folder_holds_and_not_on_where_it_is(noises, tmp_path):
    import shutil

    def recipe(folder):
        step = {"name": "background_noise", "folder": folder, "snr_db": [5.0, 20.0]}
        chain = {"name": "chain", "steps": [step], "copies": 1}
        return [variant.recipe for variant in variants.variants([step | {"copies": 1}, chain], seed=1)]

    first = recipe(noises)
    assert "noises" not in str(first)
    shutil.copytree(tmp_path / "data" / noises, tmp_path / "elsewhere")
    assert recipe(str(tmp_path / "elsewhere")) == first
    soundfile.write(tmp_path / "data" / noises / "a.wav", 0.1 * rng(10).standard_normal(4000), RATE)
    changed = recipe(noises)
    assert all(one != other for one, other in zip(changed, first, strict=True))


def test_a_folder_without_recordings_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("SER_DATA", str(tmp_path))
    (tmp_path / "empty").mkdir()
    for folder in ("nowhere", "empty"):
        with pytest.raises(ConfigError, match=rf"{folder} holds no recordings"):
            recordings.digest(folder)


def test_a_pause_in_the_noise_is_not_raised_to_the_skies(tmp_path, monkeypatch):
    monkeypatch.setenv("SER_DATA", str(tmp_path))
    (tmp_path / "pauses").mkdir()
    noise = np.zeros(20 * RATE)
    noise[-100:] = 0.2
    soundfile.write(tmp_path / "pauses" / "a.wav", noise, RATE)
    for seed in range(4):
        result = made("background_noise", voice(0.5), seed=seed, folder="pauses", snr_db=[10.0, 10.0])
        assert 10 * np.log10(power(voice(0.5)) / power(result - voice(0.5))) == pytest.approx(10, abs=0.1)


# the config


def checked(augment: list, **keys):
    raw = {
        "name": "a", "corpora": [{"name": "demo", "root": "demo"}], "features": {"name": "logmel"},
        "model": {"name": "svm"}, "augment": augment,
    }  # fmt: skip
    return config.check(raw | keys, "a.yaml")


def test_a_config_fills_in_and_reloads_what_it_filled_in():
    filled = checked([{"name": "speed", "copies": 2}, {"name": "time_mask"}, {"name": "chain", "steps": []}])
    assert filled.augment[0] == {"name": "speed", "factor": [0.9, 1.1], "copies": 2}
    assert "copies" not in filled.augment[1] and filled.augment[2]["copies"] == 1
    assert [step["name"] for step in filled.augmentation(audio=True)] == ["speed", "chain"]
    assert [step["name"] for step in filled.augmentation(audio=False)] == ["time_mask"]
    assert checked(filled.augment).augment == filled.augment


@pytest.mark.parametrize(
    ("augment", "words"),
    [
        ([{"name": "speed", "copies": 0}], "copies must be a whole number of at least 1, got 0"),
        ([{"name": "speed", "copies": True}], "copies must be"),
        ([{"name": "time_mask", "copies": 2}], "'copies' is not a known argument"),
        ([{"name": "speed", "factor": [1.1, 0.9]}], r"factor must be .* within 0.25 and 4, got \[1.1, 0.9\]"),
        ([{"name": "speed", "factor": [0, 1]}], r"factor must be \[low, high\] within"),
        ([{"name": "speed", "factor": 1.1}], r"factor must be \[low, high\], got 1.1"),
        ([{"name": "volume", "gain_db": [1.0]}], r"gain_db must be \[low, high\], got \[1.0\]"),
        ([{"name": "background_noise"}], "'folder' must be given"),
        ([{"name": "chain", "steps": [{"name": "sped"}]}], "Did you mean 'speed'"),
        ([{"name": "chain", "steps": [{"name": "speed", "copies": 2}]}], "'copies' is not a known argument"),
        ([{"name": "chain", "steps": [{"name": "mixup"}]}], "augmentation chain: mixup works on features"),
        ([{"name": "speed"}, {"name": "speed", "copies": 3}], "speed is given twice"),
    ],
)  # fmt: skip
def test_a_mistake_is_refused_when_the_config_is_read(augment, words):
    with pytest.raises(ConfigError, match=words) as caught:
        checked(augment)
    assert "\n" not in str(caught.value)


def test_balance_by_augmentation_needs_one_on_audio():
    for augment in ([], [{"name": "feature_noise"}]):
        with pytest.raises(ConfigError, match="balance: augment fills the smaller classes"):
            checked(augment, balance="augment")
    assert checked([{"name": "speed"}], balance="augment").balance == "augment"
