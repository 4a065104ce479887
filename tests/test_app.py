"""The web page in Streamlit's own test client: what it answers is what predict.py answers, and what it refuses."""

import csv
import io
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from streamlit.testing.v1 import AppTest
from toy import outcome, write_config

import predict
import preprocess
import train
from prediction.predictor import Predictor
from tests import memory
from utils import plugins
from web import inputs, results, state, text, uploads

pytestmark = pytest.mark.usefixtures("undrawn")  # test_the_page_loads_no_framework draws, in a process of its own

RATE = 16000
NOBODY = "<img src=x onerror=alert(1)>![x](http://a/b)`$\\q$"


@pytest.fixture(autouse=True)
def main_module(monkeypatch):
    """Put back what AppTest leaves in place of the main module: processes that later tests spawn would run the page."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture(scope="module", autouse=True)
def quick(zoo):
    """Streamlit collects garbage after every run of the page: a second where TensorFlow and JAX have left their own."""
    memory.free()


@pytest.fixture(scope="module")
def zoo(demo_root, tmp_path_factory, undrawn, eager):
    """Return a folder with the trained checkpoints "weighs", "plain" and "speaker"."""
    folder = tmp_path_factory.mktemp("page")
    small = {"split": {"by": "speaker", "folds": 2, "holdout": ["m08"]}}
    network = {"model": {"name": "transformer", "width": 8, "layers": 0}, "train": {"epochs": 1, "batch_size": 64}}
    paths = [write_config(folder, "plain", **small), write_config(folder, "speaker", normalise="speaker", **small)]
    paths = [str(path) for path in [*paths, write_config(folder, "weighs", **small, **network)]]
    common = ["--config", *paths, "--features", str(folder / "features")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SER_DATA", str(demo_root.parent))
        assert preprocess.main([*common, "--jobs", "1"]) == 0
        assert train.main([*common, "--checkpoints", str(folder / "checkpoints")]) == 0
    return folder / "checkpoints"


@pytest.fixture
def open_page(zoo, tmp_path, monkeypatch):
    """Return a function that opens the page as a visitor does, in an empty working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SER_CHECKPOINTS", str(zoo))

    def visit(checkpoint="plain", other=None, coverage=None):
        page = AppTest.from_file(plugins.ROOT / "app.py", default_timeout=60).run()
        page = page.selectbox[0].select(checkpoint).run() if checkpoint != "plain" else page
        page = page.selectbox[1].select(other).run() if other else page
        return page.selectbox[2].select(coverage).run() if coverage else page

    yield visit
    assert not list(tmp_path.iterdir()), "a visit left something on the disk"


@pytest.fixture
def predicted(zoo, monkeypatch, capsys, tmp_path_factory):
    """Return a function that gives what predict.py --json says."""

    def call(*arguments, checkpoint="plain"):
        given = ("--checkpoint", zoo / checkpoint, "--json", *arguments)
        with monkeypatch.context() as elsewhere:
            elsewhere.chdir(tmp_path_factory.mktemp("elsewhere"))  # one file alone leaves a radar chart
            status, out, _ = outcome(predict.main, monkeypatch, capsys, *given)
        assert status == 0
        return [json.loads(line) for line in out.splitlines()]

    return call


@pytest.fixture(scope="module")
def clips(demo_root):
    return sorted((demo_root / "m08").glob("*.wav"))


def send(page, *files, uploader=0):
    """Upload files, paths or (name, content); a page that breaks fails the test."""
    pairs = [file if isinstance(file, tuple) else (file.name, file.read_bytes()) for file in files]
    page = page.file_uploader[uploader].set_value([(*pair, "audio/wav") for pair in pairs]).run()
    assert not page.exception
    return page


def wav(samples, rate=RATE) -> bytes:
    content = io.BytesIO()
    soundfile.write(content, samples, rate, format="WAV")
    return content.getvalue()


def words(page) -> str:
    return "\n".join(element.value for element in [*page.markdown, *page.caption, *page.header, *page.error])


def bars(page) -> dict[str, float]:
    """Return what stands beside the bars: label -> percent."""
    result = [bar.proto.text.rsplit(" ", 1) for bar in page.get("progress")]
    return {label: float(percent.rstrip("%")) for label, percent in result}


def pictures(page) -> list:
    return [image for element in page.image for image in element.proto.imgs]


def test_a_model_is_shown_with_what_its_score_is_worth(open_page, zoo):
    page = open_page(coverage=0.9)
    card = json.loads((zoo / "plain" / "model.json").read_text(encoding="utf8"))
    said = page.sidebar.markdown[0].value.replace("\\", "")
    assert page.selectbox[0].options == ["plain", "speaker", "weighs"] and not page.exception
    assert card["evidence"] in said and "speaker-independent" in said and "Trained on: demo" in said
    assert "Licence: demo: none needed" in said and "Note: trained on synthetic voices" in said
    assert f"at 90%: {card['conformal']['0.9']['coverage']:.1%} held the true label" in said
    assert "not what anybody feels" in words(page) and "Record only with consent" in page.sidebar.caption[0].value
    assert f"{uploads.MOST_FILES} files of {uploads.MOST_MB} MB" in words(page) and "20 minutes" in words(page)
    assert not open_page("weighs").sidebar.markdown[0].value.count("Label sets")


def test_one_clip_gets_predicts_answer_bars_and_pictures_in_words(open_page, predicted, clips):
    page = send(open_page(coverage=0.8), clips[-1])
    (said,) = predicted(clips[-1], "--coverage", "0.8")
    assert page.header[0].value == said["emotion"]
    assert bars(page) == {label: round(100 * p, 1) for label, p in said["probabilities"].items()}
    assert f"Label set: {', '.join(said['set'])}" in words(page)
    shown = pictures(page)
    assert len(shown) == 3 and all(image.caption and image.alt for image in shown)
    assert f"{len(soundfile.read(clips[-1])[0]) / RATE:.2f} s at {RATE} Hz" in shown[1].caption
    assert len(page.get("audio")) == 1


def test_the_microphone_is_as_good_as_a_file(open_page, predicted, clips):
    page = open_page()
    page = page.audio_input[0].set_value(("said.wav", clips[0].read_bytes(), "audio/wav")).run()
    assert not page.exception and page.header[0].value == predicted(clips[0])[0]["emotion"]


def test_a_clip_unlike_the_training_clips_is_said_to_be(open_page, predicted, clips, tmp_path_factory):
    short = tmp_path_factory.mktemp("short") / "short.wav"
    short.write_bytes(wav(soundfile.read(clips[0])[0][: RATE // 5]))
    page = send(open_page(), short)
    (said,) = predicted(short)
    shown = [warning.value for warning in page.warning]
    if said["warning"]:
        assert shown.pop(0).startswith("Unlike anything the model learned") and "--enroll" not in page.warning[0].value
    expected = [hint["text"] for hint in said["hints"]]
    assert expected and [value.partition(": ")[2] for value in shown] == expected


def test_no_emotion_is_named_for_noise_unless_it_is_asked_for(open_page, predicted, tmp_path_factory):
    noise = tmp_path_factory.mktemp("noise") / "noise.wav"
    noise.write_bytes(wav(np.random.default_rng(1).uniform(-0.9, 0.9, 2 * RATE)))
    page = send(open_page(), noise)
    assert page.header[0].value == "no answer: unlike anything the model learned" and not bars(page)
    page = page.sidebar.checkbox[0].set_value(True).run()
    (said,) = predicted(noise, "--always-name")
    assert not page.exception and page.header[0].value == said["emotion"] and bars(page)
    assert page.warning[0].value.startswith("Unlike anything the model learned")


def test_attention_is_drawn_over_the_spectrogram(open_page, zoo, clips):
    page = send(open_page("weighs"), clips[0])
    model = state.opened(zoo / "weighs")
    features = model.recogniser.extractor(clips[0])
    (weights,) = model.predictor.attention([features])
    hop = (len(soundfile.read(clips[0])[0]) / RATE) / len(features)
    match = re.search(r"Most attention at ([\d.]+) s", pictures(page)[-1].caption)
    assert len(pictures(page)) == 3 and abs(float(match[1]) - weights.argmax() * hop) <= 2 * hop
    assert not Predictor(zoo / "plain").has_attention and model.predictor.has_attention


def test_an_enrolled_voice_changes_the_answer_as_predict_does(open_page, predicted, clips):
    page = send(open_page("speaker"), clips[0])
    before = bars(page)
    page = send(page, *clips, uploader=1)
    (said,) = predicted(clips[0], "--enroll", clips[0].parent, checkpoint="speaker")
    assert bars(page) == {label: round(100 * p, 1) for label, p in said["probabilities"].items()}
    assert bars(page) != before
    assert f"`speaker` is adapted by {len(clips)} clips" in words(page)
    page = send(page, clips[0], ("bad.wav", b"nonsense"), uploader=1)
    assert "by 1 clip of" in words(page) and "`bad.wav`: `not audio" in page.error[0].value
    page = send(send(open_page("plain"), clips[0]), clips[0], uploader=1)  # by its log-probabilities; one clip is alike
    assert "`plain` is adapted by 1 clip " in words(page) and "sound alike" in words(page)


def test_two_models_are_compared_on_the_same_clip(open_page, predicted, clips):
    page = send(open_page("plain", "speaker"), clips[3])
    said = {name: predicted(clips[3], checkpoint=name)[0] for name in ("plain", "speaker")}
    assert [header.value for header in page.header] == [one["emotion"] for one in said.values()]
    agree = len({one["emotion"] for one in said.values()}) == 1
    assert f"They {'agree' if agree else 'differ'}: `plain` " in words(page)
    page = send(page, *clips[:4])
    table = page.dataframe[0].value
    both = [[one["emotion"] for one in predicted(*clips[:4], checkpoint=name)] for name in ("plain", "speaker")]
    assert [[cell.split()[0] for cell in table[name]] for name in ("plain", "speaker")] == both
    assert f"agree on {sum(a == b for a, b in zip(*both, strict=True))} of 4" in words(page)


def test_many_clips_are_a_table_and_predicts_csv(open_page, predicted, zoo, clips, tmp_path_factory):
    page = send(open_page(coverage=0.9), *clips[:3], ("notes.txt", b"words"), ("none.wav", b""))
    table, button = page.dataframe[0].value, page.get("download_button")
    said = predicted(*clips[:3], "--coverage", "0.9")
    assert list(table["file"]) == [*(clip.name for clip in clips[:3]), "notes.txt", "none.wav"]
    assert list(table["emotion"][:3]) == [one["emotion"] for one in said]
    assert list(table["probability"][:3]) == [round(max(one["probabilities"].values()), 3) for one in said]
    assert list(table["label set"][:3]) == [", ".join(one["set"]) for one in said]
    assert "not audio that can be read" in table["error"][3] and table["error"][4] == "empty file."
    assert "5 files, 2 of them could not be judged." in words(page) and len(button) == 1


def test_a_recording_over_time_is_what_predict_writes(open_page, zoo, clips, tmp_path_factory, monkeypatch, capsys):
    folder = tmp_path_factory.mktemp("call")
    said = np.concatenate([soundfile.read(clip)[0] for clip in clips])
    (folder / "call.wav").write_bytes(wav(np.stack([said, 0 * said], axis=1)))
    arguments = ("--checkpoint", zoo / "speaker", "--timeline", folder / "call.wav", "--out", f"{folder}/x", "--adapt")
    status, out, _ = outcome(predict.main, monkeypatch, capsys, *arguments)
    page = send(open_page("speaker"), folder / "call.wav")
    page = page.button_group[0].set_value(results.OVER_TIME).run()
    page = page.toggle[0].set_value(True).run()
    assert status == 0 and not page.exception and len(pictures(page)) == 1
    for line in (line.strip() for line in out.splitlines() if line.startswith("  ")):
        assert line in words(page) and line in pictures(page)[0].alt
    document = next(value for key, value in page.session_state["computed"].items() if key[-1] is True)
    document = json.loads(json.dumps(document))
    assert document | {"file": ""} == json.loads((folder / "x.json").read_text(encoding="utf8")) | {"file": ""}


def test_a_long_file_is_judged_over_time_alone(open_page, clips, monkeypatch):
    long = ("long.wav", wav(np.tile(soundfile.read(clips[0])[0], 3)))
    for module in (uploads, state, results):
        monkeypatch.setattr(module, "CLIP_SECONDS", 2)
    page = send(open_page(), long)
    assert not page.button_group and "over 2 s, so it is judged over time" in words(page)
    assert "send it alone, for a timeline" in send(page, long, clips[0]).dataframe[0].value["error"][0]


@pytest.mark.parametrize(
    ("name", "content", "limit", "reason"),
    [
        ("notes.txt", b"some words", {}, "not audio that can be read"),
        ("none.wav", b"", {}, "empty file"),
        ("half.wav", wav(np.ones(RATE) / 9)[:9000], {}, "truncated"),
        ("quiet.wav", wav(np.zeros(RATE)), {}, "silent"),
        ("blip.wav", wav(np.ones(160) / 9), {}, "too short"),
        ("big.wav", wav(np.ones(RATE) / 9), {"MOST_MB": 0.01}, "too big"),
        ("long.flac", wav(np.ones(3 * RATE) / 9), {"LONGEST_SECONDS": 2}, "too long"),
        ("wide.wav", wav(np.ones((RATE, 9)) / 9), {}, "9 channels"),
        ("rich.wav", wav(np.ones((RATE, 8)) / 9), {"MOST_SAMPLES": 7 * RATE}, "as much as 60 s of stereo"),
        ("none.wav", wav(np.ones(0)), {}, "no audio samples"),
        ("samples.raw", wav(np.ones(RATE) / 9), {}, "without a header"),
        (f"/etc/passwd/{NOBODY}.wav", b"", {}, "empty file"),
    ],
)
def test_refusals_are_one_line_with_the_name_as_it_is(open_page, monkeypatch, name, content, limit, reason):
    for key, value in limit.items():
        monkeypatch.setattr(uploads, key, value)
    page = send(open_page(), (name, content))
    (error,) = page.error
    assert error.value.startswith(text.code(uploads.shown(name)) + ": ") and reason in error.value
    assert "\n" not in error.value and not page.header and not pictures(page)


def test_names_from_the_browser_are_neither_paths_nor_markup(open_page, clips):
    content = clips[0].read_bytes()
    page = send(open_page(), (f"../../{NOBODY}\u202e\n.wav", content))
    assert page.header and "`<img src=x onerror=alert(1)>![x](http:" not in words(page)
    assert uploads.shown("../../a/b.wav") == "b.wav" and len(uploads.shown("x" * 999 + ".wav")) <= uploads.LONGEST_NAME
    page = page.button_group[0].set_value(results.OVER_TIME).run()  # the picture's title has the name
    assert not page.exception and len(pictures(page)) == 1
    sources = [plugins.ROOT / "app.py", *(plugins.ROOT / "web").glob("*.py")]
    for source in sources:
        assert not re.search(r"unsafe_allow|cache_data|html\(|iframe", source.read_text(encoding="utf8")), source


def test_what_one_visitor_sends_no_other_sees(open_page, clips):
    first = send(open_page(), clips[0])
    second = open_page()
    assert first.header and not second.header and not second.session_state["computed"]
    assert first.session_state["computed"].keys().isdisjoint(second.session_state["computed"])
    first = first.file_uploader[0].set_value([]).run()
    assert not first.session_state["computed"], "what was taken back must be forgotten"


def test_too_many_files_and_no_checkpoint_are_said(open_page, clips, tmp_path_factory, monkeypatch):
    monkeypatch.setattr(inputs, "MOST_FILES", 1)
    assert "2 files: at most 1" in send(open_page(), *clips[:2]).error[0].value
    monkeypatch.setenv("SER_CHECKPOINTS", str(tmp_path_factory.mktemp("empty")))
    page = AppTest.from_file(plugins.ROOT / "app.py", default_timeout=60).run()
    assert not page.exception and "make demo" in page.error[0].value
    for number, card in enumerate(("{", "[]", "null", '{"labels": ["a", "b"]}', '{"members": [{}]}')):
        broken = tmp_path_factory.mktemp("broken") / f"run{number}"
        broken.mkdir()
        (broken / "model.json").write_text(card, encoding="utf8")
        (broken / "model.onnx").write_text("", encoding="utf8")
        monkeypatch.setenv("SER_CHECKPOINTS", str(broken.parent))
        page = AppTest.from_file(plugins.ROOT / "app.py", default_timeout=60).run()
        assert not page.exception and f"run{number}: this checkpoint cannot be opened" in page.error[0].value
        assert str(broken.parent) not in page.error[0].value, "a visitor need not know the server's folders"


def test_what_nobody_foresaw_costs_one_file_and_not_the_batch(open_page, clips, monkeypatch):
    measure = uploads.seconds

    def fails(clip):
        return measure(clip) if clip.name != "odd.wav" else 1 / 0

    monkeypatch.setattr(uploads, "seconds", fails)
    page = send(open_page(), ("odd.wav", clips[0].read_bytes()), clips[1])
    table = page.dataframe[0].value
    assert not page.exception and "2 files, 1 of them could not be judged" in words(page)
    assert table["error"][0] == "cannot be read; the server's log says why." and table["emotion"][1]


def test_the_server_is_told_the_same_limit():
    config = (plugins.ROOT / ".streamlit" / "config.toml").read_text(encoding="utf8")
    assert f"maxUploadSize = {uploads.MOST_MB} " in config


def test_the_page_loads_no_framework_and_nothing_that_trains(zoo, clips):
    code = (
        "import json, sys\nfrom streamlit.testing.v1 import AppTest\n"
        "page = AppTest.from_file('app.py', default_timeout=60).run()\n"
        f"page.file_uploader[0].set_value([('a.wav', open({str(clips[0])!r}, 'rb').read(), 'audio/wav')]).run()\n"
        "assert page.header and not page.exception\n"
        "page.button_group[0].set_value('over time').run()\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    environment = os.environ | {"SER_CHECKPOINTS": str(zoo)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=plugins.ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert {"onnxruntime", "streamlit", "webrtcvad"} <= loaded
    assert not loaded & {"tensorflow", "keras", "sklearn", "librosa", "onnx", "skops", "pydantic", "evaluation"}


def test_the_table_of_a_batch_as_csv_has_predicts_columns(zoo, clips):
    model = state.opened(zoo / "plain")
    cache = state.VisitorCache()
    sounds = [state.measured(uploads.Clip(clip.name, clip.name, clip.read_bytes())) for clip in clips[:2]]
    answers = results.answered(model, sounds, None, state.Asked(), cache)
    rows = list(csv.DictReader(io.StringIO(results.csv_text(answers, model.predictor.labels, answers[0].rule))))
    assert [row["file"] for row in rows] == [clip.name for clip in clips[:2]]
    assert list(rows[0]) == [
        "file",
        "emotion",
        *(f"p_{label}" for label in model.predictor.labels),
        "hints",
        "warning",
        "error",
    ]
