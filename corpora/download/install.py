"""Fetch a corpus, check it against its published counts and put it where its parser looks."""

import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import requests
from filelock import FileLock, Timeout

import corpora
from utils import bars, plugins
from utils.download.fetch import NoRoom, fetch, mirrored
from utils.download.unpack import SUFFIXES, inside, unpack
from utils.errors import DataError

CONNECTIONS = 4  # at a time, where a corpus is thousands of small files


def get(name: str, to: Path, *, say: Callable[[str], None], mirror: str = "", wait: float = 1.0) -> None:
    """Bring a corpus into a folder of its own below ``to``; one that is complete is left as it is.

    Until it is complete it lies in ``.<folder>.download`` beside its place.

    Args:
        name: a plug-in of corpora/ with a DOWNLOAD.
        to: the folder that holds the corpora.
        say: what takes a line for the user.
        mirror: scheme and host of a server that has the same paths as the original ones.
        wait: seconds before a broken download is tried again, doubled from one time to the next.

    Raises:
        ConfigError: no such corpus.
        DataError: it must be applied for, something else is in its place, or it cannot be had whole.
    """
    plugin = plugins.get("corpora", name)
    about = plugin.constants.get("DOWNLOAD")
    if not about:
        raise DataError(f"{name} cannot be fetched by this program. {plugin.constants['SOURCE']}")
    folder, staging = to / about["folder"], to / f".{about['folder']}.download"
    entry = {"name": name, **about.get("arguments", {})}
    if folder.exists():
        if lack := lacking(entry, folder):
            raise DataError(f"{folder} is there, but {lack}. Move it away, or download --to another folder.")
        say(f"{folder}: complete; nothing was fetched")
        return
    say(f"{plugin.summary}")
    say(f"licence: {about['licence']}")
    staging.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(staging / "lock", timeout=0):
            _bring(about["files"], staging, mirror, wait)
            if lack := lacking(entry, staging / "tree"):
                raise DataError(f"{name} was fetched, but {lack}. What is there lies in {staging / 'tree'}.")
            os.replace(staging / "tree", folder)
    except Timeout as error:
        raise DataError(f"{staging}: another process is fetching {name}.") from error
    shutil.rmtree(staging)
    say(f"{folder}: complete, {corpora.published(entry).clips} clips")


def lacking(entry: Mapping, root: Path) -> str:
    """Return what a corpus in this folder lacks of its published counts, or ""."""
    known = corpora.published(entry)
    try:
        clips, _ = corpora.read({**entry, "root": str(root.resolve())}, root)
    except DataError as error:
        return str(error).rstrip(".")
    return "" if Counter(u.emotion for u in clips) == known.emotions else f"has {len(clips)} of {known.clips} clips"


class _File(NamedTuple):
    url: str
    path: Path
    md5: str = ""


def _bring(files: Sequence[Mapping[str, str]], staging: Path, mirror: str, wait: float) -> None:
    """Fetch what a DOWNLOAD lists under ``files`` into ``tree``.

    Each has a ``url`` and, where published, its ``md5``. An archive is unpacked, another file is taken as it is. With
    ``names`` (a pattern), ``each`` (an address with {} for a name) and ``to`` (a folder) the file is a list of others;
    with ``dataverse`` (an address with {} for a number) it is the description of a data set in a Dataverse.
    """
    tree, archives = staging / "tree", []
    with requests.Session() as session:
        for about in files:
            url = mirrored(about["url"], mirror)
            name = "files.json" if "dataverse" in about else Path(urlsplit(url).path).name
            is_archive = name.endswith(SUFFIXES)
            path = (staging if is_archive or "dataverse" in about else tree) / name
            with bars.progress(path.name, "MB") as report:
                size = bars.in_mb(report)
                fetch(url, path, session=session, md5=about.get("md5", ""), report=size, wait=wait)
            if is_archive:
                archives.append(path)
                _unpack(path, tree, archives)
            elif listed := list(_listed(about, path, tree, mirror)):
                with bars.progress(path.name, "files") as report:
                    _bring_all(listed, session, report, wait)
    for inner in sorted(path for path in tree.rglob("*") if path.name.endswith(SUFFIXES)):  # MELD's are
        _unpack(inner, inner.parent, archives)
        inner.unlink()


def _unpack(archive: Path, tree: Path, fetched: Sequence[Path]) -> None:
    """Unpack an archive; if it is damaged, remove all that were fetched, of which it may be a part."""
    try:
        unpack(archive, tree)
    except NoRoom:
        raise
    except DataError:
        for path in (archive, *fetched):
            path.unlink(missing_ok=True)  # so that the next run fetches another
        raise


def _bring_all(files: Sequence[_File], session: requests.Session, report: bars.Progress, wait: float) -> None:
    def bring(file: _File) -> None:
        fetch(file.url, file.path, session=session, md5=file.md5, wait=wait)

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        try:
            for done, _ in enumerate(pool.map(bring, files), 1):
                report(done, len(files))
        finally:
            pool.shutdown(cancel_futures=True)  # one that cannot be had ends it


def _listed(about: Mapping[str, str], path: Path, tree: Path, mirror: str) -> Iterator[_File]:
    """Yield the files that a list names: names by a pattern, or the answer of a Dataverse."""
    if "names" in about:
        for name in sorted(set(re.findall(about["names"], path.read_text(encoding="utf8", errors="replace")))):
            url = mirrored(about["each"].format(name), mirror)
            yield _File(url, tree / about["to"] / Path(urlsplit(url).path).name)
    elif "dataverse" in about:
        try:
            files = [file["dataFile"] for file in json.loads(path.read_bytes())["data"]["latestVersion"]["files"]]
            named = [(file["id"], str(file["filename"]), str(file.get("md5", ""))) for file in files]
        except (ValueError, KeyError, TypeError) as error:
            path.unlink()
            raise DataError(f"{about['url']}: the answer is no list of a Dataverse's files ({error!r}).") from error
        for number, name, md5 in named:
            yield _File(mirrored(about["dataverse"].format(number), mirror), inside(tree, name, about["url"]), md5)
