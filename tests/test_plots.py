"""Plots: the drawn numbers are the given ones, nothing is cut off or collides or loads too early."""

import io
import subprocess
import sys
from itertools import combinations

import numpy as np
import pytest
from matplotlib import font_manager
from matplotlib import image as mpimg
from matplotlib.figure import Figure
from matplotlib.text import Text

import utils
from utils.errors import ConfigError, DataError
from utils.plots import confusion, curves, png, radar, save, spectrogram, waveform

WORDS = (
    "angry", "happy", "sad", "neutral", "fear", "disgust", "surprise", "calm", "boredom", "excited",
    "frustrated", "pleasant surprise",
)  # fmt: skip
RATE = 16_000


def words(figure: Figure) -> list[Text]:
    """Return the texts that are drawn; a Tick outside the axes' limits is not."""
    figure.canvas.draw()
    hidden = set()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        hidden |= {tick.label1 for tick in axis.get_major_ticks() if not low <= tick.get_loc() <= high}
    return [text for text in figure.findobj(Text) if text.get_text().strip() and text not in hidden]


def check_layout(figure: Figure) -> None:
    """Nothing reaches the edge of the sheet, and no two upright words touch each other."""
    texts = [text for text in words(figure) if text.get_rotation() in (0, 90)]
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]
    for edge in (pixels[:2], pixels[-2:], pixels[:, :2], pixels[:, -2:]):
        assert edge.min() == 255, "something is cut off"
    boxes = [text.get_window_extent(figure.canvas.get_renderer()) for text in texts]
    for (one, a), (other, b) in combinations(list(zip(texts, boxes, strict=True)), 2):
        apart = a.x1 <= b.x0 + 1 or b.x1 <= a.x0 + 1 or a.y1 <= b.y0 + 2 or b.y1 <= a.y0 + 2
        assert apart, f"{one.get_text()!r} touches {other.get_text()!r}"


def history(epochs: int, seed: int = 0) -> dict[str, list[float]]:
    rng = np.random.default_rng(seed)
    names = ("loss", "val_loss", "uar", "val_uar")
    return {**{name: rng.random(epochs).tolist() for name in names}, "learning_rate": [1e-3] * epochs}


def spoken(seconds: float = 1.0, hz: float = 440.0, level: float = 1.0, rate: int = RATE) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


@pytest.mark.parametrize("n", range(2, 13))
def test_radar_is_readable_for_any_number_of_classes(n):
    probabilities = np.random.default_rng(n).dirichlet(np.ones(n))
    figure = radar(probabilities, WORDS[-n:])
    check_layout(figure)
    ring = figure.axes[0].transData.transform(np.stack(figure.axes[0].lines[3].get_data(), axis=1))
    for text in (text for text in words(figure) if "\n" in text.get_text()):
        assert not text.get_window_extent().count_contains(ring), f"{text.get_text()!r} lies on the chart"
    texts = [text.get_text().replace("\n", " ") for text in words(figure)]
    for word, probability in zip(WORDS[-n:], probabilities, strict=True):
        assert f"{word} {probability:.0%}" in texts
    assert f"{WORDS[-n:][probabilities.argmax()]}, {probabilities.max():.0%}" in texts


def test_radar_draws_the_given_numbers():
    """The corners are as far out as the probabilities say; the first points up, then clockwise."""
    probabilities = np.array([0.5, 0.3, 0.15, 0.05])
    figure = radar(probabilities, WORDS[:4])
    corners = figure.axes[0].patches[0].get_xy()[:4]
    np.testing.assert_allclose(figure.axes[0].collections[0].get_offsets(), corners)  # a dot on each
    middle = np.array([corners[0, 0], corners[1, 1]])
    away = corners - middle
    ring = max(np.ptp(line.get_xdata()) for line in figure.axes[0].lines) / 2  # the outer one, 50%
    np.testing.assert_allclose(np.linalg.norm(away, axis=1) / ring, probabilities / 0.5)
    assert away[0, 1] > 0 and away[1, 0] > 0 and away[2, 1] < 0 and away[3, 0] < 0


@pytest.mark.parametrize(
    ("largest", "limit", "expected"),
    [
        (0.2, None, ["5%", "10%", "15%", "20%", "25%"]),
        (0.51, None, ["25%", "50%", "75%"]),
        (0.3, 1.0, ["25%", "50%", "75%", "100%"]),
    ],
)
def test_rings_are_labelled_with_round_numbers(largest, limit, expected):
    rest = (1 - largest) / 9
    figure = radar(np.array([largest, *[rest] * 9]), WORDS[:10], limit=limit)
    rings = [text.get_text() for text in words(figure) if text.get_size() == 7.5]
    assert rings == expected


def test_long_titles_and_labels_stay_on_the_sheet():
    title = "a/very/long/path/that/never/seems/to/end/03-01-06-01-02-01-12-and-more-of-the-name.wav"
    check_layout(radar([0.5, 0.3, 0.2], ["enthusiastically_happy", "disappointment", "passive anger"], title=title))


@pytest.mark.parametrize("n", range(2, 13))
@pytest.mark.parametrize("normalise", [True, False])
def test_confusion_is_readable_for_any_number_of_classes(n, normalise):
    counts = np.random.default_rng(n).integers(0, 1200, (n, n))
    check_layout(confusion(counts, WORDS[-n:], normalise=normalise))


def test_confusion_writes_counts_recalls_and_uar():
    matrix = np.array([[3, 1, 0], [2, 2, 0], [0, 0, 0]])
    figure = confusion(matrix, WORDS[:3])
    texts = [text.get_text() for text in words(figure)]
    assert "UAR 62.5%, 8 clips" in texts  # of the two classes that have clips
    assert {"angry  4", "happy  4", "sad  0"} <= set(texts)
    cells = sorted(text for text in texts if text.isdecimal())
    assert cells == sorted(["75", "3", "25", "1", "50", "2", "50", "2"])  # nothing in empty cells
    plain = [text.get_text() for text in words(confusion(matrix, WORDS[:3], normalise=False))]
    assert sorted(text for text in plain if text.isdecimal()) == ["1", "2", "2", "3"]


def test_curves_of_one_training():
    one = history(12)
    figure = curves(one, best_epoch=7, title="ravdess_bilstm")
    check_layout(figure)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["loss", "uar"]
    lines = figure.axes[1].lines
    np.testing.assert_array_equal(lines[0].get_xdata(), np.arange(1, 13))
    np.testing.assert_array_equal(lines[0].get_ydata(), one["uar"])
    np.testing.assert_array_equal(lines[1].get_ydata(), one["val_uar"])
    assert (lines[2].get_xdata(), lines[2].get_ydata()) == ([7], [one["val_uar"][6]])
    assert {"training", "validation"} <= {text.get_text() for text in words(figure)}


@pytest.mark.parametrize("runs", [[history(1)], [history(n, n) for n in (5, 9, 3)], [{"loss": [2.0, 1.0]}]])
def test_curves_of_several_folds(runs):
    figure = curves(runs, best_epoch=[1] * len(runs))
    check_layout(figure)
    drawn = [line for line in figure.axes[0].lines if line.get_marker() != "o"]
    assert len([line for line in drawn if len(line.get_xdata())]) == len(runs) * (2 if "val_loss" in runs[0] else 1)


def test_equal_ends_get_labels_apart():
    check_layout(curves({"loss": [1.0, 0.5], "val_loss": [0.9, 0.5]}))


def test_waveform_keeps_every_peak():
    wave = spoken(3.0, level=0.1)
    wave[31_234] = 0.8  # one sample of 48000 on 1000 dots
    figure = waveform(wave, RATE, title="angry")
    check_layout(figure)
    drawn = figure.axes[0].collections[0].get_paths()[0].vertices
    assert drawn[:, 1].max() == pytest.approx(0.8)
    assert drawn[drawn[:, 1].argmax(), 0] == pytest.approx(31_234 / RATE, abs=0.003)
    assert figure.axes[0].get_xlim() == (0, 3.0)


@pytest.mark.parametrize(("hz", "level", "rate"), [(440, 1.0, 16_000), (1000, 0.1, 48_000), (3000, 0.5, 22_050)])
def test_spectrogram_of_a_sine(hz, level, rate):
    """The loudest point is at the tone's frequency, at 20 log10 of its amplitude."""
    figure = spectrogram(spoken(hz=hz, level=level, rate=rate), rate)
    image = figure.axes[0].images[0]
    decibels, (_, seconds, _, top) = image.get_array(), image.get_extent()
    assert seconds == pytest.approx(1.0) and top == pytest.approx(8.0, abs=0.05)
    middle = decibels[:, decibels.shape[1] // 2]
    assert middle.argmax() * top * 1000 / (len(middle) - 1) == pytest.approx(hz, abs=25)
    assert middle.max() == pytest.approx(20 * np.log10(level), abs=0.2)
    assert image.get_clim()[1] - image.get_clim()[0] == pytest.approx(80)
    check_layout(figure)


def test_spectrogram_agrees_with_scipy():
    from scipy.signal import stft

    wave = np.random.default_rng(0).normal(size=8000).astype(np.float32)
    drawn = spectrogram(wave, RATE).axes[0].images[0].get_array()
    _, _, theirs = stft(wave, RATE, "hann", 400, 240, nfft=1024, boundary="zeros", padded=False)
    np.testing.assert_allclose(drawn[:, :50], 20 * np.log10(2 * np.abs(theirs[:, :50])), atol=0.01)


@pytest.mark.parametrize("draw", [waveform, spectrogram])
def test_short_and_silent_sounds_are_drawn(draw):
    check_layout(draw(np.zeros(100, np.float32), RATE))
    with pytest.raises(DataError, match=r"mono wave \(n,\), got shape \(2, 100\)"):
        draw(np.zeros((2, 100)), RATE)


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf", ".PNG"])
def test_save_writes_what_the_suffix_says(tmp_path, suffix):
    path = tmp_path / "new" / f"radar{suffix}"
    save(radar([0.7, 0.2, 0.1], WORDS[:3]), path)
    head = path.read_bytes()[:300]
    assert {".png": b"\x89PNG", ".svg": b"<svg", ".pdf": b"%PDF"}[suffix.lower()] in head
    if suffix == ".png":
        assert (int.from_bytes(head[16:20]), int.from_bytes(head[20:24])) == (800, 800)


@pytest.mark.parametrize("name", ["radar.jpg", "radar"])
def test_save_refuses_other_suffixes(tmp_path, name):
    with pytest.raises(ConfigError, match=rf"{name}: .* \.png, \.svg or \.pdf"):
        save(radar([0.7, 0.3], WORDS[:2]), tmp_path / name)


@pytest.mark.parametrize(
    ("draw", "wrong", "message"),
    [
        (radar, ([0.5, 0.5], WORDS[:3]), "2 probabilities for 3 labels"),
        (radar, ([1.0], WORDS[:1]), "1 probabilities for 1 labels"),
        (radar, ([np.nan, 1.0], WORDS[:2]), "one finite number each"),
        (confusion, (np.zeros((2, 3)), WORDS[:3]), r"shape \(2, 3\) for 3 labels; it must be \(3, 3\)"),
        (curves, ({},), "0 things to draw"),
        (curves, ([],), "0 histories"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(draw, wrong, message):
    with pytest.raises(DataError, match=message) as error:
        draw(*wrong)
    assert "\n" not in str(error.value)


def test_a_best_epoch_each():
    with pytest.raises(DataError, match=r"2 histories .* 1 best epochs"):
        curves([history(3), history(3)], best_epoch=[1])


def test_names_are_lazy():
    """Importing utils loads no matplotlib, using a plot loads it but never pyplot."""
    code = (
        "import sys, utils; assert 'numpy' not in sys.modules and 'matplotlib' not in sys.modules;"
        "figure = utils.radar([0.6, 0.3, 0.1], ['angry', 'happy', 'sad']);"
        "import matplotlib.figure as f; assert isinstance(figure, f.Figure) and 'matplotlib.pyplot' not in sys.modules;"
        "assert {'radar', 'confusion', 'curves', 'waveform', 'spectrogram', 'save'} <= set(dir(utils))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert utils.radar is radar and utils.save is save
    with pytest.raises(AttributeError, match="'utils' has no attribute 'radr'"):
        utils.radr  # noqa: B018


def test_a_dark_picture_has_the_same_shapes_on_a_dark_ground():
    labels, wave = ["angry", "sad", "calm"], np.sin(np.arange(4000) / 9)
    for draw in (lambda: radar([0.5, 0.3, 0.2], labels), lambda: waveform(wave, RATE)):
        light, dark = (mpimg.imread(io.BytesIO(png(draw(), dark=night)))[..., :3] for night in (False, True))
        assert light[2, 2].mean() == 1 and dark[2, 2].mean() < 0.15
        assert (dark.min(axis=-1) > 0.75).mean() < 0.003, "nothing but letters is bright"
        drawn = [np.abs(image - image[2, 2]).max(axis=-1) > 0.25 for image in (light, dark)]
        assert drawn[0].sum() > 1000 and (drawn[0] != drawn[1]).mean() < 0.02


def test_names_are_drawn_as_they_are_written(monkeypatch):
    installed = ["Arial", "Noto Sans CJK JP", "WenQuanYi Zen Hei"]
    monkeypatch.setattr(font_manager.fontManager, "get_font_names", lambda: installed)
    figure = radar([0.6, 0.3, 0.1], ["\u6124\u6012", "$x^$", "sad"])
    result = {text.get_text().partition("\n")[0]: text for text in words(figure)}
    fonts = result["\u6124\u6012"].get_fontfamily()
    assert fonts == ["DejaVu Sans", "Noto Sans CJK JP", "WenQuanYi Zen Hei"]
    assert result["sad"].get_fontfamily() == ["sans-serif"]
    assert not result["$x^$"].get_parse_math()
    png(radar([0.6, 0.4], ["$x^$", "$y^$"], title="$z^$"))  # a broken formula, if it were one
