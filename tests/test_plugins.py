"""Plug-in lookup: files are read, not imported; listings and mistakes load no framework."""

import json
import subprocess
import sys

import pytest

from utils import plugins
from utils.errors import ConfigError
from utils.plugins import listing

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
    found = plugins.every(kind)
    assert set(found) >= EXPECTED[kind]
    assert list(found) == sorted(found)


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


def test_a_new_file_is_a_plugin_and_a_helper_is_none(tmp_path, monkeypatch):
    folder = tmp_path / "extract_feats"
    folder.mkdir()
    folder.joinpath("loudness.py").write_text(
        '"""Loudness a frame."""\nimport no_such_library\nSCALE, UNIT = 1, "dB"\nUNIT = "sone"\nMADE = max(1, 2)\n'
        "def extract(wave, rate, *, hop_ms: float = 10.0, kind: str, log: bool | None = None): ...\n"
    )
    folder.joinpath("helper.py").write_text("def other(): ...\n")
    monkeypatch.setattr(plugins, "ROOT", tmp_path)
    plugins.every.cache_clear()
    try:
        found = plugins.every("features")
        assert list(found) == ["loudness"]
        plugin = found["loudness"]
        assert plugin.summary == "Loudness a frame." and plugin.constants == {"UNIT": "sone"}
        assert [str(a) for a in plugin.arguments.values()] == ["float = 10.0", "str", "bool | None = None"]
        with pytest.raises(ConfigError, match=r"feature loudness: 'kind' must be given \(str\)"):
            plugins.arguments("features", {"name": "loudness"})
        with pytest.raises(ConfigError, match=r"feature loudness: hop_ms must be float, got True"):
            plugins.arguments("features", {"name": "loudness", "kind": "x", "hop_ms": True})
    finally:
        monkeypatch.undo()
        plugins.every.cache_clear()


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
