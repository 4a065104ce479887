"""What Streamlit Community Cloud needs lies where it looks: requirements by the entry point, settings in the root."""

import os
import subprocess
import sys
import tomllib

import pytest
from streamlit.testing.v1 import AppTest

from utils import plugins

FOLDER = plugins.ROOT / "deploy" / "streamlit"


@pytest.fixture(autouse=True)
def main_module(monkeypatch):
    """Put back what AppTest leaves in place of the main module: processes that later tests spawn would run the page."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


def lines(path) -> list[str]:
    """Return what a requirements file asks for, files that it includes as well."""
    result = []
    for line in path.read_text(encoding="utf8").splitlines():
        line = line.partition("#")[0].strip()
        result += lines(path.parent / line.removeprefix("-r ")) if line.startswith("-r ") else [line] if line else []
    return result


def test_the_requirements_are_those_of_prediction_with_streamlit():
    result = lines(FOLDER / "requirements.txt")
    assert result == lines(plugins.ROOT / "requirements-serve.txt")
    assert any(line.startswith("streamlit==") for line in result) and len(result) == len(set(result)) > 5


def test_the_files_are_named_in_the_readme_and_known_to_git():
    said = (FOLDER / "README.md").read_text(encoding="utf8")
    for name in ("deploy/streamlit/streamlit_app.py", ".streamlit/config.toml", "web/uploads.py"):
        assert f"`{name}`" in said and (plugins.ROOT / name).is_file()
    if (plugins.ROOT / ".git").exists():
        asked = ["deploy/streamlit/requirements.txt", ".streamlit/config.toml", "checkpoints/x"]
        done = subprocess.run(["git", "check-ignore", *asked], cwd=plugins.ROOT, capture_output=True, text=True)
        assert done.stdout.split() == ["checkpoints/x"]
    settings = tomllib.loads((plugins.ROOT / ".streamlit" / "config.toml").read_text(encoding="utf8"))
    assert f"50 files of {settings['server']['maxUploadSize']} MB" in said


def test_the_entry_point_draws_the_page_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SER_CHECKPOINTS", str(tmp_path))
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path not in ("", ".", str(plugins.ROOT))])
    page = AppTest.from_file(FOLDER / "streamlit_app.py", default_timeout=60).run()
    assert not page.exception and page.title[0].value == "Speech emotion recognition"
    assert "No checkpoint here" in page.error[0].value and os.getcwd() == str(tmp_path)
