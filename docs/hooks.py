"""MkDocs calls these functions while it builds: they add the pages that docs/generate.py makes, also to the nav."""

import sys
from pathlib import Path

from mkdocs.structure.files import File

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # MkDocs imports from its own place

from docs import generate


def on_config(config):
    """Replace each ``folder/*`` of the nav by the pages of that folder, written or generated."""
    docs = Path(config.docs_dir)
    written = sorted(path.relative_to(docs).as_posix() for path in docs.rglob("*.md"))
    config.nav = _expanded(config.nav, [*generate.pages(), *written])
    return config


def on_files(files, config):
    """Add the generated pages; nothing is written into the checkout."""
    for path, text in generate.pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def _expanded(entry, paths: list[str]):
    if isinstance(entry, dict):
        return {title: below for title, value in entry.items() if (below := _expanded(value, paths))}
    if not isinstance(entry, list):
        return entry
    pages = []
    for part in entry:
        if isinstance(part, str) and part.endswith("/*"):
            folder = part.removesuffix("*")
            pages += [path for path in paths if path.startswith(folder) and path != f"{folder}index.md"]
        elif below := _expanded(part, paths):
            pages.append(below)
    return pages
