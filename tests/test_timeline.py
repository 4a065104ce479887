"""Long recordings: blocks, voice activity, windows, smoothing, changes; the files that a timeline is written to."""

import csv
import io
import itertools
import json
import sys
import tracemalloc
import warnings

import numpy as np
import pytest
import soundfile
import webrtcvad
from praatio import textgrid

from corpora.base import synthesis
from prediction import timeline_files
from prediction.recording import channel_names, entry
from prediction.smoothing import Chain, settled, spells
from prediction.timeline import Grid, answered, hops, sampled
from utils import plots
from utils.audio import stream
from utils.audio.decode import decode
from utils.audio.voice_activity import FRAME_SECONDS, RATE, VoiceActivity, segments
from utils.errors import ConfigError, DataError
from utils.plots import palette
from utils.plots import timeline as timeline_plots

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


# ---- windows


@pytest.mark.parametrize("block", [1, 37, 5000])
@pytest.mark.parametrize(("centred", "windows"), [(True, [(0, 2), (0, 3), (1, 4), (2, 4.5), (3, 4.5)]),
                                                  (False, [(0, 1), (0, 2), (0, 3), (1, 4), (2, 4.5)])])  # fmt: skip
def test_each_hop_has_its_window_whatever_the_blocks(block, centred, windows):
    found = list(hops(ramp(4.5, block=block), Grid(3.0, 1.0, centred=centred), Always()))
    assert [(hop.start, hop.end) for hop in found] == [(0, 1), (1, 2), (2, 3), (3, 4), (4, 4.5)]
    for hop, (start, end) in zip(found[:-1], windows[:-1], strict=True):
        np.testing.assert_array_equal(hop.samples[:, 0], np.arange(start * 100, end * 100))
    assert found[-1].samples[-1, 0] == 449
    assert found[-1].samples[0, 0] == (300 if centred else 200)


def test_less_than_a_hop_is_one_hop_and_nothing_is_none():
    (hop,) = hops(ramp(0.7), Grid(), Always())
    assert (hop.start, hop.end, len(hop.samples)) == (0, 0.7, 70)
    assert list(hops(ramp(0), Grid(), Always())) == []


def test_a_trailing_window_waits_for_no_more_than_its_hop():
    given = 0

    def blocks():
        nonlocal given
        for _ in range(50):
            given += 10
            yield np.zeros((10, 1), np.float32)

    for number, _ in enumerate(hops(stream.Stream(100, 1, blocks()), Grid(3.0, 1.0, centred=False), Always()), 1):
        assert given == 100 * number


def test_memory_is_that_of_a_few_windows():
    minutes, rate = 10, 16000
    blocks = (np.zeros((rate, 2), np.float32) for _ in range(60 * minutes))
    tracemalloc.start()
    found = hops(stream.Stream(rate, 2, blocks), Grid(), Always(2))
    kept = list(answered(found, Mean(), mean_of, rate, batch=4))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(kept) == 60 * minutes
    assert peak < 30 * rate * 2 * 4  # half a minute's samples; the recording has ten minutes of them


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_windows_are_answered_in_batches_and_unusable_ones_say_nothing(batch):
    samples = np.full((500, 1), 0.25, np.float32)
    samples[450:] = np.nan
    source = stream.Stream(100, 1, iter([samples]))
    found = list(answered(hops(source, Grid(1.0, 1.0), Always()), Mean(), mean_of, 100, batch=batch))
    np.testing.assert_allclose([hop.raw[0] for hop in found[:4]], [[0.25, 0.75, 0]] * 4)
    assert len(found) == 5 and np.isnan(found[4].raw).all()


def test_each_channel_is_answered_with_its_own_voice():
    class Told(Mean):
        def probabilities(self, clips, speaker=None):
            return np.full((len(clips), 3), speaker, np.float32)

    source = stream.Stream(100, 2, iter([np.zeros((300, 2), np.float32)]))
    found = answered(hops(source, Grid(1.0, 1.0), Always(2)), Told(), mean_of, 100, voices=[0.25, 0.5])
    assert [hop.raw[:, 0].tolist() for hop in found] == [[0.25, 0.5]] * 3


def test_windows_are_sampled_evenly_over_the_speech():
    counts = np.zeros(20)
    for seed in range(300):
        (kept,) = sampled(hops(ramp(20), Grid(1.0, 1.0), Always()), 1, windows=5, rng=np.random.default_rng(seed))
        chosen = [int(samples[0, 0]) // 100 for samples in kept]
        assert len(set(chosen)) == 5 and all(samples.shape == (100, 1) for samples in kept)
        counts[chosen] += 1
    assert np.abs(counts - 75).max() < 4 * np.sqrt(300 * 0.25 * 0.75)  # four deviations of the binomial
    (kept,) = sampled(hops(ramp(3), Grid(1.0, 1.0), Always()), 1, windows=5, rng=np.random.default_rng(0))
    assert len(kept) == 3


@pytest.mark.parametrize(("window", "hop"), [(1.0, 2.0), (3.0, 0.05), (100.0, 1.0), (3.0, 0.0)])
def test_a_grid_that_makes_no_sense_is_refused(window, hop):
    with pytest.raises(ConfigError, match="hop <= window"):
        Grid(window, hop)


# ---- smoothing


def by_enumeration(raw, weight, same):
    """Return the posterior of every hop, by summing over all paths."""
    n, classes = raw.shape
    moves = same * np.eye(classes) + (1 - same) / classes
    found = np.zeros((n, classes))
    for path in itertools.product(range(classes), repeat=n):
        p = np.prod([raw[t, s] ** weight for t, s in enumerate(path)]) * np.prod(
            [moves[a, b] for a, b in itertools.pairwise(path)]
        )
        for t, s in enumerate(path):
            found[t, s] += p
    return found / found.sum(axis=1, keepdims=True)


def test_smoothing_equals_the_sum_over_all_paths():
    raw = np.random.default_rng(0).dirichlet(np.ones(3), size=6)
    chain = Chain(3, hop=1.0, window=3.0, dwell=4.0)
    smooth = chain.smooth(raw)
    np.testing.assert_allclose(smooth, by_enumeration(raw, 1 / 3, np.exp(-1 / 4)), atol=1e-12)
    belief = chain.start
    for row in raw:
        belief = chain.step(belief, row)
    np.testing.assert_allclose(belief, smooth[-1])  # at the end there is no future


def test_silence_fades_to_knowing_nothing():
    raw = np.full((30, 3), np.nan)
    raw[0] = [0.8, 0.1, 0.1]
    smooth = Chain(3, hop=1.0, window=1.0, dwell=2.0).smooth(raw)
    away = np.exp(-np.arange(30) / 2) * (0.8 - 1 / 3)
    np.testing.assert_allclose(smooth[:, 0], 1 / 3 + away, atol=1e-9)


def test_a_lone_outlier_is_smoothed_away_and_without_dwell_all_stays():
    raw = np.tile([0.7, 0.2, 0.1], (9, 1))
    raw[4] = [0.2, 0.7, 0.1]
    assert (Chain(3, hop=1.0, window=3.0, dwell=10.0).smooth(raw).argmax(axis=1) == 0).all()
    np.testing.assert_allclose(Chain(3, hop=1.0, window=3.0, dwell=0.0).smooth(raw), raw)


def test_a_long_certain_recording_neither_underflows_nor_forbids_a_change():
    raw = np.repeat(np.eye(3, dtype=np.float32), 2000, axis=0)
    smooth = Chain(3, hop=1.0, window=3.0, dwell=10.0).smooth(raw)
    assert np.isfinite(smooth).all()
    np.testing.assert_array_equal(smooth.argmax(axis=1), raw.argmax(axis=1))


@pytest.mark.parametrize(
    ("labels", "least", "expected"),
    [
        ([0, 0, 1, 1, 1], 2, [0, 0, 1, 1, 1]),
        ([0, 0, 0, 1, 0, 2, 2, 2], 3, [0, 0, 0, 0, 0, 2, 2, 2]),
        ([1, 0, 0, 2], 2, [0, 0, 0, 0]),
        ([0, 0, 1, 2, 1, 2], 2, [0, 0, 0, 0, 0, 0]),
        ([2, 1, 2], 5, [2, 2, 2]),
        ([], 3, []),
    ],
)
def test_only_what_lasts_counts(labels, least, expected):
    assert settled(labels, least).tolist() == expected


def test_spells_end_at_pauses_and_changes_are_told_from_pauses():
    starts = np.array([0, 1, 2, 5, 6, 7, 8])
    likely = np.eye(3)[[0, 0, 0, 0, 1, 1, 1]]
    found = spells(np.stack([starts, starts + 1], axis=1).astype(float), likely, least=2.0)
    assert [(s.start, s.end, s.label, s.change) for s in found] == [
        (0, 3, 0, False), (5, 6, 0, False), (6, 9, 1, True),
    ]  # fmt: skip
    np.testing.assert_array_equal(found[0].probabilities, [1, 0, 0])
    assert spells(np.empty((0, 2)), np.empty((0, 3)), least=2.0) == []


# ---- voice activity


def spoken(seconds_of_silence: float = 1.0) -> np.ndarray:
    """Return silence, a synthetic sentence said twice, silence; 16 kHz."""
    voice = synthesis.say(synthesis.voice(1, seed=1), "angry", 1, seed=1)[0]
    silence = np.zeros(round(seconds_of_silence * RATE), np.float32)
    return np.concatenate([silence, voice, voice, silence]).astype(np.float32)


def test_voice_activity_is_the_detectors_own_whatever_the_pieces():
    wave = spoken()
    theirs = webrtcvad.Vad(2)
    frames = (wave[: len(wave) // 320 * 320] * 32767).astype("<i2").reshape(-1, 320)
    expected = [theirs.is_speech(frame.tobytes(), RATE) for frame in frames]
    for size in (317, 16000):
        ours = VoiceActivity(RATE, 2)
        for start in range(0, len(wave), size):
            ours.feed(np.stack([wave, 0 * wave], axis=1)[start : start + size])
        assert ours.flags[0].tolist() == expected and not ours.flags[1].any()
    assert 0.5 < np.mean(expected) * len(wave) / (len(wave) - 2 * RATE) <= 1.2
    ((start, end),) = segments(ours.flags[0])
    assert abs(start - 1) < 0.1 and abs(end - (len(wave) / RATE - 1)) < 0.5
    np.testing.assert_allclose(ours.share(start, end)[1], 0)


def test_another_rate_is_resampled_for_the_detector():
    import soxr

    wave = spoken()
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

    assert segments(flags((0, 1), (1, 1), (0, 0.2), (1, 1), (0, 0.3), (1, 0.5), (0, 1), (1, 0.1))) == [
        (1.0, 3.2), (3.5, 4.0),
    ]  # fmt: skip
    assert segments(flags((1, 0.4))) == [(0.0, 0.4)]
    assert segments(flags((0, 1))) == [] and segments(np.empty(0, bool)) == []


# ---- blocks


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3", ".m4a"])
def test_blocks_of_a_file_are_what_decoding_it_at_once_gives(tmp_path, suffix):
    rng = np.random.default_rng(0)
    wave = np.stack([spoken(), 0.01 * rng.normal(size=len(spoken()))], axis=1).astype(np.float32)
    path = tmp_path / f"a{suffix}"
    write_aac(path, wave) if suffix == ".m4a" else soundfile.write(path, wave, RATE)
    source = stream.open_file(path)
    whole, rate = decode(path)
    assert (source.rate, source.channels) == (rate, 2)
    heard = np.concatenate(list(source.blocks))
    np.testing.assert_allclose(heard, whole, atol=1e-6)
    opened = stream.open_file(io.BytesIO(path.read_bytes()))
    np.testing.assert_array_equal(np.concatenate(list(opened.blocks)), heard)


def write_aac(path, wave):
    import av

    with av.open(str(path), "w") as container:
        track = container.add_stream("aac", rate=RATE, layout="stereo")
        for start in range(0, len(wave), 1024):
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(wave[start : start + 1024].T), format="fltp", layout="stereo"
            )
            frame.sample_rate, frame.pts = RATE, start
            container.mux(track.encode(frame))
        container.mux(track.encode(None))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [("none.wav", None, "No such file"), ("empty.wav", b"", "empty"), ("bad.wav", b"RIFF nonsense", "not audio"),
     ("bad.m4a", b"nonsense" * 9, "not audio"), ("lfs.wav", b"version https://git-lfs", "Git-LFS")],
)  # fmt: skip
def test_what_is_no_audio_is_named(tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        stream.open_file(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    if content is not None:
        with pytest.raises(DataError, match=words) as caught:
            stream.open_file(io.BytesIO(content))
        assert str(caught.value).startswith("standard input: ")


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_32", "FLOAT"])
@pytest.mark.parametrize("kind", ["WAV", "WAVEX"])
def test_a_wav_on_a_pipe_is_read_as_from_a_file(subtype, kind):
    wave = np.random.default_rng(0).uniform(-1, 1, (30001, 2)).astype(np.float32)
    file = io.BytesIO()
    soundfile.write(file, wave, 8000, subtype, format=kind)
    file.seek(0)
    expected = soundfile.read(file, dtype="float32")[0]
    source = stream.open_pipe(io.BufferedReader(io.BytesIO(file.getvalue())))
    assert (source.rate, source.channels) == (8000, 2)
    np.testing.assert_array_equal(np.concatenate(list(source.blocks))[: len(wave)], expected)


def test_samples_on_a_pipe_need_a_rate():
    raw = np.arange(-50, 50, dtype="<i2")
    source = stream.open_pipe(io.BufferedReader(io.BytesIO(raw.tobytes())), rate=16000, channels=2)
    np.testing.assert_array_equal(np.concatenate(list(source.blocks)), raw.reshape(-1, 2) / 32768)
    with pytest.raises(ConfigError, match="--rate 16000"):
        stream.open_pipe(io.BufferedReader(io.BytesIO(raw.tobytes())))
    with pytest.raises(DataError, match="empty"):
        stream.open_pipe(io.BufferedReader(io.BytesIO(b"")))


def test_pieces_keep_every_sample():
    blocks = [np.arange(a, b)[:, None] for a, b in itertools.pairwise([0, 1, 9, 9, 30, 31])]
    found = list(stream.pieces(blocks, 4))
    assert [len(piece) for piece in found] == [4] * 7 + [3]
    np.testing.assert_array_equal(np.concatenate(found)[:, 0], np.arange(31))


# ---- what is written


def document(seconds: float = 12.0, hop: float = 1.0) -> dict:
    """Return a timeline of two channels, the first with a pause from 4 to 6, the second silent."""
    rng = np.random.default_rng(0)
    rows = [(k * hop, (k + 1) * hop) for k in range(int(seconds / hop)) if not 4 <= k * hop < 6]
    said = [entry(LABELS, start, end, rng.dirichlet(np.ones(3))) for start, end in rows]
    held = [entry(LABELS, 0, 4, np.array([0.8, 0.1, 0.1])), entry(LABELS, 6, seconds, np.array([0.1, 0.8, 0.1]))]
    first = {"name": "agent", "speech": [(0.1, 3.9), (6.0, seconds + 0.02)], "unusable": 0, "changes": [6.0]}
    second = {"name": 'the "customer"', "speech": [], "unusable": 1, "changes": [], "spells": [], "hops": []}
    return {"file": "calls/a.wav", "model": "toy", "seconds": seconds, "window": 3.0, "hop": hop, "dwell": 10.0,
            "least": 2.0, "labels": LABELS, "channels": [first | {"spells": held, "hops": said}, second]}  # fmt: skip


def test_praat_reads_the_textgrid(tmp_path):
    timeline_files.write_textgrid(tmp_path / "a.TextGrid", document())
    grid = textgrid.openTextgrid(str(tmp_path / "a.TextGrid"), includeEmptyIntervals=True, reportingMode="error")
    assert grid.tierNames == ("agent speech", "agent emotion", 'the "customer" speech', 'the "customer" emotion')
    assert (grid.minTimestamp, grid.maxTimestamp) == (0, 12)
    speech, emotion = ([tuple(i) for i in grid.getTier(f"agent {kind}").entries] for kind in ("speech", "emotion"))
    assert speech == [(0, 0.1, ""), (0.1, 3.9, "speech"), (3.9, 6, ""), (6, 12, "speech")]
    assert emotion == [(0, 4, "angry"), (4, 6, ""), (6, 12, "sad")]
    assert [tuple(i) for i in grid.getTier('the "customer" speech').entries] == [(0, 12, "")]


def test_table_and_json_hold_the_hops(tmp_path):
    made = document()
    timeline_files.write_csv(tmp_path / "a.csv", made)
    timeline_files.write_json(tmp_path / "a.json", made)
    with (tmp_path / "a.csv").open(encoding="utf8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["start", "end", "channel", "emotion", "p_angry", "p_sad", "p_other"]
    for row, hop in zip(rows, made["channels"][0]["hops"], strict=True):
        assert (float(row["start"]), row["channel"], row["emotion"]) == (hop["start"], "agent", hop["emotion"])
        assert [float(row[f"p_{label}"]) for label in LABELS] == list(hop["probabilities"].values())
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf8"))["channels"][0]["changes"] == [6.0]


def test_a_summary_counts_what_is_spoken():
    first, agent, customer = timeline_files.summary(document()).splitlines()
    assert first == "calls/a.wav: 12.0 s, toy"
    assert agent == "  agent: 9.8 s of speech, 1 change: sad 60%, angry 40%"
    assert customer.endswith("0.0 s of speech, 0 changes: nothing to judge; 1 window too quiet to judge")


def test_two_hours_are_averaged_into_columns_and_pauses_stay():
    hours = document(7200.0)
    edges, shares = timeline_plots.columns(hours["channels"][0]["hops"], LABELS, 7200.0, 1.0)
    assert len(edges) == timeline_plots.COLUMNS + 1 and edges[-1] == 7200
    first = [list(h["probabilities"].values()) for h in hours["channels"][0]["hops"] if 30 <= h["start"] < 60]
    np.testing.assert_allclose(shares[1], np.mean(first, axis=0))
    _, short = timeline_plots.columns(document()["channels"][0]["hops"], LABELS, 12.0, 1.0)
    assert np.isnan(short).all(axis=1).tolist() == [False] * 4 + [True] * 2 + [False] * 6


@pytest.mark.parametrize("seconds", [0.0, 12.0, 7200.0])
def test_a_picture_of_any_length_is_drawn_without_a_warning(tmp_path, seconds):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plots.save(timeline_plots.timeline(document(seconds)), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_changes_are_marked_where_there_is_room():
    few, many = {"changes": [1.0] * 40}, {"changes": [1.0] * 41}
    assert timeline_plots.marked(few) == few["changes"] and timeline_plots.marked(many) == []


def test_colours_differ():
    labels = [*palette.COLOURS, "joyous", "tired"]
    assert len(set(palette.colours(labels).values())) == len(labels)


def test_channel_names():
    assert channel_names([], 1, "a") == ["mono"] and channel_names([], 2, "a") == ["left", "right"]
    assert channel_names([], 3, "a")[2] == "channel3"
    for names in (["agent"], ["agent", "agent"]):
        with pytest.raises(ConfigError, match="has 2 channels"):
            channel_names(names, 2, "a.wav")


def test_without_the_detector_there_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "webrtcvad", None)
    with pytest.raises(ConfigError, match="pip install webrtcvad-wheels"):
        VoiceActivity(RATE, 1)
