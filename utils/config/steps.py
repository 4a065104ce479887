"""The steps of a config's ``augment``: completed and checked, and which of them work on audio."""

from collections.abc import Mapping, Sequence
from typing import Any

from utils import plugins
from utils.errors import ConfigError, short

Step = Mapping[str, Any]  # {"name": plug-in, argument: value, ...}; on audio also "copies"


def on_audio(step: Step) -> bool:
    """Whether a step changes waves, whose features are stored, and not features while a network trains."""
    return plugins.get("augment", step["name"]).constants["ON"] == "audio"


def complete(step: Step) -> dict[str, Any]:
    """Return a step with every argument. ``copies`` is none of the plug-in's: so often the wave is drawn anew.

    Raises:
        ConfigError: an unknown plug-in or argument, a wrong value, or features' augmentation inside one of audio.
    """
    if not on_audio(step):
        return {"name": step["name"], **plugins.arguments("augment", step)}
    where, copies = f"augmentation {step['name']}", step.get("copies", 1)
    if type(copies) is not int or copies < 1:
        raise ConfigError(f"{where}: copies must be a whole number of at least 1, got {short(copies)}.")
    filled = plugins.arguments("augment", section(step))
    _refuse_features(filled, where)
    return {"name": step["name"], **filled, "copies": copies}


def section(step: Step) -> dict[str, Any]:
    """Return a step as its plug-in knows it, without ``copies``."""
    return {key: value for key, value in step.items() if key != "copies"}


def _refuse_features(filled: Step, where: str) -> None:
    lists = [value for value in filled.values() if isinstance(value, list)]
    for part in (part for parts in lists for part in parts if isinstance(part, dict)):
        if not on_audio(part):
            raise ConfigError(f"{where}: {part['name']} works on features while a network trains, not on audio.")
        _refuse_features(part, where)


def check(steps: Sequence[Step], balance: str) -> None:
    """Refuse complete steps that do not go together.

    Raises:
        ConfigError: two give the same copies, or ``balance: augment`` has none to take.
    """
    audio = [section(step) for step in steps if on_audio(step)]
    if twice := [step["name"] for n, step in enumerate(audio) if step in audio[:n]]:
        raise ConfigError(f"augment: {twice[0]} is given twice with equal arguments; give copies: 2 for two copies.")
    if balance == "augment" and not audio:
        raise ConfigError(
            "balance: augment fills the smaller classes with copies, and augment has none on audio. "
            "Give one, e.g. augment: [{name: speed}], or balance: oversample."
        )
