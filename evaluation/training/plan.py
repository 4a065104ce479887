"""The plan of a training: which runs, on which clips. Whatever can be refused is refused here, before any work."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from evaluation.checkpoint import finished
from evaluation.training import ensemble
from evaluation.training.runs import Run, run_of
from extract_feats.cache import read
from models.common import check_input
from utils import cli
from utils import config as configs
from utils.config import Config
from utils.dataset import Dataset, common
from utils.errors import ConfigError


@dataclass(frozen=True)
class Settings:
    """What a call of train.py asks of all its runs.

    Attributes:
        config: paths of the experiments.
        set: overrides, KEY=VALUE.
        features: the folder of cached features.
        checkpoints: the folder of finished runs.
        limit: clips per class for a trial, else None.
        seeds: each experiment is run once per seed; once, by its own, if there is none.
        overwrite: train again where a finished run differs.
        tensorboard: also write learning curves as event files.
    """

    config: Sequence[str]
    set: Sequence[str]
    features: Path
    checkpoints: Path
    limit: int | None = None
    seeds: Sequence[int] = ()
    overwrite: bool = False
    tensorboard: bool = False

    @classmethod
    def of(cls, options: argparse.Namespace) -> "Settings":
        """Return the settings among the options of train.py."""
        return cls(**{field.name: getattr(options, field.name) for field in fields(cls)})


@dataclass(frozen=True)
class _Stated:
    """A config and the file that it was read from."""

    path: str
    config: Config


def plan(settings: Settings) -> list[Run]:
    """Return the runs of a call in the order of its configs, on the clips that all of them can read.

    Raises:
        ConfigError: configs that cannot be compared, equal names, missing features or members.
    """
    stated = [_Stated(path, configs.read(path, list(settings.set))) for path in settings.config]
    _check_comparable([one.config for one in stated])
    stated = [_Stated(one.path, config) for one in stated for config in _once_per_seed(one.config, settings.seeds)]
    _check_names([one.config for one in stated])
    members = _finished_members(stated, settings)
    datasets = _datasets(stated, settings) | _member_datasets(members, settings)
    datasets = dict(zip(datasets, common(list(datasets.values())), strict=True))
    return [_run(one.config, datasets, settings) for one in stated]


def _run(config: Config, datasets: Mapping[str, Dataset], settings: Settings) -> Run:
    members = [datasets[name] for name in config.members]
    return run_of(config, ensemble.joined(members) if members else datasets[config.name], settings.checkpoints)


def _once_per_seed(config: Config, seeds: Sequence[int]) -> list[Config]:
    """Return NAME_seedN for each seed; it decides weights, batches, and folds that are drawn."""
    changes = [{"seed": seed, "name": f"{config.name}_seed{seed}"} for seed in seeds]
    return [config.model_copy(update=change) for change in changes] or [config]


def _check_comparable(experiments: Sequence[Config]) -> None:
    first = experiments[0]
    for other in experiments[1:]:
        if differing := first.differing(other):
            raise ConfigError(
                f"{first.name} and {other.name} cannot be compared: they differ in {', '.join(differing)}. "
                f"Set them alike, e.g. --set {differing[0]}=..., or train them one by one."
            )


def _check_names(experiments: Sequence[Config]) -> None:
    names = [config.name for config in experiments]
    if len(set(names)) < len(names):
        raise ConfigError(f"two configs are named {max(names, key=names.count)!r}; each run needs a name of its own.")


def _finished_members(stated: Sequence[_Stated], settings: Settings) -> dict[str, Config]:
    """Return name -> config of the finished runs that ensembles join, without those that this call trains itself."""
    trained_here = {one.config.name: one.config for one in stated}
    members: dict[str, Config] = {}
    for one in stated:
        for name in one.config.members:
            folder = settings.checkpoints / name
            if name not in trained_here and not (folder / "model.json").is_file():
                path = Path(one.path).with_name(f"{name}.yaml")
                command = cli.command("train.py", settings, config=[path], set=[])
                raise ConfigError(f"{one.config.name}: no finished run {folder} for member {name}. Run: {command}")
            if name not in trained_here:
                members[name] = finished.member(folder).config
    for one in stated:
        if one.config.members:
            ensemble.check(one.config, [trained_here.get(name) or members[name] for name in one.config.members])
    return members


def _datasets(stated: Sequence[_Stated], settings: Settings) -> dict[str, Dataset]:
    """Return name -> clips and features of every experiment that reads features itself."""
    reading = [one for one in stated if not one.config.members]
    paths = list(dict.fromkeys(one.path for one in reading))
    datasets = {}
    for one in reading:
        seed = [f"seed={one.config.seed}"] if settings.seeds else []  # augmented copies are made by it
        command = cli.command("preprocess.py", settings, config=paths, set=[*settings.set, *seed])
        recipe = read.recipe_of(one.config)
        check_input(one.config.model, recipe.layout.frames, recipe.label)
        datasets[one.config.name] = read.dataset(one.config, settings.features, command=command, limit=settings.limit)
    return datasets


def _member_datasets(members: Mapping[str, Config], settings: Settings) -> dict[str, Dataset]:
    """Return name -> clips and features of finished runs; their checkpoints hold complete configs to preprocess by."""
    paths = [settings.checkpoints / name / "config.yaml" for name in members]
    command = cli.command("preprocess.py", settings, config=paths, set=[])
    return {
        name: read.dataset(config, settings.features, command=command, limit=settings.limit)
        for name, config in members.items()
    }
