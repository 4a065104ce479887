"""A finished run as its files tell it; nothing is computed again and no model is loaded."""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from utils.errors import ConfigError
from utils.plugins import licences


@dataclass(frozen=True)
class Finished:
    """What a checkpoint folder holds: metrics.json, model.json, config.yaml, and whatever lies beside them."""

    folder: Path
    found: Mapping[str, Any]
    card: Mapping[str, Any]
    config: Mapping[str, Any]

    @property
    def chance(self) -> float:
        """Return the UAR of guessing."""
        return 1 / len(self.found["labels"])

    @property
    def features(self) -> list[Mapping[str, Any]]:
        """Return the feature sections that the model reads, those of an ensemble's members, one each."""
        sections = [card["features"] for card in self.card.get("members", [self.card])]
        return [section for n, section in enumerate(sections) if section not in sections[:n]]

    def licences(self, *kinds: str) -> list[tuple[str, str]]:
        """Return what the model is made with and the licence of each, as the plug-ins of these kinds state."""
        names = {("corpora", entry["name"]) for entry in self.config["corpora"]}
        names |= {("models", self.card["model"]["name"])}
        names |= {("features", name) for section in self.features for name in licences.features(section)}
        return licences.stated(pair for pair in names if pair[0] in kinds)

    def table(self, name: str) -> list[dict[str, str]]:
        """Return the rows of a CSV file beside, none if there is no such file."""
        path = self.folder / name
        if not path.is_file():
            return []
        with path.open(newline="", encoding="utf8") as file:
            return list(csv.DictReader(file))

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
    found, card = (json.loads((folder / name).read_text(encoding="utf8")) for name in ("metrics.json", "model.json"))
    return Finished(folder, found, card, yaml.safe_load((folder / "config.yaml").read_text(encoding="utf8")))
