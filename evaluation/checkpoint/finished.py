"""Finished runs as their files tell them; nothing is computed again and no model is loaded."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prediction.card import REMEDY, read_card
from utils import config as configs
from utils import foreign_text
from utils.config import Config
from utils.errors import ConfigError, short
from utils.plugins import licences


@dataclass(frozen=True)
class Finished:
    """What a checkpoint folder holds: metrics.json, model.json, config.yaml, and whatever lies beside them."""

    folder: Path
    metrics: Mapping[str, Any]
    card: Mapping[str, Any]
    config: Mapping[str, Any]

    @property
    def chance(self) -> float:
        """Return the UAR of guessing; an older version's run tested every label."""
        return self.metrics.get("chance", 1 / len(self.metrics["labels"]))

    @property
    def features(self) -> list[Mapping[str, Any]]:
        """Return the feature sections that the model reads, those of an ensemble's members, one each."""
        sections = [card["features"] for card in self.card.get("members", [self.card])]
        return [section for n, section in enumerate(sections) if section not in sections[:n]]

    def licences(self, *kinds: str) -> list[tuple[str, str]]:
        """Return what the model is made with and the licence of each, as the plug-ins of these kinds state."""
        names = {("corpora", entry["name"]) for entry in self.config["corpora"]} | licences.used(self.card)
        return licences.stated(pair for pair in names if pair[0] in kinds)

    def table(self, name: str) -> list[dict[str, str]]:
        """Return the rows of a CSV file beside, none if there is no such file."""
        path = self.folder / name
        if not path.is_file():
            return []
        with path.open(newline="", encoding="utf8") as file:
            return list(foreign_text.read_records(file))

    def evaluations(self) -> list[tuple[Path, dict[str, Any]]]:
        """Return folder and metrics of each evaluation on other clips."""
        paths = sorted(self.folder.glob("evaluations/[!.]*/metrics.json"))
        return [(path.parent, json.loads(path.read_text(encoding="utf8"))) for path in paths]


def read(folder: Path) -> Finished:
    """Return the finished run of a folder.

    Raises:
        ConfigError: train.py has written no run there.
    """
    for name in ("metrics.json", "model.json", "config.yaml"):
        if not (folder / name).is_file():
            raise ConfigError(f"{folder}: no {name} in it. Give a folder that train.py wrote, checkpoints/NAME.")
    return Finished(folder, _metrics(folder), read_card(folder), configs.read_mapping(folder / "config.yaml"))


def _metrics(folder: Path) -> dict[str, Any]:
    path = folder / "metrics.json"
    try:
        metrics = json.loads(path.read_text(encoding="utf8"))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: damaged, no JSON ({short(str(error))}). {REMEDY}") from error
    if not isinstance(metrics, dict):
        raise ConfigError(f"{path}: damaged, it must be a mapping, got {short(metrics)}. {REMEDY}")
    return metrics


@dataclass(frozen=True)
class Member:
    """A finished run that an ensemble joins.

    Attributes:
        folder: its checkpoint.
        config: complete and checked.
        card: model.json.
    """

    folder: Path
    config: Config
    card: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def digest(self) -> str:
        """Return a digest that changes when the run is trained again with another result."""
        digest = hashlib.blake2b(digest_size=16)
        for name in ("config.yaml", "predictions.csv", "model.onnx"):
            digest.update((self.folder / name).read_bytes())
        return digest.hexdigest()


def member(folder: Path) -> Member:
    """Return the finished run of a folder below checkpoints/, its config checked.

    Raises:
        ConfigError: a config that this version does not read.
    """
    return Member(folder, configs.read(folder / "config.yaml"), read_card(folder))


def member_verdicts(checkpoints: Path, config: Config) -> dict[str, str]:
    """Return the audit's verdict on each run that an ensemble in this folder of checkpoints joins, by name."""
    verdicts = {}
    for name in config.members:
        path = checkpoints / name / "metrics.json"
        metrics = json.loads(path.read_text(encoding="utf8")) if path.exists() else {}
        verdicts[name] = metrics.get("audit", {}).get("verdict", "not audited")
    return verdicts
