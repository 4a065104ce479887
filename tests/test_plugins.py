"""Plug-ins: files are read, not imported; defects are one line; listings and mistakes load no framework."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest

from utils import plugins
from utils.errors import ConfigError
from utils.plugins import find, listing

HEAVY = ("tensorflow", "keras", "sklearn", "librosa", "opensmile", "pandas", "matplotlib")
EXPECTED = {
    "corpora": {"ravdess", "savee", "emodb", "casia", "folders", "manifest", "demo"},
    "features": {"opensmile", "librosa_stats", "librosa_frames", "logmel"},
    "models": {"svm", "mlp", "cnn1d", "lstm", "bilstm"},
    "augment": {"time_mask", "frequency_mask", "feature_noise", "time_warp", "mixup"},
}
EVERY = [(kind, name) for kind in plugins.KINDS for name in plugins.every(kind)]
every = pytest.mark.parametrize(("kind", "name"), EVERY)


@pytest.mark.parametrize("kind", plugins.KINDS)
def test_the_plugins_of_the_contract_are_found_sorted(kind):
    known = plugins.every(kind)
    assert set(known) >= EXPECTED[kind]
    assert list(known) == sorted(known)


@every
def test_a_plugin_says_what_it_is_and_its_defaults_pass_its_own_check(kind, name):
    plugin = plugins.get(kind, name)
    assert plugin.summary.endswith((".", ":"))
    needed = {key: a.annotation for key, a in plugin.arguments.items() if a.default is plugins.REQUIRED}
    given = {key: ["x"] if annotation == "list[str]" else "x" for key, annotation in needed.items()}
    filled = plugins.arguments(kind, {"name": name, **given})
    assert list(filled) == list(plugin.arguments)
    assert plugins.arguments(kind, {"name": name, **filled}) == filled  # so a complete config reloads


@every
def test_the_signature_that_is_read_is_the_one_that_is_called(kind, name):
    import inspect

    plugin = plugins.get(kind, name)
    function = getattr(plugin.load(), plugin.kind.function)
    called = {
        key: plugins.REQUIRED if p.default is p.empty else p.default
        for key, p in inspect.signature(function).parameters.items()
        if p.kind is p.KEYWORD_ONLY
    }
    assert {key: argument.default for key, argument in plugin.arguments.items()} == called


@pytest.mark.parametrize("kind", plugins.KINDS)
def test_a_listing_names_every_plugin_and_argument_in_80_columns(kind):
    lines = listing.listing(kind).splitlines()
    assert max(map(len, lines)) <= 80
    for name, plugin in plugins.every(kind).items():
        start = next(n for n, line in enumerate(lines) if line.startswith(f"{name}: "))
        after = [line.strip() for line in lines[start + 1 :]]
        for argument, stated in plugin.arguments.items():
            assert any(line.startswith(f"{argument}: ") for line in after), (name, argument, stated)


def test_an_unknown_plugin_names_the_nearest_and_all():
    with pytest.raises(ConfigError, match=r"'bi_lstm' is not a known model\. Did you mean 'bilstm'\? Known: bilstm, "):
        plugins.get("models", "bi_lstm")


@pytest.mark.parametrize(
    ("word", "expected"),
    [("IS01", " Did you mean 'IS10'?"), ("SVM", " Did you mean 'svm'?"), ("zzz", ""), (3, "")],
)
def test_nearest(word, expected):
    assert plugins.nearest(word, ["svm", "IS10", "bilstm"]) == expected


FEATURE = '''"""Loudness a frame."""
import no_such_library
SCALE, UNIT = 1, "dB"
UNIT = "sone"
MADE = max(1, 2)
def extract(wave, rate, *, hop_ms: float = 10.0, kind: str, log: bool | None = None): ...
def layout(*, hop_ms, kind, log): ...
def names(rate, **arguments): ...
'''
FOLDER = {"corpora": "corpora", "features": "extract_feats", "models": "models/dnn", "augment": "augmentation"}
WORKING = {  # kind -> a file that keeps the contract
    "corpora": 'SOURCE = "Ask."\nGRAMMAR = "x.wav"\ndef utterances(root, *, part: str = "a"): ...\n',
    "features": FEATURE,
    "models": 'INPUT: str = "frames"\ndef build(frame_shape, n_classes, *, units: int = 3): ...\n',
    "augment": 'ON = "audio"\nVERSION = "1"\nLIMITS = {"db": (0, 9)}\n'
    "def augment(wave, rate, rng, *, db: Range = [1, 2]): ...\n",
}


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Return a checkout with one working plug-in of each kind, called "good"."""
    for kind, folder in FOLDER.items():
        tmp_path.joinpath(folder).mkdir(parents=True)
        tmp_path.joinpath(folder, "__init__.py").touch()
        tmp_path.joinpath(folder, "good.py").write_text(WORKING[kind])
    monkeypatch.setattr(find, "ROOT", tmp_path)
    return tmp_path


def test_a_new_file_is_a_plugin_and_is_not_imported(folders):
    assert not any(plugins.broken(kind) for kind in FOLDER)
    plugin = plugins.every("features")["good"]
    assert plugin.summary == "Loudness a frame." and plugin.constants == {"UNIT": "sone"}
    assert [str(a) for a in plugin.arguments.values()] == ["float = 10.0", "str", "bool | None = None"]
    with pytest.raises(ConfigError, match=r"feature good: 'kind' must be given \(str\)"):
        plugins.arguments("features", {"name": "good"})
    with pytest.raises(ConfigError, match=r"feature good: hop_ms must be float, got True"):
        plugins.arguments("features", {"name": "good", "kind": "x", "hop_ms": True})


DEFECTS = [
    ("corpora", "def utterances", "def clips", 1, "has no function utterances", "def utterances(root, *, ...)"),
    ("corpora", 'SOURCE = "Ask."\n', "", 1, "has no constant SOURCE", "SOURCE = ..., a text"),
    ("corpora", '"x.wav"', "5", 2, "GRAMMAR = 5 must be a text", ""),
    ("corpora", "root, *, part", "root, part", 3, "keyword-only", "def utterances(root, *, ...)"),
    ("features", "def extract", "def other", 1, "has no function extract", "def extract(wave, rate, *, ...)"),
    ("features", "def layout", "def other", 1, "has no function layout", "def layout(*, ...)"),
    ("features", "def names", "def other", 1, "has no function names", "def names(rate, *, ...)"),
    ("features", "kind, log): ...", "kind): ...", 7, "layout must take every setting of extract; it lacks log", ""),
    ("features", "= 10.0", "= MADE / 2", 6, "has the default MADE / 2", "must be a literal"),
    ("features", "hop_ms: float", "hop_ms: np.ndarray", 6, "has the annotation np.ndarray", "made of bool, int"),
    ("features", "hop_ms: float", "hop_ms: Pathlike", 6, "has the annotation Pathlike", "made of bool, int"),
    ("features", "hop_ms: float", "hop_ms: int()", 6, "has the annotation int()", "made of bool, int"),
    ("features", "hop_ms: float", "hop_ms: int[3]", 6, "has the annotation int[3]", "made of bool, int"),
    ("features", "import no", "impart no", 2, "cannot be parsed: invalid syntax", ""),
    ("features", "Loudness", "\0", 1, "cannot be parsed: source code string cannot contain null bytes.", ""),
    ("models", 'INPUT: str = "frames"\n', "", 1, "has no constant INPUT", "'frames', 'vector', 'either'"),
    ("models", '"frames"', '"frame"', 1, "INPUT = 'frame' must be one of 'frames', 'vector', 'either'", ""),
    ("models", '"frames"', "str(3)", 1, "INPUT = str(3) must be one of", "written out"),
    ("models", "def build", "async def build", 1, "has no function build", ""),
    ("models", "*, units: int = 3", "**settings", 2, "must name each of its settings", ""),
    ("models", "frame_shape, n_classes", "frame_shape", 2, "def build(frame_shape, n_classes, *, ...)", ""),
    ("augment", 'ON = "audio"\n', "", 1, "has no constant ON", "'audio', 'frames', 'either'"),
    ("augment", 'VERSION = "1"\n', "", 1, "has no constant VERSION", ""),
    ("augment", '"db": (0, 9)', '"decibel": (0, 9)', 3, "LIMITS must be {argument: (low, high)}", "Range (db)"),
    ("augment", "wave, rate, rng", "wave, rate", 4, "def augment(wave, rate, rng, *, ...)", ""),
]


@pytest.mark.parametrize(("kind", "right", "wrong", "line", "reason", "cure"), DEFECTS)
def test_a_defect_is_one_line_that_names_file_line_and_cure(kind, right, wrong, line, reason, cure, folders):
    assert right in WORKING[kind]
    folders.joinpath(FOLDER[kind], "bad.py").write_text(WORKING[kind].replace(right, wrong))
    assert list(plugins.every(kind)) == ["good"] and list(plugins.broken(kind)) == ["bad"]
    for use in (lambda: plugins.get(kind, "bad"), lambda: plugins.arguments(kind, {"name": "bad"})):
        with pytest.raises(ConfigError) as error:
            use()
        text = str(error.value)
        assert text.startswith(f"{FOLDER[kind]}/bad.py:{line}: ") and "\n" not in text
        assert reason in text and cure in text, text
    shown = listing.listing(kind)
    assert shown.startswith("good:") and "bad: BROKEN" in shown and max(map(len, shown.splitlines())) <= 80
    assert " ".join(shown.split()).endswith(" ".join(text.split()))
    assert plugins.get(kind, "good").name == "good"


def test_two_files_of_one_name_are_a_defect(folders):
    (folders / "models" / "ml").mkdir()
    folders.joinpath("models", "ml", "good.py").write_text('INPUT = "vector"\ndef build(): ...\n')
    assert plugins.broken("models") == {"good": "models/ml/good.py:1: models/dnn has a file of the same name."}
    assert plugins.get("models", "good").package == "models.dnn"


@pytest.mark.parametrize("kind", plugins.KINDS)
def test_no_file_of_ours_is_broken(kind):
    assert plugins.broken(kind) == {}


@pytest.mark.parametrize("kind", ["corpora", "features", "augment"])
def test_every_argument_is_documented_in_its_own_file(kind):
    for name, plugin in plugins.every(kind).items():
        text = getattr(plugin.load(), plugin.kind.function).__doc__
        for argument in plugin.arguments:
            assert re.search(rf"^ +(\w+, )*{argument}(, \w+)*: ", text, re.MULTILINE), (name, argument)


def test_call_passes_the_arguments_of_the_section():
    wave = np.ones(8, np.float32)
    section = {"name": "volume", "gain_db": [6.0, 6.0]}
    louder = plugins.call("augment", section, "augment", wave, 16000, np.random.default_rng(0))
    np.testing.assert_allclose(louder, wave * 10 ** (6 / 20), rtol=1e-6)
    assert plugins.call("features", {"name": "logmel"}, "names", rate=16000, n_mels=2) == ["mel_0", "mel_1"]
    with pytest.raises(ConfigError, match="Did you mean 'logmel'"):
        plugins.call("features", {"name": "logmell"}, "names", 16000)


def loaded(script: str, *arguments: str) -> tuple[set[str], int, str]:
    """Run a script's main in a fresh Python; return which heavy libraries it loaded, its status and its stderr."""
    code = (
        f"import json, sys\nfrom utils import cli\nimport {script}\nstatus = 0\n"
        f"try: cli.run(lambda argv: {script}.main({list(arguments)!r}))\nexcept SystemExit as end: status = end.code\n"
        f"print('\\n' + json.dumps([status, [m for m in {HEAVY!r} if m in sys.modules]]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=plugins.ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    status, names = json.loads(done.stdout.splitlines()[-1])
    return set(names), status, done.stderr


@pytest.mark.parametrize("what", ["models", "features", "corpora", "augment", "configs"])
def test_listing_loads_no_framework(what):
    assert loaded("train", "--list", what) == (set(), 0, "")


@pytest.mark.parametrize(
    ("script", "override", "expected"),
    [
        ("train", "model={name: bilstm, unit: 3}", "Did you mean 'units'?"),
        ("preprocess", "features.sett=IS09", "Did you mean 'set'?"),
        ("train", "modle=1", "Did you mean 'model'?"),
    ],
)
def test_a_mistake_in_a_config_costs_one_line_and_no_framework(script, override, expected):
    heavy, status, said = loaded(script, "--config", "config/ravdess_svm_is10.yaml", "--set", override)
    assert not heavy and status == 2
    assert said.startswith("error: config/ravdess_svm_is10.yaml: ") and said.count("\n") == 1 and expected in said


@pytest.mark.parametrize(
    ("script", "arguments", "expected"),
    [
        ("preprocess", [], "error: the following arguments are required: --config"),
        ("preprocess", ["--config", "x", "--jobs", "0"], "--jobs: must be a whole number of at least 1, got '0'"),
        ("preprocess", ["--config", "x", "--limit", "few"], "--limit: must be a whole number of at least 1, got 'few'"),
        ("preprocess", ["--confg", "x"], "error: "),
        ("train", ["--list", "model"], "invalid choice: 'model'"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line(script, arguments, expected):
    heavy, status, said = loaded(script, *arguments)
    assert not heavy and status == 2
    assert said.startswith("error: ") and said.count("\n") == 1 and expected in said, said
    assert "--help" in said
