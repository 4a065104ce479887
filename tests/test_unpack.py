"""Damaged archives are one line, whatever module notices it, and are fetched again by the next run."""

import io
import tarfile
import zipfile

import numpy as np
import pytest

from corpora.download import install
from utils.download.unpack import unpack
from utils.errors import DataError

CONTENT = np.random.default_rng(0).bytes(3000)


def archive(kind: str) -> bytes:
    file = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
            made.writestr("wav/one.wav", CONTENT)
    else:
        with tarfile.open(fileobj=file, mode=f"w:{kind}") as made:
            info = tarfile.TarInfo("wav/one.wav")
            info.size = len(CONTENT)
            made.addfile(info, io.BytesIO(CONTENT))
    return file.getvalue()


@pytest.mark.parametrize("kind", ["zip", "gz", "bz2", "xz", ""])
def test_damage_anywhere_is_one_line(tmp_path, kind):
    whole, path = archive(kind), tmp_path / "corpus.tar"
    messages = []
    for place in np.random.default_rng(1).choice(len(whole), 40, replace=False):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        for content in (bytes(damaged), whole[:place]):
            path.write_bytes(content)
            try:
                unpack(path, tmp_path / "tree")
            except DataError as error:
                messages.append(str(error))
    assert messages and all(m.startswith("corpus.tar: ") and "\n" not in m for m in messages)


def test_a_member_that_lies_on_another_is_damage(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
        for name in ("one", "one/two", "x" * 300):
            made.writestr(name, b"text" * 100)
    with pytest.raises(DataError, match=r"a\.zip: damaged, or no archive"):
        unpack(tmp_path / "a.zip", tmp_path / "tree")


def test_an_archive_with_a_damaged_one_in_it_is_not_kept(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as made:
        made.writestr("inner.tar.gz", archive("gz")[:-20])
    monkeypatch.setattr(install, "fetch", lambda url, path, **_: None)
    with pytest.raises(DataError, match=r"inner\.tar\.gz: damaged"):
        install._bring([{"url": "http://host/outer.zip"}], tmp_path, "", 0)
    assert not (tmp_path / "outer.zip").exists()
