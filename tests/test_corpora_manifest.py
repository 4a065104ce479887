"""The manifest parser: tables as people have them."""

from pathlib import Path

import pytest

import corpora
from utils.errors import ConfigError, DataError


@pytest.fixture
def root(tmp_path) -> Path:
    for name in ("a/one.wav", "a/two.flac", "b/three.wav", "b/one.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def read(root: Path, file: str = "t.csv", **columns):
    return corpora.read({"name": "manifest", "root": str(root), "file": file, **columns}, root)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_text_tables(root, separator, encoding):
    rows = [["file_id", "label", "who", "gender", "part", "said"],
            ["a/one.wav", "Freude", "7", "F", "dev", f'"hello{separator} you"'],
            ["a/two", "hot anger", "", "male", "train", "é"]]  # fmt: skip
    (root / "t.tsv").write_text("\n".join(separator.join(row) for row in rows) + "\n", encoding=encoding)
    columns = {"path": "file_id", "emotion": "label", "speaker": "who", "sex": "gender", "split": "part"}
    (one, two), rejected = read(root, "t.tsv", **columns, text="said")
    assert not rejected
    assert (one.emotion, one.speaker, one.sex, one.split) == (
        "Freude",
        f"{root.name}/7",
        "female",
        "validation",
    )
    assert one.text == f"hello{separator} you" and one.id == f"{root.name}/a/one"
    assert (two.emotion, two.speaker, two.sex, two.text) == ("hot anger", "", "male", "é")
    assert two.path == root / "a/two.flac" and two.id == f"{root.name}/a/two"


def test_parquet_with_gaps_keeps_whole_numbers(root):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = {"path": ["a/one.wav", "a/two.flac"], "emotion": ["sad", "angry"], "id": [7, None]}
    parquet.write_table(arrow.table(table), root / "t.parquet")
    result, _ = read(root, "t.parquet", speaker="id")
    assert [u.speaker for u in result] == [f"{root.name}/7", ""]


def test_rows_that_cannot_be_used_are_rejected_with_a_reason(root):
    good, gone, unlabelled = "a/one.wav,sad,train", "gone.wav,sad,train", "a/two.flac,,train"
    nameless, odd_split, twice = ",sad,train", "b/three.wav,sad,holdout", "a/one.wav,angry,test"
    lines = ["path,emotion,split", good, gone, unlabelled, nameless, odd_split, twice]
    (root / "t.csv").write_text("\n".join(lines))
    result, rejected = read(root, split="split")
    assert [u.emotion for u in result] == ["sad"]
    reasons = [r.reason for r in rejected]
    assert [r.path.name for r in rejected] == ["gone.wav", "two.flac", root.name, "three.wav", "one.wav"]
    assert reasons[0] == "no such file" and "no emotion" in reasons[1] and "no path" in reasons[2]
    assert "'holdout'" in reasons[3] and "more than once" in reasons[4]


def test_names_are_looked_for_below_root(root):
    (root / "t.csv").write_text("path,emotion\nthree,sad\ntwo.flac,sad\none.wav,sad\na\\one.wav,angry\n")
    result, (reject,) = read(root)
    assert [u.path for u in result] == [root / "b/three.wav", root / "a/two.flac", root / "a/one.wav"]
    assert reject.path.name == "one.wav" and "several files" in reject.reason


def test_a_missing_column_names_the_nearest(root):
    (root / "t.csv").write_text("path,emotion,speaker_id\na/one.wav,sad,1\n")
    with pytest.raises(ConfigError, match=r"no column 'speaker'\. Did you mean 'speaker_id'") as error:
        read(root, speaker="speaker")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("none.csv", None, "no table"),
        ("t.csv", b"", "it is empty"),
        ("t.csv", b"path,emotion\na/one.wav,sad,extra\n", "line 2 has more fields than the header"),
        ("t.csv", b"path,emotion\n\xff\xfe,sad\n", "no CSV, TSV or parquet table"),
        ("t.parquet", b"path,emotion\n", "no CSV, TSV or parquet table"),
        ("t.csv", b"path,emotion\n", "holds no audio file|none of its"),
    ],
)
def test_what_is_no_table_is_one_line(root, file, content, message):
    if content is not None:
        (root / file).write_bytes(content)
    with pytest.raises(DataError, match=message) as error:
        read(root, file)
    assert "\n" not in str(error.value)


def test_a_table_names_no_file_outside_its_root_unless_the_config_lists_the_folder(root):
    inside = root / "in"
    inside.mkdir()
    (root / "a").rename(inside / "a")
    lines = ["path,emotion", "../b/three.wav,sad", f"{root}/b/one.wav,sad", "../../etc/passwd,sad"]
    (inside / "t.csv").write_text("\n".join([*lines, f"{inside}/a/two.flac,sad"]))
    found, rejected = read(inside)
    assert [u.path for u in found] == [inside / "a/one.wav", inside / "a/two.flac"]  # the first by its name
    assert sum("lies outside root" in r.reason for r in rejected) == 2
    found, rejected = read(inside, also=["../b"])
    names = {u.path.relative_to(root).as_posix() for u in found}
    assert names == {"b/three.wav", "b/one.wav", "in/a/two.flac"}
    assert [r.path.name for r in rejected if "lies outside root" in r.reason] == ["passwd"]
    assert not any(".." in u.id for u in found)  # files are named by it


def test_a_name_that_is_too_long_is_rejected(root):
    (root / "t.csv").write_text(f"path,emotion\na/one.wav,sad\n{'x' * 300}.wav,sad\n{'y' * 300},sad\n")
    found, rejected = read(root)
    assert len(found) == 1 and [r.reason for r in rejected] == ["no such file"] * 2
