"""model.json of somebody else: every damage is one line that names the key."""

import json

import pytest

from prediction import card
from utils.errors import ConfigError

MODEL = {
    "name": "one", "features": {"name": "logmel"}, "feature_version": "1", "frames": True, "rate": 16000,
    "clip": {"offset": 0.0, "seconds": None}, "training_statistics": None,
}  # fmt: skip
CARD = MODEL | {"labels": ["angry", "sad"], "evidence": "UAR", "notes": [], "protocol": {"speaker_disjoint": True}}
MEMBERS = {"members": [MODEL, MODEL | {"name": "two"}], "combination": {"weights": [0.5, 0.5]}}


def read(folder, content) -> dict:
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / "model.json").write_text(text, encoding="utf8")
    return card.read_card(folder)


def test_whole_cards_are_read(tmp_path):
    assert read(tmp_path, CARD) == CARD
    card.need_answers(CARD | MEMBERS)
    assert read(tmp_path, CARD | MEMBERS)["members"][1]["name"] == "two"
    linear = {"coefficients": [[0.0] * 4] * 2, "intercept": [0.0, 0.0]}
    read(tmp_path, CARD | MEMBERS | {"combination": linear})


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("{", "model.json is no JSON"),
        ("[" * 100_000, "model.json is no JSON"),
        ('{"uar": NaN}', "NaN is no number in JSON"),
        ('{"uar": ' + "9" * 5000 + "}", "model.json is no JSON"),
        ("[]", "must be a mapping, got []"),
        ("{}", "it lacks labels"),
        ({"labels": []}, "labels must be 2 to 1000 different texts, got []"),
        ({"labels": ["sad", "sad"]}, "labels must be 2 to 1000 different texts"),
        ({"labels": "angry sad"}, "labels must be 2 to 1000 different texts"),
        ({"name": "../../home"}, "name must be a plain name"),
        ({"name": "a\n"}, "name must be a plain name"),
        ({"features": {"name": "os"}}, "features must be a feature plug-in of this version"),
        ({"features": {"name": "logmel", "bandz": 3}}, "features must be a feature plug-in of this version"),
        ({"features": {"name": ["logmel"]}}, "features must be a feature plug-in of this version"),
        ({"rate": True}, "rate must be 4000 to 192000 Hz, got True"),
        ({"rate": 1e300}, "rate must be 4000 to 192000 Hz"),
        ({"clip": {"sekonds": 3}}, "clip must be a mapping of offset, seconds"),
        ({"clip": {"seconds": "3"}}, "clip must be a mapping of offset, seconds"),
        ({"frames": 1}, "frames must be true or false, got 1"),
        ({"training_statistics": {"mean": [0.0], "std": []}}, "training_statistics must be null, or as many mean as"),
        ({"familiar": {"ranges": {"snr_db": [1]}, "distance": 1, "mean": [], "std": []}}, "familiar must be null, or"),
        ({"adaptation": {"mean": [0.0], "total": 1, "within": 1}}, "adaptation.mean must have a number per label, 2"),
        ({"adaptation": {"mean": [0.0, 0.0], "total": -1, "within": 1}}, "adaptation must be null, or mean"),
        ({"conformal": {"0.9": {"threshold": "high"}}}, "conformal must be a mapping of coverages to numbers"),
        ({"protocol": {}}, "protocol must be a mapping with speaker_disjoint"),
        ({"notes": "none"}, "notes must be a list of texts"),
        ({"members": []}, "members must be 2 to 100 mappings"),
        (MEMBERS | {"members": [MODEL, {"name": "two"}]}, "members.1 lacks features, feature_version"),
        (MEMBERS | {"members": [MODEL, MODEL | {"name": "../one"}]}, "members.1.name must be a plain name"),
        (MEMBERS | {"combination": {"weights": [1.0]}}, "combination.weights must be 2 numbers, one per member"),
        (MEMBERS | {"combination": {"coefficients": [[0.0]], "intercept": [0]}}, "combination must have weights, or"),
        (MEMBERS | {"combination": {}}, "combination must have weights, or coefficients (2, 4) and intercept"),
    ],
)
def test_a_damaged_card_is_one_line(tmp_path, change, expected):
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, change if isinstance(change, str) else CARD | change)
    message = str(caught.value)
    assert expected in message and "\n" not in message and len(message) < 500, message
    assert message.startswith(str(tmp_path)) and message.endswith(card.REMEDY)


def test_a_card_that_is_no_file_or_too_large_is_refused(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=r"model\.json: cannot be read: No such file"):
        card.read_card(tmp_path)
    monkeypatch.setattr(card, "LARGEST_FILE", 10)
    with pytest.raises(ConfigError, match="is too large to be a card"):
        read(tmp_path, CARD)


@pytest.mark.parametrize("key", ["evidence", "notes", "rate", "clip"])
def test_what_an_answer_takes_must_be_there(key):
    lacking = {name: value for name, value in CARD.items() if name != key}
    with pytest.raises(ConfigError, match=f"damaged, it lacks {key}"):
        card.need_answers(lacking)
