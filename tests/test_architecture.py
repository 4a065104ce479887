"""The plan of the rooms holds: who imports whom, what stays unloaded, nothing of one machine in the files."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from utils import plugins

ROOT = plugins.ROOT
FLOORS = {  # room -> the rooms it may import from, beside itself; a room is a folder at the top
    "utils": set(),
    "corpora": {"utils"},
    "augmentation": {"utils", "corpora"},
    "extract_feats": {"utils", "corpora", "augmentation"},
    "models": {"utils", "corpora"},
    "distillation": {"utils", "corpora", "augmentation", "extract_feats", "models"},
    "prediction": {"utils", "corpora", "extract_feats", "models"},
    "evaluation": {"utils", "corpora", "extract_feats", "models", "prediction"},  # extract_feats: the cache alone
    "web": {"utils", "extract_feats", "models", "prediction"},
}
EVALUATION = {  # the same inside evaluation/; what lies on top of it is only what ``python -m`` runs
    "scores": set(),
    "splits": set(),
    "leakage": {"splits"},
    "checkpoint": {"scores", "splits", "leakage"},
    "pages": {"scores", "checkpoint"},
    "training": {"scores", "splits", "leakage", "checkpoint", "pages"},
    "explanations": {"scores", "splits", "checkpoint", "training"},
    "exploration": {"checkpoint", "pages", "explanations"},
    "studies": {"scores", "splits", "leakage", "checkpoint", "pages", "training"},
    "tuning": {"scores", "splits", "checkpoint", "training"},
}
MOST_FILES = 12  # of a sub-room of evaluation/
PLUGIN_FOLDERS = ("corpora", "extract_feats", "augmentation", "models/dnn", "models/ml")  # hold plug-ins only
ROOMS = sorted(FLOORS)
SCRIPTS = sorted(path.stem for path in ROOT.glob("*.py"))
HEAVY = ("tensorflow", "keras", "sklearn", "librosa")
KERAS_FILES = {  # and all of models/dnn/
    *(f"models/{name}.py" for name in ("keras_model", "attention_map", "finetune", "gradients", "training")),
    *(path.relative_to(ROOT).as_posix() for path in (ROOT / "models/layers").glob("*.py")),
    *(f"distillation/{name}.py" for name in ("network", "training", "export")),
}
CONVERTERS = {"extract_feats/convert/graphs.py"}  # run by hand, once a file
SOURCES = sorted(path for room in (*ROOMS, "tests", "benchmarks") for path in (ROOT / room).rglob("*.py")) + sorted(
    ROOT.glob("*.py")
)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(node: ast.AST, *, at_load: bool = False) -> Iterator[str]:
    """Yield the dotted names a file imports: ``from a import b`` as a.b; at_load: not those inside functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert not child.level, "imports are absolute"
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        elif not (at_load and isinstance(child, (ast.FunctionDef, ast.Lambda))):
            yield from imports(child, at_load=at_load)


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf8"), filename=str(path))


def module_of(path: Path) -> str:
    """Return the dotted name of a file of ours; a package goes by its folder."""
    return name_of(path)[:-3].removesuffix("/__init__").replace("/", ".")


FILES = {module_of(path): path for path in SOURCES if path.parts[len(ROOT.parts)] not in ("tests", "benchmarks")}


def uses(path: Path) -> set[str]:
    """Return our modules that a file imports anywhere: at its top, in functions, and for types alone."""
    named = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            named |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name if name in FILES else name.rpartition(".")[0] for name in named} & set(FILES)


@cache
def arrows() -> dict[str, set[str]]:
    """Return which of our other modules each module uses."""
    return {module: uses(path) - {module} for module, path in FILES.items()}


def circle(used: dict[str, set[str]]) -> list[str]:
    """Return the modules of one import circle in order, none if there is no circle."""
    try:
        TopologicalSorter(used).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def sub_room(module: str) -> str:
    """Return where a module lives: its folder; a file right below utils/ or models/ is a room of its own."""
    folder = FILES[module].parent.relative_to(ROOT).as_posix()
    return module if folder in (".", "utils", "models") else folder.replace("/", ".")


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_the_rooms_below_it(room):
    for module in (module for module in FILES if module.partition(".")[0] == room):
        for name in arrows()[module]:
            first = name.partition(".")[0]
            assert first not in SCRIPTS, f"{module} imports the script {first}"
            assert first == room or first in FLOORS[room], f"{module} imports {name}"
            if first == "extract_feats" and room == "evaluation":
                assert name.startswith("extract_feats.cache."), f"{module} imports {name}"
            if first == "corpora" and room in ("augmentation", "extract_feats", "models", "prediction"):
                assert name == "corpora", f"{module} reaches into {name}; corpora's own names will do"


def test_no_import_circle_of_files_also_not_inside_functions_or_for_types():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}), "a circle is not seen"
    assert not (ring := circle(arrows())), " -> ".join(ring)


def test_no_import_circle_of_rooms():
    rooms: dict[str, set[str]] = {}
    for module, names in arrows().items():
        here = sub_room(module)
        rooms.setdefault(here, set()).update({sub_room(name) for name in names} - {here})
    assert not (ring := circle(rooms)), " -> ".join(ring)


def test_evaluation_has_small_rooms_and_each_imports_only_those_below_it():
    folders = {path.name for path in (ROOT / "evaluation").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(EVALUATION)
    for room, below in EVALUATION.items():
        files = sorted((ROOT / "evaluation" / room).glob("*.py"))
        assert len(files) - 1 <= MOST_FILES, f"evaluation/{room} has {len(files) - 1} files"
        for path in files:
            for name in (name for name in arrows()[module_of(path)] if name.startswith("evaluation.")):
                other = name.split(".")[1]
                assert other == room or other in below, f"{name_of(path)} imports {name}"
    for path in (ROOT / "evaluation").glob("*.py"):
        assert path.name == "__init__.py" or "__main__" in path.read_text(encoding="utf8"), name_of(path)


def test_plugin_folders_hold_plugins_only():
    known = {plugin.package.replace(".", "/") + f"/{name}.py" for kind in plugins.KINDS for name, plugin in
             plugins.every(kind).items()}  # fmt: skip
    for folder in PLUGIN_FOLDERS:
        for path in (ROOT / folder).glob("*.py"):
            assert path.name == "__init__.py" or name_of(path) in known, f"{name_of(path)} is no plug-in"


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_import_no_script(script):
    others = set(SCRIPTS) - {script}
    assert not others & {name.partition(".")[0] for name in imports(tree(ROOT / f"{script}.py"))}


def test_only_the_keras_files_import_tensorflow():
    for path in SOURCES:
        inside = name_of(path) in KERAS_FILES | CONVERTERS or name_of(path).startswith(("models/dnn/", "tests/"))
        result = {n for n in imports(tree(path)) if n.partition(".")[0] in ("tensorflow", "tf_keras", "keras")}
        assert inside or not result, f"{name_of(path)} imports {sorted(result)}"
    assert all((ROOT / name).is_file() for name in KERAS_FILES | CONVERTERS)


def test_nothing_heavy_is_reached_on_loading():
    """From every file of ours, through what it imports at its top, nothing comes to TensorFlow or librosa.

    Only a model that is going to be fitted brings its framework: models/keras_model.py, models/sklearn_model.py and
    what those import.
    """
    files = {name_of(p)[:-3].removesuffix("/__init__").replace("/", "."): p for p in SOURCES}
    estimators = ("calibrated", "estimator_graph", "kernel_ridge", "one_against_rest", "sklearn_model")
    frameworks = {module_of(ROOT / name) for name in KERAS_FILES} | {f"models.{name}" for name in estimators}
    for module, path in files.items():
        if module in frameworks or module.startswith(("models.dnn.", "models.ml.", "tests.")):
            continue
        for name in imports(tree(path), at_load=True):
            assert name.partition(".")[0] not in HEAVY, f"{module} imports {name} at its top"
            ours = name if name in files else name.rpartition(".")[0]
            assert ours not in frameworks, f"{module} imports {name} at its top"
            assert not ours.startswith(("models.dnn.", "models.ml.")), f"{module} imports {name} at its top"


def fresh(code: str) -> tuple[set[str], str]:
    """Return which of the heavy libraries, pandas among them, a fresh Python has loaded after this code; its output."""
    tail = f"\nimport json, sys\nprint(json.dumps([m for m in {(*HEAVY, 'pandas')} if m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code + tail], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and not done.stderr, done.stderr
    output, last = done.stdout.rstrip().rpartition("\n")[::2]
    return set(json.loads(last)), output


def test_prediction_loads_nothing_heavy():
    """Whatever a prediction can come to import; that no extractor loads more when called, test_features sees to."""
    features = [f"extract_feats.{name}" for name in plugins.every("features")]
    modules = ["webrtcvad", "utils.plots.timeline"]
    modules += [
        "predict",
        "prediction.predictor",
        "prediction.extractor",
        "utils.audio.prepare",
        "utils.audio.files",
        "utils.plots",
        *features,
    ]
    result, _ = fresh(f"import {', '.join(modules)}")
    assert not result


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_loads_nothing_heavy(script):
    run = f"runpy.run_path('{script}.py', run_name='__main__')"
    code = f"import runpy, sys\nsys.argv = ['{script}.py', '--help']\ntry: {run}\nexcept SystemExit: pass"
    result, output = fresh(code)
    assert not result and output.startswith("usage: ")


def texts() -> list[Path]:
    """Return the text files of the project, without what is made by running it."""
    skipped = {
        ".git",
        ".venv",
        ".pytest_cache",
        ".ruff_cache",
        "__pycache__",
        "data",
        "features",
        "checkpoints",
        "explorations",
        "pretrained",
    }
    kinds = {".py", ".md", ".txt", ".toml", ".yaml", ".csv", ""}
    return [
        path
        for path in sorted(ROOT.rglob("*"))
        if path.is_file() and path.suffix in kinds and not skipped & set(path.relative_to(ROOT).parts)
    ]


def test_no_file_names_a_machine_or_a_registry():
    folders = "|".join(("work", "root", "home", "Users", "tmp" + "/w"))
    hosts = "|".join(("pypi" + r"\.org", "python" + r"hosted\.org", "conda" + r"\.anaconda", "pypi" + "-more"))
    result = re.compile(r"(?<![\w.$})>-])/(?:" + folders + r")/|\b(?:" + hosts + r")\b")
    assert result.search("see /" + "home/anna/x") and result.search("https://pypi" + ".org/simple")
    files = texts()
    assert {"Makefile", "train.py", "run", "requirements.txt"} <= {path.name for path in files}
    for path in files:
        match = result.search(path.read_text(encoding="utf8"))
        assert not match, f"{name_of(path)}: {match.group()}"
