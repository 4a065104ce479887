"""Our descriptors against librosa's own, on a synthetic voice and on real speech, and against plain facts."""

import os
from pathlib import Path

import librosa
import numpy as np
import pytest

from extract_feats import librosa_frames, librosa_stats, logmel
from extract_feats.dsp import filters, pitch
from extract_feats.dsp.spectrum import Spectrum, decibels, delta
from tests.test_features import voice
from utils.audio.prepare import read_wave

CLOSE = 1e-4  # of the descriptor's largest magnitude
RATES = (16000, 22050)
SPEECH = Path(os.environ.get("SER_DATA", "data")) / "RAVDESS"
feature = librosa.feature


@pytest.fixture(scope="module", params=["synthetic", "speech"])
def source(request) -> list:
    """Waves at every rate: rate -> list of waves."""
    if request.param == "synthetic":
        return {rate: [voice(rate)] for rate in RATES}
    files = sorted(SPEECH.rglob("*.flac")) + sorted(SPEECH.rglob("*.wav"))
    if not files:
        pytest.skip(f"real speech is not there: {SPEECH} holds no audio; set SER_DATA")
    return {rate: [read_wave(file, rate) for file in files[5 :: len(files) // 6 + 1]] for rate in RATES}


def assert_close(ours: np.ndarray, theirs: np.ndarray) -> None:
    assert ours.shape == theirs.shape
    assert ours.dtype == np.float32
    assert np.abs(ours - theirs).max() <= CLOSE * np.abs(theirs).max()


PAIRS = {
    "magnitude": (lambda s: s.magnitude, lambda y, sr: np.abs(librosa.stft(y))),
    "mel": (lambda s: s.mel, lambda y, sr: feature.melspectrogram(y=y, sr=sr)),
    "mel_db": (lambda s: s.mel_db, lambda y, sr: librosa.power_to_db(feature.melspectrogram(y=y, sr=sr))),
    "mfcc": (lambda s: s.cepstrum[:, :50], lambda y, sr: feature.mfcc(y=y, sr=sr, n_mfcc=50)),
    "delta": (
        lambda s: delta(s.cepstrum[:, :13]),
        lambda y, sr: feature.delta(feature.mfcc(y=y, sr=sr, n_mfcc=13)),
    ),
    "delta2": (
        lambda s: delta(s.cepstrum[:, :13], 2),
        lambda y, sr: feature.delta(feature.mfcc(y=y, sr=sr, n_mfcc=13), order=2),
    ),
    "chroma": (lambda s: s.chroma(), lambda y, sr: feature.chroma_stft(y=y, sr=sr)),
    "chroma_tuned": (lambda s: s.chroma(0.25), lambda y, sr: feature.chroma_stft(y=y, sr=sr, tuning=0.25)),
    "contrast": (lambda s: s.contrast, lambda y, sr: feature.spectral_contrast(y=y, sr=sr)),
    "zcr": (lambda s: s.zcr, lambda y, sr: feature.zero_crossing_rate(y)),
    "rms": (lambda s: s.rms, lambda y, sr: feature.rms(y=y)),
    "centroid": (lambda s: s.centroid, lambda y, sr: feature.spectral_centroid(y=y, sr=sr)),
    "flatness": (lambda s: s.flatness, lambda y, sr: feature.spectral_flatness(y=y)),
}


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("what", PAIRS)
def test_equals_librosa(source, rate, what):
    ours, theirs = PAIRS[what]
    for wave in source[rate]:
        assert_close(ours(Spectrum(wave, rate)), theirs(wave, rate).T)


@pytest.mark.parametrize("rate", RATES)
def test_tuning_equals_librosa(source, rate):
    for wave in source[rate]:
        assert Spectrum(wave, rate).tuning == librosa.estimate_tuning(y=None, S=Spectrum(wave, rate).power.T, sr=rate)


@pytest.mark.parametrize("rate", RATES)
def test_peaks_equal_piptrack(source, rate):
    for wave in source[rate]:
        spectrum = Spectrum(wave, rate)
        theirs, magnitudes = librosa.piptrack(S=spectrum.magnitude.T, sr=rate, fmin=70, fmax=400)
        hertz, magnitude = pitch.peaks(spectrum.magnitude, rate, fmin=70, fmax=400)
        result = theirs.T > 0
        np.testing.assert_allclose(hertz, theirs.T[result], rtol=1e-5)
        np.testing.assert_allclose(magnitude, magnitudes.T[result], rtol=1e-5)


@pytest.mark.parametrize("frames", [1, 2, 8])
@pytest.mark.parametrize("order", [1, 2])
def test_delta_of_few_frames_equals_librosa_nearest(frames, order):
    values = np.random.default_rng(frames).normal(size=(frames, 3)).astype(np.float32)
    theirs = feature.delta(values, axis=0, order=order, mode="nearest")
    np.testing.assert_allclose(delta(values, order), theirs, atol=1e-5)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 48000])
@pytest.mark.parametrize(("n_fft", "n_mels"), [(512, 40), (1024, 64), (2048, 128)])
def test_mel_filters_equal_librosa(rate, n_fft, n_mels):
    theirs = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=n_mels, fmin=50, fmax=rate * 0.45)
    assert_close(filters.mel_filters(rate, n_fft, n_mels, 50, rate * 0.45), theirs.T)


def test_logmel_equals_librosa_with_its_own_window_hop_and_range():
    wave = voice()
    mel = feature.melspectrogram(
        y=wave, sr=16000, n_fft=1024, win_length=400, hop_length=160, n_mels=80, fmin=60, fmax=7600
    )
    settings = {"n_mels": 80, "fmin": 60.0, "fmax": 7600.0, "floor": 1e-8}
    assert_close(logmel.extract(wave, 16000, **settings), librosa.power_to_db(mel, amin=1e-8, top_db=None).T)
    assert_close(logmel.extract(wave, 16000, **settings, scale="ln"), np.log(np.maximum(mel, 1e-8)).T)


def test_presets_are_the_published_stacks_in_one_order():
    wave, rate = voice(22050), 22050
    mfcc = feature.mfcc(y=wave, sr=rate, n_mfcc=13)
    y = {"y": wave, "sr": rate}
    stack = [
        mfcc, feature.delta(mfcc), feature.delta(mfcc, order=2), feature.chroma_stft(**y),
        feature.melspectrogram(**y), feature.spectral_contrast(**y), feature.zero_crossing_rate(wave),
    ]  # fmt: skip
    ours = librosa_frames.extract(wave, rate, preset="stack187", mel="power")
    assert_close(ours, np.vstack(stack).T)
    assert librosa_frames.extract(wave, rate, preset="stack201").shape == (len(ours), 201)
    assert librosa_frames.extract(wave, rate, preset="mfcc").shape == (len(ours), 39)


@pytest.mark.parametrize(
    ("module", "rate", "settings", "frames"),
    [
        (logmel, 16000, {}, 601),  # hop 10 ms
        (logmel, 48000, {"n_mels": 128, "window": 512, "hop": 256}, 1126),
        (librosa_frames, 22050, {}, 259),
        (librosa_frames, 16000, {"features": ["rms"], "hop": 1000}, 97),
    ],
)
def test_six_seconds_of_noise_give_so_many_frames(module, rate, settings, frames):
    noise = np.random.default_rng(3).normal(0, 0.1, 6 * rate).astype(np.float32)
    assert len(module.extract(noise, rate, **settings)) == frames


@pytest.mark.parametrize("rate", RATES)
def test_a_440_hz_tone_is_an_a_in_the_band_of_440_hz(rate):
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(2 * rate) / rate).astype(np.float32)
    chosen = ["chroma", "mel", "centroid", "rms", "zcr"]
    frames = librosa_frames.extract(tone, rate, features=chosen)[4:-4]
    middle = dict(zip(librosa_frames.names(rate, features=chosen), frames.mean(axis=0), strict=True))
    assert max((n for n in middle if n.startswith("chroma")), key=middle.get) == "chroma_A"
    loudest = int(max((n for n in middle if n.startswith("mel")), key=middle.get).removeprefix("mel_"))
    edges = filters.mel_edges(128, 0.0, rate / 2)
    assert edges[loudest] < 440 < edges[loudest + 2]
    assert middle["rms"] == pytest.approx(0.5 / np.sqrt(2), rel=1e-3)
    assert middle["zcr"] == pytest.approx(880 / rate, rel=0.02)
    assert middle["centroid"] == pytest.approx(440, abs=5)


def test_white_noise_is_flat_and_a_tone_is_not():
    noise = np.random.default_rng(4).normal(0, 0.1, 32000).astype(np.float32)
    tone = np.sin(2 * np.pi * 440 * np.arange(32000) / 16000).astype(np.float32)
    assert Spectrum(noise, 16000).flatness[4:-4].mean() == pytest.approx(np.exp(-np.euler_gamma), abs=0.02)
    assert Spectrum(tone, 16000).flatness[4:-4].max() < 1e-3


@pytest.mark.parametrize("hertz", [80, 150, 220, 400])
@pytest.mark.parametrize("rate", RATES)
def test_the_fundamental_of_harmonics_is_found_though_it_is_missing(rate, hertz):
    time = np.arange(rate) / rate
    wave = 0.1 * sum(np.cos(2 * np.pi * k * hertz * time) for k in range(2, 8)).astype(np.float32)
    f0 = Spectrum(wave, rate).f0[3:-3]
    np.testing.assert_allclose(f0, hertz, rtol=0.01)


def test_noise_and_silence_have_no_fundamental():
    noise = np.random.default_rng(5).normal(0, 0.1, 32000).astype(np.float32)
    assert (Spectrum(noise, 16000).f0 > 0).mean() < 0.05
    assert not Spectrum(np.zeros(32000, np.float32), 16000).f0.any()


def test_the_fundamental_agrees_with_pyin(source):
    """Gross errors are frames that both call voiced and that differ by more than two semitones."""
    distances = []
    for wave in source[16000][:3]:
        theirs, voiced, _ = librosa.pyin(wave, sr=16000, fmin=65, fmax=600)
        ours = Spectrum(wave, 16000).f0
        rms = feature.rms(y=wave)[0]
        voiced &= rms > 0.1 * rms.max()  # pyin hears a pitch in the recording room too
        both = voiced & (ours > 0)
        assert both.sum() > 0.6 * voiced.sum()
        distances.append(12 * np.abs(np.log2(ours[both] / theirs[both])))
    distances = np.concatenate(distances)
    assert (distances > 2).mean() < 0.08
    assert np.median(distances) < 0.5


def functionals(wave: np.ndarray, rate: int) -> dict[str, float]:
    return dict(zip(librosa_stats.names(rate), librosa_stats.extract(wave, rate).tolist(), strict=True))


def test_the_312_functionals_are_statistics_of_librosas_descriptors(source):
    for wave in source[22050][:2]:
        got = functionals(wave, 22050)
        assert len(got) == 312
        mel = feature.melspectrogram(y=wave, sr=22050)
        mfcc = feature.mfcc(y=wave, sr=22050, n_mfcc=50)
        cent, rms = feature.spectral_centroid(y=wave, sr=22050), feature.rms(y=wave)
        magnitude = np.abs(librosa.stft(wave))
        expected = {
            "flatness_mean": feature.spectral_flatness(y=wave).mean(),
            "zcr_mean": feature.zero_crossing_rate(wave).mean(),
            "tuning": librosa.estimate_tuning(S=magnitude**2, sr=22050),
            "magnitude_mean": magnitude.mean(), "magnitude_std": magnitude.std(),
            "magnitude_max": magnitude.max(),
            "centroid_mean": cent.mean(), "centroid_std": cent.std(), "centroid_max": cent.max(),
            "rms_mean": rms.mean(), "rms_std": rms.std(), "rms_max": rms.max(),
            "mfcc_0_mean": mfcc[0].mean(), "mfcc_7_std": mfcc[7].std(), "mfcc_49_max": mfcc[49].max(),
            "chroma_A_mean": feature.chroma_stft(y=wave, sr=22050)[9].mean(),
            "mel_100_mean": librosa.power_to_db(mel.mean(axis=1))[100],
            "contrast_6_mean": feature.spectral_contrast(y=wave, sr=22050)[6].mean(),
        }  # fmt: skip
        assert {k: got[k] for k in expected} == pytest.approx(expected, rel=1e-3, abs=1e-4)
        assert 70 <= got["f0_mean"] <= got["f0_max"] <= 520


def test_the_pitch_statistics_ignore_pauses_and_are_zero_without_voice():
    tone = 0.3 * np.sign(np.sin(2 * np.pi * 200 * np.arange(16000) / 16000)).astype(np.float32)
    paused = np.concatenate([tone, np.zeros(48000, np.float32)])
    assert functionals(paused, 16000)["f0_mean"] == pytest.approx(200, rel=0.03)  # the cut may fool a frame
    hiss = np.random.default_rng(6).normal(0, 0.1, 4096).astype(np.float32)
    quiet = functionals(hiss, 16000)
    assert quiet["f0_max"] == 0
    assert np.isfinite(list(quiet.values())).all()


def test_the_centroid_does_not_tell_the_clips_length():
    wave = voice()
    once, twice = (functionals(np.tile(wave, n), 16000)["centroid_mean"] for n in (1, 2))
    assert twice == pytest.approx(once, rel=0.05)


def test_decibels_limit_floor_and_range():
    power = np.array([1.0, 1e-3, 1e-12], np.float32)
    np.testing.assert_allclose(decibels(power), [0, -30, -80], atol=1e-5)
    np.testing.assert_allclose(decibels(power, range_db=None), [0, -30, -100], atol=1e-5)
