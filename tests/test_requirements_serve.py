"""requirements-serve.txt is enough for prediction and the web page: with nothing else importable, they answer."""

import json
import re
import subprocess
import sys
import venv
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from toy import write_config

import preprocess
import train
from utils.plugins import ROOT

REQUIREMENTS = ROOT / "requirements-serve.txt"
ONLY = """
import sys
ALLOWED = set({allowed!r})

class Refuse:
    @staticmethod
    def find_spec(name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in ALLOWED and not top.startswith("_sysconfigdata"):  # of Python's own, named after the platform
            raise ModuleNotFoundError(f"No module named {{name!r}} by requirements-serve.txt", name=name)

sys.meta_path.insert(0, Refuse)
sys.path.insert(0, {root!r})
"""


@pytest.fixture(scope="module")
def checkpoint(demo_root, tmp_path_factory) -> Path:
    """Return an SVM on openSMILE's functionals, trained on the demo's voices."""
    folder = tmp_path_factory.mktemp("serve")
    features = {"name": "opensmile", "set": "eGeMAPSv02"}
    config = write_config(folder, "vector", features=features, split={"by": "speaker", "folds": 2, "holdout": ["m08"]})
    common = ["--config", str(config), "--features", str(folder / "features")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SER_DATA", str(demo_root.parent))
        assert preprocess.main([*common, "--jobs", "1"]) == 0
        assert train.main([*common, "--checkpoints", str(folder)]) == 0
    return folder / "vector"


def normal(name: str) -> str:
    """Return a distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def stated(path: Path) -> Iterator[Requirement]:
    """Yield what a requirements file asks for."""
    for line in path.read_text(encoding="utf8").splitlines():
        if line := line.partition("#")[0].strip():
            yield Requirement(line)


def closure(needs: Iterable[Requirement]) -> set[str]:
    """Return the distributions that installing these brings: those stated, and all that they require."""
    waiting, known = [(need, "") for need in needs], set()
    while waiting:
        need, extra = waiting.pop()
        if need.marker and not need.marker.evaluate({"extra": extra}):
            continue
        for wanted in ("", *need.extras):
            if (normal(need.name), wanted) not in known:
                known.add((normal(need.name), wanted))
                waiting += [(Requirement(more), wanted) for more in metadata.requires(need.name) or []]
    return {name for name, _ in known}


def importable(distributions: set[str]) -> set[str]:
    """Return the top-level modules of these distributions, of Python itself and of this project."""
    theirs = {
        module
        for module, names in metadata.packages_distributions().items()
        if distributions & {normal(name) for name in names}
    }
    ours = {path.name for path in ROOT.iterdir() if path.is_dir() and path.name.isidentifier()} | {
        path.stem for path in ROOT.glob("*.py")
    }
    return theirs | ours | set(sys.stdlib_module_names) | {"__main__", "__mp_main__"}


def run_with_only(allowed: set[str], code: str, folder: Path) -> str:
    """Run code in a fresh Python that can import these modules alone; return its output."""
    whole = ONLY.format(allowed=sorted(allowed), root=str(ROOT)) + code
    done = subprocess.run(
        [sys.executable, "-c", whole], cwd=folder, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def allowed() -> set[str]:
    """Return the modules that may be imported."""
    return importable(closure(stated(REQUIREMENTS)))


def modules_of(room: str) -> list[str]:
    return sorted(f"{room}.{path.stem}" for path in (ROOT / room).glob("*.py") if path.stem != "__init__")


def test_the_closure_has_what_is_stated_and_not_what_training_needs(allowed):
    names = closure(stated(REQUIREMENTS))
    assert {normal(need.name) for need in stated(REQUIREMENTS)} <= names
    assert not names & {"tensorflow", "keras", "scikit-learn", "librosa", "onnx", "joblib", "pydantic", "filelock"}
    assert {"numpy", "onnxruntime", "soundfile", "streamlit", "prediction", "json"} <= allowed
    assert not allowed & {"tensorflow", "keras", "sklearn", "librosa", "pydantic", "joblib", "pytest"}


def test_every_module_of_prediction_and_of_the_page_is_imported(allowed, tmp_path):
    names = [*modules_of("prediction"), *modules_of("web"), "predict", "app"]
    assert {"prediction.recogniser", "web.results"} <= set(names)
    code = f"import importlib\nfor name in {names!r}: importlib.import_module(name)\n"
    run_with_only(allowed, code + "try: import sklearn\nexcept ModuleNotFoundError: print('refused')", tmp_path)


def test_a_file_is_answered_and_a_recording_over_time(allowed, checkpoint, demo_root, tmp_path):
    clip = demo_root / "m08" / "m08_sad_1.wav"
    common = f"['--checkpoint', {str(checkpoint)!r}, '--json', {str(clip)!r}"
    code = (
        f"import predict\nassert predict.main({common}, '--radar', 'chart.png', '--csv', 'table.csv']) == 0\n"
        f"assert predict.main({common}, '--timeline', '--out', 'over']) == 0\n"
    )
    answer, timeline = (json.loads(line) for line in run_with_only(allowed, code, tmp_path).splitlines())
    assert answer["emotion"] in answer["probabilities"] and sum(answer["probabilities"].values()) == pytest.approx(
        1, abs=1e-4
    )
    assert timeline["channels"][0]["hops"]
    made = {path.name for path in tmp_path.iterdir()}
    assert made == {"chart.png", "table.csv", *(f"over.{kind}" for kind in ("csv", "json", "TextGrid", "png"))}


def test_what_the_file_calls_optional_is_left_out(demo_zoo, demo_root, tmp_path):
    """A wav at the model's rate, features without openSMILE, no chart, no page: four libraries do."""
    few = [need for need in stated(REQUIREMENTS) if need.name in ("onnxruntime", "numpy", "scipy", "soundfile")]
    arguments = ["--checkpoint", str(demo_zoo / "plain"), "--json", "--csv", "x.csv", str(demo_root / "m08")]
    code = f"import predict\nassert predict.main({arguments!r}) == 0\n"
    lines = run_with_only(importable(closure(few)), code, tmp_path).splitlines()
    assert len(few) == 4 and len(lines) == 10 and all("probabilities" in json.loads(line) for line in lines)


def test_the_page_answers(allowed, checkpoint, demo_root, tmp_path):
    clip = demo_root / "m08" / "m08_sad_1.wav"
    code = (
        f"import os\nos.environ['SER_CHECKPOINTS'] = {str(checkpoint.parent)!r}\n"
        "from streamlit.testing.v1 import AppTest\n"
        f"page = AppTest.from_file({str(ROOT / 'app.py')!r}, default_timeout=120).run()\n"
        f"page.file_uploader[0].set_value([('a.wav', open({str(clip)!r}, 'rb').read(), 'audio/wav')]).run()\n"
        "assert not page.exception, page.exception\nprint(page.header[0].value)\n"
    )
    assert (
        run_with_only(allowed, code, tmp_path).strip() in json.loads((checkpoint / "model.json").read_text())["labels"]
    )


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_prediction_in_an_environment_of_its_own(checkpoint, demo_root, tmp_path):
    """A real installation of requirements-serve.txt alone; it downloads some hundred megabytes."""
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    subprocess.run([python, "-m", "pip", "install", "-q", "-r", REQUIREMENTS], check=True, timeout=1500)
    clip = demo_root / "m08" / "m08_sad_1.wav"
    command = [python, ROOT / "predict.py", "--checkpoint", checkpoint, "--json", clip]
    here = subprocess.run([sys.executable, *command[1:]], cwd=tmp_path, capture_output=True, text=True, check=True)
    alone = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(alone.stdout)["emotion"] == json.loads(here.stdout)["emotion"]
    over_time = subprocess.run([*command, "--timeline"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(over_time.stdout)["channels"]
