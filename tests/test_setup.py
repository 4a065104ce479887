"""The way in: pinned requirements, the Makefile, continuous integration, and the examples of CONTRIBUTING.md."""

import ast
import os
import re
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import soundfile
import yaml

from corpora import demo
from corpora.base import synthesis
from tests import checkout
from tests.shared_python import SharedPython
from utils import config as configs
from utils import plugins

ROOT = plugins.ROOT
# import name -> package, where they differ
PACKAGE = {"PIL": "pillow", "yaml": "pyyaml", "sklearn": "scikit-learn", "webrtcvad": "webrtcvad-wheels"}
NOT_IMPORTED = {"pandas", "librosa"}  # opensmile's tables, what tests compare with
OURS = {
    "augmentation",
    "utils",
    "corpora",
    "extract_feats",
    "models",
    "distillation",
    "prediction",
    "evaluation",
    "web",
    "tests",
    "docs",
}
OURS |= {path.stem for path in (*ROOT.glob("*.py"), *ROOT.glob("tests/*.py"))}
unix = pytest.mark.skipif(not shutil.which("make") or os.name == "nt", reason="needs make and a POSIX shell")


def pins(name: str) -> dict[str, str]:
    """Return package -> version of a requirements file; every line must pin one."""
    versions = {}
    for line in (ROOT / name).read_text(encoding="utf8").splitlines():
        line = line.partition("#")[0].strip()
        if line and not line.startswith("-r "):
            match = re.fullmatch(r"([a-z0-9-]+)(?:\[[a-z-]+\])?==([0-9][0-9.]*(?:post[0-9]+)?)", line)
            assert match, f"{name}: {line!r} is not a pin"
            versions[match[1]] = match[2]
    return versions


def imported(paths) -> set[str]:
    """Return the packages that these files import, wherever in the file, that are neither Python's nor ours."""
    names = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(node.module.partition(".")[0])
    return {PACKAGE.get(name, name) for name in names - OURS - set(sys.stdlib_module_names)}


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in (ROOT / folder).rglob("*.py")]


def test_what_is_imported_is_pinned_and_the_other_way_round():
    rooms = ("utils", "corpora", "augmentation", "extract_feats", "models", "distillation", "prediction")
    rooms += ("evaluation", "web")
    ours = imported([*ROOT.glob("*.py"), *sources(*rooms)])
    required = set(pins("requirements.txt"))
    assert ours - required == {"distributed"} <= set(pins("requirements-dask.txt"))
    assert required - ours == NOT_IMPORTED
    others = set(pins("requirements-dev.txt")) | set(pins("requirements-bench.txt"))
    assert imported(sources("tests", "benchmarks", "docs")) <= required | others


def test_the_files_agree_on_versions():
    main = pins("requirements.txt")
    serve, gpu = pins("requirements-serve.txt"), pins("requirements-gpu.txt")
    assert serve.items() <= main.items() and gpu.items() <= main.items()
    assert pins("requirements-dask.txt").items() <= pins("requirements-dev.txt").items()
    assert not set(serve) & {"tensorflow", "keras", "scikit-learn", "librosa", "pandas", "pydantic"}
    for name in ("requirements-gpu.txt", "requirements-dev.txt"):
        assert "-r requirements.txt" in (ROOT / name).read_text(encoding="utf8").splitlines()


def test_the_two_demo_configs_are_one_experiment_with_two_models():
    svm, bilstm = (configs.read(ROOT / f"config/demo_{name}.yaml") for name in ("svm", "bilstm"))
    differing = {key for key, value in svm.model_dump().items() if value != bilstm.model_dump()[key]}
    assert differing == {"name", "model", "train"}


def test_the_demo_predicts_a_wav_of_the_speaker_who_was_held_out():
    wav = Path(re.search(r"predict\.py .*?(\S+\.wav)", (ROOT / "Makefile").read_text(encoding="utf8"))[1])
    spoken = demo.parse(wav)
    assert configs.read(ROOT / "config/demo_bilstm.yaml").split.holdout == [spoken.speaker]
    assert spoken.speaker in {synthesis.voice(number, seed=1).name for number in range(1, 9)}


def test_the_licence_of_the_code_is_mit():
    text = (ROOT / "LICENSE").read_text(encoding="utf8")
    assert text.startswith("MIT License\n") and re.search(r"Copyright \(c\) \d{4} The SER Zoo authors\n", text)
    assert "(LICENSE)" in (ROOT / "README.md").read_text(encoding="utf8")


def test_the_citation_file_has_what_the_format_requires():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf8"))
    assert citation["cff-version"] == "1.2.0"
    assert all(isinstance(citation[key], str) and citation[key] for key in ("message", "title", "abstract"))
    assert citation["authors"] == [{"name": "The SER Zoo authors"}]  # a name alone: an entity
    assert (citation["type"], citation["license"]) == ("software", "MIT")
    assert all(isinstance(word, str) for word in citation["keywords"])
    assert not {"doi", "identifiers", "url", "repository-code", "version"} & set(citation), "nothing is published yet"


def make(folder: Path, *arguments: str, path: Path | None = None) -> subprocess.CompletedProcess:
    """Run make on our Makefile in a folder of its own, with ``path`` before or in place of PATH's programs."""
    shutil.copy(ROOT / "Makefile", folder)
    search = f"{path}:/usr/bin:/bin" if path else os.environ["PATH"]
    environment = {"PATH": search, "HOME": str(folder)}
    return subprocess.run(["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


def program(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]), encoding="utf8")
    path.chmod(0o755)
    return path


@unix
def test_make_alone_lists_every_target(tmp_path):
    listed = {line.split()[1] for line in make(tmp_path).stdout.splitlines()}
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf8"), re.MULTILINE)[1]
    assert listed == set(phony.split()) >= {"help", "demo", "test", "lint", "slow", "clean"}


@unix
def test_an_unsuited_python_is_passed_over_for_a_suited_one_or_named_in_one_line(tmp_path):
    programs = tmp_path / "programs"
    for name in ("python3", "python3.13", "python3.12", "python3.11"):
        program(programs / name, 'test "$1" = --version && echo "Python 3.14.1"', "exit 1")
    done = make(tmp_path, ".venv/.python", path=programs)
    assert done.returncode != 0
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert "Python 3.11, 3.12 or 3.13" in line and "Python 3.14.1" in line and "PYTHON=" in line
    program(programs / "python3.12", 'test "$1" = -m && { mkdir -p .venv; echo "$@" > .venv/called; }', "exit 0")
    done = make(tmp_path, ".venv/.python", path=programs)
    assert done.returncode == 0 and "python3.12 -m venv" in done.stdout
    assert (tmp_path / ".venv/called").read_text().split() == ["-m", "venv", "--clear", ".venv"]


@unix
def test_a_second_call_installs_nothing_until_the_requirements_change(tmp_path):
    log = tmp_path / "log"
    program(tmp_path / ".venv/bin/python", f'echo "$@" >> {log}')
    for name in ("requirements.txt", "requirements-dev.txt"):
        (tmp_path / name).touch()
    assert make(tmp_path, ".venv/.requirements-dev").returncode == 0
    first = log.read_text()
    assert first.count("pip install") == 1
    make(tmp_path, ".venv/.requirements-dev", ".venv/.requirements")
    assert log.read_text() == first
    later = (tmp_path / ".venv/.requirements-dev").stat().st_mtime + 10
    os.utime(tmp_path / "requirements.txt", (later, later))
    make(tmp_path, ".venv/.requirements")
    assert log.read_text().count("pip install") == 2


@unix
@pytest.mark.parametrize(
    ("says", "status", "expected"),
    [
        ("4 passed, 2 skipped in 1 s", 0, 0),
        ("6 skipped in 1 s", 0, 1),
        ("0 passed", 0, 1),
        ("5 passed, 1 failed", 2, 2),
    ],
)
def test_continuous_integration_fails_where_nothing_was_tested(tmp_path, says, status, expected):
    run = tmp_path / "clone/.ci/run"
    run.parent.mkdir(parents=True)
    shutil.copy(ROOT / ".ci/run", run)
    (tmp_path / "shared/corpora").mkdir(parents=True)
    program(tmp_path / "programs/make", 'echo "make $* $SER_DATA"', f"echo '{says}'", f"exit {status}")
    program(tmp_path / "programs/chromium")
    environment = os.environ | {"PATH": f"{tmp_path / 'programs'}:{os.environ['PATH']}", "SER_DATA": "elsewhere"}
    done = subprocess.run([run], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == expected
    assert f"make test {tmp_path / 'shared/corpora'}" in done.stdout
    assert ("nothing was tested" in done.stderr) == (expected == 1)


@unix
@pytest.mark.parametrize("status", [0, 1])
def test_continuous_integration_goes_on_where_chromium_cannot_be_installed(tmp_path, status):
    run, programs = tmp_path / "clone/.ci/run", tmp_path / "programs"
    run.parent.mkdir(parents=True)
    shutil.copy(ROOT / ".ci/run", run)
    for name, lines in {"id": ["echo 0"], "uname": ["echo Linux"], "make": ["echo '4 passed'"]}.items():
        program(programs / name, *lines)
    program(programs / "apt-get", f'echo "$@" >> {tmp_path}/asked', f"exit {status}")
    for name in ("bash", "dirname", "mktemp", "tee", "grep", "rm"):
        (programs / name).symlink_to(shutil.which(name))
    done = subprocess.run([run], env={"PATH": str(programs)}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "4 passed" in done.stdout
    assert ("Chromium could not be installed" in done.stdout) == (status == 1)
    asked = (tmp_path / "asked").read_text(encoding="utf8").splitlines()
    assert asked[0] == "update -q" and ("install -y -q --no-install-recommends chromium" in asked) == (status == 0)


@pytest.fixture(scope="module")
def extended(tmp_path_factory) -> Path:
    """Return a copy of the project with the example files of CONTRIBUTING.md in their places, and their corpus."""
    copy = tmp_path_factory.mktemp("extended") / "zoo"
    checkout.copy(copy)
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf8")
    blocks = re.findall(r"^```(?:python|yaml)\n# (\S+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 6
    for name, content in blocks:
        assert not (ROOT / name).exists(), f"{name} is there already: the example needs another name"
        (copy / name).write_text(content, encoding="utf8")
    folder = copy / "data/ECHO"
    folder.mkdir(parents=True)
    for number, speaker in enumerate(("anna", "adam", "eva", "otto"), 1):
        for emotion in ("angry", "sad"):
            for k in range(1, 5):
                wave, _ = synthesis.say(synthesis.voice(number, seed=1), emotion, k, seed=1)
                soundfile.write(folder / f"{speaker}-{emotion}-{k}.wav", wave, synthesis.RATE)
    return copy


def run(folder: Path, *command: str) -> str:
    environment = {key: value for key, value in os.environ.items() if key != "SER_DATA"}
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_examples_keep_to_the_contracts(extended):
    tests = ["tests/test_corpora.py", "tests/test_features.py", "tests/test_augmentation_audio.py"]
    tests += [path.relative_to(extended).as_posix() for path in sorted(extended.glob("tests/test_models*.py"))]
    examples = "echo or envelope or gru or logistic or hum"
    output = run(extended, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", examples, *tests)
    assert int(re.search(r"(\d+) passed", output)[1]) >= 50


@pytest.fixture
def typed(extended):
    """Return a function that runs a command in the extended copy; one process runs them all."""
    with closing(SharedPython(extended)) as python:
        yield lambda command: checkout.run(command, extended, python=python)


def test_the_examples_work_from_preprocessing_to_a_prediction(typed):
    config = "--config config/echo_gru.yaml"
    output = typed(f"python preprocess.py {config}")
    assert "counts as published" in output and "32 clips, 32 extracted, 0 cached, 0 rejected" in output
    typed(f"python train.py {config}")
    other = f"{config} --set 'model={{name: logistic}}' --set name=echo_logistic --set 'augment=[{{name: hum}}]'"
    assert "32 clips, 32 extracted" in typed(f"python preprocess.py {other}")  # the copies alone
    typed(f"python train.py {other}")
    for name in ("echo_gru", "echo_logistic"):
        output = typed(f"python predict.py --checkpoint checkpoints/{name} --json data/ECHO/eva-sad-1.wav")
        assert '"emotion"' in output and "angry" in output


@unix
@pytest.mark.slow
def test_make_demo(tmp_path):
    copy = tmp_path / "zoo"
    made = shutil.ignore_patterns(".*", "__pycache__", "data", "features", "checkpoints")
    shutil.copytree(ROOT, copy, ignore=made)
    program(copy / ".venv/bin/python", f'exec "{sys.executable}" "$@"')
    (copy / ".venv/.python").touch()
    (copy / ".venv/.requirements").touch()
    os.utime(copy / "requirements.txt", (0, 0))
    for _ in range(2):
        done = subprocess.run(["make", "demo"], cwd=copy, capture_output=True, text=True, timeout=280)
        assert done.returncode == 0, done.stdout + done.stderr
        assert demo.NOTE in done.stdout and "demo_bilstm - demo_svm" in done.stdout
    assert (copy / "demo_radar.png").stat().st_size > 10_000
