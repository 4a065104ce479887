"""The models in the repository: small, complete, answering without a download, and saying what they are."""

import json
import subprocess

import numpy as np
import pytest
import soundfile

import predict
from prediction import Recogniser
from prediction.checkpoints import GENERAL, located
from utils.plugins import ROOT

FOLDER = ROOT / "checkpoints" / GENERAL
LABELS = ["angry", "happy", "sad", "neutral"]
MB = 1_000_000


def card(name: str = GENERAL) -> dict:
    return json.loads((ROOT / "checkpoints" / name / "model.json").read_text(encoding="utf8"))


def tracked(name: str) -> set[str]:
    """Return the names of the files of a checkpoint that git knows; all of them where there is no repository."""
    folder = ROOT / "checkpoints" / name
    listed = subprocess.run(["git", "ls-files", "."], cwd=folder, capture_output=True, text=True, check=False).stdout
    return set(listed.split()) or {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["general", "whisper"])
def test_a_model_in_the_repository_is_small_and_has_its_card(name):
    files = tracked(name)
    assert {"model.json", "model.onnx", "metrics.json", "config.yaml", "MODEL_CARD.md"} <= files
    size = sum((ROOT / "checkpoints" / name / file).stat().st_size for file in files)
    assert size <= 5 * MB, f"{size / MB:.2f} MB"
    assert card(name)["labels"] == LABELS
    text = (ROOT / "checkpoints" / name / "MODEL_CARD.md").read_text(encoding="utf8")
    assert "CC BY-NC-SA 4.0" in text and "tess" in text, "licences, and the test on a corpus that it never heard"


def test_without_a_checkpoint_predict_answers_by_the_general_model(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    time = np.arange(32000) / 16000
    voice = np.sin(2 * np.pi * 120 * time) * np.sin(2 * np.pi * 3 * time) * 0.3
    soundfile.write("voice.wav", voice, 16000)
    assert predict.main(["voice.wav"]) == 0
    assert capsys.readouterr().out.startswith("general: ")
    assert predict.main(["--checkpoint", "general", "--json", "voice.wav"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert list(answer["probabilities"]) == LABELS
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_a_checkpoint_is_given_by_its_path_or_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert located(FOLDER) == FOLDER
    assert located(type(FOLDER)("general")) == FOLDER
    (tmp_path / "general").mkdir()
    (tmp_path / "general" / "model.json").write_text("{}")
    assert located(type(FOLDER)("general")).resolve() == tmp_path / "general", "a folder here comes first"


def test_it_names_what_real_actors_were_asked_to_play(speech):
    """These actors' labels trained it: this shows that features and model belong together, not how good it is."""
    model = Recogniser.open()
    emotions = {"01": "neutral", "03": "happy", "04": "sad", "05": "angry"}
    clips = [
        (path, emotions[path.name[6:8]])
        for path in sorted((speech / "RAVDESS" / "Actor_12").glob("03-01-0?-02-*.*"))
        if path.name[6:8] in emotions
    ]
    answers = list(model.answer([str(path) for path, _ in clips]))
    assert len(answers) == 12
    assert np.mean([answer.top == truth for answer, (_, truth) in zip(answers, clips, strict=True)]) > 0.7


def test_its_features_need_neither_opensmile_nor_librosa():
    names = {part["name"] for part in card()["features"]["parts"]}
    assert names == {"distilled", "functionals"}
