"""The web page in a real browser: Debian's Chromium by Playwright, against a server on a free port."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from toy import outcome, write_config

import predict
import preprocess
import train
from utils import plugins

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="no Chromium: apt-get install chromium")]
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
WAIT_MS = 60_000


@pytest.fixture(scope="module")
def zoo(demo_root, tmp_path_factory):
    """Return a folder with one trained checkpoint."""
    folder = tmp_path_factory.mktemp("browser")
    config = write_config(folder, "plain", split={"by": "speaker", "folds": 2, "holdout": ["m08"]})
    common = ["--config", str(config), "--features", str(folder / "features")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SER_DATA", str(demo_root.parent))
        assert preprocess.main([*common, "--jobs", "1"]) == 0
        assert train.main([*common, "--checkpoints", str(folder / "checkpoints")]) == 0
    return folder / "checkpoints"


@pytest.fixture(scope="module")
def temporary(tmp_path_factory):
    """Return the folder in which the server may put temporary files."""
    return tmp_path_factory.mktemp("temporary")


@contextmanager
def served(command: list[str], **settings: str) -> Iterator[str]:
    """Run a server of the page on a free port; yield its address once it is up."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings |= {"STREAMLIT_SERVER_PORT": str(port), "STREAMLIT_SERVER_ADDRESS": "127.0.0.1"}
    settings |= {"STREAMLIT_SERVER_HEADLESS": "true"}
    server = subprocess.Popen(
        command, cwd=plugins.ROOT, env=os.environ | settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5).close()
                break
            except OSError:
                assert server.poll() is None, server.stdout.read().decode()
                time.sleep(0.1)
        else:
            raise AssertionError(f"{command} does not answer")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture(scope="module")
def address(zoo, temporary):
    """Return the address of a server of its own, started as the README says."""
    settings = {"SER_CHECKPOINTS": str(zoo), "TMPDIR": str(temporary), "HOME": str(zoo)}
    with served([sys.executable, "-m", "streamlit", "run", "app.py"], **settings) as result:
        yield result


@pytest.fixture(scope="module")
def clip(demo_root):
    return demo_root / "m08" / "m08_sad_1.wav"


@pytest.fixture
def browse(address, tmp_path):
    """Return a function that opens a page in a new browser, of this width and with these switches."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = []

        def visit(width=1280, *switches, at=address):
            browser = playwright.chromium.launch_persistent_context(
                str(tmp_path / "profile"), executable_path=CHROMIUM, args=[*QUIET, *switches],
                viewport={"width": width, "height": 900}, headless=True,
            )  # fmt: skip
            opened.append(browser)
            page = browser.new_page()
            page.set_default_timeout(WAIT_MS)
            page.goto(at)
            page.get_by_text("Or record from the microphone").wait_for()
            return page

        yield visit
        for browser in opened:
            browser.close()


@pytest.fixture
def said(zoo, clip, monkeypatch, capsys, tmp_path):
    """Return what predict.py says of the clip."""
    monkeypatch.chdir(tmp_path)
    _, out, _ = outcome(predict.main, monkeypatch, capsys, "--checkpoint", zoo / "plain", "--json", clip)
    return json.loads(out)


def test_an_uploaded_wav_gets_predicts_answer_at_any_width_and_leaves_nothing(browse, clip, said, temporary):
    page = browse()
    page.locator("input[type=file]").first.set_input_files(clip)
    page.get_by_role("heading", level=2).wait_for()
    assert page.get_by_role("heading", level=2).inner_text() == said["emotion"]
    for label, p in said["probabilities"].items():
        page.get_by_text(f"{label} {p:.1%}", exact=True).wait_for()
    page.get_by_alt_text("Waveform: ").wait_for()
    assert page.locator("img[alt^='Probabilities: ']").count() == 1
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, "the page must not scroll sideways"
    left = {path.name for path in temporary.rglob("*") if path.is_file()}
    assert left <= {".ses"}, "nothing may be kept on disk; .ses is a number that onnxruntime writes when it is loaded"


def test_many_files_give_predicts_csv_and_what_is_no_sound_is_refused(browse, clip, said, tmp_path):
    (tmp_path / "notes.txt").write_text("some words", encoding="utf8")
    page = browse(390)
    page.locator("input[type=file]").first.set_input_files(tmp_path / "notes.txt")
    page.get_by_role("alert").wait_for()
    assert "notes.txt: not audio that can be read" in page.get_by_role("alert").inner_text().replace("\n", "")
    page.locator("input[type=file]").first.set_input_files(clip)
    page.get_by_text("2 files, 1 of them could not be judged.").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Table of plain (CSV)").click()
    header, *rows = download.value.path().read_text(encoding="utf8").splitlines()
    assert header == ",".join(
        ["file", "emotion", *(f"p_{label}" for label in said["probabilities"]), "hints", "warning", "error"]
    )
    expected = [clip.name, said["emotion"], *map(str, said["probabilities"].values()), "", "", ""]
    assert ",".join(expected) in rows and any(row.startswith("notes.txt,,") for row in rows)


def test_the_microphone_is_recorded_and_answered(browse, clip):
    page = browse(
        1280, "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={clip}",
    )  # fmt: skip
    page.get_by_role("button", name="Record", exact=True).click()
    page.get_by_role("button", name="Stop recording").wait_for()
    page.wait_for_timeout(2500)
    page.get_by_role("button", name="Stop recording").click()
    page.get_by_role("heading", level=2).wait_for()
    heard = page.get_by_alt_text("Waveform: ").get_attribute("alt")
    assert float(heard.split()[1]) > 1 and float(heard.partition("peak ")[2].split()[0]) > -40


def test_the_script_is_the_same_page_on_a_folder_of_its_own(browse, zoo, tmp_path):
    with served([sys.executable, "app.py", "--checkpoints", str(zoo)], HOME=str(tmp_path)) as result:
        browse(at=result).get_by_text("plain", exact=True).first.wait_for()
