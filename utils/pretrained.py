"""Pretrained weights as local files: where they lie, and how a safetensors file is read."""

import os
from pathlib import Path

import numpy as np

from utils.errors import ConfigError
from utils.plugins import ROOT


def locate(name: str) -> Path:
    """Return where a pretrained file or folder of that name lies, or would lie.

    A name is looked up below $SER_PRETRAINED, or below ``pretrained/`` in the checkout; an absolute path stays.
    """
    return Path(os.environ.get("SER_PRETRAINED") or ROOT / "pretrained", Path(name).expanduser())


def read_tensors(source: Path, prefix: str) -> dict[str, np.ndarray]:
    """Return the tensors of a safetensors file whose names begin with ``prefix``, under their names.

    Raises:
        ConfigError: not a safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(source, "numpy") as file:
            names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118
            return {name: file.get_tensor(name) for name in names}
    except SafetensorError as error:
        raise ConfigError(f"{source}: not a safetensors file ({' '.join(str(error).split())}).") from error
