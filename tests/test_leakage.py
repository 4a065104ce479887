"""The leakage audit: a leak of each kind, planted in the running code, is caught; the code as it stands is clean."""

import json
from dataclasses import replace

import numpy as np
import pytest
from pyarrow import parquet
from toy import dataset

from evaluation import audit
from evaluation.checkpoint import write as checkpoint
from evaluation.leakage import record, rules
from evaluation.splits.folds import Fold
from evaluation.training import cross_validation, ensemble, fit
from evaluation.training.workspace import Workspace
from models import common
from models.sklearn_model import SklearnModel
from models.usage import Clips
from tests.test_ensemble import joint, zoo  # noqa: F401  (a fixture)
from tests.test_variants import marked
from tests.toy_runs import CNN, config, doubled, written
from utils.dataset import Dataset
from utils.errors import ConfigError

pytestmark = pytest.mark.usefixtures("eager", "undrawn")

QUICK = {"epochs": 1, "batch_size": 64}


def spoken(data: Dataset) -> Dataset:
    """Return the data with one of two sentences in every clip."""
    texts = np.where(np.arange(len(data)) % 2, "kids", "dogs")
    return replace(data, facts=data.facts | {"text": texts})


def audited(data, settings, folder, *, work="work"):
    """Run everything; return the audit as metrics.json has it."""
    return written(data, settings, folder / work)[0]["audit"]


def leaks(result) -> dict[str, list[str]]:
    """Return kind -> texts of the leaks."""
    kinds: dict[str, list[str]] = {}
    for finding in result["findings"]:
        if finding["severity"] == "leak":
            kinds.setdefault(finding["kind"], []).append(finding["text"])
    return kinds


def caught(result, kind: str, text: str) -> None:
    assert result["verdict"] == "leaks" and any(text in said for said in leaks(result).get(kind, [])), result[
        "findings"
    ]


def moved(fold: Fold, rows: np.ndarray) -> Fold:
    return replace(fold, train=np.union1d(fold.train, rows))


def plant_folds(monkeypatch, change) -> None:
    """Let every fold be what ``change(data, fold)`` makes of it."""
    original = cross_validation.draw_folds
    changed = lambda data, *a, **k: [change(data, f) for f in original(data, *a, **k)]  # noqa: E731
    monkeypatch.setattr(cross_validation, "draw_folds", changed)


# the code as it stands


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"normalise": "speaker", "balance": "oversample"},
        {"split": {"by": "speaker", "folds": 3, "holdout": ["s3"]}},
        {"model": {"name": "mlp", "iterations": 20}},
        {"augment": [{"name": "speed", "copies": 2}]},
    ],
    ids=["svm", "speaker", "holdout", "mlp", "copies"],
)
def test_the_code_as_it_stands_is_clean(keys, tmp_path):
    data = doubled(marked() if "augment" in keys else dataset())[:-3]  # unequal classes
    result = audited(data, config(**keys), tmp_path)
    assert result["verdict"] == "clean" and not result["findings"], result
    assert result["checked"][0] == "3 folds and the shipped model"
    noted = {line.partition(":")[0] for line in result["checked"][1:]}
    wanted = {"part", "scale", "fit", "test", "calibration fit", "calibration held"}
    wanted |= {"copies"} if "augment" in keys else set()
    wanted |= {"speakers", "balance"} if "balance" in keys else set()
    assert noted == wanted


def test_the_record_holds_the_rows_of_every_purpose(tmp_path):
    data = dataset()
    _, outcome, _ = written(data, config(), tmp_path / "run")
    sides = record.folds(record.read(tmp_path / "run" / "audit.parquet"))
    assert set(sides) == {0, 1, 2, 3}
    for number, fold in enumerate(outcome.folds, 1):
        for purpose, rows in (("fit", fold.train), ("scale", fold.train), ("test", fold.test)):
            assert sides[number][purpose].ids.tolist() == data.ids[rows].tolist()
        held = np.concatenate([sides[number][f"calibration {n} held"].ids for n in (1, 2, 3)])
        assert sorted(held) == data.ids[fold.train].tolist()  # each calibrated once
    assert sides[0]["fit"].ids.tolist() == data.ids.tolist() and "test" not in sides[0]


def test_clips_at_random_are_speaker_dependent_and_not_a_leak(tmp_path):
    data = audited(spoken(dataset()), config(split={"by": "random", "folds": 3}), tmp_path)
    assert data["verdict"] == "speaker-dependent" and not leaks(data)
    kinds = {finding["kind"] for finding in data["findings"] if finding["severity"] == "expected"}
    assert {"training", "scaler", "calibration"} <= kinds
    text = [finding["text"] for finding in data["findings"] if finding["kind"] == "text"]
    assert text == ["2 of 2 test sentences are trained on, by others"]


def test_a_resumed_run_keeps_the_record_of_what_was_done_before(tmp_path, monkeypatch):
    data, settings, calls = dataset(), config(), []
    original = fit.fit_fold

    def stopped(*arguments, **options):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*arguments, **options)

    monkeypatch.setattr("evaluation.training.cross_validation.os.cpu_count", lambda: 1)
    with monkeypatch.context() as patch:
        patch.setattr(fit, "fit_fold", stopped)
        plant_folds(patch, lambda data, fold: moved(fold, fold.test[:1]))  # the first part leaked, the second does not
        with pytest.raises(KeyboardInterrupt):
            written(data, settings, tmp_path / "run")
    metrics, _, _ = written(data, settings, tmp_path / "run")
    assert [f["folds"] for f in metrics["audit"]["findings"] if f["kind"] == "training"] == [[1]]


# planted in the running code


def test_a_test_clip_in_the_training_part(tmp_path, monkeypatch):
    plant_folds(monkeypatch, lambda data, fold: moved(fold, fold.test[:1]))
    result = audited(dataset(), config(), tmp_path)
    caught(result, "training", "test clips")
    caught(result, "scaler", "test clips")


def test_a_clip_of_a_test_speaker_in_the_training_part(tmp_path, monkeypatch):
    def split(data, fold):
        return replace(fold, train=np.union1d(fold.train, fold.test[:2]), test=fold.test[2:])

    plant_folds(monkeypatch, split)
    result = audited(dataset(), config(), tmp_path)
    caught(result, "training", "clips of test speakers")
    assert "test clips" not in leaks(result)["training"]


def test_a_duplicate_on_the_other_side(tmp_path, monkeypatch):
    data = dataset()
    twins = np.flatnonzero(np.arange(len(data)) % 12 == 0)  # one clip a speaker
    data.digests[twins] = data.digests[0]
    plant_folds(monkeypatch, lambda data, fold: moved(fold, np.setdiff1d(np.arange(len(data)), fold.test)))
    result = audited(data, config(), tmp_path)
    caught(result, "training", "duplicates of test clips")
    assert {clip for finding in result["findings"] for clip in finding["examples"]} <= set(data.ids[twins])


def test_a_scaler_over_everything(tmp_path, monkeypatch):
    data, original = dataset(), common.moments
    monkeypatch.setattr(common, "moments", lambda parts: original([data.features]))
    caught(audited(data, config(), tmp_path), "scaler", "not that of the clips it was given")


def test_statistics_of_speakers_over_everything(tmp_path, monkeypatch):
    data, original = dataset(), common.EmotionModel.with_and_without_speaker
    monkeypatch.setattr(
        common.EmotionModel, "with_and_without_speaker", lambda self, part, copies=None: original(self, data, copies)
    )
    caught(audited(data, config(normalise="speaker"), tmp_path), "statistics of speakers", "test clips")


def test_oversampling_from_everything(tmp_path, monkeypatch):
    data, original = dataset()[:-3], fit.oversampled

    def greedy(part, rng):
        return original(part, rng).joined(data[rng.integers(len(data), size=30)])

    monkeypatch.setattr(fit, "oversampled", greedy)
    result = audited(data, config(balance="oversample"), tmp_path)
    caught(result, "balancing", "test clips")
    caught(result, "balancing", "clips from outside the training part")


def test_calibration_on_test_clips(tmp_path, monkeypatch):
    data, original = dataset(), SklearnModel._fit

    def greedy(self, part, statistics, validation=None, **options):
        return original(self, data, self.global_statistics(len(data)), validation, **options)

    monkeypatch.setattr(SklearnModel, "_fit", greedy)
    caught(audited(data, config(), tmp_path), "calibration", "test clips")


def test_calibration_on_clips_that_were_fitted_on(tmp_path, monkeypatch):
    def sloppy(self, part):
        rows = np.arange(len(part))
        return [(rows, rows[::2]), (rows, rows[1::2])]

    monkeypatch.setattr(SklearnModel, "_calibration_folds", sloppy)
    data = audited(dataset(), config(), tmp_path)
    caught(data, "calibration", "clips that its estimator was fitted on")


def test_an_augmented_copy_of_a_test_clip(tmp_path, monkeypatch):
    data, original = marked(), Dataset.copies
    monkeypatch.setattr(Dataset, "copies", lambda self: original(data))
    result = audited(data, config(augment=[{"name": "speed", "copies": 2}]), tmp_path)
    caught(result, "augmented copies", "test clips")


def test_held_out_speakers_in_a_fold(tmp_path, monkeypatch):
    plant_folds(monkeypatch, lambda data, fold: moved(fold, np.flatnonzero(data.speakers == "toy/s3")))
    result = audited(dataset(), config(split={"by": "speaker", "folds": 2, "holdout": ["s3"]}), tmp_path)
    caught(result, "training", "held-out clips")


def test_a_network_stopped_by_the_test_part_or_begun_from_one_that_heard_it(tmp_path, monkeypatch):
    data = dataset()
    settings = config(CNN, train=QUICK, split={"by": "speaker", "folds": 2})
    clean = audited(data, settings, tmp_path, work="clean")
    assert clean["verdict"] == "clean" and any(line.startswith("validation: ") for line in clean["checked"])
    begun = audited(data, settings.model_copy(update={"init": str(tmp_path / "clean")}), tmp_path, work="begun")
    caught(begun, "initial weights", "test clips")
    assert set(leaks(begun)) == {"initial weights"}

    def by_test(data, rows, split_by, *, seed):
        return rows, np.setdiff1d(np.arange(len(data)), rows), "speakers"

    monkeypatch.setattr(fit, "validation_rows", by_test)
    result = audited(data, settings, tmp_path, work="stopped")
    caught(result, "early stopping", "test clips")
    assert set(leaks(result)) == {"early stopping"}
    (tmp_path / "clean" / "audit.parquet").unlink()
    assert record.training_clips(tmp_path / "clean").ids.tolist() == [""]


def test_a_network_stopped_by_what_it_learns_from(tmp_path):
    data = dataset()
    model = fit.fit(data[:30], None, config(), seed=1)
    model.usage.add("validation", data[20:40])
    model.usage.add("test", data[60:])
    result = rules.judge(record.fitted(model, data, 1), config(CNN))
    caught(result, "early stopping", "clips that the network also learns from")


# what is not there


def test_without_a_record_nothing_is_called_clean(tmp_path, monkeypatch):
    monkeypatch.setattr("models.usage.ClipUsage.add", lambda self, purpose, data: None)
    result = audited(dataset(), config(), tmp_path)
    assert result["verdict"] == "not audited"
    assert {f["kind"] for f in result["findings"]} == {"record"}


@pytest.mark.parametrize("purpose", ["part", "scale", "fit", "test", "speakers", "balance", "copies"])
def test_a_purpose_that_must_be_there_is_missed(purpose, tmp_path):
    settings = config(normalise="speaker", balance="oversample", augment=[{"name": "speed"}])
    data = marked(copies=1)
    written(data, settings, tmp_path / "run")
    table = parquet.read_table(tmp_path / "run" / "audit.parquet")
    kept = table.filter([name != purpose for name in table["purpose"].to_pylist()])
    result = rules.judge(kept, settings)
    assert result["verdict"] == "not audited" and result["findings"][0]["kind"] == purpose


def test_tuned_on_the_same_speakers(tmp_path):
    caught(audited(dataset(), config(tuned=True), tmp_path), "selection", "chosen by the score")


def test_tuned_while_other_speakers_are_held_out(tmp_path):
    data = dataset()
    split = config().split.model_dump() | {"holdout": [str(np.unique(data.speakers)[0])]}
    result = audited(data, config(tuned=split["holdout"], split=split), tmp_path)
    assert result["verdict"] == "tuned" and not leaks(result), result["findings"]
    others = [str(np.unique(data.speakers)[1])]  # who were searched on
    for work, tuned in (("others", others), ("unsaid", True)):
        result = audited(data, config(tuned=tuned, split=split), tmp_path, work=work)
        caught(result, "selection", "chosen by the score")


def test_members_of_an_ensemble_pass_their_verdict_on(tmp_path):
    table = record.SCHEMA.empty_table()
    for verdict, wanted in (("leaks", "leaks"), ("clean", "not audited")):
        assert rules.judge(table, config(), members={"one": "clean", "two": verdict})["verdict"] == wanted
    for verdict, severity in (("leaks", "leak"), ("not audited", "missing"), ("tuned", "tuned")):
        result = rules.judge(table, config(), members={"one": "clean", "two": verdict})["findings"]
        said = [(f["severity"], f["text"]) for f in result if f["kind"] == "member"]
        assert said == [(severity, f"two: {verdict}")]


def joined_audit(data, runs, folder, key):
    """Return the audit of the ensemble of these runs."""
    settings = joint()
    outcome = ensemble.cross_validate(data, settings, runs, Workspace(folder / "w", key))
    model = ensemble.ship(data, settings, runs, outcome)
    return checkpoint.write(folder / "both", settings, data, outcome, model, "print")["audit"]


def test_an_ensemble_whose_members_saw_the_test_part_in_their_inner_fits(zoo, tmp_path, monkeypatch):  # noqa: F811
    data, runs = zoo()
    clean = joined_audit(data, runs, tmp_path, "clean")
    assert clean["verdict"] == "clean", clean["findings"]
    assert "combine: 144 rows" in clean["checked"] and any("inner fit: " in line for line in clean["checked"])
    wholes = {part.shape[1]: replace(data, features=part) for part in data.features.parts}
    original = fit.fit

    def greedy(part, *arguments, **options):
        return original(part.joined(wholes[part.features.shape[1]]), *arguments, **options)

    monkeypatch.setattr(fit, "fit", greedy)
    result = joined_audit(data, runs, tmp_path, "leaking")
    caught(result, "inner training", "test clips")
    caught(result, "inner scaler", "test clips")
    assert set(leaks(result)) == {"inner training", "inner scaler"}


# the command


def test_the_command_prints_the_verdict_and_stores_it(tmp_path, capsys, monkeypatch):
    folder = tmp_path / "run"
    written(spoken(dataset()), config(), folder)
    path = folder / "metrics.json"
    before = json.loads(path.read_text(encoding="utf8"))
    assert "audit              clean: " in (folder / "metrics.txt").read_text(encoding="utf8")
    path.write_text(json.dumps(before | {"audit": None}), encoding="utf8")
    assert audit.main(["--checkpoint", str(folder)]) == 0
    assert json.loads(path.read_text(encoding="utf8")) == before
    out = capsys.readouterr().out.splitlines()
    assert out[1].startswith("clean: ") and max(map(len, out[1:])) <= 80
    (folder / "audit.parquet").unlink()
    assert audit.main(["--checkpoint", str(folder)]) == 1
    assert "not audited" in capsys.readouterr().out
    with pytest.raises(ConfigError, match=r"no metrics\.json in it"):
        audit.main(["--checkpoint", str(tmp_path / "nowhere")])


def test_rows_are_kept_once_with_the_times_they_came():
    data = dataset()
    rows = record.rows(2, "fit", Clips.of(data[[3, 1, 3, 3]])).to_pydict()
    assert rows["id"] == ["toy/001", "toy/003"] and rows["times"] == [1, 3] and rows["fold"] == [2, 2]
    assert rows["speaker"] == data.speakers[[1, 3]].tolist() and rows["text"] == ["", ""]
