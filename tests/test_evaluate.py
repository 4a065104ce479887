"""evaluate.py: a shipped model on other clips gives what predict.py gives, and says which are in its training data."""

import csv
import json
import shutil

import numpy as np
import pytest
import yaml
from toy import LABELS, arguments, dataset, outcome, write_config

import evaluate
import preprocess
import train
from evaluation.checkpoint import write as checkpoint
from evaluation.checkpoint.outcome import Outcome
from evaluation.checkpoint.protocol import EvaluationProtocol
from evaluation.scores import metrics
from evaluation.studies import other_clips
from evaluation.studies.served_model import ServedModel, clip_list
from evaluation.training import enrolment
from evaluation.training.ensemble import MemberFeatures
from models.classes import model_class
from prediction.extractor import Extractor
from prediction.predictor import Predictor
from utils.errors import ConfigError

pytestmark = pytest.mark.usefixtures("undrawn")

MFCC = {"name": "librosa_frames", "preset": "mfcc"}


@pytest.fixture(scope="module")
def trained(demo_root, tmp_path_factory):
    """Return a folder: features/, and a speaker-normalised SVM and an ensemble trained but for speaker m08."""
    folder = tmp_path_factory.mktemp("evaluated")
    stats = {"features": {"name": "librosa_stats"}}
    configs = [
        write_config(folder, "svm", normalise="speaker"),
        write_config(folder, "stats", **stats),
        write_config(folder, "both", features=None, model={"name": "ensemble", "members": ["svm", "stats"]}),
    ]
    cache = ("--features", str(folder / "features"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SER_DATA", str(demo_root.parent))
        assert preprocess.main(["--config", *map(str, configs[:2]), *cache, "--jobs", "1"]) == 0
        checkpoints = ("--checkpoints", str(folder / "checkpoints"))
        assert train.main(["--config", *map(str, configs), *cache, *checkpoints]) == 0
    return folder


@pytest.fixture
def folders(demo_root, tmp_path):
    """Return clips of m08 (held out) and of f01 as a user has them: mine/EMOTION/SPEAKER_n.wav."""
    paths = sorted(p for p in demo_root.rglob("*.wav") if p.parent.name in ("m08", "f01"))
    for number, path in enumerate(paths):
        speaker, emotion = path.stem.split("_")[:2]
        (tmp_path / "mine" / emotion).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, tmp_path / "mine" / emotion / f"{speaker}_{number}.wav")
    return tmp_path / "mine"


@pytest.fixture
def run(trained, demo_root, monkeypatch, capsys):
    """Return a function that calls evaluate.py on a run of ``trained``: exit status, stdout, stderr."""
    monkeypatch.setenv("SER_DATA", str(demo_root.parent))

    def call(name, *options):
        given = ("--checkpoint", trained / "checkpoints" / name, "--features", trained / "features", "--jobs", "1")
        return outcome(evaluate.main, monkeypatch, capsys, *given, *options)

    return call


def read(folder) -> tuple[dict, list[dict]]:
    content = json.loads((folder / "metrics.json").read_text(encoding="utf8"))
    with (folder / "predictions.csv").open(newline="", encoding="utf8") as file:
        return content, list(csv.DictReader(file))


@pytest.mark.parametrize("name", ["svm", "both"])
def test_a_folder_is_evaluated_as_prediction_would(name, run, trained, folders):
    status, out, err = run(name, "--folder", folders, "--speaker", r"^(\w+?)_", "--name", f"as_{name}")
    assert status == 0, err
    where = trained / "checkpoints" / name / "evaluations" / f"as_{name}"
    assert {"config.yaml", "metrics.txt", "confusion.png"} <= {path.name for path in where.iterdir()}
    result, rows = read(where)
    predictor = Predictor(trained / "checkpoints" / name)
    extractor = Extractor(predictor.card)
    assert len(rows) == result["n_clips"] == len(list(folders.rglob("*.wav"))) and result["n_speakers"] == 2
    for row in rows[::7]:
        said = predictor.probabilities([extractor(folders / f"{row['id'].removeprefix('mine/')}.wav")])[0]
        assert np.allclose([float(row[f"p_{label}"]) for label in predictor.labels], said, atol=2e-6)
        assert row["truth"] == row["id"].split("/")[1]
    hits = {label: [r["predicted"] == label for r in rows if r["truth"] == label] for label in predictor.labels}
    assert result["uar"] == pytest.approx(np.mean([np.mean(hit) for hit in hits.values()]))
    assert all(value is not None for value in result["by_information"].values())
    assert f"UAR                {result['uar']:.3f}" in out
    assert f"as_{name}" in (trained / "checkpoints" / name / "report.html").read_text(encoding="utf8")
    # f01 was trained on under another name: its clips give it away
    assert result["protocol"]["shared_clips"] == result["n_clips"] // 2 and result["protocol"]["shared_speakers"] == 0
    assert not result["protocol"]["speaker_disjoint"] and "SPEAKER-DEPENDENT" in out


def test_only_unseen_speakers_make_a_speaker_independent_evaluation(run, trained, folders):
    for path in folders.rglob("f01_*"):
        path.unlink()
    assert run("svm", "--folder", folders, "--speaker", r"^(\w+?)_", "--name", "unseen")[0] == 0
    result, _ = read(trained / "checkpoints" / "svm" / "evaluations" / "unseen")
    stored = json.loads((trained / "checkpoints" / "svm" / "metrics.json").read_text(encoding="utf8"))
    assert result["protocol"]["speaker_disjoint"] and result["protocol"]["shared_clips"] == 0
    assert result["uar"] == pytest.approx(stored["holdout"]["uar"])  # the same clips of the held-out speaker
    config = trained / "svm.yaml"
    status, out, _ = run("svm", "--config", config, "--limit", "4")
    assert status == 0 and "SPEAKER-DEPENDENT" in out and "A TRIAL on 4 clips per class" in " ".join(out.split())


def test_labels_are_merged_only_as_asked(run, trained, folders):
    (folders / "angry").rename(folders / "furious")
    shutil.rmtree(folders / "fear")
    common = ("--folder", folders, "--name", "words")
    status, out, err = run("svm", *common)
    assert status == 2 and not out and err.count("\n") == 1
    for word in ("no furious (4 clips)", "it has angry, ", "--drop furious", "--merge furious=LABEL"):
        assert word in err
    status, out, _ = run("svm", *common, "--merge", "furious=angry")
    result, rows = read(trained / "checkpoints" / "svm" / "evaluations" / "words")
    assert status == 0 and result["protocol"]["absent"] == ["fear"] and "no clip of fear" in out
    recalls = [row["recall"] for label, row in result["per_class"].items() if label != "fear"]
    assert result["per_class"]["fear"]["support"] == 0 and result["uar"] == pytest.approx(np.mean(recalls))
    assert result["labels"] == list(Predictor(trained / "checkpoints" / "svm").labels)
    status, _, _ = run("svm", *common, "--drop", "furious", "--shared-labels")
    shared, few = read(trained / "checkpoints" / "svm" / "evaluations" / "words")
    assert status == 0 and "fear" not in shared["labels"] and "angry" not in shared["labels"]
    before = {row["id"]: row for row in rows}
    for row in few:
        kept = np.array([float(before[row["id"]][f"p_{label}"]) for label in shared["labels"]])
        assert np.allclose([float(row[f"p_{label}"]) for label in shared["labels"]], kept / kept.sum(), atol=1e-4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), ("--config", "--folder")),
        (("--folder", "nowhere"), ("no folder",)),
        (("--folder", ".", "--merge", "boredom"), ("LABEL=LABEL",)),
        (("--folder", ".", "--corpus", "folder"), ("Did you mean 'folders'",)),
        (("--folder", ".", "--name", "../x"), ("letters",)),
    ],
)
def test_users_errors_are_one_line(options, words, run):
    status, out, err = run("svm", *options)
    assert status == 2 and not out and err.startswith("error: ") and err.count("\n") == 1
    assert all(word in err for word in words)


@pytest.mark.parametrize("kind", ["vector", "frames"])
def test_a_shipped_graph_adapts_to_speakers_as_the_model_itself(kind, tmp_path):
    data, other = dataset(kind, seed=1), dataset(kind, seed=2)
    section = arguments("svm")
    model = model_class(section)(section, data.labels, normalise="speaker", seed=0).fit(data)
    model.save(tmp_path)
    moments = {"mean": model.mean_.tolist(), "std": model.std_.tolist()}
    card = {"name": "svm", "labels": LABELS, "frames": kind == "frames", "training_statistics": moments}
    (tmp_path / "model.json").write_text(json.dumps(card), encoding="utf8")
    served = ServedModel(Predictor(tmp_path), LABELS)
    assert np.allclose(served.probabilities(other.features), model.probabilities(other.features), atol=1e-5)
    result, expected = (enrolment.adapted_predictions(m, other, np.random.default_rng(3)) for m in (served, model))
    assert result.keys() == expected.keys() == {"enrolment_5", "enrolment_20", "transductive"}
    assert all(np.array_equal(result[name], expected[name]) for name in result)


def test_labels_are_put_in_the_models_order():
    data = dataset(labels=("angry", "sad"))
    result = other_clips.aligned(data, ["sad", "happy", "angry"], "clips")
    assert result.labels == ("sad", "happy", "angry")
    assert result.truth.tolist() == [{0: 2, 1: 0}[value] for value in data.truth]
    with pytest.raises(ConfigError, match="Did you mean 'angry'"):
        other_clips.check_labels({"angri": 3}, ["angry", "sad"], "clips")


def test_draws_without_a_prediction_are_not_counted():
    truth, predicted = np.array([0, 1, 1]), np.array([[0, -1, 1], [-1, 0, 1]])
    assert enrolment.confusion_of_draws(truth, predicted, 2).tolist() == [[1, 0], [1, 2]]
    assert metrics.uar(enrolment.confusion_of_draws(truth, predicted, 2)) == pytest.approx((1 + 2 / 3) / 2)


def test_the_parts_of_an_ensemble_are_one_list_a_clip():
    data = dataset("frames")
    result = clip_list(MemberFeatures([data.features, np.zeros((len(data), 2), np.float32)]))
    assert len(result) == len(data) and result[3][0] is data.features.clips[3] and result[3][1].shape == (2,)


def test_an_evaluation_replaces_an_older_one_whole(tmp_path, monkeypatch):
    data, config = dataset(), _toy_config()
    probabilities = np.eye(3, dtype=np.float32)[data.truth]
    result = Outcome(probabilities, np.zeros(len(data), int), {"none": 1.0}, [_whole(data)], "none")
    protocol = EvaluationProtocol(
        speaker_disjoint=True, shared_speakers=0, shared_clips=0, limit=None, trained_on=["a"], tested_on=["b"],
        shared_labels=None, absent=[],
    )  # fmt: skip
    more = {"protocol": protocol, "thresholds": {"0.9": 0.3}}
    results = checkpoint.write_evaluation(tmp_path / "e" / "x", "m on x", config, data, result, **more)
    assert results["conformal"]["0.9"]["threshold"] == 0.3 and results["conformal"]["0.9"]["coverage"] == 1.0
    assert results["uar"] == 1.0 and results["protocol"] == protocol.as_json() and results["name"] == "m on x"
    written = yaml.safe_load((tmp_path / "e" / "x" / "config.yaml").read_text(encoding="utf8"))
    assert written == {
        "name": "x",
        "corpora": [{"name": "demo", "root": "demo"}],
        "merge": {},
        "drop": [],
        "labels": None,
    }
    (tmp_path / "e" / "x" / "stale").touch()
    checkpoint.write_evaluation(tmp_path / "e" / "x", "m on x", config, data, result, **more)
    assert not (tmp_path / "e" / "x" / "stale").exists() and [p.name for p in (tmp_path / "e").iterdir()] == ["x"]


def _toy_config():
    from utils import config as configs

    raw = {"name": "x", "corpora": [{"name": "demo", "root": "demo"}], "features": MFCC, "model": {"name": "svm"}}
    return configs.check(raw, "toy")


def _whole(data):
    from evaluation.splits.folds import Fold

    return Fold(np.arange(0), np.arange(len(data)), "x")
