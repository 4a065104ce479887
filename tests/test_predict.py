"""predict.py from the command line: what it prints and writes, what it survives, what it does not load."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from threadpoolctl import threadpool_limits
from toy import outcome

import predict
from augmentation import gaussian_noise, telephone
from evaluation.scores import conformal
from prediction import Recogniser, batch
from utils import config as configs
from utils import plugins

LABELS = ["angry", "happy", "sad", "neutral", "fear"]


@pytest.fixture(scope="module")
def zoo(demo_zoo):
    """Return the trained checkpoints; tests may put others beside them."""
    return demo_zoo


@pytest.fixture
def run(zoo, tmp_path, monkeypatch, capsys):
    """Return a function that calls predict.py in an empty working folder: exit status, stdout, stderr."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def call(*arguments, checkpoint="plain"):
        return outcome(predict.main, monkeypatch, capsys, "--checkpoint", zoo / checkpoint, *arguments)

    return call


@pytest.fixture
def folder(demo_root, tmp_path):
    """Return a folder of three clips of the held-out speaker and two files that are none."""
    there = tmp_path / "calls"
    there.mkdir()
    for clip in sorted((demo_root / "m08").glob("*.wav"))[:3]:
        shutil.copy(clip, there)
    (there / "broken.wav").write_bytes(b"RIFF nonsense")
    soundfile.write(there / "silent.wav", np.zeros(16000), 16000)
    return there


def refused(result, *words):
    status, out, err = result
    assert status == 2 and not out
    assert err.startswith("error: ") and err.count("\n") == 1
    for word in words:
        assert word in err


def answers(out: str) -> list[dict]:
    return [json.loads(line) for line in out.splitlines()]


def test_one_file_prints_its_emotion_and_draws_a_radar_chart(run, zoo, demo_root, tmp_path):
    clip = demo_root / "m08" / "m08_sad_1.wav"
    status, out, err = run(clip)
    assert status == 0 and not err
    first, note, line, last = out.splitlines()
    metrics = json.loads((zoo / "plain" / "metrics.json").read_text(encoding="utf8"))
    assert first.startswith(f"plain: UAR {metrics['uar']:.3f}") and "speaker-independent, 3 folds by speaker" in first
    assert first.endswith("; guessing: 0.200" + f", the model is {metrics['verdict']}" * bool(metrics["verdict"]))
    assert note == "note: trained on synthetic voices"
    assert line.startswith(f"{clip}: ") and all(label in line for label in LABELS)
    assert last == "radar chart: m08_sad_1_radar.png"
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["m08_sad_1_radar.png"]
    assert (tmp_path / "here" / "m08_sad_1_radar.png").read_bytes().startswith(b"\x89PNG")


def test_a_directory_is_done_whatever_is_in_it(run, folder, tmp_path):
    status, out, err = run(folder)
    assert status == 1
    assert len(out.splitlines()) == 2 + 3
    lines = err.splitlines()
    assert len(lines) == 2 and all(line.startswith(f"error: {folder}") for line in lines)
    assert "broken.wav" in lines[0] and "silent.wav: silent" in lines[1]
    assert not list((tmp_path / "here").iterdir())


def test_json_lines_are_as_promised(run, folder):
    status, out, err = run("--json", folder)
    assert status == 1 and not err
    result = {item["file"].rpartition("/")[2]: item for item in answers(out)}
    assert len(result) == 5
    assert set(result["broken.wav"]) == {"file", "error"} and str(folder) in result["broken.wav"]["error"]
    for name, item in result.items():
        if name not in ("broken.wav", "silent.wav"):
            assert list(item) == ["file", "emotion", "probabilities", "hints", "warning"]
            assert item["hints"] == [] and item["warning"] == ""
            assert list(item["probabilities"]) == LABELS
            assert sum(item["probabilities"].values()) == pytest.approx(1, abs=1e-4)
            assert item["emotion"] == max(item["probabilities"], key=item["probabilities"].get)


def words(out: str) -> str:
    """Return printed text without its line breaks."""
    return " ".join(out.split())


def test_a_clip_unlike_the_training_clips_is_said_to_be(run, demo_root, tmp_path):
    wave, rate = soundfile.read(demo_root / "m08" / "m08_sad_1.wav", dtype="float32")
    rng = np.random.default_rng(1)
    changed = {
        "narrow band": telephone.augment(wave, rate, rng),
        "noisy": gaussian_noise.augment(wave, rate, rng, snr_db=[5.0, 5.0]),
        "short": wave[: rate // 5],
    }
    for hint, heard in changed.items():
        path = tmp_path / f"{hint}.wav"
        soundfile.write(path, heard, rate)
        (result,) = answers(run("--json", path)[1])
        assert hint in {one["hint"] for one in result["hints"]}
        said = [one["text"] for one in result["hints"]]
        out = run(path)[1].splitlines()
        assert [line.removeprefix("  hint: ") for line in out if line.startswith("  hint: ")] == said
        run("--csv", tmp_path / "table.csv", path)
        with (tmp_path / "table.csv").open(newline="", encoding="utf8") as file:
            (row,) = csv.DictReader(file)
        assert row["hints"] == "; ".join(said) and row["error"] == ""
        warned = len(said) > 1 or "unfamiliar" in said[0]
        assert row["warning"] == result["warning"] and bool(result["warning"]) == warned
        assert (result["emotion"] is None) == (row["emotion"] == "") == warned
        assert (f"warning: {row['warning']}" in words("\n".join(out))) == warned
    assert run(demo_root / "m08" / "m08_sad_1.wav")[1].count("hint") == 0


def test_a_clip_unlike_anything_gets_a_warning_in_plain_words(run, zoo, demo_root, tmp_path):
    wave, rate = soundfile.read(demo_root / "m08" / "m08_sad_1.wav", dtype="float32")
    noise = np.random.default_rng(1).uniform(-0.9, 0.9, len(wave))
    soundfile.write(tmp_path / "noise.wav", noise, rate)
    (result,) = answers(run("--json", tmp_path / "noise.wav")[1])
    assert result["warning"] == (
        "unlike anything the model learned, so an emotion would be a guess; 20 clips of this speaker (--enroll) or "
        "training on your own recordings would help"
    )
    best = max(result["probabilities"], key=result["probabilities"].get)
    assert result["emotion"] is None
    (named,) = answers(run("--json", "--always-name", tmp_path / "noise.wav")[1])
    assert named == result | {"emotion": best}
    status, out, _ = run(tmp_path / "noise.wav")
    assert status == 0 and "noise.wav: no answer: unlike anything the model learned\n" in out
    assert "--always-name names an emotion all the same" in out and f"{best} 0." not in out
    assert f": {best}  {best} 0." in run("--always-name", tmp_path / "noise.wav")[1]
    enrolled = run("--json", "--enroll", demo_root / "m08", tmp_path / "noise.wav")[1]
    assert "--enroll" not in answers(enrolled)[0]["warning"] and answers(enrolled)[0]["warning"]
    assert "warning" not in run(demo_root / "m08" / "m08_sad_1.wav")[1]


def test_a_model_that_knows_no_ranges_gives_no_hints(run, zoo, demo_root, tmp_path):
    shutil.copytree(zoo / "plain", zoo / "unknown", dirs_exist_ok=True)
    card = json.loads((zoo / "unknown" / "model.json").read_text(encoding="utf8"))
    assert set(card["familiar"]["ranges"]) == {"seconds", "level_db", "snr_db", "bandwidth_hz", "crest_db"}
    del card["familiar"]  # written before there were any
    (zoo / "unknown" / "model.json").write_text(json.dumps(card), encoding="utf8")
    soundfile.write(tmp_path / "short.wav", soundfile.read(demo_root / "m08" / "m08_sad_1.wav")[0][:3200], 16000)
    (result,) = answers(run("--json", tmp_path / "short.wav", checkpoint="unknown")[1])
    assert result["hints"] == []


def test_csv_has_a_row_a_file(run, folder, tmp_path):
    assert run("--csv", tmp_path / "made" / "table.csv", folder)[0] == 1
    with (tmp_path / "made" / "table.csv").open(newline="", encoding="utf8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["file", "emotion", *(f"p_{label}" for label in LABELS), "hints", "warning", "error"]
    assert len(rows) == 5
    for row, item in zip(rows, answers(run("--json", folder)[1]), strict=True):
        assert row["file"] == item["file"] and row["error"] == item.get("error", "")
        assert row["emotion"] == item.get("emotion", "")
        for label in LABELS:
            assert row[f"p_{label}"] == str(item["probabilities"][label] if "probabilities" in item else "")


def table_rows(path) -> list[dict]:
    with path.open(newline="", encoding="utf8") as file:
        return list(csv.DictReader(file))


def test_a_csv_that_cannot_be_written_is_refused_before_anything_is_read(run, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(batch, "read", None)
    (tmp_path / "file").write_text("")
    refused(run("--csv", tmp_path, "--json", folder), f"--csv {tmp_path}: a folder", "answers.csv")
    refused(run("--csv", tmp_path / "file" / "a.csv", "--json", folder), "a.csv.part: cannot be written")
    if os.path.exists("/dev/full"):
        refused(run("--csv", "/dev/full", "--json", folder), "/dev/full: cannot be written: No space left")


def test_a_csv_grows_with_the_answers_and_a_batch_that_is_ended_leaves_it(run, folder, tmp_path, monkeypatch):
    rows, real = [], Recogniser.answer_readings

    def interrupted(self, readings, **options):
        rows.append(len(table_rows(tmp_path / "table.csv.part")))
        if len(rows) == 4:
            raise KeyboardInterrupt
        return real(self, readings, **options)

    (tmp_path / "table.csv").write_text("of before")
    monkeypatch.setattr(Recogniser, "answer_readings", interrupted)
    assert run("--csv", tmp_path / "table.csv", folder)[0] == 130
    assert rows == [0, 1, 2, 3] and (tmp_path / "table.csv").read_text() == "of before"
    assert [bool(row["error"]) for row in table_rows(tmp_path / "table.csv.part")] == [True, False, False]
    monkeypatch.setattr(Recogniser, "answer_readings", real)
    assert run("--csv", tmp_path / "table.csv", folder)[0] == 1
    assert len(table_rows(tmp_path / "table.csv")) == 5 and not (tmp_path / "table.csv.part").exists()


def test_odd_names_kinds_and_folders_cost_one_line_each(run, folder, tmp_path, monkeypatch):
    clip = next(folder.glob("m08*.wav"))
    shutil.copy(clip, folder / os.fsdecode(b"caf\xe9.wav"))
    os.mkfifo(folder / "pipe.wav")
    (folder / "closed").mkdir()
    real = os.scandir

    def scandir(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr("os.scandir", scandir)
    status, _, err = run("--csv", tmp_path / "table.csv", "--jobs", "1", folder)
    rows = {os.path.basename(row["file"]): row for row in table_rows(tmp_path / "table.csv")}
    assert status == 1 and len(rows) == 8 and err.count("\n") == 4
    assert rows["caf\\udce9.wav"]["emotion"] == rows[clip.name]["emotion"] != ""
    assert "a named pipe" in rows["pipe.wav"]["error"] and f"{folder / 'pipe.wav'}: a named pipe" in err
    assert rows["closed"]["error"].startswith(f"{folder / 'closed'}: ")


def test_label_sets_hold_what_is_as_probable_as_the_threshold(run, zoo, folder, tmp_path):
    card = json.loads((zoo / "plain" / "model.json").read_text(encoding="utf8"))
    known = card["conformal"]
    assert list(known) == ["0.8", "0.9", "0.95"]
    sizes = []
    for coverage in (0.8, 0.95):
        status, out, _ = run("--json", "--coverage", coverage, "--csv", tmp_path / "table.csv", folder)
        assert status == 1
        result = [item for item in answers(out) if "emotion" in item]
        for item in result:
            p = np.array([[item["probabilities"][label] for label in LABELS]])
            inside = conformal.sets(p, known[f"{coverage:g}"]["threshold"])[0]
            assert item["set"] == sorted(np.array(LABELS)[inside], key=lambda label: -item["probabilities"][label])
            assert item["set"][0] == item["emotion"]
        sizes.append(sum(len(item["set"]) for item in result))
        with (tmp_path / "table.csv").open(newline="", encoding="utf8") as file:
            rows = list(csv.DictReader(file))
        assert list(rows[0])[-4:] == ["set", "hints", "warning", "error"]
        assert [row["set"] for row in rows if not row["error"]] == ["|".join(item["set"]) for item in result]
        assert {row["set"] for row in rows if row["error"]} == {""}
    assert sizes[0] <= sizes[1]
    first, *_, last = run("--coverage", "0.95", folder)[1].splitlines()
    assert "label sets" not in first and f"{{{', '.join(result[-1]['set'])}}}" in last
    assert f"label sets at 95%: {known['0.95']['coverage']:.1%} held" in run("--coverage", ".95", folder)[1]


def test_a_model_that_is_not_sure_names_no_emotion_and_says_why(run, demo_root, folder, tmp_path):
    clip = demo_root / "m08" / "m08_sad_1.wav"
    (sure,) = answers(run("--json", clip)[1])
    p = max(sure["probabilities"].values())
    assert answers(run("--json", "--abstain-below", p, clip)[1]) == [sure]
    status, out, _ = run("--json", "--abstain-below", p + 0.001, clip)
    (silent,) = answers(out)
    reason = f"{sure['emotion']} {p:.3f} is below {p + 0.001:g}"
    assert status == 0 and silent == sure | {"emotion": None, "reason": reason}
    status, out, _ = run("--abstain-below", p + 0.001, "--csv", tmp_path / "table.csv", clip)
    assert status == 0 and f"{clip}: none named, {reason}  {sure['emotion']} " in out
    with (tmp_path / "table.csv").open(newline="", encoding="utf8") as file:
        (row,) = csv.DictReader(file)
    assert (row["emotion"], row["reason"], row["error"]) == ("", reason, "") and "set" not in row


def test_coverage_and_shares_that_cannot_be_are_refused(run, zoo, demo_root):
    clip = demo_root / "m08" / "m08_sad_1.wav"
    refused(run("--coverage", "0.99", clip), "--coverage 0.99", "0.8, 0.9, 0.95")
    refused(run("--coverage", "90", clip), "from 0 to 1", "'90'")
    refused(run("--abstain-below", "half", clip), "--abstain-below", "'half'")
    shutil.copytree(zoo / "plain", zoo / "before", dirs_exist_ok=True)
    card = json.loads((zoo / "before" / "model.json").read_text(encoding="utf8"))
    del card["conformal"]
    (zoo / "before" / "model.json").write_text(json.dumps(card), encoding="utf8")
    refused(run("--coverage", "0.9", clip, checkpoint="before"), "plain has no thresholds", "train it again")


def test_standard_input(run, demo_root, monkeypatch, tmp_path):
    clip = demo_root / "m08" / "m08_sad_1.wav"
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(clip.read_bytes())))
    status, out, _ = run("--json", "-")
    (piped,) = answers(out)
    (named,) = answers(run("--json", clip)[1])
    assert status == 0 and piped["file"] == "-" and piped["probabilities"] == named["probabilities"]
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(clip.read_bytes())))
    assert run("-", "--radar", tmp_path / "piped.svg")[0] == 0 and (tmp_path / "piped.svg").exists()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"no audio at all")))
    status, _, err = run("-")
    assert status == 1 and err.startswith("error: standard input: ") and err.count("\n") == 1


@pytest.mark.parametrize(("name", "magic"), [("x.png", b"\x89PNG"), ("sub/x.svg", b"<?xml"), ("x.PDF", b"%PDF")])
def test_radar_charts_come_in_three_kinds(name, magic, run, demo_root, tmp_path):
    assert run(demo_root / "m08" / "m08_sad_1.wav", "--radar", tmp_path / name)[0] == 0
    assert (tmp_path / name).read_bytes().startswith(magic)


def test_radar_charts_of_many_go_to_a_folder(run, folder, tmp_path):
    (tmp_path / "with.dot").mkdir()
    for charts in ("charts", "with.dot"):
        assert run(folder, "--radar", tmp_path / charts)[0] == 1
        names = sorted(path.name for path in (tmp_path / charts).iterdir())
        clips = sorted(path.stem for path in folder.glob("m08*.wav"))
        assert names == [f"{clip}_radar.png" for clip in clips]


def test_files_of_one_stem_keep_their_own_charts(run, demo_root, tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        shutil.copy(demo_root / "m08" / "m08_sad_1.wav", tmp_path / name / "clip.wav")
    shutil.copy(demo_root / "m08" / "m08_sad_2.wav", tmp_path / "b" / "other.wav")
    monkeypatch.chdir(tmp_path)
    assert run("a", "b", "--radar", "charts")[0] == 0
    names = sorted(path.name for path in (tmp_path / "charts").iterdir())
    assert names == ["a_clip.wav_radar.png", "b_clip.wav_radar.png", "other_radar.png"]
    assert run(tmp_path / "a", tmp_path / "b", "--radar", "more")[0] == 0
    assert len(list((tmp_path / "more").iterdir())) == 3


def test_json_without_a_radar_argument_leaves_the_output_clean(run, demo_root):
    status, out, err = run("--json", demo_root / "m08" / "m08_sad_1.wav")
    assert status == 0 and not err and len(answers(out)) == 1


def test_enrolment_changes_what_a_speaker_model_says(run, zoo, demo_root):
    clip, voice = demo_root / "m08" / "m08_sad_1.wav", demo_root / "m08"
    (before,) = answers(run("--json", clip, checkpoint="speaker")[1])
    status, out, _ = run("--json", clip, "--enroll", voice, checkpoint="speaker")
    (after,) = answers(out)
    assert status == 0
    assert max(abs(before["probabilities"][label] - after["probabilities"][label]) for label in LABELS) > 1e-4
    (other,) = answers(run("--json", clip, "--enroll", demo_root / "f01", checkpoint="speaker")[1])
    assert other["probabilities"] != after["probabilities"]


def test_enrolment_errors_are_one_line(run, demo_root, folder, tmp_path):
    clip = demo_root / "m08" / "m08_sad_1.wav"
    refused(run(clip, "--enroll", folder), str(folder / "broken.wav"))
    refused(run(clip, "--mixed"), "--enroll")
    refused(run(clip, "--enroll", tmp_path / "nobody", checkpoint="speaker"), "nobody: no such folder")
    refused(run(clip, "--enroll", folder, checkpoint="speaker"), str(folder / "broken.wav"))


def test_users_errors_are_one_line(run, zoo, folder, demo_root, tmp_path):
    clip = demo_root / "m08" / "m08_sad_1.wav"
    refused(run(clip, checkpoint="features"), "no model.json in it", "checkpoints/NAME")
    refused(run(clip, checkpoint="plane"), "no model.json in it")
    refused(run(clip, "--radar", tmp_path / "x.gif"), "x.gif", ".png, .svg, .pdf")
    refused(run(folder, "--radar", tmp_path / "x.png"), "one picture for 5 files")
    refused(run(tmp_path / "here"), "holds no audio files")
    refused(run(clip, "--jsn"), "--jsn")
    status, _, err = run(tmp_path / "gone.wav")
    assert status == 1 and err == f"error: {tmp_path / 'gone.wav'}: No such file or directory.\n"


def test_another_feature_version_is_refused(run, zoo, demo_root, tmp_path):
    shutil.copytree(zoo / "plain", zoo / "older", dirs_exist_ok=True)
    card = json.loads((zoo / "older" / "model.json").read_text(encoding="utf8"))
    (zoo / "older" / "model.json").write_text(json.dumps(card | {"feature_version": "0"}), encoding="utf8")
    refused(run(demo_root / "m08" / "m08_sad_1.wav", checkpoint="older"), "plain was trained on features of version 0")


def test_prediction_makes_the_features_that_training_read(zoo, demo_root, monkeypatch):
    from extract_feats.cache import read
    from prediction.extractor import Extractor

    monkeypatch.setenv("SER_DATA", str(demo_root.parent))
    data = read.dataset(configs.read(zoo / "plain.yaml"), zoo / "features", command="")
    extractor = Extractor(json.loads((zoo / "plain" / "model.json").read_text(encoding="utf8")))
    assert len(data) == 80
    with threadpool_limits(1):  # as both scripts do it
        for row in (0, 41, 79):
            np.testing.assert_array_equal(extractor(data.facts["path"][row]), data.features[row])


def test_prediction_gives_the_held_out_speakers_score(run, zoo, demo_root):
    metrics = json.loads((zoo / "plain" / "metrics.json").read_text(encoding="utf8"))["holdout"]
    predicted = answers(run("--json", demo_root / "m08")[1])
    matrix = np.zeros((5, 5), int)
    for item in predicted:
        truth = item["file"].split("_")[-2]
        matrix[LABELS.index(truth), LABELS.index(item["emotion"])] += 1
    assert matrix.tolist() == metrics["confusion"]


def test_prediction_loads_no_framework(zoo, demo_root, tmp_path):
    code = (
        "import json, sys, runpy\n"
        f"sys.argv = ['predict.py', '--checkpoint', {str(zoo / 'speaker')!r}, "
        f"{str(demo_root / 'm08' / 'm08_sad_1.wav')!r}, '--radar', {str(tmp_path / 'x.png')!r}, "
        f"'--enroll', {str(demo_root / 'm08')!r}, '--csv', {str(tmp_path / 'x.csv')!r}]\n"
        "try:\n    runpy.run_path('predict.py', run_name='__main__')\n"
        "except SystemExit as end:\n    assert end.code == 0, end.code\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=plugins.ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert {"onnxruntime", "numpy"} <= loaded and (tmp_path / "x.png").exists()
    assert not loaded & {"tensorflow", "keras", "sklearn", "pydantic", "pandas", "librosa", "onnx", "skops", "torch"}


def test_prediction_leaves_no_telemetry_in_the_users_home(zoo, demo_root, tmp_path):
    """ONNX Runtime's own keeps a device id and a list of events there, unless it is told not to."""
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    places = {
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home),
        "MPLCONFIGDIR": str(tmp_path),
        "PYTHONPATH": str(plugins.ROOT),
    }
    known = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}
    clip = demo_root / "m08" / "m08_sad_1.wav"
    command = [
        sys.executable,
        str(plugins.ROOT / "predict.py"),
        "--checkpoint",
        str(zoo / "plain"),
        str(clip),
    ]
    done = subprocess.run(command, cwd=work, env=known | places, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in home.rglob("*") if path.is_file()] == []
