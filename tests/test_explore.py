"""explore.py: numbers compared with statsmodels, scikit-learn and numpy, readable pictures, the whole command."""

import csv
import os
import shlex
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import toy
from test_html import Document, stands_alone
from test_plots import check_layout, words

import explore
import preprocess
from corpora import demo
from evaluation.exploration import features, inventory, page, pictures, separation, standardise, tables, text
from evaluation.exploration.separation import SCALED, eta_squared, structure
from evaluation.exploration.standardise import UNKNOWN, group_codes, scaled_within
from evaluation.exploration.survey import survey
from extract_feats.cache import corpus_lists
from tests import toy_figures
from utils import config as configs
from utils.audio.prepare import Sound
from utils.errors import DataError
from utils.plugins import ROOT

UNLIKE = ("pleasantly surprised", "angry", "bored stiff", "sad", "fear", "calm", "neutral", "disgust", "excited")


def sounds(data) -> dict[str, Sound]:
    rows = enumerate(zip(data.ids.tolist(), data.digests.tolist(), strict=True))
    return {one: Sound(digest, 2 + row % 7 / 7, 16000, 1, 0.5, -20.0 - row % 5, 0.0) for row, (one, digest) in rows}


def complete(data, **facts):
    """Return a toy data set with what the cache would tell of its recordings."""
    n = len(data)
    heard = {f"heard_{name}": 20.0 + np.arange(n) % 11 for name in ("snr_db", "bandwidth_hz", "crest_db")}
    return replace(data, facts=data.facts | {"seconds": 2 + np.arange(n) % 7 / 7} | heard | facts)


def surveyed(data, **options):
    names = [f"mfcc_{column}" for column in range(toy.arrays(data.features)[0].shape[-1])]
    return survey(data, sounds(data), names, name="toy", seed=1, opensmile=False, **options)


def one_class():
    data = complete(toy.dataset(takes=2))
    return replace(data, labels=("sad",), truth=np.zeros(len(data), int))


def two_corpora():
    data = complete(toy.dataset(speakers=6, takes=3))
    corpus = np.where(np.isin(data.speakers, ["toy/s0", "toy/s1", "toy/s2"]), "one", "two")
    return replace(data, facts=data.facts | {"corpus": corpus})


def many(clips: int = 10_000, speakers: int = 91):
    """Return a data set of the size of CREMA-D and more, of few features."""
    rng = np.random.default_rng(0)
    truth, speaker = rng.integers(0, 6, clips), rng.integers(0, speakers, clips)
    values = rng.normal(size=(speakers, 12))[speaker] + 0.5 * rng.normal(size=(6, 12))[truth]
    small = toy.dataset()
    return complete(
        replace(
            small,
            features=(values + rng.normal(size=(clips, 12))).astype(np.float32),
            labels=("angry", "happy", "sad", "neutral", "fear", "disgust"),
            truth=truth,
            ids=np.array([f"toy/{row}" for row in range(clips)]),
            speakers=np.array([f"toy/{1001 + one}" for one in speaker]),
            digests=np.array([f"{row:032x}" for row in range(clips)]),
            facts={"corpus": np.full(clips, "toy"), "sex": np.where(speaker % 2, "female", "male")},
        )
    )


def table(path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf8") as file:
        return list(csv.DictReader(file))


def test_eta_squared_is_that_of_an_analysis_of_variance():
    from statsmodels.stats.oneway import anova_oneway

    rng = np.random.default_rng(3)
    groups = rng.choice([0, 1, 4], 90, p=[0.2, 0.3, 0.5])
    values = (rng.normal(size=(90, 3)) + 0.4 * groups[:, None]) * [1, 1e-6, 1e4] + [0, 3e-5, -5e5]
    values = np.concatenate([values, np.full((90, 1), 7.3)], axis=1).astype(np.float32)
    for column, result in enumerate(eta_squared(values, groups)[:3]):
        tested = anova_oneway(values[:, column].astype(np.float64), groups, use_var="equal")
        between = tested.statistic * tested.df_num
        assert result == pytest.approx(between / (between + tested.df_denom), rel=1e-4)
    assert eta_squared(values, groups)[3] == 0
    unknown = np.concatenate([groups, np.full(5, UNKNOWN)])
    more = np.concatenate([values, np.full((5, 4), 1e6, np.float32)])
    np.testing.assert_array_equal(eta_squared(more, unknown), eta_squared(values, groups))


def test_separation_is_scikit_learns_and_chance_is_that_of_shuffled_groups():
    from sklearn.metrics import silhouette_score

    data = toy.dataset(speakers=8, takes=5)
    speakers, _ = group_codes(data.speakers)
    row = separation.separation(data.features, data.truth, speakers, seed=1)
    z = (data.features - data.features.mean(axis=0)) / data.features.std(axis=0)
    assert row["silhouette"] == pytest.approx(silhouette_score(z, data.truth), abs=1e-4)
    assert (row["groups"], row["n_clips"]) == (3, 120)
    assert row["variance"] == pytest.approx(eta_squared(data.features, data.truth).mean(), rel=1e-5)
    rng = np.random.default_rng(0)
    shuffled = [separation.separation(z, rng.permutation(data.truth), speakers, seed=1) for _ in range(20)]
    for key in ("variance", "nearest"):
        assert np.mean([one[key] for one in shuffled]) == pytest.approx(row[f"{key}_chance"], abs=0.03)
    assert separation.separation(data.features, speakers, speakers, seed=1)["stranger"] is None


def test_neighbours_by_hand():
    """Four voices at 0, 10, 20, 30, each in two moods side by side: the nearest is the voice, not the mood."""
    values = np.array([[0.0], [1.0], [10.0], [11.0], [20.0], [21.0], [30.0], [31.0]], np.float32)
    speakers, moods = np.repeat(np.arange(4), 2), np.array([0, 1, 1, 0, 0, 1, 1, 0])
    by_speaker = separation.separation(values, speakers, speakers, seed=1)
    by_mood = separation.separation(values, moods, speakers, seed=1)
    assert (by_speaker["nearest"], by_mood["nearest"], by_mood["stranger"]) == (1, 0, 6 / 8)  # but for the ends
    assert by_speaker["nearest_chance"] == pytest.approx(1 / 7)
    assert by_speaker["silhouette"] > 0.8 > 0 > by_mood["silhouette"]


@pytest.mark.parametrize("groups", [np.zeros(6, int), np.arange(6), np.full(6, UNKNOWN)])
def test_where_nothing_can_be_told_apart_nothing_is_said(groups):
    values = np.random.default_rng(0).normal(size=(6, 2)).astype(np.float32)
    row = separation.separation(values, groups, np.arange(6), seed=1)
    assert {key for key, value in row.items() if value is not None} == {"groups", "n_clips"}


def test_scaling_each_speaker_leaves_nothing_between_them():
    data = toy.dataset()
    speakers, names = group_codes(data.speakers)
    assert names == sorted(set(data.speakers))
    assert eta_squared(scaled_within(data.features, speakers), speakers).max() < 1e-6
    speakers[:3] = UNKNOWN
    assert not scaled_within(data.features, speakers)[:3].any()


def test_what_scaled_speakers_have_by_chance_is_that_of_noise():
    rng = np.random.default_rng(0)
    clips, speakers = 400, 100
    noise = replace(
        toy.dataset(speakers=100, takes=2, labels=("angry", "sad")),
        speakers=np.repeat(np.arange(speakers), 4).astype(str),
    )
    result = []
    for _ in range(10):
        truth = np.tile([0, 0, 1, 1], speakers)
        data = replace(noise, features=rng.normal(size=(clips, 30)).astype(np.float32), truth=truth)
        result.append(next(row for row in structure(data.features, data, seed=1) if row["by"] == SCALED))
    assert np.mean([row["variance"] for row in result]) == pytest.approx(result[0]["variance_chance"], rel=0.1)
    assert result[0]["variance_chance"] == 1 / 300 and result[0]["nearest_chance"] is None
    some = replace(noise, speakers=np.array(["once", "", *noise.speakers[2:].tolist()]))
    once = next(row for row in structure(some.features, some, seed=1) if row["by"] == SCALED)
    assert once["n_clips"] == clips - 2  # neither known by one clip nor by none


def test_frames_are_pooled_by_mean_and_deviation():
    data = toy.dataset("frames")
    values, names = standardise.pooled(data.features, [f"x_{column}" for column in range(8)])
    assert names[0] == "x_0 (mean)" and names[8] == "x_0 (std)" and values.shape == (len(data), 16)
    np.testing.assert_allclose(values[5, :8], data.features[5].mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(values[5, 8:], data.features[5].std(axis=0), rtol=1e-5)
    vectors = toy.dataset().features
    assert standardise.pooled(vectors, ["a"] * 8)[0] is vectors


def test_what_says_the_same_is_left_out_and_like_stands_by_like():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 400))
    still = np.full(400, 2.0)
    columns = [a, b, -a + 0.05 * rng.normal(size=400), b + 0.6 * rng.normal(size=400), still, a + 0.8 * b]
    values = np.stack(columns, axis=1).astype(np.float32)
    assert features.distinct(values, [4, 2, 0, 1, 3, 5], most=9) == [2, 1, 3, 5]
    assert features.distinct(values, range(6), most=2) == [0, 1]
    r, order = features.correlations(values, [0, 1, 2, 3])
    np.testing.assert_allclose(r, np.corrcoef(values[:, order].T), atol=1e-5)
    assert {frozenset(order[:2]), frozenset(order[2:])} == {frozenset({0, 2}), frozenset({1, 3})}
    assert features.correlations(values, [1])[1] == [1]


def test_the_map_is_the_same_every_time_and_its_shares_are_those_of_the_singular_values(monkeypatch):
    values = toy.dataset(takes=8).features
    places = features.projections(values, seed=1)
    power = np.square(np.linalg.svd(standardise.scaled(values), compute_uv=False))
    np.testing.assert_allclose(places["explained"], power / power.sum(), rtol=1e-3)
    np.testing.assert_array_equal(places["tsne"], features.projections(values, seed=1)["tsne"])
    monkeypatch.setattr(standardise, "MOST_COMPARED", 50)
    part = features.projections(values, seed=1)
    assert len(part["tsne"]) == 50 == len(set(part["rows"])) and len(part["pca"]) == len(values)


def test_one_feature_is_a_line_and_five_clips_are_enough():
    places = features.projections(np.array([[1.0], [2], [4], [8], [16]], np.float32), seed=1)
    assert places["tsne"].shape == (5, 2) and not places["pca"][:, 1].any()


@pytest.mark.parametrize(("values", "said"), [(np.eye(4), "only 4 clips"), (np.ones((9, 3)), "no feature differs")])
def test_what_cannot_be_mapped_is_one_line(values, said):
    with pytest.raises(DataError, match=said):
        features.projections(values.astype(np.float32), seed=1)


def test_clips_speakers_and_recordings_are_counted():
    data = two_corpora()
    data.digests[1] = data.digests[0]  # the same sound under the same label
    data.digests[-1] = data.digests[2]  # and under another
    result = surveyed(data)
    assert {corpus: sum(n.sum() for n in by.values()) for corpus, by in result.classes.items()} == {
        "one": 27, "two": 27,
    }  # fmt: skip
    assert [row["clips"] for row in result.speakers] == [9] * 6 and result.pairs == (18, 18)
    assert [len(group["ids"]) for group in result.duplicates] == [2, 2]
    assert [group["contradiction"] for group in result.duplicates] == [False, True]
    assert any("CONTRADICTION" in line and str(data.ids[2]) in line for line in text.duplicates(result))
    seconds = next(row for row in result.recordings if (row["corpus"], row["fact"]) == ("two", "seconds"))
    own = data.facts["seconds"][data.facts["corpus"] == "two"]
    assert (seconds["least"], seconds["median"], seconds["mean"]) == (own.min(), np.median(own), own.mean())
    rate = next(row for row in result.recordings if row["fact"] == "rate")
    assert inventory.related_facts(result.recordings) == [] and seconds["chance_speaker"] == 2 / 26
    assert rate["median"] == 16000 and rate["eta2_emotion"] is None is rate["eta2_speaker"]


def test_a_clip_of_which_nothing_is_known_is_not_counted_among_the_recordings():
    data = complete(toy.dataset(takes=2))
    facts = inventory.facts(data, dict(list(sounds(data).items())[1:]))
    assert np.isnan(facts["rms_db"][0]) and not np.isnan(facts["rms_db"][1:]).any()
    del data.facts["heard_snr_db"]
    assert np.isnan(inventory.facts(data, {})["snr_db"]).all()


def test_a_recording_that_gives_the_speaker_or_the_emotion_away_is_named():
    data = complete(toy.dataset(takes=3))
    speakers, _ = group_codes(data.speakers)
    data = replace(data, facts=data.facts | {"heard_snr_db": 30.0 + speakers, "seconds": 1.0 + data.truth})
    assert inventory.related_facts(surveyed(data).recordings) == [
        "toy: duration differs by emotion (η² 1.00)",
        "toy: loud over quiet parts differs by speaker (η² 1.00)",
    ]


def test_many_speakers_of_two_clips_are_not_named_for_what_chance_gives_them():
    data = complete(toy.dataset(speakers=60, takes=1, labels=("angry", "sad")))
    values = np.random.default_rng(0).normal(size=len(data))
    data = replace(data, facts=data.facts | {"seconds": 5 + values, "heard_snr_db": values, "heard_crest_db": values})
    result = surveyed(data).recordings
    duration = next(row for row in result if row["fact"] == "seconds")
    assert duration["eta2_speaker"] > inventory.RELATED and duration["chance_speaker"] == 59 / 119
    assert inventory.related_facts([row for row in result if row["fact"] == "seconds"]) == []


def test_of_many_clips_those_looked_at_are_of_the_whole(monkeypatch):
    """A corpus lies sorted by speaker, so its first clips would be a few speakers'."""
    monkeypatch.setattr(standardise, "MOST_COMPARED", 60)
    data = toy.dataset(speakers=20, takes=5)
    speakers = np.repeat(np.arange(20), 15)
    seen = []
    monkeypatch.setattr(separation, "_neighbours", lambda z, groups, of: seen.append(set(of.tolist())) or {})
    separation.separation(data.features, data.truth, speakers, seed=1)
    assert len(seen[0]) > 15


def test_several_corpora_are_told_apart_together_and_alone():
    rows = surveyed(two_corpora()).structure
    kinds = ["emotion", "speaker", SCALED]
    assert [row["by"] for row in rows if not row["corpus"]] == [*kinds, "corpus"]
    for corpus in ("one", "two"):
        assert [row["by"] for row in rows if row["corpus"] == corpus] == kinds
    assert [row["groups"] for row in rows if row["by"] == "speaker"] == [6, 3, 3]


def test_the_verdict_says_what_the_features_lie_by():
    rng = np.random.default_rng(0)
    data = complete(toy.dataset(speakers=6, takes=4))
    voices, _ = group_codes(data.speakers)
    for groups, said in ((voices, "speakers better than emotions"), (data.truth, "emotions better")):
        values = rng.normal(size=(9, 5))[groups] * 3 + rng.normal(size=(len(data), 5))
        assert said in text.verdict(surveyed(replace(data, features=values.astype(np.float32))))[0]
    untold = "Whether the features separate speakers or emotions better is unknown: "
    nobody = replace(data, speakers=np.full(len(data), ""))
    assert text.verdict(surveyed(nobody)) == [f"{untold}fewer than two speakers are known."]
    alone = replace(data, speakers=np.array([f"toy/{row}" for row in range(len(data))]))
    assert text.verdict(surveyed(alone)) == [f"{untold}every clip has a speaker, or an emotion, of its own."]
    assert text.verdict(surveyed(one_class())) == [f"{untold}all clips have one emotion."]
    one_each = replace(data, speakers=np.array([f"toy/{label}" for label in data.truth]))
    assert "3 of 9 pairs" in text.verdict(surveyed(one_each))[-1]


def row(variance, nearest, variance_chance=0.0, nearest_chance=0.0):
    stated = {"variance_chance": variance_chance, "nearest_chance": nearest_chance}
    return {"groups": 3, "variance": variance, "nearest": nearest} | stated


@pytest.mark.parametrize(
    ("emotion", "speaker", "sentence"),
    [
        (row(0.2, 0.5), row(0.3, 0.6), "The features separate speakers better than emotions: 30.0% "),
        (row(0.3, 0.6), row(0.2, 0.5), "The features separate emotions better than speakers: 20.0% "),
        (row(0.2, 0.6), row(0.3, 0.5), "By variance the features separate speakers better, by nearest clips "),
        # many small groups have more by chance, few large ones are met more often
        (row(0.2, 0.6), row(0.3, 0.6, 0.25), "The features separate emotions better"),
        (row(0.2, 0.6, 0, 0.5), row(0.3, 0.5), "The features separate speakers better"),
    ],
)
def test_the_verdict_is_beyond_chance_and_says_where_its_two_measures_differ(emotion, speaker, sentence):
    assert text.compared(emotion, speaker).startswith(sentence)


def test_a_label_without_a_clip_is_left_out():
    data = complete(toy.dataset())
    result = surveyed(replace(data, labels=("calm", *data.labels), truth=data.truth + 1))
    assert result.labels == data.labels and len(result.moments) == 4


KINDS = ["few", "two corpora", "own labels", "frames", "nobody", "many", "one class", "one clip each", "dollars"]


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_can_be_read_and_the_page_stands_alone(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(standardise, "MOST_COMPARED", 150)
    result = surveyed(_case(kind), notes=["A trial: at most 5 clips per class."])
    drawn = {name: figure for name, draw in pictures.DRAWN.items() if (figure := draw(result))}
    assert set(pictures.DRAWN) - set(drawn) == ({"speakers"} if kind == "nobody" else set())
    for figure in drawn.values():
        check_layout(figure)
    assert len(drawn["tsne"].axes) == {"two corpora": 3, "nobody": 1}.get(kind, 2)
    if kind == "many":
        said = " ".join(text.get_text() for text in words(drawn["tsne"]))
        assert "150 of 10,000 clips" in said and "91 speakers, coloured in order from 1001" in said
    (tmp_path / "speakers.png").write_bytes(b"of an earlier run")
    if kind != "few":  # the others have been drawn above
        monkeypatch.setattr("matplotlib.figure.Figure.savefig", toy_figures.save_pixel)
    names = pictures.write(result, tmp_path)
    assert {path.name for path in tmp_path.glob("*.png")} == set(names)
    document = Document(page.page(result, tmp_path, recipe="toy"))
    assert stands_alone(document) and document.count("img") == len(names)
    assert all(len(alt) > 15 for alt in document.values("alt")) and "at most 5 clips per class" in document.text
    assert not {"nan", "None"} & set(document.text.split())
    assert all(len(line) <= 80 for line in text.summary(result))


def _case(kind: str):
    match kind:
        case "few":
            return complete(toy.dataset(speakers=3, takes=2))
        case "two corpora":
            return two_corpora()
        case "own labels":
            data = complete(toy.dataset(labels=UNLIKE, speakers=12, takes=2))
            return replace(data, speakers=np.array([f"toy/a rather long name {s}" for s in data.speakers]))
        case "frames":
            return complete(toy.dataset("frames", takes=3))
        case "nobody":
            data = complete(toy.dataset(takes=3))
            return replace(data, speakers=np.full(len(data), ""), facts=data.facts | {"sex": np.full(len(data), "")})
        case "one class":
            return one_class()
        case "one clip each":
            data = complete(toy.dataset(takes=2))
            return replace(data, speakers=np.array([f"toy/{row}" for row in range(len(data))]))
        case "dollars":
            data = complete(toy.dataset(labels=("$x^$", "a$b", "sad"), takes=2))
            return replace(data, speakers=np.array([f"{speaker}$^" for speaker in data.speakers]))
    return many()


def test_tables_hold_every_clip_and_every_feature(tmp_path):
    data = two_corpora()
    result = surveyed(data)
    names = tables.write(result, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(names) == set(page.TABLES)
    assert sum(int(row["clips"]) for row in table(tmp_path / "classes.csv")) == len(data)
    rows = table(tmp_path / "clips.csv")
    assert [row["id"] for row in rows] == data.ids.tolist() and float(rows[3]["rms_db"]) == -23
    feature = table(tmp_path / "features.csv")[2]
    assert feature["feature"] == "mfcc_2"
    assert float(feature["mean_sad"]) == pytest.approx(data.features[data.truth == 1, 2].mean(), rel=1e-4)
    assert float(feature["std"]) == pytest.approx(data.features[:, 2].std(), rel=1e-4)
    assert float(feature["eta2_speaker"]) == pytest.approx(result.eta_squared["speaker"][2], rel=1e-4)
    assert table(tmp_path / "duplicates.csv") == []


@pytest.fixture(scope="module")
def cached(tmp_path_factory):
    """Return a folder with the demo corpus, an experiment on it and the features of that."""
    folder = tmp_path_factory.mktemp("explore")
    demo.write(folder / "demo", speakers=4, clips=2)
    config = toy.write_config(folder, "mine", split={"by": "speaker", "folds": 3, "holdout": ["m04"]})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SER_DATA", str(folder))
        assert preprocess.main(["--config", str(config), "--features", str(folder / "features"), "--jobs", "1"]) == 0
    return folder


def test_the_whole_command_needs_no_audio_and_no_tensorflow(cached, tmp_path):
    code = (
        "import sys, explore; status = explore.main(sys.argv[1:]); print('tensorflow' in sys.modules); sys.exit(status)"
    )
    options = ["--config", cached / "mine.yaml", "--features", cached / "features", "--out", tmp_path / "out"]
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, options)], cwd=ROOT, capture_output=True, text=True, timeout=120,
        env={**os.environ, "SER_DATA": str(cached / "moved away")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    *lines, last, loaded = done.stdout.splitlines()
    assert loaded == "False" and all(len(line) <= 80 for line in lines)
    folder = tmp_path / "out" / "mine"
    assert last == f"{folder / 'explore.html'}, 10 pictures, 9 tables"
    assert lines[0] == "mine: 30 clips, 3 speakers, 78 features (mean and deviation of 39)"
    assert lines[1] == "Held-out speakers are left out: m04."
    assert {row["speaker"] for row in table(folder / "clips.csv")} == {"demo/f01", "demo/m02", "demo/f03"}
    document = Document((folder / "explore.html").read_text(encoding="utf8"))
    assert stands_alone(document) and document.count("img") == 10


def test_without_a_cache_the_error_is_the_command_that_fills_it(cached, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SER_DATA", str(cached))
    config = cached / "mine.yaml"
    given = ("--config", config, "--features", tmp_path, "--set", "rate=8000")
    status, _, said = toy.outcome(explore.main, monkeypatch, capsys, *given, "--out", tmp_path / "out")
    command = shlex.join(["python", "preprocess.py", "--config", str(config), "--set", "rate=8000"])
    assert status == 2 and said.count("\n") == 1 and said.endswith(f"Run: {command} --features {tmp_path}\n")
    assert not (tmp_path / "out").exists()


def test_the_sounds_of_the_list_are_those_of_the_files(cached):
    entries = configs.read(cached / "mine.yaml").corpora
    sounds_of_list = corpus_lists.read_sounds(entries, cached / "features")
    assert len(sounds_of_list) == 40 and {sound.rate for sound in sounds_of_list.values()} == {16000}
    assert all(sound.digest and -60 < sound.rms_db < 0 for sound in sounds_of_list.values())
    assert corpus_lists.read_sounds(entries, cached) == {}
