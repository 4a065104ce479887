"""A photograph of the web page: a server of our own, Chromium by Playwright, one uploaded clip."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from utils.errors import ConfigError
from utils.plugins import ROOT

SECONDS = 60  # the longest wait for the server or for an element of the page
WIDTH, SCALE = 1280, 0.75  # of the window in CSS pixels; of the picture
COVERAGE = "90%"  # the label set that is chosen


def photograph(path: Path, checkpoints: Path, run: str, clip: Path) -> str:
    """Write a PNG of the whole page with one clip and a label set; return the emotion that it names.

    Args:
        path: of the PNG.
        checkpoints: the folder of the checkpoints that the page offers.
        run: the checkpoint that is chosen.
        clip: the file that is uploaded.

    Raises:
        ConfigError: Chromium is not installed, or the page does not start.
    """
    from playwright.sync_api import sync_playwright  # of requirements-dev.txt, as the documentation's other tools

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if not chromium:
        raise ConfigError("no Chromium: apt-get install chromium.")
    with tempfile.TemporaryDirectory() as offered, sync_playwright() as playwright:
        (Path(offered) / run).symlink_to((checkpoints / run).resolve())
        with _served(Path(offered)) as address:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": WIDTH, "height": 900}, device_scale_factor=SCALE)
            page.set_default_timeout(1000 * SECONDS)
            page.goto(address)
            page.get_by_text("Or record from the microphone").wait_for()
            page.get_by_label("Label set").click()
            page.get_by_role("option").filter(has_text=COVERAGE).click()
            page.locator("input[type=file]").first.set_input_files(clip)
            page.get_by_alt_text("Spectrogram: ").wait_for()
            emotion = page.get_by_role("heading", level=2).inner_text()
            height = page.evaluate("document.querySelector('[data-testid=stMain] > *').scrollHeight")
            page.set_viewport_size({"width": WIDTH, "height": height})  # the page scrolls inside, not as a document
            page.wait_for_timeout(1000)
            page.screenshot(path=path)
            browser.close()
    return emotion


@contextmanager
def _served(checkpoints: Path) -> Iterator[str]:
    """Run the page on a free port; yield its address once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "STREAMLIT_SERVER_PORT": str(port), "STREAMLIT_SERVER_ADDRESS": "127.0.0.1",
        "STREAMLIT_SERVER_HEADLESS": "true", "SER_CHECKPOINTS": str(checkpoints),
    }  # fmt: skip
    command = [sys.executable, "-m", "streamlit", "run", "app.py"]
    server = subprocess.Popen(command, cwd=ROOT, env=os.environ | settings, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + SECONDS
        while not _answers(f"http://127.0.0.1:{port}/_stcore/health"):
            if server.poll() is not None or time.monotonic() > deadline:
                raise ConfigError(f"{' '.join(command)}: does not answer.")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(20)


def _answers(address: str) -> bool:
    try:
        urlopen(address, timeout=5).close()
    except (URLError, ConnectionError):
        return False
    return True
