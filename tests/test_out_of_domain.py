"""Whether a clip is like the training clips of a model: hints on changed sound, and none on sound alike."""

import base64
from dataclasses import replace

import numpy as np
import pytest
import toy

from augmentation import clipping, gaussian_noise, telephone
from extract_feats import channel
from prediction import out_of_domain
from tests.toy_channel import RATE, rng, speech
from utils.dataset import Frames


def clips(speakers: int, seed: int, changed=lambda wave: wave) -> tuple[np.ndarray, np.ndarray, dict]:
    """Return features, speakers and channel of 12 clips each of some speakers, whose level and noise are their own."""
    waves, who = [], np.repeat([f"s{seed}{n}" for n in range(speakers)], 12)
    for speaker in range(speakers):
        draw = rng(100 * seed + speaker)
        gain, floor = 10 ** draw.uniform(-0.3, 0.3), 10 ** draw.uniform(-4.2, -3.8)
        waves += [gain * speech(draw.uniform(1.5, 3), floor, seed=int(draw.integers(1e6))) for _ in range(12)]
    values = np.stack([channel.extract(np.float32(changed(wave)), RATE) for wave in waves]).astype(float)
    return values[:, 1:], who, dict(zip(channel.NAMES, values.T, strict=True))


def given(training, features, measures) -> list[set[str]]:
    return [{hint["hint"] for hint in hints} for hints in out_of_domain.hints(training, features, measures)]


@pytest.fixture(scope="module")
def training() -> dict:
    return out_of_domain.training_ranges(*clips(12, 1))


def test_unseen_speakers_recorded_alike_get_hardly_a_hint(training):
    result = given(training, *(clips(8, 2)[k] for k in (0, 2)))
    assert np.mean([bool(hints) for hints in result]) <= 0.05


@pytest.mark.parametrize(
    ("hint", "change"),
    [
        ("narrow band", lambda wave: telephone.augment(wave, RATE, rng())),
        ("noisy", lambda wave: gaussian_noise.augment(wave, RATE, rng(), snr_db=[10, 10])),
        ("clipped", lambda wave: clipping.augment(wave, RATE, rng(), share=[0.05, 0.05])),
        ("soft", lambda wave: wave / 30),
        ("loud", lambda wave: 30 * wave),
        ("short", lambda wave: wave[:8000]),
        ("long", lambda wave: np.tile(wave, 3)),
    ],
)
def test_a_change_of_the_sound_is_named(training, hint, change):
    features, _, measures = clips(4, 3, change)
    result = given(training, features, measures)
    assert np.mean([hint in hints for hints in result]) > 0.9
    (one, *_) = (h for h in out_of_domain.hints(training, features, measures)[0] if h["hint"] == hint)
    assert set(one) == {"hint", "value", "limit", "text"} and one["text"].startswith(f"{hint}: ")
    side = next(end for (_, end), (name, _) in out_of_domain.HINTS.items() if name == hint)
    assert (one["value"] < one["limit"]) == (side == "low")


@pytest.mark.parametrize("kind", ["vector", "frames"])
def test_features_far_from_the_training_set_are_unfamiliar(kind):
    train, test = toy.dataset(kind, speakers=20, dims=20), toy.dataset(kind, speakers=20, dims=20, seed=0)
    training = out_of_domain.training_ranges(train.features, train.speakers, {})
    assert training["ranges"] == {} and len(training["mean"]) == (40 if kind == "frames" else 20)
    far = [np.asarray(clip) + 5 * train_scale(train.features) for clip in test.features]
    assert all(hints == {"unfamiliar"} for hints in given(training, far, {}))
    same = given(training, list(test.features), {})
    assert np.mean([bool(hints) for hints in same]) <= 0.02
    assert given(None, far, {}) == [set()] * len(far)


def train_scale(features) -> np.ndarray:
    return (np.concatenate(features.clips) if isinstance(features, Frames) else features).std(axis=0)


def test_the_distance_is_the_root_mean_square_of_standardised_features():
    features = rng().standard_normal((500, 6))
    training = out_of_domain.training_ranges(features, np.repeat([f"s{n}" for n in range(10)], 50), {})
    assert training["distance"] == pytest.approx(np.sqrt(np.mean(features**2, axis=1)).max(), rel=0.05)
    far = np.array(training["mean"]) + np.array(training["std"]) * 4
    for known in (training, {key: training[key] for key in ("ranges", "distance", "mean", "std")}):  # the older version
        (result,) = out_of_domain.hints(known | {"residual": 1e9} if "residual" in known else known, [far], {})
        assert result[0]["value"] == pytest.approx(4 / training["distance"], abs=0.01) and result[0]["limit"] == 1


def correlated(n: int, seed: int, *, broken: bool = False) -> np.ndarray:
    """Return (n, 40) features that four factors make, and some noise; ``broken``: without the factors."""
    factors = np.random.default_rng(1).standard_normal((4, 40))
    draw = np.random.default_rng(seed)
    noise = draw.standard_normal((n, 40))
    return 2 * noise if broken else draw.standard_normal((n, 4)) @ factors + 0.1 * noise


def test_features_whose_correlations_are_broken_are_unfamiliar_though_none_is_far_from_its_mean():
    speakers = np.repeat([f"s{n}" for n in range(10)], 40)
    training = out_of_domain.training_ranges(correlated(400, 2), speakers, {})
    assert np.mean([bool(hints) for hints in given(training, correlated(400, 3), {})]) <= 0.03
    assert all(hints == {"unfamiliar"} for hints in given(training, correlated(50, 4, broken=True), {}))
    stored = np.frombuffer(base64.b64decode(training["components"]), "<f2").reshape(-1, 40).astype(float)
    assert len(stored) == 10 and np.abs(stored @ stored.T - np.eye(10)).max() < 2e-3


def test_the_limits_of_several_corpora_are_those_of_a_corpus_left_out():
    """A corpus with features of its own: its clips are far from the others', which one corpus alone does not tell."""
    data = toy.dataset("vector", speakers=10, dims=20)
    moved = data.features + np.where(np.arange(len(data)) % 2, 3, 0)[:, None].astype(np.float32)
    alone = replace(data, features=moved, facts=data.facts | {"corpus": np.full(len(data), "one")})
    corpora = np.where(np.arange(len(data)) % 2, "one", "two")
    both = replace(alone, facts=data.facts | {"corpus": corpora})
    assert out_of_domain.ranges_of(both)["distance"] > 1.5 * out_of_domain.ranges_of(alone)["distance"]


def test_augmented_copies_are_training_clips():
    data = toy.dataset("vector", speakers=10, dims=20)
    copied = replace(data, variants=(data.features + np.float32(8),))
    measured = out_of_domain.ranges_of(copied)
    assert not any(given(measured, copied.variants[0][:20], {}))
    assert all(given(out_of_domain.ranges_of(data), copied.variants[0][:20], {}))


def test_the_warning_needs_unfamiliar_features_or_two_hints():
    short, soft, far = ({"hint": hint, "value": 0, "limit": 1, "text": ""} for hint in ("short", "soft", "unfamiliar"))
    assert [bool(out_of_domain.warning(hints)) for hints in ([], [short], [far], [short, soft])] == [0, 0, 1, 1]
    without, enrol = out_of_domain.warning([far]), out_of_domain.warning([far], out_of_domain.ENROL)
    assert "so an emotion would be a guess; training on your own" in without
    assert "20 clips of this speaker (--enroll) or training on your own recordings would help" in enrol


def test_unseen_speakers_are_seldom_warned_of_and_noise_through_a_telephone_always(training):
    def changed(wave):
        noisy = gaussian_noise.augment(wave, RATE, rng(), snr_db=[0, 0])
        return telephone.augment(noisy, RATE, rng())

    shares = [
        np.mean([out_of_domain.is_warned(hints) for hints in given(training, features, measures)])
        for features, _, measures in (clips(8, 2), clips(4, 3, changed))
    ]
    assert shares[0] <= 0.02 and shares[1] > 0.9


def test_a_range_needs_clips_and_leaves_out_what_was_not_measured():
    features, who, measures = clips(2, 4)
    assert out_of_domain.training_ranges(features[:19], who[:19], {k: v[:19] for k, v in measures.items()}) is None
    half = {name: np.where(np.arange(24) % 2, np.nan, values) for name, values in measures.items()}
    assert out_of_domain.training_ranges(features, who, half)["ranges"] == {}
    some = {name: np.where(np.arange(24) < 2, np.nan, values) for name, values in measures.items()}
    low, high = out_of_domain.training_ranges(features, who, some)["ranges"]["seconds"]
    assert low == pytest.approx(measures["seconds"][2:].min(), abs=0.35) and np.isfinite(high)


def test_clips_without_speakers_are_left_out_one_by_one():
    features = rng().standard_normal((100, 4))
    one, two = (out_of_domain.training_ranges(features, np.full(100, who), {}) for who in ("", "anna"))
    assert one == two and np.isfinite(one["distance"])
