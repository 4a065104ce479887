"""predict.py --timeline and --live from the command line, on joined clips of the demo's held-out speaker."""

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from toy import outcome

import predict
from prediction import timeline_batch
from prediction.extractor import Extractor
from prediction.predictor import Predictor
from tests.toy_readings import deadly_timeline
from utils import plugins

RATE = 16000


@pytest.fixture(scope="module")
def zoo(demo_zoo):
    """Return the trained checkpoints."""
    return demo_zoo


@pytest.fixture(scope="module")
def call(demo_root, tmp_path_factory):
    """Return a stereo file: six clips of the held-out speaker on the left, then six on the right."""
    said = [soundfile.read(path, dtype="float32")[0] for path in sorted((demo_root / "m08").glob("*.wav"))[:6]]
    turn = np.concatenate(said)
    path = tmp_path_factory.mktemp("calls") / "call.wav"
    soundfile.write(path, np.stack([np.append(turn, 0 * turn), np.append(0 * turn, turn)], axis=1), RATE)
    return path


@pytest.fixture
def run(zoo, tmp_path, monkeypatch, capsys):
    """Return a function that calls predict.py in an empty working folder: exit status, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments, checkpoint="plain"):
        return outcome(predict.main, monkeypatch, capsys, "--checkpoint", zoo / checkpoint, *arguments)

    return call


def test_a_timeline_is_four_files_and_each_channel_is_judged_for_itself(run, call, tmp_path):
    status, out, err = run("--timeline", call, "--channels", "agent,customer")
    assert status == 0 and not err
    assert "  agent: " in out and out.splitlines()[-1].startswith("timeline: call_timeline.csv")
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {f"call_timeline.{kind}" for kind in ("csv", "json", "TextGrid", "png")}
    made = json.loads((tmp_path / "call_timeline.json").read_text(encoding="utf8"))
    agent, customer = made["channels"]
    half = made["seconds"] / 2
    assert agent["hops"] and max(hop["start"] for hop in agent["hops"]) < half + 0.5
    assert customer["hops"] and min(hop["end"] for hop in customer["hops"]) > half - 0.5
    assert all(abs(sum(hop["probabilities"].values()) - 1) < 1e-3 for hop in agent["hops"])


def test_a_channel_of_noise_gets_a_warning_and_the_voice_beside_it_does_not(run, call, tmp_path):
    samples, rate = soundfile.read(call, dtype="float32")
    noise = np.random.default_rng(1).normal(scale=samples.std(), size=len(samples)).astype(np.float32)
    soundfile.write(tmp_path / "noisy.wav", np.stack([samples[:, 0], samples[:, 1] + noise], axis=1), rate)
    status, out, _ = run("--timeline", "noisy.wav")
    assert status == 0
    made = json.loads((tmp_path / "noisy_timeline.json").read_text(encoding="utf8"))
    clean, noisy = made["channels"]
    assert clean["unfamiliar"] <= len(clean["hops"]) / 2 < len(noisy["hops"]) / 2 < noisy["unfamiliar"]
    assert clean["warning"] == "" and noisy["warning"].startswith("unlike anything the model learned, so an")
    assert "(--adapt)" in noisy["warning"] and "--enroll" not in noisy["warning"]
    assert f" warning: {noisy['warning']} timeline:" in " ".join(out.split()) and out.count("warning") == 1
    assert "right: " in out and ": no answer: unlike anything the model learned\n" in out
    assert {hop["emotion"] for hop in noisy["hops"]} == {None} == {spell["emotion"] for spell in noisy["spells"]}
    assert all(hop["emotion"] for hop in clean["hops"] if not hop["unlike"]) and noisy["changes"] == []
    run("--timeline", "noisy.wav", "--always-name", "--out", "named")
    named = json.loads((tmp_path / "named.json").read_text(encoding="utf8"))["channels"][1]
    assert named["warning"] == noisy["warning"] and all(hop["emotion"] and hop["unlike"] for hop in named["hops"])


def test_a_window_gives_what_a_file_of_it_gives(zoo, call, tmp_path):
    extractor = Extractor(Predictor(zoo / "plain").card)
    samples = soundfile.read(call, dtype="float32", always_2d=True)[0][RATE : 4 * RATE, [0]]
    soundfile.write(tmp_path / "window.wav", samples, RATE, "FLOAT")
    np.testing.assert_array_equal(extractor.window(samples, RATE), extractor(tmp_path / "window.wav"))


def test_without_smoothing_a_hop_says_what_predict_says_of_its_window(run, zoo, call, tmp_path):
    assert run("--timeline", call, "--dwell", "0", "--json")[0] == 0
    made = json.loads((tmp_path / "call_timeline.json").read_text(encoding="utf8"))
    (hop,) = [hop for hop in made["channels"][0]["hops"] if hop["start"] == 3]
    samples = soundfile.read(call, dtype="float32", always_2d=True)[0][2 * RATE : 5 * RATE, 0]
    soundfile.write(tmp_path / "window.wav", samples, RATE)
    status, out, _ = run(tmp_path / "window.wav", "--json")
    assert status == 0
    said = json.loads(out)["probabilities"]
    assert hop["probabilities"] == pytest.approx(said, abs=2e-4)


def test_each_channel_is_scaled_by_its_own_voice_if_asked(run, zoo, call, tmp_path):
    result = []
    for arguments in ([], ["--adapt"]):
        assert run("--timeline", call, "--dwell", "0", *arguments, checkpoint="speaker")[0] == 0
        result.append(json.loads((tmp_path / "call_timeline.json").read_text(encoding="utf8")))
    assert [made["adapted"] for made in result] == [False, True]
    predictor = Predictor(zoo / "speaker")
    extract = Extractor(predictor.card).window
    samples = soundfile.read(call, dtype="float32", always_2d=True)[0]
    ends = [(max(hop["start"] - 1, 0), hop["end"] + 1) for hop in result[0]["channels"][0]["hops"]]
    clips = [extract(samples[round(a * RATE) : round(b * RATE), [0]], RATE) for a, b in ends]
    assert len(clips) <= 40  # so all of them are what the channel's voice is told by
    for made, speaker in zip(result, (None, predictor.enrolled(clips)), strict=True):
        said = [list(hop["probabilities"].values()) for hop in made["channels"][0]["hops"]]
        np.testing.assert_allclose(said, predictor.probabilities(clips, speaker), atol=2e-4)
    assert run("--timeline", call, "--adapt")[0] == 0  # a model on global scales: by its log-probabilities
    assert json.loads((tmp_path / "call_timeline.json").read_text(encoding="utf8"))["adapted"] is True


def test_many_files_need_a_folder_and_a_broken_one_stops_nothing(run, call, tmp_path):
    (tmp_path / "calls").mkdir()
    (tmp_path / "calls" / "a.wav").write_bytes(call.read_bytes())
    (tmp_path / "calls" / "b.wav").write_bytes(b"nonsense")
    status, out, err = run("--timeline", "calls", "--out", "results/")
    assert status == 1 and err.startswith("error: ") and "b.wav" in err and "calls/a.wav" in out.replace("\\", "/")
    assert sorted(path.suffix for path in (tmp_path / "results").iterdir()) == [".TextGrid", ".csv", ".json", ".png"]
    status, _, err = run("--timeline", "calls", "--out", "one")
    assert status == 2 and "Name a folder" in err


def test_a_recording_that_kills_its_process_stops_no_other(monkeypatch):
    monkeypatch.setattr(timeline_batch, "_made_elsewhere", deadly_timeline)
    files = ["a.wav", "poison.wav", "b.wav"]
    made = dict(timeline_batch.timelines(None, None, files, None, lambda done, total: None))
    assert made == {"a.wav": {}, "poison.wav": "poison.wav: every worker process that reads it dies.", "b.wav": {}}


def test_a_format_that_cannot_seek_gets_its_timeline(run, call, tmp_path):
    wave, rate = soundfile.read(call, dtype="float32", frames=4 * RATE)
    soundfile.write(tmp_path / "gsm.wav", wave[::2, 0], rate // 2, subtype="GSM610")
    status, out, err = run("--timeline", tmp_path / "gsm.wav")
    assert status == 0 and not err and "mono: " in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--timeline"], "required"),
        (["--timeline", "-"], "--live -"),
        (["--timeline", "--live"], "not allowed with"),
        (["--timeline", "CALL", "--channels", "a"], "has 2 channels"),
        (["--timeline", "CALL", "--hop", "9"], "hop <= window"),
        (["--timeline", "CALL", "--radar", "a.png"], "--radar does not go with --timeline"),
        (["--timeline", "CALL", "--rate", "8000"], "--rate does not go with --timeline"),
        (["--live", "CALL"], "a file is for --timeline"),
        (["--live", "-", "--out", "a"], "--out does not go with --live"),
        (["CALL", "--adapt"], "--adapt does not go with whole files"),
        (["CALL", "--hop", "1"], "--hop does not go with whole files"),
        (["--live", "-", "--rate", "16"], "in Hz"),
        (["--timeline", "CALL", "--dwell", "soon"], "must be seconds"),
    ],
)
def test_what_does_not_go_together_is_refused_in_one_line(run, call, arguments, words):
    status, _, err = run(*[call if argument == "CALL" else argument for argument in arguments])
    assert status == 2 and err.startswith("error: ") and err.count("\n") == 1 and words in err


def test_live_answers_before_the_next_hop_has_come(zoo, call):
    """In lockstep: hop k + 1 is fed only after the answer to hop k has been read; a wait would never end."""
    samples = soundfile.read(call, dtype="int16", always_2d=True)[0][: 5 * RATE, 0]
    command = [
        sys.executable,
        "predict.py",
        "--checkpoint",
        str(zoo / "plain"),
        "--live",
        "-",
        "--json",
        "--hop",
        "0.5",
    ]
    with subprocess.Popen(
        [*command, "--rate", str(RATE)], cwd=plugins.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as live:
        for number, start in enumerate(range(0, len(samples), RATE // 2)):
            live.stdin.write(samples[start : start + RATE // 2].astype("<i2").tobytes())
            live.stdin.flush()
            said = json.loads(live.stdout.readline())
            assert (said["start"], said["end"], said["channel"]) == (number / 2, (number + 1) / 2, "mono")
        live.stdin.close()
        assert live.stdout.read() == b"" and live.wait() == 0
    assert number == 9 and sum(said["probabilities"].values()) == pytest.approx(1, abs=1e-3)


def test_live_takes_a_wav_and_says_where_no_one_speaks(zoo, call):
    command = [sys.executable, "predict.py", "--checkpoint", str(zoo / "plain"), "--live", "-", "--channels", "a,b"]
    with call.open("rb") as wav:
        done = subprocess.run(command, cwd=plugins.ROOT, stdin=wav, capture_output=True, text=True, check=True)
    notes = [line for line in done.stdout.splitlines() if line.startswith("note: ")]
    assert len(notes) == 2 and "clip.trim" in notes[1]  # the checkpoint's own, and that it knows clips with silence
    lines = [line.split() for line in done.stdout.splitlines()[3:]]
    assert lines[0][:3] == ["1.0", "s", "a:"] and lines[1][:4] == ["1.0", "s", "b:", "-"]
    assert lines[-2][2:4] == ["a:", "-"] and lines[-1][2] == "b:" and lines[-1][3] != "-"


def microphone(seconds: int):
    """Return a module like sounddevice whose microphone hears a tone, then is interrupted."""
    left = iter(range(20 * seconds))

    class InputStream:
        def __init__(self, samplerate, channels, dtype):
            assert (samplerate, channels, dtype) == (RATE, 1, "float32")

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return False

        def read(self, frames):
            if next(left, None) is None:
                raise KeyboardInterrupt
            return np.zeros((frames, 1), np.float32), False

    return SimpleNamespace(InputStream=InputStream, PortAudioError=RuntimeError)


def test_the_microphone_is_heard_until_it_is_interrupted(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", microphone(3))
    status, out, err = run("--live", "--json")
    assert status == 130 and err.startswith("stopped")
    assert [json.loads(line)["end"] for line in out.splitlines()] == [1, 2, 3]


def test_without_sounddevice_there_is_one_line(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    status, out, err = run("--live")
    assert status == 2 and not out and err.count("\n") == 1
    assert "PortAudio" in err and "--live -" in err
