"""One YAML, one complete experiment: typed, defaults filled in, every mistake named with its nearest valid word."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from utils import plugins
from utils.config import steps
from utils.errors import ConfigError


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Clip(_Section):
    """Which part of each file is used, and at which level."""

    offset: float = Field(0.0, ge=0, description="seconds skipped at the start")
    seconds: float | None = Field(None, gt=0, description="longest part kept, in seconds; null keeps all")
    trim_db: float | None = Field(None, gt=0, description="cut silence this many dB below the loudest frame")
    level: Literal["peak", "rms"] | None = Field(None, description="scale the peak to 1, or the level to -25 dB")


class Split(_Section):
    """Which clips test which model."""

    by: Literal["speaker", "listed", "session", "corpus", "official", "random"] = Field(
        "speaker", description="what is kept whole on one side; random is speaker-dependent"
    )
    folds: int | str | list[list[int | str]] = Field(
        5, description="a number, all (leave one out), emobox, luna_jimenez, or lists of test speakers"
    )
    holdout: list[int | str] = Field([], description="speakers kept out of everything, scored last")


class Train(_Section):
    """How a network is trained; estimators do not read it."""

    epochs: int = Field(60, ge=1, description="at most; early stopping may end before")
    batch_size: int = Field(32, ge=1, description="clips an update")
    learning_rate: float = Field(0.001, gt=0, description="at the top of its schedule")
    loss: Literal["crossentropy", "focal"] = Field("crossentropy", description="categorical")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of the target spread over all classes")
    class_weight: Literal["none", "balanced"] = Field("none", description="balanced weighs rare classes up")
    optimizer: Literal["adam", "adamw", "sgd"] = Field("adam", description="sgd has Nesterov momentum .9")
    weight_decay: float = Field(0.0, ge=0, description="decoupled, as in AdamW")
    clip_norm: float | None = Field(None, gt=0, description="largest global norm of the gradient")
    schedule: Literal["constant", "step", "cosine", "plateau"] = Field(
        "constant", description="step: times .1 at 1/2 and 3/4; plateau: times .5 after 5 epochs without progress"
    )
    unfreeze_epoch: int | None = Field(
        None, ge=1, description="epoch, from 1, from which frozen layers learn too, vgg16's convolutions among them"
    )
    unfreeze_rate: float = Field(0.1, gt=0, description="factor of learning_rate from unfreeze_epoch on")
    warmup_epochs: int = Field(0, ge=0, description="linear rise to learning_rate")
    patience: int = Field(10, ge=1, description="epochs without a better validation UAR before stopping")
    runs: int = Field(1, ge=1, description="networks a fold, their probabilities averaged")
    ema: float = Field(0.0, ge=0, lt=1, description="decay of the weights' moving average, 0 for none; .99 is usual")
    mixed_precision: bool = Field(False, description="compute in float16 on a GPU, keep weights in float32")
    jit_compile: bool | None = Field(None, description="XLA; null leaves it to Keras")


EXAMPLES = {
    "features": "{name: opensmile, set: IS10}",
    "model": "{name: svm, C: 10.0}",
    "augment": "[{name: time_mask}]",
    "corpora": "[{name: ravdess, root: RAVDESS}]",
}
WANTED = {  # pydantic's types of error in a user's words
    "dict_type": "a mapping, {key: value}",
    "model_type": "a mapping, {key: value}",
    "list_type": "a list, [a, b]",
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "too_short": "at least one entry",
    "string_pattern_mismatch": "letters, digits, '.', '_' and '-' only",
}
PluginSection = Annotated[dict[str, Any], Field(min_length=1)]
SHARED = ("corpora", "merge", "drop", "labels", "split", "seed")  # what runs side by side must agree on
MEMBERS_OWN = ("rate", "clip", "features", "normalise", "augment", "balance", "train", "init", "freeze")


class Config(_Section):
    """A whole experiment."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="folder below checkpoints/")
    seed: int = Field(1, ge=0, description="of folds, initial weights, order and noise")
    rate: int = Field(16000, ge=4000, le=192000, description="Hz; every clip is resampled to it, mono")
    clip: Clip = Clip()
    corpora: list[PluginSection] = Field(min_length=1, description="{name, root, ...}; roots are below $SER_DATA")
    merge: dict[str, str] = Field({}, description="{boredom: neutral}: the left label becomes the right one")
    drop: list[str] = Field([], description="labels left out")
    labels: list[str] | None = Field(None, description="must equal what merge and drop leave; fixes the order")
    features: PluginSection | None = Field(None, description="{name, ...}: one file of extract_feats/")
    normalise: Literal["global", "speaker"] = Field("global", description="whose mean and deviation scale a clip")
    split: Split = Split()
    model: PluginSection = Field(description="{name, ...}: one file of models/dnn/ or models/ml/")
    augment: list[PluginSection] = Field([], description="{name, ...}: files of augmentation/, in this order")
    balance: Literal["none", "oversample", "augment"] = Field(
        "none", description="rare classes' clips come again (oversample), or as augmented copies, the only ones used"
    )
    train: Train = Train()
    init: str | None = Field(None, description="checkpoints/NAME of a network to start from")
    tuned: bool | list[int | str] = Field(
        False,
        description="by tune.py on the speakers of the folds, whose score then flatters; the list: whom it put aside",
    )
    freeze: list[str] = Field([], description="layers of the network, by name, that do not learn")

    def augmentation(self, *, audio: bool) -> list[dict]:
        """Return the steps that preprocess.py stores copies by, or those that run while a network trains."""
        return [step for step in self.augment if steps.on_audio(step) == audio]

    @property
    def members(self) -> list[str]:
        """Return the runs that the model joins; none for a model that reads features itself."""
        joins = plugins.get("models", self.model["name"]).constants["INPUT"] == "members"
        return self.model["members"] if joins else []

    def differing(self, other: "Config") -> list[str]:
        """Return the keys that keep two runs from being compared on the same clips and folds."""
        return [key for key in SHARED if getattr(self, key) != getattr(other, key)]

    @staticmethod
    def data_folder() -> Path:
        """Return the folder below which relative corpus roots lie: $SER_DATA, or data/ beside the scripts."""
        return Path(os.environ.get("SER_DATA") or plugins.ROOT / "data")


class _Loader(yaml.SafeLoader):
    """YAML 1.1 reads 1e-3 as text and takes the last of two equal keys; neither is what anyone means."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict:
    keys = [loader.construct_object(key) for key, _ in node.value]
    for key in keys:
        line = node.value[len(keys) - 1 - keys[::-1].index(key)][0].start_mark.line + 1
        if keys.count(key) > 1:
            raise yaml.YAMLError(f"line {line}: {key!r} is given twice")
        if not isinstance(key, str):
            raise yaml.YAMLError(f"line {line}: the key {key!r} is not text; put it in quotes")
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def parse_yaml(text: str, where: str) -> Any:
    """Return what a YAML text says; ConfigError (one line, beginning with ``where``) if it is not YAML."""
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        reason = str(error)
        if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
            reason = f"line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1}: {error.problem}"
        raise ConfigError(f"{where}: not valid YAML: {' '.join(reason.split())}.") from error


def read(path: Path | str, overrides: list[str] = ()) -> Config:
    """Return the experiment of a YAML file, ``KEY=VALUE`` overrides applied (``corpora.0.root=EMO-DB``).

    Raises:
        ConfigError: no such file, not YAML, an unknown key, a wrong type, an unknown plug-in or argument.
    """
    path = Path(path)
    if not path.is_file():
        found = sorted(p.stem for p in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
        raise ConfigError(f"{path}: no such config.{plugins.nearest(path.stem, found)} See train.py --list configs.")
    try:
        raw = parse_yaml(path.read_text(encoding="utf8"), str(path))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text (byte {error.start}). Save it as UTF-8.") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: holds no 'key: value' lines. Copy one of config/*.yaml to begin.")
    for override in overrides:
        _override(raw, override)
    return check(raw, str(path))


def check(raw: dict, where: str) -> Config:
    """Return the experiment of an already parsed YAML mapping; errors begin with ``where``."""
    try:
        config = Config.model_validate(raw)
        sections = [("features", config.features)] if config.features is not None else []
        sections += [("model", config.model)]
        sections += [("augment", step) for step in config.augment]
        for key, section in sections:
            if not isinstance(section.get("name"), str):
                raise ConfigError(f"{key}: 'name' must be given, e.g. {key}: {EXAMPLES[key]}.")
        model = {"name": config.model["name"], **plugins.arguments("models", config.model)}
        features = _features(config)
        augment = [steps.complete(step) for step in config.augment]
        steps.check(augment, config.balance)
        corpora = [_corpus(entry) for entry in config.corpora]
    except ValidationError as error:
        raise ConfigError(f"{where}: {_message(error, raw)}") from error
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
    return config.model_copy(update={"features": features, "model": model, "corpora": corpora, "augment": augment})


def _features(config: Config) -> dict | None:
    """Return the complete section; none of an ensemble, whose members bring it and all that goes with it."""
    if plugins.get("models", config.model["name"]).constants["INPUT"] == "members":
        if len(set(config.members)) < max(2, len(config.members)):
            raise ConfigError(f"model.members: must be two or more different runs, got {config.members!r}.")
        stated = [key for key in MEMBERS_OWN if getattr(config, key) != Config.model_fields[key].default]
        if stated:
            raise ConfigError(
                f"{', '.join(stated)}: the members of an ensemble bring their own. Leave it out; "
                f"{', '.join(SHARED)} must be stated as the members have them."
            )
        return None
    if config.features is None:
        raise ConfigError(f"'features' must be given: {_meaning(['features'])}.")
    return {"name": config.features["name"], **plugins.arguments("features", config.features)}


def _corpus(entry: dict) -> dict:
    for key in ("name", "root"):
        if not isinstance(entry.get(key), str):
            raise ConfigError(f"corpora: each needs '{key}', e.g. {EXAMPLES['corpora']}; got {entry!r}.")
    rest = {key: value for key, value in entry.items() if key != "root"}
    return {"name": entry["name"], "root": entry["root"], **plugins.arguments("corpora", rest)}


def _override(raw: dict, override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals:
        raise ConfigError(f"--set {override}: must be KEY=VALUE, e.g. --set split.folds=10.")
    *parents, last = key.split(".")
    here: Any = raw
    for step in parents:
        place = _place(here, step, override)
        if isinstance(here, dict) and here.get(step) is None:
            here[step] = {}
        here = here[place]
        if not isinstance(here, (dict, list)):
            raise ConfigError(f"--set {override}: {step!r} holds a single value, nothing lies below it.")
    here[_place(here, last, override)] = parse_yaml(value, f"--set {override}")


def _place(here: dict | list, step: str, override: str) -> str | int:
    if isinstance(here, dict):
        return step
    if not step.isdecimal() or int(step) >= len(here):
        raise ConfigError(f"--set {override}: {step!r} is not a place in a list of {len(here)}, counted from 0.")
    return int(step)


def _message(error: ValidationError, raw: dict) -> str:
    """One line for the first of pydantic's findings, and how many more there are."""
    found = error.errors()
    first = found[0]
    others = len({f["loc"][:1] for f in found}) - 1
    more = f" ({others} more key{'s' * (others > 1)} to mend)" if others else ""
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = list(_fields(first["loc"][:-1]))
        hint = plugins.nearest(first["loc"][-1], known)
        return f"{where!r} is not a known key.{hint} Known: {', '.join(known)}.{more}"
    if first["type"] == "missing":
        return f"{where!r} must be given: {_meaning(first['loc'])}.{more}"
    path = _path(first["loc"], raw)
    where, example = ".".join(str(part) for part in path), EXAMPLES.get(path[0], "")
    if len(path) < len(first["loc"]):  # none of several allowed kinds
        wanted = f"must be {_meaning(path)}"
    elif first["type"] in WANTED:
        wanted = f"must be {WANTED[first['type']]}"
    else:
        wanted = first["msg"].replace("Input should be", "must be")
    hint = plugins.nearest(first["input"], re.findall(r"'(\w+)'", wanted)) if first["type"] == "literal_error" else ""
    return f"{where}: {wanted}{f', e.g. {example}' if example else ''}, got {first['input']!r}.{hint}{more}"


def _path(location: tuple, raw: Any) -> list[str | int]:
    """Return the keys that lead to the mistake, without the kinds that pydantic tried there."""
    path, here = [], raw
    for part in location:
        if not (part in here if isinstance(here, dict) else isinstance(here, list) and isinstance(part, int)):
            break
        here = here[part]
        path.append(part)
    return path


def _fields(location: Sequence) -> dict:
    section: Any = Config
    for part in location:
        section = section.model_fields[part].annotation
    return section.model_fields


def _meaning(path: Sequence) -> str:
    """Return what a key is for, as the config's own description has it."""
    depth = 2 if path[0] in ("clip", "split", "train") else 1
    return _fields(path[: depth - 1])[path[depth - 1]].description
