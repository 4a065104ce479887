"""Files from the web: resumed where a connection broke, checked, complete or not at all."""

import hashlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import requests

from utils.errors import DataError

BLOCK = 1 << 16  # bytes
PATIENCE = 30.0  # seconds without a byte after which a connection counts as lost
SPARE = 100_000_000  # bytes that a disk is not filled up to
Result = TypeVar("Result")


def fetch(
    url: str,
    to: Path,
    *,
    session: requests.Session,
    md5: str = "",
    report: Callable[[int, int], None] = lambda done, total: None,
    tries: int = 5,
    wait: float = 1.0,
) -> None:
    """Bring a file; one that is there is not fetched again, and a part of it (``<name>.part``) is gone on with.

    pooch is not used: it begins anew when a connection breaks (version 1.9), and these files are large.

    Args:
        url: where it is.
        to: the file to write; its folder is made.
        session: shared by many files, so that their connections are.
        md5: 32 hex digits, if published.
        report: called with bytes there and bytes in all (0: not announced).
        tries: attempts in a row; each goes on where the last one ended.
        wait: seconds before the second attempt, doubled before each further one.

    Raises:
        DataError: refused by the server, connection lost for good, another checksum, or no room on the disk.
    """
    if to.exists():
        return
    to.parent.mkdir(parents=True, exist_ok=True)
    part = to.with_name(f"{to.name}.part")
    insist(lambda: _go_on(url, part, session, report), url, part, tries=tries, wait=wait)
    if md5 and (digest := _md5(part)) != md5:
        part.unlink()
        raise DataError(f"{url}: its MD5 is {digest}, not {md5} as published; it was removed. Run the command again.")
    os.replace(part, to)


def insist(step: Callable[[], Result], url: str, part: Path | None, *, tries: int, wait: float) -> Result:
    """Return what ``step`` returns, tried again while the connection breaks; it goes on where ``part`` ends.

    Raises:
        DataError: the connection is lost for good.
    """
    for attempt in range(1, tries):
        try:
            return step()
        except requests.RequestException:
            time.sleep(wait * 2 ** (attempt - 1))
    try:
        return step()
    except requests.RequestException as error:
        received = part.stat().st_size if part and part.exists() else 0
        raise DataError(
            f"{url}: no connection, or lost after {received} bytes ({_reason(error)}). "
            "Run the same command again: it goes on there."
        ) from error


def refuse(url: str, answer: requests.Response) -> None:
    """Raise DataError if the server refuses for good, requests' own error if that may pass."""
    if answer.status_code in (408, 429) or answer.status_code >= 500:
        answer.raise_for_status()
    if answer.status_code >= 400:
        raise DataError(f"{url}: the server answers {answer.status_code} {answer.reason}. It may have moved.")


def mirrored(url: str, mirror: str) -> str:
    """Return the address of the same file on a mirror (scheme and host), or unchanged without a mirror."""
    parts = urlsplit(url)
    return f"{mirror.rstrip('/')}{parts.path}{'?' * bool(parts.query)}{parts.query}" if mirror else url


class NoRoom(DataError):
    """The disk is too full; what has been fetched is as good as ever."""


def need_space(folder: Path, n: int) -> None:
    """Raise NoRoom unless n bytes more fit on the folder's disk."""
    free = shutil.disk_usage(folder).free
    if n + SPARE > free:
        raise NoRoom(f"{folder}: {n / 1e9:.2f} GB are needed and {free / 1e9:.2f} GB are free. Use another disk.")


def _go_on(url: str, part: Path, session: requests.Session, report: Callable[[int, int], None]) -> None:
    start = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with session.get(url, headers=headers, stream=True, timeout=PATIENCE) as answer:
        span = answer.headers.get("Content-Range", "")
        if answer.status_code == 416 and span == f"bytes */{start}":
            return  # nothing is missing but the name
        if answer.status_code == 416 or (answer.status_code == 206 and not span.startswith(f"bytes {start}-")):
            part.unlink(missing_ok=True)  # not a part of what the server has now
            raise requests.RequestException(f"the server does not go on at byte {start}")
        refuse(url, answer)
        if answer.status_code != 206:  # a server that cannot go on sends all of it
            start = 0
        missing = int(answer.headers.get("Content-Length", 0))
        need_space(part.parent, missing)
        with part.open("ab" if start else "wb") as file:
            for block in answer.iter_content(BLOCK):
                file.write(block)
                report(file.tell(), missing and start + missing)


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _reason(error: requests.RequestException) -> str:
    return " ".join(str(error).split())[:120]
