"""A timeline as table, JSON, TextGrid, summary and picture; the names of channels."""

import csv
import json
import warnings

import numpy as np
import pytest
from praatio import textgrid

from prediction import timeline_files
from prediction.timeline import channel_names, entry
from utils import plots
from utils.errors import ConfigError
from utils.plots import palette
from utils.plots import timeline as timeline_plots

LABELS = ["angry", "sad", "other"]


def document(seconds: float = 12.0, hop: float = 1.0) -> dict:
    """Return a timeline of two channels, the first with a pause from 4 to 6, the second silent."""
    rng = np.random.default_rng(0)
    rows = [(k * hop, (k + 1) * hop) for k in range(int(seconds / hop)) if not 4 <= k * hop < 6]
    said = [entry(LABELS, start, end, rng.dirichlet(np.ones(3))) | {"unlike": False} for start, end in rows]
    held = [entry(LABELS, 0, 4, np.array([0.8, 0.1, 0.1])), entry(LABELS, 6, seconds, np.array([0.1, 0.8, 0.1]))]
    alike = {"unfamiliar": 0, "warning": ""}
    first = {"name": "agent", "speech": [(0.1, 3.9), (6.0, seconds + 0.02)], "unusable": 0, "changes": [6.0]} | alike
    second = {"name": 'the "customer"', "speech": [], "unusable": 1, "changes": [], "spells": [], "hops": []} | alike
    return {"file": "calls/a.wav", "model": "toy", "seconds": seconds, "window": 3.0, "hop": hop, "dwell": 10.0,
            "least": 2.0, "labels": LABELS, "channels": [first | {"spells": held, "hops": said}, second]}  # fmt: skip


def test_praat_reads_the_textgrid(tmp_path):
    timeline_files.write_textgrid(tmp_path / "a.TextGrid", document())
    grid = textgrid.openTextgrid(str(tmp_path / "a.TextGrid"), includeEmptyIntervals=True, reportingMode="error")
    assert grid.tierNames == ("agent speech", "agent emotion", 'the "customer" speech', 'the "customer" emotion')
    assert (grid.minTimestamp, grid.maxTimestamp) == (0, 12)
    speech, emotion = ([tuple(i) for i in grid.getTier(f"agent {kind}").entries] for kind in ("speech", "emotion"))
    assert speech == [(0, 0.1, ""), (0.1, 3.9, "speech"), (3.9, 6, ""), (6, 12, "speech")]
    assert emotion == [(0, 4, "angry"), (4, 6, ""), (6, 12, "sad")]
    assert [tuple(i) for i in grid.getTier('the "customer" speech').entries] == [(0, 12, "")]


def test_table_and_json_hold_the_hops(tmp_path):
    made = document()
    timeline_files.write_csv(tmp_path / "a.csv", made)
    timeline_files.write_json(tmp_path / "a.json", made)
    with (tmp_path / "a.csv").open(encoding="utf8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["start", "end", "channel", "emotion", "p_angry", "p_sad", "p_other", "warning"]
    for row, hop in zip(rows, made["channels"][0]["hops"], strict=True):
        assert (float(row["start"]), row["channel"], row["emotion"]) == (hop["start"], "agent", hop["emotion"])
        assert [float(row[f"p_{label}"]) for label in LABELS] == list(hop["probabilities"].values())
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf8"))["channels"][0]["changes"] == [6.0]


def test_a_summary_counts_what_is_spoken():
    first, agent, customer = timeline_files.summary(document()).splitlines()
    assert first == "calls/a.wav: 12.0 s, toy"
    assert agent == "  agent: 9.8 s of speech, 1 change: sad 60%, angry 40%"
    assert customer.endswith("0.0 s of speech, 0 changes: nothing to judge; 1 window too quiet to judge")


def test_a_channel_unlike_the_training_clips_is_warned_of_below_its_line():
    made = document()
    made["channels"][1]["warning"] = "unlike anything"
    assert timeline_files.summary(made).splitlines()[2:] == [
        '  the "customer": 0.0 s of speech, 0 changes: nothing to judge; 1 window too quiet to judge',
        "    warning: unlike anything",
    ]


def test_two_hours_are_averaged_into_columns_and_pauses_stay():
    hours = document(7200.0)
    edges, shares = timeline_plots.columns(hours["channels"][0]["hops"], LABELS, 7200.0, 1.0)
    assert len(edges) == timeline_plots.COLUMNS + 1 and edges[-1] == 7200
    first = [list(h["probabilities"].values()) for h in hours["channels"][0]["hops"] if 30 <= h["start"] < 60]
    np.testing.assert_allclose(shares[1], np.mean(first, axis=0))
    _, short = timeline_plots.columns(document()["channels"][0]["hops"], LABELS, 12.0, 1.0)
    assert np.isnan(short).all(axis=1).tolist() == [False] * 4 + [True] * 2 + [False] * 6


@pytest.mark.parametrize("seconds", [0.0, 12.0, 7200.0])
def test_a_picture_of_any_length_is_drawn_without_a_warning(tmp_path, seconds):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plots.save(timeline_plots.timeline(document(seconds)), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_changes_are_marked_where_there_is_room():
    few, many = {"changes": [1.0] * 40}, {"changes": [1.0] * 41}
    assert timeline_plots.marked(few) == few["changes"] and timeline_plots.marked(many) == []


def test_colours_differ():
    labels = [*palette.COLOURS, "joyous", "tired"]
    assert len(set(palette.colours(labels).values())) == len(labels)


def test_channel_names():
    assert channel_names([], 1, "a") == ["mono"] and channel_names([], 2, "a") == ["left", "right"]
    assert channel_names([], 3, "a")[2] == "channel3"
    for names in (["agent"], ["agent", "agent"]):
        with pytest.raises(ConfigError, match="has 2 channels"):
            channel_names(names, 2, "a.wav")
