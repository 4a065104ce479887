"""extract_feats.download against a server of the test's own: only the encoder's bytes, resumed, checked."""

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save

from extract_feats import whisper
from extract_feats.convert import whisper_graph
from extract_feats.download import __main__ as command
from extract_feats.download import tensors
from extract_feats.download.whisper import get
from tests import toy_encoders
from tests.local_server import LocalServer
from utils.download import fetch, ranges
from utils.errors import ConfigError, DataError

PATH = "/openai/whisper-tiny/resolve/main/model.safetensors"
TENSORS = toy_encoders.whisper_tensors(width=64, blocks=3)


def with_decoder(dtype=np.float32) -> bytes:
    """Return a file as the hub has it: the decoder's tensors before and behind the encoder's."""
    rng = np.random.default_rng(5)
    decoder = {f"model.decoder.layers.{n}.fc1.weight": rng.normal(size=(400, 64)) for n in range(3)}
    more = {"proj_out.weight": rng.normal(size=(900, 64))}
    every = {name: values.astype(dtype) for name, values in (decoder | TENSORS | more).items()}
    return save(every, metadata={"format": "pt"})


class Server(LocalServer):
    """Serves one file by ranges; ``cut``: bytes after which each of the next long answers is ended."""

    def __init__(self, content: bytes):
        super().__init__(Handler)
        self.content, self.tag = content, '"one"'
        self.sent = 0  # bytes
        self.asked: list[str | None] = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server, asked = self.server, self.headers.get("Range")
        server.asked.append(asked)
        if self.path != PATH:
            self.send_error(404)
            return
        whole = len(server.content)
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", asked or "")
        start, end = (int(match[1]), min(int(match[2]) + 1, whole)) if match and server.ranges else (0, whole)
        if start >= whole:
            self.send_error(416)
            return
        self.send_response(206 if match and server.ranges else 200)
        if match and server.ranges:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{whole}")
        self.send_header("ETag", server.tag)
        self.send_header("Content-Length", str(end - start))
        self.end_headers()
        stop = start + server.cut.pop(0) if server.cut and end - start > 10_000 else end
        self.wfile.write(server.content[start:stop])
        server.sent += stop - start
        self.close_connection = stop < end

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(ranges, "BLOCK", 1000)  # what a broken connection may lose
    with Server(with_decoder()) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def bring(to: Path, server: Server, blocks: int = 3, **options) -> list[str]:
    lines: list[str] = []
    get("whisper-tiny", to, blocks=blocks, say=lines.append, mirror=server.url, wait=0.0, **options)
    return lines


def refused(to: Path, server: Server, **options) -> str:
    with pytest.raises((DataError, ConfigError)) as error:
        bring(to, server, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def wanted(blocks: int) -> dict[str, np.ndarray]:
    beyond = tuple(f"{whisper_graph.PREFIX}layers.{n}." for n in range(blocks, 3))
    return {name: values for name, values in TENSORS.items() if not name.startswith(beyond)}


def test_only_the_encoders_bytes_are_fetched_and_the_graph_is_made(server, tmp_path):
    lines = bring(tmp_path, server)
    folder = tmp_path / "whisper-tiny"
    fetched = load_file(folder / "model.safetensors")
    assert set(fetched) == set(TENSORS)
    for name, values in TENSORS.items():
        np.testing.assert_array_equal(fetched[name], values)
    header = 8 + int.from_bytes(server.content[:8], "little")
    assert server.sent == header + sum(values.nbytes for values in TENSORS.values()) < 0.7 * len(server.content)
    assert len(server.asked) == 3, "length, header, and one range for all tensors, which are neighbours"
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert (folder / "model.safetensors.sha256").read_text() == f"{digest}  model.safetensors\n"
    assert lines[1].startswith("licence: MIT") and digest in lines[2]
    assert lines[3].endswith("MB, 3 blocks, full") and (folder / "encoder.onnx").is_file()
    wave = np.random.default_rng(0).normal(0, 0.1, 8000).astype(np.float32)
    assert whisper.extract(wave, 16000, model=str(folder), layers=[3]).shape == (128,)
    assert not list(folder.glob("*.part*"))


def test_only_the_blocks_that_are_asked_for(server, tmp_path):
    bring(tmp_path, server, blocks=1)
    assert set(load_file(tmp_path / "whisper-tiny" / "model.safetensors")) == set(wanted(1))
    header = 8 + int.from_bytes(server.content[:8], "little")
    assert server.sent == header + sum(values.nbytes for values in wanted(1).values())
    lines = bring(tmp_path, server, blocks=2)
    assert set(load_file(tmp_path / "whisper-tiny" / "model.safetensors")) == set(wanted(2))
    assert "2 blocks" in lines[-1], "more blocks are fetched, and the graph is made anew"
    assert "from 1 to 3, got 4" in refused(tmp_path, server, blocks=4)


def test_a_second_run_fetches_nothing_and_checks_the_digest(server, tmp_path):
    bring(tmp_path, server)
    server.asked.clear()
    lines = bring(tmp_path, server, blocks=2, precision="int8")
    assert not server.asked and "as fetched; nothing was fetched" in lines[2] and "2 blocks, int8" in lines[3]
    assert bring(tmp_path, server)[-1].endswith("there, 3 blocks")
    weights = tmp_path / "whisper-tiny" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert re.search(r"its sha256 is [0-9a-f]{64}, not [0-9a-f]{64} as fetched", refused(tmp_path, server))
    weights.write_bytes(b"<html>")
    assert "damaged" in refused(tmp_path, server)


def test_a_file_that_the_user_put_there_is_converted(server, tmp_path):
    (tmp_path / "whisper-tiny").mkdir()
    (tmp_path / "whisper-tiny" / "model.safetensors").write_bytes(with_decoder(np.float16))
    lines = bring(tmp_path, server)
    assert not server.asked and "not fetched by this program" in lines[2] and "3 blocks, full" in lines[3]


def test_a_broken_connection_is_gone_on_with(server, tmp_path):
    server.cut = [50_000, 70_000]
    bring(tmp_path, server)
    start, end = (int(n) for n in server.asked[2].removeprefix("bytes=").split("-"))
    assert server.asked[3:] == [f"bytes={start + 50_000}-{end}", f"bytes={start + 120_000}-{end}"]
    fetched = load_file(tmp_path / "whisper-tiny" / "model.safetensors")
    assert all((fetched[name] == values).all() for name, values in TENSORS.items())


def test_a_connection_that_stays_broken_is_gone_on_with_by_the_next_run(server, tmp_path):
    server.cut = [60_000, 0, 0, 0, 0]
    assert "Run the same command again: it goes on there." in refused(tmp_path, server)
    assert not (tmp_path / "whisper-tiny" / "model.safetensors").exists()
    server.asked.clear()
    server.sent = 0
    bring(tmp_path, server)
    header = 8 + int.from_bytes(server.content[:8], "little")
    assert server.sent == header + sum(values.nbytes for values in TENSORS.values()) - 60_000
    assert set(load_file(tmp_path / "whisper-tiny" / "model.safetensors")) == set(TENSORS)


def test_a_part_that_is_whole_is_not_fetched_again(server, tmp_path, monkeypatch):
    def full(part, to):
        raise OSError("no room")

    with monkeypatch.context() as patch:
        patch.setattr("extract_feats.download.whisper.finish", full)
        with pytest.raises(OSError, match="no room"):
            bring(tmp_path, server)
    server.asked.clear()
    bring(tmp_path, server)
    assert len(server.asked) == 2, "the header alone"


def test_a_part_of_another_version_is_begun_anew(server, tmp_path):
    server.cut = [60_000, 0, 0, 0, 0]
    refused(tmp_path, server)
    server.tag, server.sent = '"two"', 0
    bring(tmp_path, server)
    assert server.sent > sum(values.nbytes for values in TENSORS.values())


def test_a_file_that_is_replaced_meanwhile_is_refused(server, tmp_path):
    url = server.url + PATH
    with tensors.requests.Session() as session:
        header = tensors.read_header(url, session=session)
        server.tag = '"two"'
        with pytest.raises(DataError, match="was replaced while it was fetched"):
            tensors.fetch_tensors(url, header, TENSORS, tmp_path / "x", session=session)


def test_a_server_without_ranges_is_one_line(server, tmp_path):
    server.ranges = False
    assert "does not send parts of a file (HTTP ranges)" in refused(tmp_path, server)
    assert len(server.asked) == 1


def foreign(header: dict | bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(64)


def entry(name: str, **changed) -> dict:
    return {whisper_graph.PREFIX + name: {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]} | changed}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html>Not found</html>", "does not begin with the length of its header"),
        (b"short", "has fewer than 8 bytes|does not send parts"),
        (foreign(b"{no JSON"), "its header cannot be read"),
        (foreign(b"[]"), "its header cannot be read"),
        (foreign(entry("layers.0.fc1.weight", data_offsets=[0, 999])), "is not where it is said to be"),
        (foreign(entry("layers.0.fc1.weight", shape=[5])), "is not where it is said to be"),
        (foreign(entry("layers.0.fc1.weight", dtype="F32x")), "its header cannot be read"),
        (foreign(entry("layers.0.fc1.weight", dtype="BF16", shape=[8])), "tensors of the type BF16"),
        (foreign({"decoder.weight": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}), "from 1 to 0"),
    ],
)
def test_what_is_no_whisper_is_refused_in_one_line(content, message, server, tmp_path):
    server.content = content
    assert re.search(message, refused(tmp_path, server, blocks=1))
    assert not (tmp_path / "whisper-tiny" / "model.safetensors").exists()


def test_other_mistakes_cost_one_line(server, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=r"no encoder 'wisper-base'\. Did you mean 'whisper-base'"):
        get("wisper-base", tmp_path, blocks=1, say=print)
    with pytest.raises(DataError, match="the server answers 404"):
        get("whisper-base", tmp_path, blocks=1, say=lambda line: None, mirror=server.url)
    monkeypatch.setattr(fetch, "SPARE", 1 << 60)
    assert "GB are free. Use another disk." in refused(tmp_path, server)


def test_the_error_of_a_missing_encoder_names_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("SER_PRETRAINED", str(tmp_path))
    with pytest.raises(ConfigError, match=r"Get it: python -m extract_feats\.download whisper-base --blocks 4$"):
        whisper.layout()
    with pytest.raises(ConfigError, match=r"download whisper-base --blocks 2 --precision int8 --to /elsewhere$"):
        whisper.layout(model="/elsewhere/whisper-base", layers=[2], precision="int8")


def test_the_command(server, tmp_path, capsys):
    options = ["--to", str(tmp_path), "--mirror", server.url, "--blocks", "2", "--precision", "half"]
    assert command.main(["whisper-tiny", *options]) == 0
    assert (tmp_path / "whisper-tiny" / "encoder-half.onnx").is_file()
    assert capsys.readouterr().out.splitlines()[1].startswith("licence: MIT")
