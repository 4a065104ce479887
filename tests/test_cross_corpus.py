"""Trained on each corpus alone, tested on every one: no test speaker is trained on, every pair once, resumable."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from toy import dataset, outcome, write_config

import preprocess
import train
from evaluation.studies import cross_corpus, cross_corpus_table
from evaluation.training import fit
from evaluation.training.workspace import Workspace
from utils import config as configs
from utils.errors import ConfigError
from utils.plots import save
from utils.plots.matrix import uar_matrix


def several(*, noise: float = 0.5, names=("a", "b", "c")):
    """Return the toy data once a corpus; the same emotions lie in the same places, so that one teaches the other."""
    parts = []
    for name in names:
        part = dataset(noise=noise, takes=3)
        ids, speakers = ([f"{name}/{v.partition('/')[2]}" for v in column] for column in (part.ids, part.speakers))
        facts = part.facts | {"corpus": np.full(len(part), name)}
        digests = np.array([f"{name}{digest}" for digest in part.digests])
        parts.append(replace(part, ids=np.array(ids), speakers=np.array(speakers), facts=facts, digests=digests))
    data = parts[0]
    for part in parts[1:]:
        data = data.joined(part)
    return data


def config(**keys):
    raw = {
        "name": "cross", "corpora": [{"name": "demo", "root": "demo"}], "features": {"name": "librosa_stats"},
        "split": {"by": "corpus", "folds": 3}, "model": {"name": "lda"},
    }  # fmt: skip
    return configs.check(raw | keys, "test")


def test_no_test_speaker_and_no_test_recording_is_trained_on():
    data = several()
    data.digests[0] = data.digests[-1]  # the same recording in two corpora
    parts = cross_corpus.plan(data, config())
    assert [part.fold.name for part in parts if part.corpus == "b"] == [
        "b fold 1", "b fold 2", "b fold 3", "b to the others"
    ]  # fmt: skip
    for part in parts:
        train_part, test = data[part.fold.train], data[part.fold.test]
        assert set(train_part.facts["corpus"]) == {part.corpus}
        assert not set(train_part.speakers) & set(test.speakers) and not set(train_part.digests) & set(test.digests)
    for name in "abc":
        tested = np.concatenate([part.fold.test for part in parts if part.corpus == name])
        assert sorted(tested) == list(range(len(data)))  # by models of this corpus, every clip of all once


def test_cells_hold_what_the_folds_predicted(tmp_path):
    data, reported = several(), []
    cells = cross_corpus.run(data, config(normalise="speaker"), Workspace(tmp_path, "k", reported.append))
    assert len(cells) == 9 * 4 and len(reported) == 12
    at = {(cell["train"], cell["test"], cell["information"]): cell for cell in cells}
    parts = cross_corpus.plan(data, config())
    number = next(n for n, part in enumerate(parts) if part.fold.name == "a to the others")
    test = data[parts[number].fold.test]
    with np.load(tmp_path / f"fold-{number}.npz") as saved:
        hit = saved["none"].argmax(axis=1) == test.truth
    mine = test.facts["corpus"] == "c"
    recalls = [hit[mine & (test.truth == k)].mean() for k in range(3)]
    assert at["a", "c", "none"]["uar"] == pytest.approx(np.mean(recalls))
    assert at["a", "c", "none"]["n_clips"] == 54 and at["a", "a", "none"]["folds"] == 3
    for cell in cells:
        assert cell["uar_lo"] <= cell["uar"] <= cell["uar_hi"] and cell["n_speakers"] == 6
    again = []
    kept = cross_corpus.run(data, config(normalise="speaker"), Workspace(tmp_path, "k", again.append))
    assert kept == cells and all(line.get("cached") for line in again)
    assert at["a", "b", "transductive"]["uar"] > 0.6  # chance is .33; the corpora are alike


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data[data.facts["corpus"] == "a"], "two corpora"),
        (lambda data: data[(data.facts["corpus"] == "a") | (data.truth > 0)], "no clip of angry"),
        (lambda data: replace(data, speakers=np.full(len(data), "")), "have no speaker"),
    ],
    ids=["one corpus", "a label of one corpus", "no speakers"],
)
def test_what_has_no_matrix_is_refused(change, words):
    with pytest.raises(ConfigError, match=words):
        cross_corpus.plan(change(several()), config())


def test_the_text_fits_a_terminal_with_many_corpora():
    names = [f"a_long_corpus_name_{n}" for n in range(8)]
    cell = {"information": "none", "uar": 0.5, "uar_lo": 0.4, "uar_hi": 0.6, "uar_ci95_informative": False, "folds": 5}
    cells = [cell | {"train": a, "test": b} for a in names for b in names]
    matrix = {"name": "x" * 30, "labels": list("abcd"), "cells": cells, "limit": 3, "tuned": True, "key": ""}
    lines = cross_corpus_table.lines(matrix)
    assert max(map(len, lines)) <= 80 and sum("0.500" in line for line in lines) == 8 + 64
    assert "A TRIAL on 3 clips per class" in lines and "TUNED on the same speakers" in lines
    assert lines[-1].endswith("0.500  [0.400, 0.600]  few")


def test_the_heat_map_has_a_panel_a_level_and_a_figure_a_cell(tmp_path):
    values = np.random.default_rng(0).uniform(size=(3, 3, 3))
    figure = uar_matrix({"one": values, "two": values}, ["a", "b", "c"], chance=0.25, title="t")
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert len(figure.axes) == 2 and texts.count(f"{values[1, 2, 0]:.3f}") == 2 and len(texts) == 2 * 2 * 9
    save(figure, tmp_path / "m.png")
    assert (tmp_path / "m.png").stat().st_size > 5000


def test_train_by_corpus_tests_each_corpus_once_and_the_matrix_is_kept(demo_root, tmp_path, monkeypatch, capsys):
    """From the command line, on two halves of the demo corpus as two folders of one's own."""
    from corpora import demo

    for name, speakers in (("women", "f"), ("men", "m")):
        for clip in demo.utterances(demo_root):
            if clip.speaker.startswith(speakers):
                target = tmp_path / "data" / name / clip.emotion / f"{clip.speaker}_{clip.path.name}"
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(clip.path)
    monkeypatch.setenv("SER_DATA", str(tmp_path / "data"))
    corpora = [{"name": "folders", "root": name, "speaker": r"^(\w+?)_"} for name in ("women", "men")]
    given = write_config(tmp_path, "cross", corpora=corpora, split={"by": "corpus", "folds": 2}, normalise="speaker")
    cache = ("--config", given, "--features", tmp_path / "features")
    assert outcome(preprocess.main, monkeypatch, capsys, *cache, "--jobs", "1")[0] == 0
    both = (*cache, "--checkpoints", tmp_path / "checkpoints")
    status, out, err = outcome(train.main, monkeypatch, capsys, *both)
    assert status == 0 and "speaker-independent, 2 folds by corpus" in out, err
    assert "cross fold 1/2 (men)" in err and "cross fold 2/2 (women)" in err

    status, out, err = outcome(train.main, monkeypatch, capsys, *both, "--matrix")
    assert status == 0, err
    folder = tmp_path / "checkpoints" / "cross_matrix"
    with (folder / "matrix.csv").open(newline="", encoding="utf8") as file:
        rows = list(csv.DictReader(file))
    assert {(row["train"], row["test"]) for row in rows} == {(a, b) for a in ("men", "women") for b in ("men", "women")}
    for row in rows:
        assert f"{float(row['uar']):.3f}" in out
    assert (folder / "matrix.txt").read_text(encoding="utf8") in out and (folder / "matrix.png").stat().st_size > 5000
    with monkeypatch.context() as patch:
        patch.setattr(fit, "fit", None)
        assert outcome(train.main, monkeypatch, capsys, *both, "--matrix") == (0, out, "")  # not trained again
    for change, word in (("model.C=2.0", "--overwrite"), ("split.holdout=[m08]", "no split.holdout")):
        status, _, err = outcome(train.main, monkeypatch, capsys, *both, "--matrix", "--set", change)
        assert status == 2 and word in err and err.count("\n") == 1
