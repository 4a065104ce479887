"""What README.md, --help and the notebook tell a user to type, typed in a fresh copy of the checkout."""

import ast
import os
import re
import shutil
from contextlib import closing
from pathlib import Path

import checkout
import nbclient
import nbformat
import pytest

from docs import commands
from tests.shared_python import SharedPython
from utils.plugins import ROOT

README = (ROOT / "README.md").read_text(encoding="utf8")
BLOCKS = checkout.blocks(README)
DEMO = next(block for block in BLOCKS if "corpora.demo" in " ".join(block))
MINE = next(block for block in BLOCKS if "mine.yaml" in " ".join(block))
PUBLIC = next(block for block in BLOCKS if "corpora.download" in " ".join(block))
TABLE = re.findall(r"^\| `(python [^`]+)` \|", README, re.MULTILINE)
FILLED = {"NAME": "demo_svm", "A.yaml": "config/demo_svm.yaml", "call.wav": "data/demo/m08/m08_sad_1.wav",
          "calls": "data/demo/m08", "--trials 20": "--trials 2",
          "robustness.py": "robustness.py --folds 1"}  # fmt: skip
# another corpus, a server or a file of others is needed: test_protocols.py, test_cross_corpus.py, test_evaluate.py,
# test_download.py, test_app_browser.py, test_yamnet.py and test_vggish.py run these
ELSEWHERE = re.compile(r"--other|--matrix|evaluate\.py|corpora\.download|extract_feats\.convert|app\.py")
MANY, FEW = "corpora.demo data/demo", "corpora.demo data/demo --clips 3"
SPEECH = Path(os.environ.get("SER_DATA", "")) / "RAVDESS"


LESS = {"epochs: 12, patience: 12": "epochs: 2, patience: 2, batch_size: 256", "folds: 4": "folds: 2"}


def shorter(folder: Path) -> Path:
    """Let the demo train for 2 epochs of one batch, on 2 folds; ``make slow`` runs the whole demo."""
    for name, keys in (("demo_svm", ["folds: 4"]), ("demo_bilstm", list(LESS))):
        path = folder / f"config/{name}.yaml"
        text = path.read_text(encoding="utf8")
        for key in keys:
            assert text.count(key) == 1
            text = text.replace(key, LESS[key])
        path.write_text(text, encoding="utf8")
    return folder


def test_the_notebook_runs_from_top_to_bottom(tmp_path):
    folder = shorter(checkout.copy(tmp_path / "ser-zoo"))
    notebook = nbformat.read(folder / "examples/quickstart.ipynb", as_version=4)
    (writes,) = [cell for cell in notebook.cells if cell.cell_type == "code" and "demo.write(" in cell.source]
    writes.source = writes.source.replace('Path("data/demo"))', 'Path("data/demo"), clips=3)', 1)
    assert "clips=3" in writes.source
    assert not any(cell.get("outputs") for cell in notebook.cells), "kept without outputs"
    where = {"metadata": {"path": str(folder / "examples")}}
    nbclient.NotebookClient(notebook, timeout=280, kernel_name="python3", resources=where).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 3
    printed = "".join(output.text for output in outputs if output.output_type == "stream")
    assert re.search(r"tested on +protocol", printed) and "demo_bilstm - demo_svm:" in printed


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """Return a copy of the checkout where the README's demo has run on fewer clips, each command in a new process."""
    folder = shorter(checkout.copy(tmp_path_factory.mktemp("clone") / "ser-zoo"))
    for command in DEMO:
        if not re.search(r"-m (venv|pip) ", command):
            checkout.run(command.replace(MANY, FEW), folder)
    return folder


@pytest.fixture(scope="module")
def python(here):
    """Return what runs commands in the copy whose scripts have run in new processes before."""
    with closing(SharedPython(here)) as process:
        yield process


def test_the_demo_leaves_what_the_readme_says(here):
    assert (here / "data/demo/m08").is_dir() and (here / "demo_radar.png").stat().st_size > 10_000
    for name in ("demo_svm", "demo_bilstm"):
        assert (here / f"checkpoints/{name}/model.onnx").exists() and (
            here / f"checkpoints/{name}/report.html"
        ).exists()
    assert len(DEMO) == 6  # two of them install


def examples() -> list[str]:
    """Return the examples of every --help, those first that make what the others read."""
    sources = [*sorted(ROOT.glob("*.py")), *sorted(ROOT.glob("evaluation/*.py")), *sorted(ROOT.glob("corpora/*.py"))]
    result = []
    for path in sources:
        if "cli.parser(" in path.read_text(encoding="utf8"):
            module = path.stem if path.parent == ROOT else f"{path.parent.name}.{path.stem}"
            shown = commands.parser(module).format_help()
            text = re.sub(r"\\\n\s*", "", shown.partition("\nexample")[2])
            result += re.findall(r"^  (python .+)$", text, re.MULTILINE)
    return result


def filled(command: str) -> str:
    """Return a command of the README with files of the demo in place of its names."""
    for word, real in FILLED.items():
        command = command.replace(word, real)
    return command


def script(command: str) -> str:
    """Return what Python runs: a file or a module."""
    return re.search(r"python (?:-m )?(\S+)", command)[1]


TYPED = [*examples(), *map(filled, TABLE)]  # several stand in both: each runs once
COMMANDS = [command for command in dict.fromkeys(TYPED) if not ELSEWHERE.search(command)]
BEGUN = {script(command) for command in DEMO if "python3" not in command}  # by the fixture, in new processes
FIRST = {script(command): command for command in reversed(COMMANDS) if script(command) not in BEGUN}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_of_help_or_readme_works(here, python, command):
    new = command in FIRST.values()  # each script runs in a new process once
    quick = command.replace(MANY, FEW).replace("--trials 8", "--trials 2")
    assert checkout.run(quick, here, python=None if new else python)


def test_own_recordings_in_five_minutes(here, python):
    config = re.search(r"```yaml\n(name: mine\n.*?)```", README, re.DOTALL)[1]
    (here / "mine.yaml").write_text(config, encoding="utf8")
    for path in (here / "data/demo").rglob("*.wav"):
        to = here / "data/mine" / path.stem.split("_")[1]
        to.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, to)
    shutil.copy(path, here / "call.wav")
    *commands, page = MINE
    assert page == "streamlit run app.py"  # tests/test_app_browser.py
    for command in commands:
        checkout.run(command, here, python=python)
    assert (here / "explorations/mine/explore.html").exists() and (here / "call_radar.png").exists()
    assert "8 speakers" in (here / "checkpoints/mine/metrics.txt").read_text(encoding="utf8")


def test_the_sample_of_the_deployment_page(here):
    page = (ROOT / "docs/deployment.md").read_text(encoding="utf8")
    (sample,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    sample = sample.replace("NAME", "demo_bilstm").replace("clip.wav", "data/demo/m08/m08_sad_1.wav")
    (here / "sample.py").write_text(sample, encoding="utf8")
    said = ast.literal_eval(checkout.run("python sample.py", here).splitlines()[-1])
    assert set(said) == {"angry", "happy", "sad", "neutral", "fear"}
    assert sum(said.values()) == pytest.approx(1, abs=1e-4)


@pytest.mark.skipif(not SPEECH.is_dir(), reason="no real speech: SER_DATA holds no RAVDESS")
def test_a_public_corpus(here, python):
    export, download, preprocess, train = PUBLIC
    assert export.startswith("export SER_DATA=") and "corpora.download ravdess" in download
    data = {"SER_DATA": str(SPEECH.parent)}
    assert "48 clips, 48 extracted" in checkout.run(f"{preprocess} --limit 6", here, python=python, **data)
    fewer = "--limit 6 --set train.epochs=2 --set 'split={by: speaker, folds: 2}'"
    said = checkout.run(f"{train} {fewer}", here, python=python, **data)
    assert re.search(r"ravdess_cnn1d_is10 - ravdess_svm_is10: [+-]0\.\d{3} UAR", said)
