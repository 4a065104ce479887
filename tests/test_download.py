"""corpora.download against a server of the test's own, which breaks, lies and attacks."""

import hashlib
import io
import json
import stat
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import requests

import corpora
from corpora import Published, crema_d, emodb, meld, ravdess, tess
from corpora.download import __main__ as command
from corpora.download import install
from tests.local_server import LocalServer
from tests.test_corpora_names import SONG, SPEECH
from utils import plugins
from utils.download import fetch, unpack
from utils.errors import ConfigError, DataError


class Server(LocalServer):
    """Serves ``files`` by path; ``cut``: how many bytes each of the next answers is ended after."""

    def __init__(self):
        super().__init__(Handler)
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str | None]] = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.asked.append((self.path, asked))
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.server.ranges else 0
        if start and start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = start + self.server.cut.pop(0) if self.server.cut else len(content)
        self.wfile.write(content[start:end])
        self.close_connection = end < len(content)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def session():
    with requests.Session() as session:
        yield session


def zipped(names, content=str.encode) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, content(name))
    return buffer.getvalue()


def tarred(*members: tarfile.TarInfo | tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for member in members:
            info, content = (
                (member, b"") if isinstance(member, tarfile.TarInfo) else (tarfile.TarInfo(member[0]), member[1])
            )
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def get(name: str, to: Path, server: Server) -> list[str]:
    said: list[str] = []
    install.get(name, to, say=said.append, mirror=server.url, wait=0.0)
    return said


def refused(name: str, to: Path, server: Server) -> str:
    with pytest.raises(DataError) as error:
        get(name, to, server)
    assert "\n" not in str(error.value)
    return str(error.value)


def small(monkeypatch, module, emotions: dict[str, int]) -> None:
    """Let a corpus be complete with these clips: how it is fetched does not depend on how many there are."""
    monkeypatch.setattr(module, "published", lambda **_: Published(sum(emotions.values()), emotions))


EMODB = "/download/download.zip"


@pytest.fixture
def emodb_server(server, monkeypatch):
    small(monkeypatch, emodb, {"happy": 1, "angry": 1})
    monkeypatch.setattr(fetch, "BLOCK", 1000)  # what a broken connection may lose
    server.files[EMODB] = zipped(["wav/03a01Fa.wav", "wav/03a01Wa.wav", "readme.txt"], lambda name: name.encode() * 999)
    return server


def test_ravdess_comes_whole_with_its_licence_first_and_is_not_fetched_twice(server, tmp_path, monkeypatch):
    speech, song = zipped(SPEECH), zipped(SONG)
    about = plugins.get("corpora", "ravdess").constants["DOWNLOAD"]
    files = [
        {"url": f["url"], "md5": hashlib.md5(c).hexdigest()}
        for f, c in zip(about["files"], (speech, song), strict=True)
    ]
    monkeypatch.setitem(about, "files", files)
    server.files = {"/records/1188976/files/Audio_Speech_Actors_01-24.zip": speech,
                    "/records/1188976/files/Audio_Song_Actors_01-24.zip": song}  # fmt: skip
    said = get("ravdess", tmp_path, server)
    assert said[0].startswith("RAVDESS, the Ryerson") and said[1].startswith("licence: CC BY-NC-SA 4.0, https://")
    assert said[2] == f"{tmp_path / 'RAVDESS'}: complete, 2452 clips"
    assert [p.name for p in tmp_path.iterdir()] == ["RAVDESS"], "nothing else is left"
    for channel, n in (("speech", 1440), ("song", 1012), ("both", 2452)):
        result, rejected = corpora.read({"name": "ravdess", "root": "RAVDESS", "channel": channel}, tmp_path)
        assert (len(result), rejected) == (n, [])
    n_asked = len(server.asked)
    assert get("ravdess", tmp_path, server) == [f"{tmp_path / 'RAVDESS'}: complete; nothing was fetched"]
    assert len(server.asked) == n_asked
    (tmp_path / "RAVDESS" / SPEECH[0]).unlink()
    assert "RAVDESS is there, but has 2451 of 2452 clips. Move it away" in refused("ravdess", tmp_path, server)


def test_the_licence_is_shown_before_anything_is_asked_for(emodb_server, tmp_path):
    asked = {}
    say = lambda line: asked.setdefault(line.partition(":")[0], len(emodb_server.asked))  # noqa: E731
    install.get("emodb", tmp_path, say=say, mirror=emodb_server.url, wait=0.0)
    assert asked["licence"] == 0 and len(emodb_server.asked) == 1


def test_checksums_are_those_of_the_corpus_card():
    for file in plugins.get("corpora", "ravdess").constants["DOWNLOAD"]["files"]:
        assert file["md5"] in ravdess.__doc__ and Path(file["url"]).name in ravdess.__doc__


def test_a_connection_that_breaks_is_gone_on_with(emodb_server, tmp_path):
    whole = len(emodb_server.files[EMODB])
    emodb_server.cut = [5000, 7000]
    get("emodb", tmp_path, emodb_server)
    assert [asked for _, asked in emodb_server.asked] == [None, "bytes=5000-", "bytes=12000-"] and whole > 12000
    assert (tmp_path / "EMO-DB" / "wav" / "03a01Fa.wav").read_bytes() == b"wav/03a01Fa.wav" * 999


def test_a_connection_that_stays_broken_is_gone_on_with_by_the_next_run(emodb_server, tmp_path):
    emodb_server.cut = [3000, 0, 0, 0, 0]
    message = refused("emodb", tmp_path, emodb_server)
    assert "lost after 3000 bytes" in message and "Run the same command again: it goes on there." in message
    assert not (tmp_path / "EMO-DB").exists()
    emodb_server.asked.clear()
    get("emodb", tmp_path, emodb_server)
    assert [asked for _, asked in emodb_server.asked] == ["bytes=3000-"]


def test_a_server_that_cannot_go_on_sends_it_all_again(emodb_server, tmp_path):
    emodb_server.cut, emodb_server.ranges = [5000], False
    get("emodb", tmp_path, emodb_server)
    assert [asked for _, asked in emodb_server.asked] == [None, "bytes=5000-"]
    assert (tmp_path / "EMO-DB" / "wav" / "03a01Wa.wav").stat().st_size == 15 * 999


def test_nobody_listening_is_one_line(tmp_path, server):
    server.server_close()
    assert "no connection" in refused("emodb", tmp_path, server)


def test_a_file_that_is_not_there_is_one_line(server, tmp_path):
    message = refused("emodb", tmp_path, server)
    assert message == f"{server.url}{EMODB}: the server answers 404 Not Found. It may have moved."
    assert len(server.asked) == 1, "it is not asked for again"


def test_a_part_that_is_whole_gets_its_name_and_a_foreign_one_is_begun_anew(server, session, tmp_path):
    server.files["/x"] = b"0123456789"
    for there in (b"0123456789", b"0123456789 and more"):
        (tmp_path / "x.part").write_bytes(there)
        fetch.fetch(f"{server.url}/x", tmp_path / "x", session=session, wait=0.0)
        assert (tmp_path / "x").read_bytes() == b"0123456789"
        (tmp_path / "x").unlink()


def test_another_checksum_is_refused_and_what_came_is_removed(server, session, tmp_path):
    server.files["/x"] = b"tampered"
    with pytest.raises(DataError, match=r"its MD5 is [0-9a-f]{32}, not 0{32} as published; it was removed"):
        fetch.fetch(f"{server.url}/x", tmp_path / "x", session=session, md5="0" * 32)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_named_before_it_is_full(emodb_server, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "SPARE", 1 << 60)
    assert "GB are free. Use another disk." in refused("emodb", tmp_path, emodb_server)
    assert not list(tmp_path.rglob("*.part"))


def test_a_disk_too_full_to_unpack_costs_no_second_download(emodb_server, tmp_path, monkeypatch):
    def full(folder, n):
        raise fetch.NoRoom(f"{folder}: no room for {n} bytes")

    with monkeypatch.context() as patch:
        patch.setattr(unpack, "need_space", full)
        assert "no room" in refused("emodb", tmp_path, emodb_server)
    get("emodb", tmp_path, emodb_server)
    assert len(emodb_server.asked) == 1


def linked(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zip_link(name: str, target: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, target)
    return buffer.getvalue()


def bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("wav/03a01Fa.wav", bytes(10**7))
    return buffer.getvalue()


def lying_zip() -> bytes:
    """Return a zip whose directory announces 4 bytes for a member of 4000."""
    content = bytearray(zipped(["wav/03a01Fa.wav"], lambda name: b"x" * 4000))
    entry = content.index(b"PK\1\2")
    content[entry + 24 : entry + 28] = (4).to_bytes(4, "little")
    return bytes(content)


ATTACKS = {
    "zip ..": (zipped(["../evil.wav"]), "'../evil.wav' would lie outside"),
    "zip inner ..": (zipped(["wav/../../evil.wav"]), "would lie outside"),
    "zip absolute": (zipped(["/evil.wav"]), "would lie outside"),
    "zip backslashes": (zipped(["..\\evil.wav"]), "would lie outside"),
    "zip drive": (zipped(["C:/evil.wav"]), "would lie outside"),
    "zip link": (zip_link("wav", "/"), "'wav' is a link or device"),
    "zip bomb": (bomb(), "unpacks to more than 50 times its size"),
    "zip that lies": (lying_zip(), "damaged, or no archive"),
    "tar ..": (tarred(("../evil.wav", b"x")), "would lie outside"),
    "tar absolute": (tarred(("/evil.wav", b"x")), "would lie outside"),
    "tar link": (tarred(linked("out", "/"), ("out/evil.wav", b"x")), "'out' is a link or device"),
    "tar hard link": (tarred(linked("out", "/etc/hosts", tarfile.LNKTYPE)), "'out' is a link or device"),
    "tar bomb": (tarred(("wav/03a01Fa.wav", bytes(10**7))), "unpacks to more than 50 times its size"),
    "half a tar": (tarred(("wav/03a01Fa.wav", bytes(range(256)) * 40))[:-60], "damaged, or no archive"),
    "no archive": (b"<html>Sorry</html>", "damaged, or no archive"),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_leaves_the_folder(attack, server, tmp_path):
    content, message = ATTACKS[attack]
    server.files[EMODB] = content
    there = tmp_path / "corpora"
    assert f"download.zip: {message}".split(":")[0] in (said := refused("emodb", there, server)) and message in said
    assert not list(tmp_path.rglob("evil*")) and not list(tmp_path.rglob("*.zip")), "the archive is not kept either"
    assert [p.name for p in tmp_path.iterdir()] == ["corpora"] and not (there / "EMO-DB").exists()
    assert not any(p.is_symlink() for p in tmp_path.rglob("*"))


def test_a_harmless_tar_unpacks(tmp_path):
    (tmp_path / "x.tar.gz").write_bytes(tarred(("a/b.wav", b"sound"), ("c.csv", b"x")))
    unpack.unpack(tmp_path / "x.tar.gz", tmp_path / "to")
    assert (tmp_path / "to" / "a" / "b.wav").read_bytes() == b"sound" and (tmp_path / "to" / "c.csv").exists()


def test_a_corpus_that_is_not_whole_does_not_take_its_place(server, tmp_path):
    server.files[EMODB] = zipped(["wav/03a01Fa.wav"])
    message = refused("emodb", tmp_path, server)
    assert message.startswith("emodb was fetched, but has 1 of 535 clips. What is there lies in")
    assert not (tmp_path / "EMO-DB").exists() and (tmp_path / ".EMO-DB.download" / "tree" / "wav").is_dir()


def test_two_at_a_time_are_one_too_many(emodb_server, tmp_path):
    (tmp_path / ".EMO-DB.download").mkdir()
    with install.FileLock(tmp_path / ".EMO-DB.download" / "lock"):
        assert "another process is fetching emodb" in refused("emodb", tmp_path, emodb_server)


def test_meld_with_archives_in_its_archive(server, tmp_path, monkeypatch):
    header = b"Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID\n"
    small(monkeypatch, meld, {"happy": 2})
    train = tarred(
        ("train/train_splits/dia0_utt0.mp4", b"x"), ("train/train_sent_emo.csv", header + b"1,a,b,joy,x,0,0")
    )
    test = tarred(("output_repeated_splits_test/dia0_utt0.mp4", b"x"), ("output_repeated_splits_test/._dia0", b"x"))
    files = (("MELD.Raw/train.tar.gz", train), ("MELD.Raw/test.tar.gz", test),
             ("MELD.Raw/test_sent_emo.csv", header + b"1,a,b,joy,x,0,0"))  # fmt: skip
    server.files["/~mihalcea/downloads/MELD.Raw.tar.gz"] = tarred(*files)
    get("meld", tmp_path, server)
    result, rejected = corpora.read({"name": "meld", "root": "MELD"}, tmp_path)
    assert [u.split for u in result] == ["test", "train"] and not rejected
    assert not list((tmp_path / "MELD").rglob("*.tar.gz"))


def crema_files(server, names) -> None:
    raw, media = "/CheyneyComputerScience/CREMA-D/master", "/media/CheyneyComputerScience/CREMA-D/master/AudioWAV"
    server.files |= {
        f"{raw}/VideoDemographics.csv": b'"ActorID","Age","Sex"\n1001,51,"Male"\n1002,21,"Female"\n',
        f"{raw}/processedResults/tabulatedVotes.csv": b'"","A","D","F","H","N","S","fileName"\n',
        f"{raw}/SentenceFilenames.csv": b'"Stimulus_Number","Filename"\n'
        + b"".join(f'{i},"{n}"\n'.encode() for i, n in enumerate(names)),
        **{f"{media}/{n}.wav": n.encode() for n in names},
    }


def test_crema_d_comes_file_by_file_and_goes_on_with_those_that_lack(server, tmp_path, monkeypatch):
    names = [f"{actor}_DFA_ANG_XX" for actor in crema_d.ACTORS[:20]]
    small(monkeypatch, crema_d, {"angry": 20})
    crema_files(server, names)
    kept = server.files.pop(lost := f"/media/CheyneyComputerScience/CREMA-D/master/AudioWAV/{names[9]}.wav")
    assert f"{names[9]}.wav: the server answers 404" in refused("crema_d", tmp_path, server)
    server.files[lost] = kept
    before = [path for path, _ in server.asked if path.endswith(".wav") and path != lost]
    server.asked.clear()
    get("crema_d", tmp_path, server)
    again = [path for path, _ in server.asked]
    assert lost in again and not set(before) & set(again), "what is there is not fetched twice"
    result, _ = corpora.read({"name": "crema_d", "root": "CREMA-D"}, tmp_path)
    assert len(result) == 20 and (result[0].sex, result[1].sex, result[1].age) == ("male", "female", "21")


def test_crema_d_pointers_do_not_pass_for_clips(server, tmp_path, monkeypatch):
    small(monkeypatch, crema_d, {"angry": 2})
    crema_files(server, names := ["1001_DFA_ANG_XX", "1002_DFA_ANG_XX"])
    wav = f"/media/CheyneyComputerScience/CREMA-D/master/AudioWAV/{names[0]}.wav"
    server.files[wav] = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    assert "has 1 of 2 clips" in refused("crema_d", tmp_path, server)


TESS = "/api/datasets/:persistentId/?persistentId=doi:10.5683/SP2/E8H2MF"


def listing(*files: dict) -> bytes:
    return json.dumps({"status": "OK", "data": {"latestVersion": {"files": [{"dataFile": f} for f in files]}}}).encode()


def test_tess_comes_by_the_list_of_its_dataverse_with_its_checksums(server, tmp_path, monkeypatch):
    small(monkeypatch, tess, {"fear": 1, "surprise": 1})
    sounds = {"7": ("OAF_lid_fear.wav", b"fear"), "8": ("YAF_lid_ps.wav", b"surprise")}
    files = [{"id": int(i), "filename": name, "md5": hashlib.md5(c).hexdigest()} for i, (name, c) in sounds.items()]
    server.files = {TESS: listing(*files)} | {f"/api/access/datafile/{i}": c for i, (_, c) in sounds.items()}
    server.files["/api/access/datafile/8"] = b"tampered"
    assert "datafile/8: its MD5 is" in refused("tess", tmp_path, server)
    server.files["/api/access/datafile/8"] = b"surprise"
    get("tess", tmp_path, server)
    assert sorted(p.name for p in (tmp_path / "TESS").iterdir()) == ["OAF_lid_fear.wav", "YAF_lid_ps.wav"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"<html>", "the answer is no list of a Dataverse's files"),
        (b'{"data": {}}', "the answer is no list of a Dataverse's files"),
        (listing({"id": 1, "filename": "../evil.wav"}), "'../evil.wav' would lie outside"),
    ],
)
def test_a_list_that_is_none_or_attacks_is_refused(server, tmp_path, answer, message):
    server.files = {TESS: answer, "/api/access/datafile/1": b"x"}
    assert message in refused("tess", tmp_path, server)
    assert not list(tmp_path.rglob("evil*"))


@pytest.mark.parametrize("name", ["savee", "casia", "iemocap", "folders", "demo"])
def test_the_others_are_answered_with_where_to_apply(name, tmp_path, server):
    message = refused(name, tmp_path, server)
    assert plugins.get("corpora", name).constants["SOURCE"] in message
    assert not server.asked and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name", [name for name, plugin in plugins.every("corpora").items() if "DOWNLOAD" in plugin.constants]
)
def test_what_can_be_downloaded_says_its_licence_and_lands_where_the_parser_looks(name):
    plugin = plugins.get("corpora", name)
    about = plugin.constants["DOWNLOAD"]
    assert "http" in about["licence"] and "\n" not in about["licence"] and corpora.published({"name": name})
    assert (
        f"{about['folder']}/" in plugin.constants["SOURCE"] and f"corpora.download {name}" in plugin.constants["SOURCE"]
    )
    assert all(file["url"].startswith(("https://", "http://")) for file in about["files"])


def test_the_command(emodb_server, tmp_path, capsys):
    assert command.main(["emodb", "--to", str(tmp_path), "--mirror", emodb_server.url]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[1].startswith("licence: ") and said[-1] == f"{tmp_path / 'EMO-DB'}: complete, 2 clips"
    with pytest.raises(ConfigError, match="Did you mean 'emodb'"):
        command.main(["emo-db", "--to", str(tmp_path)])
    with pytest.raises(SystemExit) as stop:
        command.main(["--help"])
    text = capsys.readouterr().out
    assert stop.value.code == 0 and "python -m corpora.download ravdess" in text
    assert max(len(line) for line in text.splitlines()) <= 80
