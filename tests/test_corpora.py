"""Contracts of every corpus plug-in, and what corpora.read, relabel and limit promise of any of them."""

import doctest
from collections import Counter
from pathlib import Path

import pytest

import corpora
from corpora import EMOTIONS, Published, Rejected, Utterance
from corpora.base import labels
from utils import plugins
from utils.errors import ConfigError, DataError

PLUGINS = plugins.every("corpora")
KNOWN = [name for name, plugin in PLUGINS.items() if not plugin.constants.get("NAMED_BY_FOLDER")]


def entry(name: str, root: str) -> dict:
    """Return a config entry of a plug-in, arguments without a default filled in."""
    needed = {k: "x" for k, a in PLUGINS[name].arguments.items() if a.default is plugins.REQUIRED}
    return {"name": name, "root": root, **needed}


def touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return root


def clips(*pairs: tuple[str, str]) -> list[Utterance]:
    return [Utterance(f"c/{i}", Path(f"{i}.wav"), emotion, speaker) for i, (emotion, speaker) in enumerate(pairs)]


@pytest.mark.parametrize("name", PLUGINS)
def test_plugin_has_a_card_and_says_where_to_get_the_corpus(name):
    plugin = PLUGINS[name]
    assert len(plugin.summary) > 10
    for constant in ("SOURCE", "GRAMMAR"):
        text = plugin.constants[constant]
        assert len(text) > 20 and "\n" not in text
    assert "$SER_DATA" in plugin.constants["SOURCE"] or "<root>" in plugin.constants["SOURCE"]
    module = plugin.load()
    assert len(module.__doc__.splitlines()) > 3
    assert module.utterances.__doc__ and module.__doc__.startswith(plugin.summary)


@pytest.mark.parametrize("name", PLUGINS)
def test_missing_folder_is_one_line_that_says_where_to_get_the_corpus(name, tmp_path):
    with pytest.raises(DataError) as error:
        corpora.read(entry(name, "nowhere"), tmp_path)
    message = str(error.value)
    assert "\n" not in message and str(tmp_path / "nowhere") in message and "$SER_DATA" in message
    assert PLUGINS[name].constants["SOURCE"] in message


@pytest.mark.parametrize("name", PLUGINS)
def test_empty_folder_is_one_line(name, tmp_path):
    with pytest.raises(DataError) as error:
        corpora.read(entry(name, str(tmp_path)), tmp_path)
    assert "\n" not in str(error.value) and PLUGINS[name].constants["SOURCE"] in str(error.value)


@pytest.mark.parametrize("name", KNOWN)
def test_odd_names_are_rejected_with_a_reason_that_shows_the_grammar(name, tmp_path):
    touch(tmp_path, "angry/holiday.wav", "readme.txt", "._hidden.wav")
    (item,) = PLUGINS[name].load().utterances(tmp_path)
    assert isinstance(item, Rejected) and item.path.name == "holiday.wav"
    assert str(tmp_path) not in item.reason and PLUGINS[name].constants["GRAMMAR"] in item.reason
    with pytest.raises(DataError, match=r"holiday\.wav") as error:
        corpora.read(entry(name, str(tmp_path)), tmp_path)
    assert "\n" not in str(error.value) and PLUGINS[name].constants["GRAMMAR"] in str(error.value)


@pytest.mark.parametrize("module", [*(p.load() for p in PLUGINS.values()), labels], ids=lambda m: m.__name__)
def test_doctests(module):
    results = doctest.testmod(module)
    assert results.failed == 0 and (results.attempted > 0 or not hasattr(module, "parse"))


@pytest.mark.parametrize("name", KNOWN)
def test_published_counts_agree_with_themselves(name):
    known = corpora.published(entry(name, "x"))
    if known is None:
        assert name == "demo", "a published corpus states its counts"
        return
    assert isinstance(known, Published) and set(known.emotions) <= set(EMOTIONS)
    assert sum(known.emotions.values()) == known.clips
    assert not known.speakers or sum(known.speakers.values()) == known.clips  # {}: not published


def test_root_and_arguments_are_checked(tmp_path):
    with pytest.raises(ConfigError, match="'root' must be given"):
        corpora.read({"name": "emodb"}, tmp_path)
    with pytest.raises(ConfigError, match="Did you mean 'channel'"):
        corpora.read({"name": "ravdess", "root": "x", "chanel": "song"}, tmp_path)
    with pytest.raises(ConfigError, match="Did you mean 'emodb'"):
        corpora.read({"name": "emo-db", "root": "x"}, tmp_path)
    with pytest.raises(ConfigError, match=r"needs a name\. Known: casia"):
        corpora.read({"root": "x"}, tmp_path)
    touch(tmp_path, "EMO-DB/03a01Fa.wav")
    with pytest.raises(DataError, match="Did you mean 'EMO-DB'"):
        corpora.read({"name": "emodb", "root": "EMODB"}, tmp_path)


def test_ids_and_speakers_carry_the_corpus(tmp_path):
    touch(tmp_path, "EMO-DB/wav/03a01Fa.wav", "mine/happy/anna_1.wav")
    (clip,), rejected = corpora.read({"name": "emodb", "root": "EMO-DB"}, tmp_path)
    assert (clip.id, clip.speaker, clip.corpus, rejected) == ("emodb/03a01Fa", "emodb/03", "emodb", [])
    (clip,), _ = corpora.read({"name": "folders", "root": "mine"}, tmp_path)
    assert (clip.id, clip.speaker, clip.corpus) == ("mine/happy/anna_1", "", "mine")
    (clip,), _ = corpora.read({"name": "folders", "root": str(tmp_path / "mine")}, Path("elsewhere"))
    assert clip.id == "mine/happy/anna_1"


def test_a_second_tree_of_copies_is_left_out_and_other_files_of_the_same_name_are_rejected(tmp_path):
    touch(tmp_path, "EMO-DB/wav/03a01Fa.wav")
    nested = tmp_path / "EMO-DB" / "wav" / "wav" / "03a01Fa.wav"
    nested.parent.mkdir()
    nested.write_bytes((tmp_path / "EMO-DB/wav/03a01Fa.wav").read_bytes())
    result, rejected = corpora.read({"name": "emodb", "root": "EMO-DB"}, tmp_path)
    assert len(result) == 1 and not rejected and result[0].path.parent.parent.name == "EMO-DB"
    nested.write_bytes(b"another recording")
    result, (reject,) = corpora.read({"name": "emodb", "root": "EMO-DB"}, tmp_path)
    assert len(result) == 1 and reject.path == nested and "not a copy" in reject.reason


def test_linked_folders_are_followed_once(tmp_path):
    touch(tmp_path, "real/03/03a01Fa.wav", "EMO-DB/08a01Fa.wav")
    try:
        (tmp_path / "EMO-DB" / "link").symlink_to(tmp_path / "real", target_is_directory=True)
        (tmp_path / "real" / "up").symlink_to(tmp_path / "EMO-DB", target_is_directory=True)
    except OSError:
        pytest.skip("no symbolic links here")
    result, rejected = corpora.read({"name": "emodb", "root": "EMO-DB"}, tmp_path)
    assert [u.id for u in result] == ["emodb/08a01Fa", "emodb/03a01Fa"] and not rejected
    result, _ = corpora.read({"name": "folders", "root": "EMO-DB", "emotion": "(F)"}, tmp_path)
    assert [u.id for u in result] == ["EMO-DB/08a01Fa", "EMO-DB/link/03/03a01Fa"]


def test_a_folder_that_cannot_be_listed_is_an_error_and_not_empty(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    touch(tmp_path, "EMO-DB/03a01Fa.wav")
    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(DataError, match="EMO-DB: the folder cannot be listed: Permission denied"):
        corpora.read({"name": "emodb", "root": "EMO-DB"}, tmp_path)


def test_merge_and_drop():
    data = clips(("sad", "a"), ("boredom", "a"), ("angry", "b"), ("zesty", "b"), ("calm", "b"))
    kept, words = corpora.relabel(data, {"boredom": "neutral"}, ["calm"])
    assert words == ("angry", "sad", "neutral", "zesty")
    assert [u.emotion for u in kept] == ["sad", "neutral", "angry", "zesty"]
    assert [u.id for u in kept] == ["c/0", "c/1", "c/2", "c/3"] and data[1].emotion == "boredom"
    kept, words = corpora.relabel(data, {}, [], ["calm", "zesty", "sad", "angry", "boredom"])
    assert words == ("calm", "zesty", "sad", "angry", "boredom") and kept == data


@pytest.mark.parametrize(
    ("merge", "drop", "given", "message"),
    [
        ({"bordom": "neutral"}, [], None, "merge: no clip is labelled 'bordom'. Did you mean 'boredom'?"),
        ({}, ["Sad"], None, "drop: no clip is labelled 'Sad'. Did you mean 'sad'?"),
        ({"boredom": "sad"}, ["boredom"], None, "drop: no clip is labelled 'boredom'."),
        ({"boredom": "sad"}, ["sad"], None, "drop: leaves no clip"),
        ({}, [], ["sad"], "in the data but not in labels: boredom"),
        ({}, [], ["sad", "boredom", "calm"], "not in the data: calm"),
        ({}, [], ["sad", "boredom", "sad"], "stated twice: sad"),
    ],
)
def test_words_that_do_not_occur_are_refused(merge, drop, given, message):
    with pytest.raises(ConfigError) as error:
        corpora.relabel(clips(("sad", "a"), ("boredom", "b")), merge, drop, given)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_limit_takes_every_speaker_in_turn():
    data = clips(*[(e, s) for s in ("z", "b", "a") for e in ("sad", "angry") for _ in range(3)], ("calm", "a"))
    few = corpora.limit(data, 4)
    assert Counter((u.emotion, u.speaker) for u in few) == {
        ("sad", "a"): 2, ("sad", "b"): 1, ("sad", "z"): 1,
        ("angry", "a"): 2, ("angry", "b"): 1, ("angry", "z"): 1, ("calm", "a"): 1,
    }  # fmt: skip
    assert few == [u for u in data if u in few] and few == corpora.limit(data, 4)
    assert corpora.limit(data, 100) == data
    with pytest.raises(ConfigError, match="at least 1"):
        corpora.limit(data, 0)
