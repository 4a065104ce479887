"""Configs: every mistake is one line that names the key and what would be right; every shipped config runs."""

import itertools

import pytest
import yaml

import corpora
from utils import config as configs
from utils import plugins
from utils.errors import ConfigError
from utils.plugins import listing

BASE = """name: trial
corpora:
  - {name: ravdess, root: RAVDESS}
features: {name: opensmile, set: IS10}
model: {name: svm, C: 10.0}
"""
SHIPPED = sorted((plugins.ROOT / "config").glob("*.yaml"))
DATA = plugins.ROOT / "data"
shipped = pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)


@pytest.fixture
def read(tmp_path):
    """Return a function that reads a config of this text."""

    def read(text: str | bytes, *overrides: str) -> configs.Config:
        path = tmp_path / "trial.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return configs.read(path, list(overrides))

    return read


def refused(read, *arguments) -> str:
    """Return the message of refusal, of which every one is one line that begins with the file or the option."""
    with pytest.raises(ConfigError) as caught:
        read(*arguments)
    message = str(caught.value)
    assert "\n" not in message and ("trial.yaml: " in message or message.startswith("--set ")), message
    return message.partition("trial.yaml: ")[2] or message


def test_defaults_are_filled_in(read):
    config = read(BASE)
    assert (config.seed, config.rate, config.normalise, config.split.by, config.split.folds) == (
        1, 16000, "global", "speaker", 5,
    )  # fmt: skip
    assert config.clip.model_dump() == {"offset": 0.0, "seconds": None, "trim_db": None, "trim": None, "level": None}
    assert config.features == {"name": "opensmile", "set": "IS10", "level": "functionals"}
    assert config.corpora == [{"name": "ravdess", "root": "RAVDESS", "channel": "speech"}]
    assert config.model["C"] == 10.0 and config.model["kernel"] == "rbf"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("lables: [sad]", ["'lables' is not a known key. Did you mean 'labels'? Known: name, seed,"]),
        ("train: {epoch: 3}", ["'train.epoch' is not a known key. Did you mean 'epochs'?"]),
        ("clip: {ofset: 1}", ["'clip.ofset' is not a known key. Did you mean 'offset'?"]),
        ("split: {fold: 3}", ["'split.fold' is not a known key. Did you mean 'folds'?"]),
        ("train: {epochs: '3'}", ["train.epochs: must be a whole number, got '3'"]),
        ("train: {epochs: 0}", ["train.epochs: must be greater than or equal to 1, got 0"]),
        ("train: {clip_norm: -1}", ["train.clip_norm: must be greater than 0, got -1"]),
        ("train: {label_smoothing: 1}", ["train.label_smoothing: must be less than 1"]),
        ("train: {epochs: 3.5, loss: hinge, bath_size: 1}", ["train."]),
        ("rate: 16k", ["rate: must be a whole number, got '16k'"]),
        ("rate: 800", ["rate: must be greater than or equal to 4000, got 800"]),
        ("seed: true", ["seed: must be a whole number, got True"]),
        ("normalise: speakers", ["must be 'global' or 'speaker', got 'speakers'. Did you mean 'speaker'?"]),
        ("split: {by: sesion}", ["split.by: must be 'speaker', 'listed', 'session'", "Did you mean 'session'?"]),
        ("split: {folds: 5.5}", ["split.folds: must be a number, all (leave one out), emobox", "got 5.5"]),
        ("split: {folds: [1, 2]}", ["split.folds: must be a number, all", "or lists of test speakers, got [1, 2]"]),
        ("split: {folds: [[1], [true]]}", ["split.folds: must be a number", "got [[1], [True]]"]),
        ("split: {folds: {a: 1}}", ["split.folds: must be a number", "got {'a': 1}"]),
        ("split: {folds: true}", ["split.folds: must be a number", "got True"]),
        ("split: {holdout: 3}", ["split.holdout: must be a list, [a, b], got 3"]),
        ("split: random", ["split: must be a mapping, {key: value}, got 'random'"]),
        ("clip: null", ["clip: must be a mapping, {key: value}, got None"]),
        ("clip: {level: max}", ["clip.level: must be 'peak', 'rms' or 'active', got 'max'"]),
        ("clip: {offset: .nan}", ["line 6: '.nan' is no finite number"]),
        ("drop: calm", ["drop: must be a list, [a, b], got 'calm'"]),
        ("drop: [no]", ["drop.0: must be text, got False"]),
        ("labels: sad", ["labels: must be a list, [a, b], got 'sad'"]),
        ("merge: [calm]", ["merge: must be a mapping, {key: value}, got ['calm']"]),
        ("merge: {calm: 3}", ["merge.calm: must be text, got 3"]),
        ("seed: x\nrate: 1", ["seed: must be a whole number, got 'x'. (1 more key to correct)"]),
        ("1: 2", ["line 6: the key 1 is not text; put it in quotes"]),
        ("seed: 1\nseed: 2", ["not valid YAML: line 7: 'seed' is given twice"]),
        ("drop: [a", ["not valid YAML: line 7, column 1: expected ',' or ']'"]),
        ("\tseed: 1", ["not valid YAML: line 6, column 1: "]),
        ("seed: !!python/name:os.system", ["not valid YAML: line 6"]),
        ("seed: &a [*a]", ["not valid YAML: line 6"]),
    ],
)  # fmt: skip
def test_a_wrong_line_is_named(read, line, expected):
    message = refused(read, f"{BASE}{line}\n")
    for part in expected:
        assert part in message, message


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("name: trial\n", "", "'name' must be given: folder below checkpoints/."),
        ("name: trial", "name: my trial", "name: must be letters, digits, '.', '_' and '-' only, got 'my trial'"),
        ("name: trial", "name: ../x", "name: must be letters, digits"),
        ("name: trial", "name: 2024", "name: must be text, got 2024"),
        ("model: {name: svm, C: 10.0}", "", "'model' must be given: {name, ...}: one file of models/"),
        ("{name: svm, C: 10.0}", "svm", "model: must be a mapping, {key: value}, e.g. {name: svm, C: 10.0}, got 'svm'"),
        ("{name: svm, C: 10.0}", "{C: 1}", "model: 'name' must be given, e.g. model: {name: svm, C: 10.0}"),
        ("{name: svm, C: 10.0}", "{name: svn}", "'svn' is not a known model. Did you mean 'svm'? Known: "),
        ("{name: svm, C: 10.0}", "{name: [svm]}", "model: 'name' must be given"),
        ("{name: svm, C: 10.0}", "{name: svm, c: 1}", "model svm: 'c' is not a known argument. Did you mean 'C'?"),
        ("{name: svm, C: 10.0}", "{name: svm, C: ten}", "model svm: C must be float, got 'ten'"),
        ("{name: svm, C: 10.0}", "{name: svm, kernel: rfb}", "model svm: kernel must be one of ["),
        ("{name: svm, C: 10.0}", "{name: bilstm, unit: 3}", "model bilstm: 'unit' is not a known argument. Did"),
        ("opensmile, set: IS10", "opensmiles", "'opensmiles' is not a known feature. Did you mean 'opensmile'?"),
        ("set: IS10", "set: is10", "got 'is10'. Did you mean 'IS10'?"),
        ("set: IS10", "sets: IS10", "feature opensmile: 'sets' is not a known argument. Did you mean 'set'?"),
        ("{name: opensmile, set: IS10}", "{}", "features: must be at least one entry, e.g. {name: opensmile"),
        ("{name: opensmile, set: IS10}", "IS10", "features: must be a mapping"),
        ("  - {name: ravdess, root: RAVDESS}", "  []", "corpora: must be at least one entry, e.g. [{name: ravdess"),
        ("  - {name: ravdess, root: RAVDESS}", "  {name: ravdess}", "corpora: must be a list"),
        ("{name: ravdess, root: RAVDESS}", "ravdess", "corpora.0: must be a mapping"),
        (", root: RAVDESS", "", "corpora: each needs 'root', e.g. [{name: ravdess, root: RAVDESS}]; got"),
        ("name: ravdess", "name: ravdes", "'ravdes' is not a known corpus. Did you mean 'ravdess'? Known: casia"),
        ("root: RAVDESS", "root: RAVDESS, chanel: song", "'chanel' is not a known argument. Did you mean 'channel'?"),
        ("root: RAVDESS", "root: RAVDESS, channel: sung", "must be one of ['speech', 'song', 'both'], got 'sung'"),
        ("{name: ravdess, root: RAVDESS}", "{name: manifest, root: x}", "corpus manifest: 'file' must be given (str)"),
    ],
)  # fmt: skip
def test_a_wrong_part_is_named(read, old, new, expected):
    assert old in BASE
    message = refused(read, BASE.replace(old, new))
    assert expected in message, message


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("model.C", "--set model.C: must be KEY=VALUE, e.g."),
        ("modl.C=1", "'modl' is not a known key. Did you mean 'model'?"),
        ("train.epoch=3", "'train.epoch' is not a known key. Did you mean 'epochs'?"),
        ("model.c=1", "model svm: 'c' is not a known argument. Did you mean 'C'?"),
        ("corpora.1.root=x", "--set corpora.1.root=x: '1' is not a place in a list of 1, counted from 0."),
        ("corpora.root=x", "'root' is not a place in a list of 1"),
        ("corpora.²=x", "is not a place in a list of 1"),
        ("name.x=1", "--set name.x=1: 'name' is a single value and has no keys of its own."),
        ("seed.x=1", "seed: must be a whole number, got {'x': 1}"),
        ("name=", "name: must be text, got None"),
        ("=1", "'' is not a known key"),
        ("model.C=[", "--set model.C=[: not valid YAML: line 1"),
        ("model.C=abc", "model svm: C must be float, got 'abc'"),
    ],
)
def test_a_wrong_override_is_named(read, override, expected):
    message = refused(read, BASE, override)
    assert expected in message, message


def test_overrides_reach_lists_nested_and_new_keys(read):
    overrides = ["corpora.0.root=elsewhere/R", "split.folds=[[1, 2], [x]]", "drop=[calm]", "train.learning_rate=1e-4"]
    config = read(BASE, *overrides, "merge.calm=neutral", "clip.seconds=3", "name=other", "corpora.0.channel=both")
    assert config.corpora == [{"name": "ravdess", "root": "elsewhere/R", "channel": "both"}]
    assert config.split.folds == [[1, 2], ["x"]] and config.drop == ["calm"] and config.merge == {"calm": "neutral"}
    assert config.train.learning_rate == 1e-4 and config.clip.seconds == 3.0 and config.name == "other"


def test_one_set_moves_an_experiment_to_another_corpus(read):
    config = read(BASE, "corpora.0={name: emodb, root: EMO-DB}", "split={by: speaker, folds: all}")
    assert config.corpora[0]["name"] == "emodb" and config.split.folds == "all"


@pytest.mark.parametrize("text", ["1e-3", "1E-3", "+1.5e+2", "1.e3", "2e0"])
def test_floats_without_a_point_are_floats(read, text):
    assert read(BASE, f"train.learning_rate={text}").train.learning_rate == float(text)


def test_whole_numbers_pass_as_floats_and_no_other_way_round(read):
    assert isinstance(read(BASE, "model.C=10").model["C"], float)
    assert "must be a whole number" in refused(read, BASE, "seed=1.0")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- a\n- b", "holds no 'key: value' lines. Copy one of config/*.yaml"),
        ("", "holds no 'key: value' lines"),
        ("just text", "holds no 'key: value' lines"),
        (b"name: \xff\xfe", "is not UTF-8 text (byte 6)"),
        ("name: \x00", "not valid YAML"),
    ],
)
def test_a_file_that_is_no_config(read, text, expected):
    assert expected in refused(read, text)


def test_a_byte_order_mark_is_no_mistake(read):
    assert read("\ufeff" + BASE).name == "trial"


def test_a_missing_file_names_the_nearest(tmp_path):
    (tmp_path / "svm_is10.yaml").write_text(BASE)
    with pytest.raises(ConfigError, match=r"svm_is1\.yaml: no such config\. Did you mean 'svm_is10'\?"):
        configs.read(tmp_path / "svm_is1.yaml")
    with pytest.raises(ConfigError, match=r"no such config\. See train\.py --list configs"):
        configs.read(tmp_path)  # a folder


def test_the_shipped_configs_are_those_of_the_plan():
    names = {path.stem for path in SHIPPED}
    assert {"demo_svm", "demo_bilstm", "ravdess_svm_is10", "ravdess_cnn1d_is10", "emodb_svm_compare"} <= names
    assert len(names) >= 20


@shipped
def test_a_shipped_config_loads_and_says_what_it_is(path):
    config = configs.read(path)
    text = path.read_text(encoding="utf8")
    assert config.name == path.stem
    assert text.startswith("# ") and len(text.partition("\n")[0]) > 20
    assert len(text.splitlines()) <= 25


@shipped
def test_a_complete_dump_reloads_as_the_same_config(path):
    config = configs.read(path)
    again = configs.check(configs.parse_yaml(yaml.safe_dump(config.model_dump()), "dump"), "dump")
    assert again == config


@pytest.mark.parametrize("path", [p for p in SHIPPED if p.stem.startswith("ravdess")], ids=lambda path: path.stem)
def test_a_ravdess_config_runs_on_emodb_by_set(path):
    config = configs.read(path, ["corpora=[{name: emodb, root: EMO-DB}]", "split={by: speaker, folds: all}"])
    assert config.corpora == [{"name": "emodb", "root": "EMO-DB"}]
    assert config.model == configs.read(path).model


@shipped
def test_a_shipped_config_merges_and_drops_only_words_of_its_corpora(path):
    config = configs.read(path)
    known = [corpora.published(entry) for entry in config.corpora]
    if all(known):
        words = [word for corpus in known for word in corpus.emotions]
        clips = [corpora.Utterance(str(i), path, word) for i, word in enumerate(words)]
        _, labels = corpora.relabel(clips, config.merge, config.drop, config.labels)
        assert len(labels) >= 4


@pytest.mark.parametrize("name", [path.stem for path in SHIPPED if path.stem.startswith("meld_bilstm")])
def test_a_fine_tuned_config_begins_from_a_network_of_its_own_shape(name):
    config = configs.read(plugins.ROOT / "config" / f"{name}.yaml")
    source = configs.read(plugins.ROOT / "config" / f"{config.init.removeprefix('checkpoints/')}.yaml")
    assert (config.model, config.features, config.rate, config.clip) == (
        source.model, source.features, source.rate, source.clip,
    )  # fmt: skip


def test_sets_models_and_corpora_combine_as_the_readme_says():
    sets = ("IS09", "IS10", "IS11", "IS12", "IS13", "ComParE_2016")
    roots = {"ravdess": "RAVDESS", "savee": "SAVEE", "emodb": "EMO-DB", "casia": "CASIA"}
    for name in ("ravdess_svm_is10", "ravdess_mlp_is10", "ravdess_cnn1d_is10", "ravdess_lstm_is09_lld"):
        for chosen, (corpus, root) in itertools.product(sets, roots.items()):
            overrides = [f"features.set={chosen}", f"corpora=[{{name: {corpus}, root: {root}}}]", "split.by=speaker"]
            config = configs.read(plugins.ROOT / "config" / f"{name}.yaml", [*overrides, "split.folds=all"])
            assert (config.features["set"], config.corpora[0]["name"]) == (chosen, corpus)


def test_configs_are_listed_with_their_first_line():
    listed = listing.listing("configs")
    assert all(f"config/{path.name}: " in listed for path in SHIPPED)
    assert max(len(line) for line in listed.splitlines()) <= 80


@pytest.mark.parametrize(("set_to", "expected"), [(None, DATA), ("", DATA), ("x", "x")])
def test_data_lies_below_ser_data(read, monkeypatch, set_to, expected):
    monkeypatch.delenv("SER_DATA", raising=False)
    if set_to is not None:
        monkeypatch.setenv("SER_DATA", set_to)
    assert str(read(BASE).data_folder()) == str(expected)


def test_changed_keys_of_a_finished_run_are_named(read, tmp_path):
    finished = tmp_path / "config.yaml"
    finished.write_text(yaml.safe_dump(read(BASE).model_dump()))
    assert configs.changed_keys(finished, read(BASE)) == []
    other = read(BASE, "model.C=3", "split.folds=all", "drop=[calm]", "corpora.0.channel=both")
    assert configs.changed_keys(finished, other) == ["corpora.0.channel", "drop", "model.C", "split.folds"]


BOMB = "\n".join(["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40))])


@pytest.mark.parametrize("key", ["name", "labels", "merge", "corpora", "model"])
def test_aliases_that_stand_for_more_than_the_limit_are_refused(read, key):
    """Printing such a value, or checking it, would take forever."""
    assert "more than 20000 values" in refused(read, f"{BOMB}\n{key}: *a39\n")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("seed: " + "9" * 5000, ["'99999999", "is no finite number, or no whole one within 2^63"]),
        ("seed: 9223372036854775808", ["is no finite number, or no whole one within 2^63"]),
        ("seed: !!int abc", ["line 6: 'abc' is no finite number"]),
        ("seed: !!int ''", ["line 6: '' is no finite number"]),
        ("train: {learning_rate: .inf}", ["line 6: '.inf' is no finite number"]),
        ("train: {learning_rate: .nan}", ["line 6: '.nan' is no finite number"]),
        ("train: {learning_rate: 1e999}", ["line 6: '1e999' is no finite number"]),
        ("balance: !!bool abc", ["line 6: 'abc' is not true or false"]),
        ("balance: !!binary abc", ["not valid YAML: line 6", "tag:yaml.org,2002:binary"]),
        ("balance: !!python/object/apply:os.system [ls]", ["not valid YAML: line 6", "could not determine"]),
        ("drop: " + "[" * 3000 + "]" * 3000, ["line 6: more than 30 levels"]),
        ("drop: &a [*a]", ["line 6: an alias within what it stands for"]),
        ('balance: "\\UFFFFFFFF"', ["not valid YAML"]),
        ('drop: ["\\ud800"]', ["line 6: '\\ud800' holds half a character"]),
        ("rate: 2024-13-45", ["rate: must be a whole number, got '2024-13-45'"]),
        ("rate: " + "x" * 5000, ["rate: must be a whole number, got 'xxxx", "xxx..."]),
        ("name: " + "x" * 200, ["name: must be at most 128 characters"]),
    ],
)
def test_yaml_beyond_the_limits_is_one_short_line(read, line, expected):
    base = BASE if not line.startswith("name") else BASE.partition("\n")[2]
    message = refused(read, base + line)
    assert len(message) < 500 and all(part in message for part in expected), message


def test_a_text_beyond_the_limit_is_not_parsed(read):
    assert "at most 500000" in refused(read, BASE + "#" * 500_001)


def test_a_date_is_text_and_an_alias_may_be_used(read):
    config = read(BASE + "drop: &left [2024-01-01]\nsplit: {holdout: *left}\n")
    assert config.drop == config.split.holdout == ["2024-01-01"]


def test_what_is_dumped_is_read_back():
    content = {"merge": {"1e5": "2024-01-01"}, "drop": ["é", "no", "1"], "rate": 1e-5, "a": [[1], [2]], "b": None}
    content["again"] = content["drop"]
    assert configs.parse_yaml(configs.dump_yaml(content), "dump") == content


def test_a_checkpoints_config_is_read_within_the_limits(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(f"{BOMB}\nname: *a39\n")
    config = configs.check(yaml.safe_load(BASE), "base")
    with pytest.raises(ConfigError, match="more than 20000 values"):
        configs.changed_keys(path, config)
    path.unlink()
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        configs.read_mapping(path)


def test_a_seed_beyond_what_libraries_take_is_refused(read):
    assert read(BASE + "seed: 2147483647").seed == 2**31 - 1
    assert "seed: must be less than or equal to 2147483647" in refused(read, BASE + "seed: 4294967296")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_refused_from_python_too(value):
    raw = yaml.safe_load(BASE)
    with pytest.raises(ConfigError, match="C must be float, got"):
        configs.check(raw | {"model": {"name": "svm", "C": value}}, "raw")
    with pytest.raises(ConfigError, match="must be a finite number"):
        configs.check(raw | {"train": {"learning_rate": value}}, "raw")
