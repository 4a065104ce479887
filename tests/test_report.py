"""The report and the model card say what the files of a run say, no more and no less."""

import base64
import csv
import io
import json
import shutil

import numpy as np
import pytest
import soundfile
from test_architecture import fresh
from test_html import PIXEL, Document, stands_alone
from toy import LABELS, dataset, outcome

from evaluation.checkpoint import tables
from evaluation.checkpoint.finished import read
from evaluation.pages import excerpts, model_card, report
from evaluation.report import main
from evaluation.scores import glossary
from tests.toy_runs import config, written
from utils import plugins
from utils.errors import ConfigError

RATE = 16000


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return the folder of a finished network whose clips are at hand, all but the first, and its metrics."""
    folder = tmp_path_factory.mktemp("report")
    data = dataset(noise=4)
    paths = [folder / "audio" / f"{n}.wav" for n in range(len(data))]
    paths[0].parent.mkdir()
    for n, path in enumerate(paths[1:]):
        soundfile.write(path, 0.3 * np.sin(np.arange(RATE + 100 * n) * 0.1).astype(np.float32), RATE)
    data.facts["path"] = np.array([str(path) for path in paths])
    metrics, _, _ = written(data, config({"name": "cnn1d", "filters": 4, "dense": 8}, name="toy_run"), folder / "run")
    return folder / "run", metrics


@pytest.fixture
def copy(run, tmp_path):
    """Return a copy of the run that a test may change."""
    return shutil.copytree(run[0], tmp_path / "run")


def shown(folder, **options) -> Document:
    return Document(report.write(folder, **options).read_text(encoding="utf8"))


def change(folder, **keys) -> None:
    path = folder / "metrics.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf8")) | keys), encoding="utf8")


def headings(document: Document) -> list[str]:
    return document.values("href")


# the glossary


def test_every_number_of_a_run_has_a_meaning(run):
    _, result = run
    named = {(scope, metric) for scope, _, metric, _ in tables.tidy(result) if not scope.startswith("confusion")}
    assert named and not {metric for _, metric in named} - set(glossary.TERMS)
    assert set(result["by_information"]) <= set(glossary.TERMS)


@pytest.mark.parametrize("term", glossary.TERMS.values(), ids=list(glossary.TERMS))
def test_a_meaning_is_a_short_name_and_sentences(term):
    assert len(term.name) <= 22 and term.brief[-1] != "." and term.meaning[0].isupper() and term.meaning[-1] == "."
    assert len(term.meaning) <= 160


def test_metrics_txt_and_the_glossary_fit_a_terminal(run):
    folder, _ = run
    text = (folder / "metrics.txt").read_text(encoding="utf8")
    for key in ("accuracy", "macro_f1", "weighted_f1"):
        assert glossary.TERMS[key].brief in text
    assert max(map(len, [*text.splitlines(), *glossary.lines()])) <= 80


# the report


def test_it_says_the_protocol_first_and_then_the_uar_with_its_interval(run):
    folder, result = run
    document = shown(folder)
    assert stands_alone(document)
    text = document.text
    lo, hi = result["uar_ci95"]
    protocol, uar = text.index("speaker-independent, 3 folds by speaker"), text.index(f"{result['uar']:.3f} UAR")
    assert protocol < uar < text.index("accuracy") and f"[{lo:.3f}, {hi:.3f}] over 6 speakers" in text
    for value in (result["accuracy"], result["macro_f1"], result["ece"], result["brier"], 1 / len(LABELS)):
        assert f"{value:.3f}" in text
    for key in ("uar", "accuracy", "ece", "log_loss", "uar_ci95", "temperature"):
        assert glossary.meaning(key) in text
    for label in LABELS:
        row = result["per_class"][label]
        assert f"{label} {row['precision']:.3f} {row['recall']:.3f} {row['f1']:.3f} {row['support']}" in text
    assert document.count("img") == len(list(folder.glob("*.png"))) == len(document.values("alt"))


def test_its_errors_are_playable_and_no_path_is_told(run):
    folder, _ = run
    with (folder / "errors.csv").open(newline="", encoding="utf8") as file:
        rows = list(csv.DictReader(file))
    document = shown(folder)
    sounds = [link for link in document.values("src") if link.startswith("data:audio")]
    at_hand = [row for row in rows if not row["path"].endswith("/0.wav")]
    assert len(sounds) == len(at_hand) > 3
    for link, row in zip(sounds, at_hand, strict=True):
        wave, rate = soundfile.read(io.BytesIO(base64.b64decode(link.partition(",")[2])))
        true = soundfile.info(row["path"]).duration
        assert rate == RATE and len(wave) / rate == pytest.approx(true, abs=0.1)
        assert wave.std() == pytest.approx(0.3 / np.sqrt(2), rel=0.1)
        assert row["id"] in document.text
    assert "none needed" in document.text  # the licence of the demo corpus, beside the players
    assert str(folder.parent) not in (folder / report.FILE).read_text(encoding="utf8")


def test_without_audio_the_errors_are_listed_alone(run):
    document = shown(run[0], audio=False)
    assert not document.count("audio") and "#its-most-confident-errors" in headings(document)


def test_a_recording_that_is_gone_is_not_at_hand(tmp_path):
    assert excerpts.encoded(tmp_path / "gone.wav") is None
    (tmp_path / "long.wav").touch()
    assert excerpts.encoded(tmp_path / "long.wav") is None
    soundfile.write(tmp_path / "long.wav", np.full(30 * 8000, 0.1), 8000)
    wave, rate = soundfile.read(io.BytesIO(excerpts.encoded(tmp_path / "long.wav")))
    assert len(wave) / rate == pytest.approx(excerpts.LONGEST, abs=0.1)


def test_sections_come_and_go_with_the_files(copy, run):
    few = headings(shown(copy))
    assert "#on-other-recordings" not in few and "#through-other-channels" not in few
    other = copy / "evaluations" / "elsewhere"
    other.mkdir(parents=True)
    shutil.copy(copy / "metrics.json", other)
    change(other, uar=0.1234, name="toy on elsewhere")
    (copy / "evaluations" / ".broken.part").mkdir()
    (copy / "evaluations" / ".broken.part" / "metrics.json").write_text("{", encoding="utf8")
    (copy / "robustness.csv").write_text("condition,uar\ntelephone,0.4321\n", encoding="utf8")
    (copy / "robustness.png").write_bytes(PIXEL)
    (copy / "explanations").mkdir()
    (copy / "explanations" / "explanations.txt").write_text("not <faithful>", encoding="utf8")
    header = "tested_on,protocol,run,n_clips,n_speakers,uar,uar_lo,uar_hi,informative,audit,meaning"
    row = "known speakers,random 5 folds,toy,10,2,0.9,0.8,0.95,True,clean,It flatters."
    (copy / "honesty.csv").write_text(f"{header}\n{row}\n", encoding="utf8")
    document = shown(copy)
    new = set(headings(document)) - set(few)
    assert new == {
        "#on-other-recordings", "#through-other-channels", "#what-it-listens-to",
        "#seen-speakers-unseen-speakers-another-corpus",
    }  # fmt: skip
    for words in ("0.123", "elsewhere", "telephone 0.4321", "not <faithful>", "known speakers 0.900 It flatters."):
        assert words in document.text
    assert stands_alone(document)
    for name in ("errors.csv", "curves.png", "subgroups.png", "reliability.png", "confidence.png", "confusion.png"):
        (copy / name).unlink()
    change(copy, subgroups={}, conformal={}, calibration=None)
    gone = set(few) - set(headings(shown(copy)))
    assert gone == {"#its-most-confident-errors", "#how-it-learned", "#who-it-works-for"}


def test_the_matrix_of_the_same_config_is_taken_up_from_its_own_folder(copy):
    beside = copy.with_name(f"{copy.name}_matrix")
    beside.mkdir()
    (beside / "matrix.txt").write_text("one -> two 0.4321", encoding="utf8")
    (beside / "matrix.png").write_bytes(PIXEL)
    document = shown(copy)
    assert "#corpus-by-corpus" in headings(document) and "one -> two 0.4321" in document.text and stands_alone(document)


def test_what_spoils_a_number_stands_above_it(copy):
    change(copy, verdict="better than guessing")
    assert shown(copy).values("class")[0] == "good" and model_card.can_be_quoted(read(copy))
    assert model_card.warnings(read(copy)) == ["Trained on synthetic voices."]
    protocol = read(copy).metrics["protocol"]
    for spoilt, words in (
        ({"limit": 5}, "A trial on 5 clips per class"),
        ({"tuned": True}, "chosen by the score on these same speakers"),
        ({"speaker_disjoint": False}, "Expect less for unseen speakers"),
    ):
        change(copy, protocol=protocol | spoilt)
        document = shown(copy)
        assert document.values("class")[0] == "bad" and not model_card.can_be_quoted(read(copy))
        assert words in document.text[: document.text.index("How it was tested")]
    finding = {"severity": "leak", "kind": "scaler", "text": "test clips", "clips": 7}
    change(copy, protocol=protocol, audit={"verdict": "leaks", "meaning": "do not quote it", "findings": [finding]})
    document = shown(copy)
    assert document.values("class")[0] == "bad" and "leak scaler test clips 7" in document.text
    assert "do not quote it" in document.text[: document.text.index("How it was tested")]
    assert "Leakage audit: leaks" in (copy / report.CARD).read_text(encoding="utf8")


def test_abstaining_is_advised_only_where_confidence_ranks_the_answers(copy):
    change(copy, confidence_ranks={"ranks": True, "quarter": 0.62, "all": 0.45, "n_clips": 18})
    document = shown(copy)
    assert "The most confident quarter of the answers is right for 62 % (all: 45 %)." in document.text
    assert "With predict.py --abstain-below" in document.text
    change(copy, confidence_ranks={"ranks": False, "quarter": 0.4, "all": 0.45, "n_clips": 18})
    document = shown(copy)
    sentence = "Confidence does not rank the answers on this data: do not use --abstain-below."
    assert sentence in document.text and document.text.count("--abstain-below") == document.text.count(sentence)
    assert sentence in (copy / report.CARD).read_text(encoding="utf8")


def test_it_is_made_without_tensorflow_and_twice_the_same(copy):
    code = f"from pathlib import Path\nfrom evaluation.pages import report\nreport.write(Path({str(copy)!r}))"
    result, _ = fresh(code)
    assert not result
    first = (copy / report.FILE).read_bytes(), (copy / report.CARD).read_bytes()
    report.write(copy)
    assert first == ((copy / report.FILE).read_bytes(), (copy / report.CARD).read_bytes())


def test_the_command_writes_both_and_refuses_other_folders(copy, tmp_path, monkeypatch, capsys):
    status, out, err = outcome(main, monkeypatch, capsys, "--checkpoint", copy, "--no-audio")
    assert (status, err) == (0, "") and (copy / report.FILE).is_file() and "report.html" in out
    status, out, err = outcome(main, monkeypatch, capsys, "--checkpoint", tmp_path)
    assert status == 2 and not out and err.count("\n") == 1 and "no metrics.json" in err
    with pytest.raises(ConfigError, match=r"train\.py"):
        read(tmp_path)


# the model card


def test_the_card_has_what_mitchell_et_al_ask_for(run):
    folder, result = run
    report.write(folder)
    text = (folder / report.CARD).read_text(encoding="utf8")
    titles = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    assert titles == [
        "Model", "Intended use", "Out-of-scope use", "Data and protocol", "Numbers", "Limits", "Licences",
    ]  # fmt: skip
    lo, hi = result["uar_ci95"]
    for words in (
        f"{result['uar']:.3f}  [{lo:.3f}, {hi:.3f}] 95 %", f"{result['n_clips']} clips", "6 known speakers",
        "2024/1689", "demo: none needed", "librosa_stats", "cnn1d", f"Guessing has a UAR of {1 / len(LABELS):.3f}",
    ):  # fmt: skip
        assert words in text, words
    worst = result["subgroups"]["sex"]["worst"]
    assert f"By sex it is lowest on {worst}" in text


def test_the_card_says_what_else_a_model_was_trained_on_and_how_many_graphs_it_is(copy):
    assert "It was trained on toy only." in model_card.text(read(copy)) and "One ONNX graph" in model_card.text(
        read(copy)
    )
    change(copy, protocol=read(copy).metrics["protocol"] | {"init": "a_source"})
    path = copy / "model.json"
    card = json.loads(path.read_text(encoding="utf8"))
    path.write_text(
        json.dumps(card | {"members": [card, card], "combination": {"weights": [0.5, 0.5]}}), encoding="utf8"
    )
    text = model_card.text(read(copy))
    assert "began with the weights of a_source" in text and "2 ONNX graphs, joined" in text


@pytest.mark.parametrize("kind", ["corpora", "features"])
def test_licences_are_those_of_the_docstrings(kind):
    known = plugins.every(kind)
    stated = {name: plugin.licence for name, plugin in known.items() if plugin.licence}
    if kind == "corpora":
        assert set(known) - set(stated) == {name for name, p in known.items() if p.constants.get("NAMED_BY_FOLDER")}
        assert stated["ravdess"] == "CC BY-NC-SA 4.0"
    else:
        assert "audEERING" in stated["opensmile"] and stated["yamnet"].startswith("Apache-2.0")


def test_the_parts_of_fused_features_bring_their_licences(copy):
    path = copy / "model.json"
    card = json.loads(path.read_text(encoding="utf8"))
    parts = [{"name": "logmel"}, {"name": "opensmile", "set": "IS10", "level": "lld"}]
    path.write_text(json.dumps(card | {"features": {"name": "fusion", "parts": parts}}), encoding="utf8")
    assert "audEERING" in dict(read(copy).licences("features"))["openSMILE's feature sets"]
    assert read(copy).licences("corpora") == [("demo", "none needed")]
