"""Readings by other processes, which import it by name."""

import os
import signal

import numpy as np

from prediction.extractor import Reading
from tests.toy_workers import stuck


def read_or_die(file: str, extractor) -> Reading:
    """Return the length of a file's name; poison.wav kills the process, stuck.wav blocks it."""
    if file == "poison.wav":
        os.kill(os.getpid(), signal.SIGKILL)
    if file == "stuck.wav":
        stuck(60)
    return Reading(file, np.array([len(file)]))


def deadly_timeline(file: str, checkpoint, settings) -> dict:
    """Return an empty timeline; poison.wav kills the process."""
    if file == "poison.wav":
        os.kill(os.getpid(), signal.SIGKILL)
    return {}
