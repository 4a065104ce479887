"""Which folder a checkpoint's name stands for; without a name, the general model in the repository."""

from pathlib import Path

from utils.plugins import ROOT

GENERAL = "general"


def located(checkpoint: Path) -> Path:
    """Return the folder of a checkpoint that is given by its path, or by its name below ``checkpoints/`` here."""
    named = ROOT / "checkpoints" / checkpoint
    by_name = (named / "model.json").is_file() and not (checkpoint / "model.json").is_file()
    return named if by_name else checkpoint
