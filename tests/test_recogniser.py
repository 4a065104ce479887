"""The face of prediction: one object from a checkpoint, and it is light until it is opened."""

import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from prediction import Recogniser
from prediction.extractor import Extractor
from prediction.predictor import Predictor
from utils.errors import ConfigError, DataError
from utils.plugins import ROOT


@pytest.fixture(scope="module")
def recogniser(demo_zoo) -> Recogniser:
    return Recogniser.open(demo_zoo / "plain")


@pytest.fixture(scope="module")
def clips(demo_root) -> list[str]:
    return [str(path) for path in sorted((demo_root / "m08").glob("*.wav"))[:3]]


def loaded(code: str) -> set[str]:
    """Return the top-level modules that a fresh Python has loaded after this code."""
    tail = "\nimport json, sys\nprint(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code + tail], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_nothing_slow_is_loaded_before_a_checkpoint_is_opened():
    assert not loaded("import prediction, predict") & {"numpy", "onnxruntime", "matplotlib", "soundfile"}
    assert not loaded("from prediction import Recogniser") & {"onnxruntime", "matplotlib", "av", "webrtcvad", "pandas"}
    with pytest.raises(ImportError, match="Recognizer"):
        exec("from prediction import Recognizer")


def test_it_answers_what_features_and_model_give(recogniser, demo_zoo, clips):
    predictor = Predictor(demo_zoo / "plain")
    features = [Extractor(predictor.card)(clip) for clip in clips]
    answers = list(recogniser.answer(clips))
    assert [answer.file for answer in answers] == clips and recogniser.labels == predictor.labels
    for answer, row in zip(answers, predictor.probabilities(features), strict=True):
        assert list(answer.probabilities) == predictor.labels
        assert list(answer.probabilities.values()) == pytest.approx(row.tolist(), abs=2e-6)  # sums of another order
        assert answer.emotion == predictor.labels[row.argmax()] and not answer.hints and not answer.error


def test_a_path_an_open_file_and_samples_are_the_same_clip(recogniser, clips):
    named = recogniser(clips[0])
    with open(clips[0], "rb") as file:
        assert recogniser(file).probabilities == named.probabilities
    samples, rate = soundfile.read(clips[0], dtype="float32")
    assert recogniser((samples, rate)).probabilities == named.probabilities
    assert recogniser((samples[:, None], rate)).hints == named.hints
    assert {hint["hint"] for hint in recogniser((samples[: rate // 5], rate)).hints} >= {"short"}


def test_a_file_that_cannot_be_read_stops_no_other(recogniser, clips, tmp_path):
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF nonsense")
    first, second = recogniser.answer([str(broken), clips[0]])
    assert first.error.startswith(f"{broken}: ") and second == recogniser(clips[0])
    with pytest.raises(DataError, match=r"broken\.wav: "):
        recogniser(broken)
    with pytest.raises(DataError, match="silent"):
        recogniser((np.zeros(16000), 16000))


def test_a_speaker_is_enrolled_by_files_or_a_folder(demo_zoo, recogniser, clips, demo_root, tmp_path, monkeypatch):
    adapting = Recogniser.open(str(demo_zoo / "speaker"))
    speaker = adapting.enrol_folder(demo_root / "m08")
    every = sorted((demo_root / "m08").glob("*.wav"))
    np.testing.assert_array_equal(speaker, adapting.enrol(every))
    assert adapting(clips[0], speaker=speaker).probabilities != adapting(clips[0]).probabilities
    with pytest.raises(DataError, match="no such folder"):
        adapting.enrol_folder(tmp_path / "nobody")
    offset = recogniser.enrol(every)  # a model on global scales is adapted by its log-probabilities
    assert offset.clips == len(every) and 0 <= offset.variety <= 1
    answer = recogniser(clips[0], speaker=recogniser.enrol(every, mixed=True))
    assert answer.probabilities != recogniser(clips[0]).probabilities
    monkeypatch.setitem(recogniser.predictor.card, "adaptation", None)
    with pytest.raises(ConfigError, match="training speakers are known"):
        recogniser.enrol(every)


def test_rules_give_label_sets_and_silence(recogniser, clips):
    rule = recogniser.rule(0.9, abstain_below=1.0)
    (answer,) = recogniser.answer(clips[:1], rule=rule)
    assert answer.emotion == "" and answer.top in answer.label_set and "is below 1" in answer.reason
    assert "label sets at 90%" in recogniser.provenance(0.9) and "label sets" not in recogniser.provenance()
    with pytest.raises(ConfigError, match=r"0\.8, 0\.9, 0\.95"):
        recogniser.rule(0.5)
