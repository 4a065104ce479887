"""Text files that are written whole or not at all."""

import os
from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8 in place of a file's content; killed at any moment, the file holds the old or the new."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        aside.write_text(text, encoding="utf8")
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
