"""Augmentation of features: what each plug-in does to a batch, and that training uses it on training clips alone."""

import numpy as np
import pytest
from toy import LABELS, dataset

from evaluation.training import fit
from models.classes import model_class
from utils import config, plugins
from utils.config import Train
from utils.errors import ConfigError

STEPS = {name: plugin for name, plugin in plugins.every("augment").items() if plugin.constants["ON"] != "audio"}


def batch(kind: str = "frames", count: int = 6):
    rng = np.random.default_rng(1)
    shapes = [(30 + 7 * k, 12) if kind == "frames" else (12,) for k in range(count)]
    targets = np.eye(3, dtype=np.float32)[np.arange(count) % 3]
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes], targets


def cases():
    return [
        (n, k) for n, p in STEPS.items() for k in ("frames", "vector") if k == "frames" or p.constants["ON"] == "either"
    ]


@pytest.mark.parametrize(("name", "kind"), cases())
def test_contract(name, kind):
    clips, targets = batch(kind)
    before = [clip.copy() for clip in clips]
    module = STEPS[name].load()
    result, wanted = module.augment(clips, targets, np.random.default_rng(5))
    again, same = module.augment(clips, targets, np.random.default_rng(5))
    other, _ = module.augment(clips, targets, np.random.default_rng(6))
    assert len(result) == len(clips) and wanted.shape == targets.shape
    for clip, out in zip(before, result, strict=True):
        assert out.dtype == np.float32 and out.ndim == clip.ndim and out.shape[-1] == clip.shape[-1]
        assert len(out) >= len(clip) and np.isfinite(out).all()
    np.testing.assert_allclose(wanted.sum(axis=1), 1, rtol=1e-5)
    for one, two in zip(result, again, strict=True):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(wanted, same)
    assert any(one.shape != two.shape or (one != two).any() for one, two in zip(result, other, strict=True))
    for clip, untouched in zip(clips, before, strict=True):
        np.testing.assert_array_equal(clip, untouched)


def test_masks_blank_no_more_than_their_share():
    clips, targets = [np.ones((100, 40), np.float32)], np.eye(3, dtype=np.float32)[:1]
    for name, axis, length in (("time_mask", 1, 100), ("frequency_mask", 0, 40)):
        shares = []
        for seed in range(200):
            result, _ = STEPS[name].load().augment(clips, targets, np.random.default_rng(seed), count=2, share=0.2)
            blank = (result[0] == 0).all(axis=axis)
            assert blank.sum() * (result[0].size / length) == (result[0] == 0).sum()  # whole frames, whole bands
            shares.append(blank.mean())
        assert max(shares) <= 0.4 and 0.12 < np.mean(shares) < 0.25  # two spans of .1 on average, overlaps apart


def test_noise_has_the_asked_deviation():
    clips, targets = [np.zeros((500, 40), np.float32)], np.eye(3, dtype=np.float32)[:1]
    result, _ = STEPS["feature_noise"].load().augment(clips, targets, np.random.default_rng(0), deviation=0.3)
    assert result[0].std() == pytest.approx(0.3, rel=0.02)


def test_warping_moves_a_ramp_and_keeps_its_ends():
    ramp = np.linspace(0, 1, 101, dtype=np.float32)[:, None]
    result, _ = (
        STEPS["time_warp"].load().augment([ramp], np.ones((1, 3), np.float32), np.random.default_rng(2), share=0.2)
    )
    assert result[0][0] == 0 and result[0][-1] == pytest.approx(1)
    assert (np.diff(result[0][:, 0]) > 0).all()
    assert 0.01 < np.abs(result[0] - ramp).max() <= 0.2


def test_mixup_mixes_targets_as_it_mixes_clips():
    clips = [np.full((4, 1), 1.0, np.float32), np.full((6, 1), 2.0, np.float32)]
    targets = np.float32([[1, 0], [0, 1]])
    for seed in range(20):
        result, wanted = STEPS["mixup"].load().augment(clips, targets, np.random.default_rng(seed), alpha=1.0)
        for clip, target in zip(result, wanted, strict=True):
            assert clip[0, 0] == pytest.approx(target @ [1, 2], rel=1e-5)
            assert len(clip) in (4, 6)


def test_training_uses_it_and_validation_does_not(monkeypatch):
    from models import training

    seen = []
    monkeypatch.setattr(training, "augmented", lambda clips, *rest: (seen.append(len(clips)), (clips, rest[0]))[1])
    data = dataset("frames")
    section = {"name": "cnn1d", **plugins.arguments("models", {"name": "cnn1d"})}
    model = model_class(section)(section, LABELS, seed=1)
    model.fit(data, dataset("frames", seed=4), train=Train(epochs=2, batch_size=10), augment=[{"name": "mixup"}])
    assert sum(seen) == 2 * len(data)


def test_config_checks_steps():
    raw = {
        "name": "a", "corpora": [{"name": "demo", "root": "demo"}], "features": {"name": "logmel"},
        "model": {"name": "cnn1d"}, "augment": [{"name": "time_mask", "share": 0.2}],
    }  # fmt: skip
    filled = config.check(raw, "a.yaml")
    assert filled.augment == [{"name": "time_mask", "count": 2, "share": 0.2}]
    with pytest.raises(ConfigError, match=r"'time_masks' is not a known augmentation. Did you mean 'time_mask'"):
        config.check(raw | {"augment": [{"name": "time_masks"}]}, "a.yaml")
    with pytest.raises(ConfigError, match=r"augmentation time_mask: 'shares' is not a known argument"):
        config.check(raw | {"augment": [{"name": "time_mask", "shares": 1}]}, "a.yaml")
    with pytest.raises(ConfigError, match="svm has no epochs"):
        fit.check_network_keys(config.check(raw | {"model": {"name": "svm"}}, "a.yaml"), frames=True)
    with pytest.raises(ConfigError, match="features are vectors"):
        fit.check_network_keys(filled, frames=False)
