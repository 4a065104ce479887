"""Windows of a stream: hops whatever the blocks, probabilities in batches, sampling, memory."""

import tracemalloc

import numpy as np
import pytest

from prediction.timeline_settings import TimelineSettings
from prediction.windows import hops, judged, sample_windows
from utils.audio import stream
from utils.errors import ConfigError, DataError

LABELS = ["angry", "sad", "other"]


class Always:
    """Hears speech everywhere."""

    def __init__(self, channels: int = 1):
        self.channels = channels

    def feed(self, piece, *, last=False):
        pass

    def share(self, start, end):
        return np.ones(self.channels)


class Mean:
    """A model whose first probability is the mean of its window."""

    labels = LABELS

    def __init__(self):
        self.card = {}  # without ``familiar``: nothing is unlike it

    def probabilities(self, clips, speaker=None):
        return np.array([[clip, 1 - clip, 0] for clip in clips], np.float32)


def mean_of(samples, rate):
    if np.isnan(samples).any():
        raise DataError("no")
    return float(samples.mean())


def ramp(seconds: float, rate: int = 100, block: int = 37) -> stream.Stream:
    """Return a mono stream whose samples are their own numbers."""
    samples = np.arange(round(seconds * rate), dtype=np.float32)[:, None]
    return stream.Stream(rate, 1, (samples[i : i + block] for i in range(0, len(samples), block)))


@pytest.mark.parametrize("block", [1, 37, 5000])
@pytest.mark.parametrize(("centred", "windows"), [(True, [(0, 2), (0, 3), (1, 4), (2, 4.5), (3, 4.5)]),
                                                  (False, [(0, 1), (0, 2), (0, 3), (1, 4), (2, 4.5)])])  # fmt: skip
def test_each_hop_has_its_window_whatever_the_blocks(block, centred, windows):
    result = list(hops(ramp(4.5, block=block), TimelineSettings(3.0, 1.0, centred=centred), Always()))
    assert [(hop.start, hop.end) for hop in result] == [(0, 1), (1, 2), (2, 3), (3, 4), (4, 4.5)]
    for hop, (start, end) in zip(result[:-1], windows[:-1], strict=True):
        np.testing.assert_array_equal(hop.samples[:, 0], np.arange(start * 100, end * 100))
    assert result[-1].samples[-1, 0] == 449
    assert result[-1].samples[0, 0] == (300 if centred else 200)


def test_less_than_a_hop_is_one_hop_and_nothing_is_none():
    (hop,) = hops(ramp(0.7), TimelineSettings(), Always())
    assert (hop.start, hop.end, len(hop.samples)) == (0, 0.7, 70)
    assert list(hops(ramp(0), TimelineSettings(), Always())) == []


def test_a_trailing_window_waits_for_no_more_than_its_hop():
    given = 0

    def blocks():
        nonlocal given
        for _ in range(50):
            given += 10
            yield np.zeros((10, 1), np.float32)

    for number, _ in enumerate(
        hops(stream.Stream(100, 1, blocks()), TimelineSettings(3.0, 1.0, centred=False), Always()), 1
    ):
        assert given == 100 * number


def test_memory_is_that_of_a_few_windows():
    minutes, rate = 10, 16000
    blocks = (np.zeros((rate, 2), np.float32) for _ in range(60 * minutes))
    tracemalloc.start()
    result = hops(stream.Stream(rate, 2, blocks), TimelineSettings(), Always(2))
    kept = list(judged(result, Mean(), mean_of, rate, batch=4))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(kept) == 60 * minutes
    assert peak < 30 * rate * 2 * 4  # half a minute's samples; the recording has ten minutes of them


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_windows_are_judged_in_batches_and_unusable_ones_say_nothing(batch):
    samples = np.full((500, 1), 0.25, np.float32)
    samples[450:] = np.nan
    source = stream.Stream(100, 1, iter([samples]))
    result = list(judged(hops(source, TimelineSettings(1.0, 1.0), Always()), Mean(), mean_of, 100, batch=batch))
    np.testing.assert_allclose([hop.probabilities[0] for hop in result[:4]], [[0.25, 0.75, 0]] * 4)
    assert len(result) == 5 and np.isnan(result[4].probabilities).all()


def test_each_channel_is_judged_with_its_own_voice():
    class SpeakerShown(Mean):
        def probabilities(self, clips, speaker=None):
            return np.full((len(clips), 3), speaker, np.float32)

    source = stream.Stream(100, 2, iter([np.zeros((300, 2), np.float32)]))
    result = judged(
        hops(source, TimelineSettings(1.0, 1.0), Always(2)), SpeakerShown(), mean_of, 100, speakers=[0.25, 0.5]
    )
    assert [hop.probabilities[:, 0].tolist() for hop in result] == [[0.25, 0.5]] * 3


def test_windows_are_sampled_evenly_over_the_speech():
    counts = np.zeros(20)
    for seed in range(300):
        (windows,) = sample_windows(
            hops(ramp(20), TimelineSettings(1.0, 1.0), Always()), 1, windows=5, rng=np.random.default_rng(seed)
        )
        chosen = [int(samples[0, 0]) // 100 for samples in windows]
        assert len(set(chosen)) == 5 and all(samples.shape == (100, 1) for samples in windows)
        counts[chosen] += 1
    assert np.abs(counts - 75).max() < 4 * np.sqrt(300 * 0.25 * 0.75)  # four deviations of the binomial
    (windows,) = sample_windows(
        hops(ramp(3), TimelineSettings(1.0, 1.0), Always()), 1, windows=5, rng=np.random.default_rng(0)
    )
    assert len(windows) == 3


@pytest.mark.parametrize(("window", "hop"), [(1.0, 2.0), (3.0, 0.05), (100.0, 1.0), (3.0, 0.0)])
def test_windows_that_make_no_sense_is_refused(window, hop):
    with pytest.raises(ConfigError, match="hop <= window"):
        TimelineSettings(window, hop)
