"""Parts of one file from the web, by HTTP ranges; a broken connection is gone on with."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import requests

from utils.download.fetch import BLOCK, PATIENCE, insist, need_space, refuse
from utils.errors import DataError


class Piece(NamedTuple):
    """Bytes of a remote file.

    Attributes:
        content: the bytes asked for.
        size: bytes of the whole file.
        tag: what the server calls this version of the file; "" if it does not say.
    """

    content: bytes
    size: int
    tag: str


def read(url: str, start: int, end: int, *, session: requests.Session, tries: int = 5, wait: float = 1.0) -> Piece:
    """Return the bytes from ``start`` up to ``end`` (excluded) of a remote file; few, as they are held in memory.

    Raises:
        DataError: the server refuses, sends no ranges, or cannot be reached.
    """

    def attempt() -> Piece:
        with _asked(url, start, end, session) as answer:
            content = b"".join(answer.iter_content(BLOCK))
            return Piece(content, int(_span(answer).rpartition("/")[2]), _tag(answer))

    return insist(attempt, url, None, tries=tries, wait=wait)


def append(
    url: str,
    ranges: Sequence[tuple[int, int]],
    part: Path,
    *,
    head: bytes,
    tag: str,
    session: requests.Session,
    report: Callable[[int, int], None] = lambda done, total: None,
    tries: int = 5,
    wait: float = 1.0,
) -> None:
    """Write ``head`` and then the ranges of a remote file into ``part``; what is there of it already is kept.

    Beside it ``<part>.tag`` holds the version of the file that the part is of; a part of another version is begun anew.
    ``finish`` gives the part its name.

    Args:
        ranges: first byte, and the byte after the last one, in the order in which they are written.
        head: what the part begins with.
        tag: as ``read`` returned it.
        report: called with bytes there and bytes in all.
        tries: attempts in a row for each range.
        wait: seconds before the second attempt, doubled before each further one.

    Raises:
        DataError: as ``read``, or the remote file has become another one meanwhile.
        NoRoom: the disk is too full.
    """
    total = len(head) + sum(end - start for start, end in ranges)
    _begin(part, head, tag, total)
    need_space(part.parent, total - part.stat().st_size)
    written = len(head)
    for start, end in ranges:
        written += end - start

        def attempt(end: int = end, written: int = written) -> None:
            missing = written - part.stat().st_size
            if missing > 0:
                _go_on(url, end - missing, end, part, tag, session, lambda done: report(done, total))

        insist(attempt, url, part, tries=tries, wait=wait)


def finish(part: Path, to: Path) -> None:
    """Give a part that is whole its name."""
    os.replace(part, to)
    _tag_file(part).unlink()


def _begin(part: Path, head: bytes, tag: str, total: int) -> None:
    """Leave a part that can be gone on with, or begin a new one."""
    mark = _tag_file(part)
    if part.exists() and mark.exists() and mark.read_text(encoding="utf8") == tag:
        with part.open("rb") as file:
            if file.read(len(head)) == head and part.stat().st_size <= total:
                return
    mark.write_text(tag, encoding="utf8")
    part.write_bytes(head)


def _go_on(
    url: str, start: int, end: int, part: Path, tag: str, session: requests.Session, report: Callable[[int], None]
) -> None:
    with _asked(url, start, end, session) as answer, part.open("ab") as file:
        if _tag(answer) != tag:
            raise DataError(f"{url}: the file was replaced while it was fetched. Run the same command again.")
        for block in _at_most(answer.iter_content(BLOCK), end - start):
            file.write(block)
            report(file.tell())
        file.flush()
        os.fsync(file.fileno())
    if part.stat().st_size < end - start:
        raise requests.ConnectionError("the connection was closed early")


def _at_most(blocks: Iterator[bytes], limit: int) -> Iterator[bytes]:
    for block in blocks:
        yield block[:limit]
        limit -= len(block[:limit])


def _asked(url: str, start: int, end: int, session: requests.Session) -> requests.Response:
    """Return the answer to a request for a range, whose content has not been read yet."""
    headers = {"Accept-Encoding": "identity", "Range": f"bytes={start}-{end - 1}"}
    answer = session.get(url, headers=headers, stream=True, timeout=PATIENCE)
    try:
        if answer.status_code == 416:
            raise DataError(f"{url}: has fewer than {end} bytes, so it is not the file that is meant.")
        refuse(url, answer)
        if answer.status_code != 206 or not _span(answer).startswith(f"bytes {start}-{end - 1}/"):
            raise DataError(f"{url}: the server does not send parts of a file (HTTP ranges). Use another --mirror.")
    except (DataError, requests.RequestException):
        answer.close()
        raise
    return answer


def _span(answer: requests.Response) -> str:
    return answer.headers.get("Content-Range", "")


def _tag(answer: requests.Response) -> str:
    """Return the file's ETag; a hub that redirects to a store names the content itself in X-Linked-ETag."""
    linked = [hop.headers["X-Linked-ETag"] for hop in (*answer.history, answer) if "X-Linked-ETag" in hop.headers]
    return linked[0] if linked else answer.headers.get("ETag", "")


def _tag_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.tag")
