"""Plug-ins: a plug-in is a file, its one function's keyword-only arguments are its settings."""

from utils.plugins.annotations import Folder, Range, Section
from utils.plugins.check import arguments
from utils.plugins.find import ROOT, broken, call, every, get, nearest, settings
from utils.plugins.read import KINDS, REQUIRED, Argument, Kind, Plugin

__all__ = [
    "KINDS", "REQUIRED", "ROOT", "Argument", "Folder", "Kind", "Plugin", "Range", "Section",
    "arguments", "broken", "call", "every", "get", "nearest", "settings",
]  # fmt: skip
