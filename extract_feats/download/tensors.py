"""Some tensors of a remote safetensors file, without the rest of it.

Such a file begins with the length of its header (8 bytes, little-endian) and the header: JSON that gives each tensor's
type, shape and place. https://huggingface.co/docs/safetensors, "Format".
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import requests

from utils.download import ranges
from utils.errors import DataError

LENGTH = 8  # bytes of the header's length
LONGEST = 100_000_000  # bytes of a header; the format allows no more
SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}  # bytes


class Header(NamedTuple):
    """What a safetensors file says of itself.

    Attributes:
        tensors: name -> ``dtype``, ``shape`` and ``data_offsets``, the latter in bytes after the header.
        metadata: free text by key.
        start: byte of the file where the tensors begin.
        tag: the server's name for this version of the file.
    """

    tensors: dict[str, dict[str, Any]]
    metadata: dict[str, str]
    start: int
    tag: str


def read_header(url: str, *, session: requests.Session, wait: float = 1.0) -> Header:
    """Return the header of a remote safetensors file.

    Raises:
        DataError: not such a file, or as ``ranges.read``.
    """
    first = ranges.read(url, 0, LENGTH, session=session, wait=wait)
    length = int.from_bytes(first.content, "little")
    if not 0 < length <= min(LONGEST, first.size - LENGTH):
        raise DataError(f"{url}: not a safetensors file; it does not begin with the length of its header.")
    text = ranges.read(url, LENGTH, LENGTH + length, session=session, wait=wait)
    try:
        tensors = json.loads(text.content)
        metadata = tensors.pop("__metadata__", {})
        for name, tensor in tensors.items():
            _check(name, tensor, first.size - LENGTH - length)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{url}: not a safetensors file; its header cannot be read ({error!r}).") from error
    return Header(tensors, metadata, LENGTH + length, first.tag)


def _check(name: str, tensor: Mapping[str, Any], size: int) -> None:
    """Raise ValueError unless the tensor lies within the file and is as long as its shape says."""
    start, end = tensor["data_offsets"]
    if not 0 <= start <= end <= size or end - start != SIZES[tensor["dtype"]] * math.prod(tensor["shape"]):
        raise ValueError(f"{name} is not where it is said to be")


def fetch_tensors(
    url: str,
    header: Header,
    names: Iterable[str],
    part: Path,
    *,
    session: requests.Session,
    report: Callable[[int, int], None] = lambda done, total: None,
    wait: float = 1.0,
) -> None:
    """Write a safetensors file of these tensors, under the same names; a part that is there is gone on with.

    Args:
        url: of the remote file.
        header: as ``read_header`` returned it.
        names: of the tensors to fetch.
        part: the file to write.
        report: called with bytes there and bytes in all.
        wait: seconds before a broken connection is tried again, doubled from one time to the next.

    Raises:
        DataError: as ``ranges.append``.
    """
    ordered = sorted(names, key=lambda name: header.tensors[name]["data_offsets"])
    places = [tuple(header.tensors[name]["data_offsets"]) for name in ordered]
    wanted = [(header.start + start, header.start + end) for start, end in merged(places)]
    head = _head({name: header.tensors[name] for name in ordered}, header.metadata)
    ranges.append(url, wanted, part, head=head, tag=header.tag, session=session, report=report, wait=wait)


def merged(places: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return ranges in which neighbours are one.

    >>> merged([(0, 4), (4, 8), (12, 16)])
    [(0, 8), (12, 16)]
    """
    result: list[tuple[int, int]] = []
    for start, end in places:
        if result and result[-1][1] == start:
            result[-1] = (result[-1][0], end)
        else:
            result.append((start, end))
    return result


def _head(tensors: Mapping[str, Mapping[str, Any]], metadata: Mapping[str, str]) -> bytes:
    """Return length and header of a file that holds these tensors one after the other."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    at = 0
    for name, tensor in tensors.items():
        start, end = tensor["data_offsets"]
        header[name] = {"dtype": tensor["dtype"], "shape": tensor["shape"], "data_offsets": [at, at + end - start]}
        at += end - start
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # as the format recommends: the tensors begin at a multiple of 8
    return len(text).to_bytes(LENGTH, "little") + text
