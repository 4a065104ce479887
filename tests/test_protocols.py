"""train.py --honesty: the same model on seen speakers, on unseen speakers, on another corpus."""

import csv
import shlex
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score
from toy import dataset, write_config

import preprocess
from corpora import demo
from evaluation.splits.folds import draw_folds
from evaluation.studies import protocols
from tests.test_train import cached, refused, run  # noqa: F401  (fixtures)
from tests.toy_runs import config, written
from utils.errors import ConfigError

pytestmark = pytest.mark.usefixtures("undrawn")


def renamed(data, corpus: str):
    """Return the clips as those of another corpus."""
    ids, speakers = (np.char.replace(column, "toy/", f"{corpus}/") for column in (data.ids, data.speakers))
    digests = np.array([f"{corpus}{i:027}" for i in range(len(data))])
    facts = data.facts | {"corpus": np.full(len(data), corpus)}
    return replace(data, ids=ids, speakers=speakers, digests=digests, facts=facts)


def test_seen_speakers_are_tested_in_as_many_folds_of_the_same_clips():
    data, settings = dataset(), config(split={"by": "speaker", "folds": "all", "holdout": ["s3"]})
    random = protocols.with_random_folds(settings, data)
    assert random.name == "run.dependent" and random.split.by == "random" and random.split.folds == 5
    own, drawn = (draw_folds(data, c.split.model_dump(), seed=1) for c in (settings, random))
    tested = [np.sort(np.concatenate([fold.test for fold in folds])) for folds in (own, drawn)]
    assert tested[0].tolist() == tested[1].tolist()
    classes = np.array([np.bincount(data.truth[fold.test], minlength=3) for fold in drawn])
    assert classes.min() >= 3 and classes.max() <= 5  # stratified: 4 each
    assert settings.model_copy(update={"name": random.name, "split": random.split}) == random
    with pytest.raises(ConfigError, match="split: by random promises none"):
        protocols.with_random_folds(config(split={"by": "random"}), data)


def test_another_corpus_is_scored_by_the_shipped_model(tmp_path):
    data, settings = dataset(noise=4), config()
    _, _, model = written(data, settings, tmp_path / "run")
    other = renamed(dataset(noise=4)[::2], "other")
    other.truth[::5] = (other.truth[::5] + 1) % 3
    row = protocols.other_corpus_row(tmp_path / "run", data, other, seed=1)
    predicted = model.probabilities(other.features).argmax(axis=1)
    assert row.uar == pytest.approx(balanced_accuracy_score(other.truth, predicted), abs=1e-12)
    assert (row.n_clips, row.n_speakers) == (36, 6) and row.uar_lo < row.uar < row.uar_hi
    acquainted = replace(other, speakers=np.where(np.arange(36) < 3, "toy/s1", other.speakers))
    assert row.audit == "clean"
    assert protocols.other_corpus_row(tmp_path / "run", data, acquainted, seed=1).audit == "leaks"
    assert row.protocol == "all of other"
    other.digests[:4] = data.digests[:4]  # recordings that the model was trained on
    fewer = protocols.other_corpus_row(tmp_path / "run", data, other, seed=1)
    assert fewer.n_clips == 32
    assert fewer.uar == pytest.approx(balanced_accuracy_score(other.truth[4:], predicted[4:]), abs=1e-12)
    assert "It calls" not in row.meaning
    far = replace(other, features=np.repeat(other.features[:1], len(other), axis=0))
    label = data.labels[predicted[0]]
    meaning = protocols.other_corpus_row(tmp_path / "run", data, far, seed=1).meaning
    assert meaning.endswith(f"It calls 100% of them {label}.")
    with pytest.raises(ConfigError, match="--other: toy is what the model is trained on"):
        protocols.other_corpus_row(tmp_path / "run", data, data, seed=1)


def test_the_table_fits_a_terminal_and_says_what_it_means(tmp_path):
    written(dataset(), config(name="a_run"), tmp_path / "a_run")
    rows = [protocols.run_row(tmp_path / "a_run", name) for name in (protocols.SEEN, protocols.UNSEEN)]
    long = {"tested_on": protocols.OTHER_CORPUS, "protocol": "all of a_corpus_of_a_long_name", "audit": "leaks"}
    rows.append(replace(rows[0], **long))
    rows[0] = replace(rows[0], n_clips=99999, informative=False)
    assert rows[0].protocol == "speaker, 3 folds"
    lines = protocols.lines(rows, ["sad", "angry"])
    assert max(map(len, lines)) <= 80 and lines[0] == "a_run, 2 emotions, guessing gives 0.500"
    assert f"{rows[1].uar:.3f}  [{rows[1].uar_lo:.3f}, {rows[1].uar_hi:.3f}]" in lines[4]
    assert sum("Audit: leaks" in line for line in lines) == 1 and lines[-1].startswith("?: ")


@pytest.fixture
def second(cached, demo_root, tmp_path):  # noqa: F811
    """Return the config of another corpus, whose features are cached beside the demo's."""
    root = demo_root.parent / "second"
    if not root.exists():
        demo.write(root, seed=9, speakers=2, clips=1)
        clips = sorted(root.rglob("*.wav"))
        lines = [
            "path,emotion,speaker",
            *(f"{p.relative_to(root)},{p.stem.split('_')[1]},{p.parent.name}" for p in clips),
        ]
        (root / "table.csv").write_text("\n".join(lines), encoding="utf8")
    corpus = {"name": "manifest", "root": "second", "file": "table.csv", "speaker": "speaker"}
    path = write_config(tmp_path, "second", corpora=[corpus], split={"by": "speaker", "folds": 2})
    assert preprocess.main(["--config", str(path), "--features", str(cached / "features"), "--jobs", "1"]) == 0
    return path


def test_the_command_runs_each_part_once_and_stores_the_table(run, second, tmp_path):  # noqa: F811
    one = write_config(tmp_path, "one")
    status, out, err = run(one, options=("--honesty", "--other", second))
    assert status == 0, err
    folder = tmp_path / "checkpoints"
    assert {path.name for path in folder.iterdir() if path.is_dir()} == {"one", "one.dependent", ".work"}
    with (folder / "one" / "honesty.csv").open(newline="", encoding="utf8") as file:
        rows = list(csv.DictReader(file))
    assert [row["tested_on"] for row in rows] == ["seen speakers", "unseen speakers", "another corpus"]
    assert [row["audit"] for row in rows] == ["speaker-dependent", "clean", "clean"]
    assert [row["n_clips"] for row in rows] == ["70", "70", "10"] and tuple(rows[0]) == protocols.COLUMNS
    for row in rows:
        assert f"{float(row['uar']):.3f}  [{float(row['uar_lo']):.3f}, " in out
    stamps = {path: path.stat().st_mtime_ns for path in folder.glob("*/model.onnx")}
    status, again, _ = run(one, options=("--honesty", "--other", second))
    assert status == 0 and again.count("already trained") == 2
    assert out.splitlines()[-8:] == again.splitlines()[-8:]
    assert stamps == {path: path.stat().st_mtime_ns for path in folder.glob("*/model.onnx")}
    refused(run(one, options=("--honesty", "--other", second, "--set", "drop=[sad]")), "labels", "sad")


def test_what_makes_no_table_is_refused(run, tmp_path):  # noqa: F811
    one = write_config(tmp_path, "one", split={"by": "random", "folds": 3})
    refused(run(one, options=("--honesty",)), "one: --honesty", "--set split.by=speaker")
    refused(run(one, one, options=("--honesty",)), "--honesty takes one --config")
    refused(run(one, options=("--other", one)), "--other goes with --honesty")
    refused(run(one, options=("--honesty", "--matrix")), "--honesty goes without --matrix")
    refused(run(one, options=("--honesty", "--seeds", 1, 2)), "--honesty goes without --seeds")
    refused(run(one, options=("--matrix", "--tensorboard")), "--tensorboard goes without --matrix")


def test_the_other_corpus_is_asked_for_by_the_features_of_the_model(run, second, tmp_path):  # noqa: F811
    second.write_text(second.read_text(encoding="utf8") + "rate: 8000\n", encoding="utf8")
    one = write_config(tmp_path, "one", clip={"seconds": 1.5})
    assert preprocess.main(["--config", str(one), "--features", str(tmp_path / "features"), "--jobs", "1"]) == 0
    status, out, err = run(one, options=("--honesty", "--other", second, "--features", tmp_path / "features"))
    assert status == 2 and not out and err.count("\n") == 1
    command = shlex.split(err.partition("Run: python preprocess.py ")[2])
    assert preprocess.main(command) == 0
    status, out, err = run(one, options=("--honesty", "--other", second, "--features", tmp_path / "features"))
    assert status == 0 and "another corpus" in out, err


def test_a_trial_is_called_one_in_every_row(tmp_path):
    data = dataset(noise=4)
    written(data, config(name="a_run"), tmp_path / "a_run", limit=4)
    rows = [protocols.run_row(tmp_path / "a_run", protocols.UNSEEN)]
    rows.append(protocols.other_corpus_row(tmp_path / "a_run", data, renamed(data, "other"), seed=1, limit=4))
    assert all(row.meaning.endswith("A TRIAL on 4 clips per class.") for row in rows)
