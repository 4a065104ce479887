"""Archives of other people, unpacked with suspicion: nothing leaves the folder, nothing is larger than announced."""

import errno
import lzma
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from utils.download.fetch import need_space
from utils.errors import DataError

SUFFIXES = (".zip", ".tar.gz", ".tgz", ".tar")
RATIO = 50  # compressed speech unpacks to 2 or 3 times its size; a bomb to thousands
DAMAGED = (  # what the modules of the standard library raise
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, EOFError, NotImplementedError,
    RuntimeError, ValueError, IndexError,
)  # fmt: skip
NO_PLACE = (errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG)  # a member cannot lie where it says


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip or (compressed) tar file; files that are there already are replaced.

    Raises:
        DataError: no or a damaged archive, a member that would lie outside the folder or is a link or device,
            or more than 50 times the archive's size.
        NoRoom: the disk is too full; the archive is good.
    """
    folder.mkdir(parents=True, exist_ok=True)
    total, most = 0, RATIO * archive.stat().st_size
    try:
        for member in _members(archive):
            total += abs(member.size)  # a tar can state what is less than nothing
            if total > most:
                raise DataError(f"{archive.name}: unpacks to more than {RATIO} times its size; no corpus does.")
            if not member.regular:
                raise DataError(f"{archive.name}: {member.name!r} is a link or device, which no corpus needs.")
            path = inside(folder, member.name, archive.name)
            need_space(folder, member.size)
            path.parent.mkdir(parents=True, exist_ok=True)
            with member.open() as source, path.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
            if path.stat().st_size != member.size:  # zipfile stops at the announced size by itself
                raise DataError(f"{archive.name}: {member.name!r} is not of the size announced.")
    except DAMAGED as error:
        raise DataError(f"{archive.name}: damaged, or no archive ({' '.join(str(error).split())}).") from error
    except OSError as error:
        if error.errno is not None and error.errno not in NO_PLACE:  # the disk's, not that of gzip or bzip2
            raise
        raise DataError(f"{archive.name}: damaged, or no archive ({' '.join(str(error).split())[:200]}).") from error


def inside(folder: Path, name: str, where: str) -> Path:
    """Return folder/name.

    Raises:
        DataError: that is not below the folder; begins with ``where``.
    """
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or parts[0] == "/" or any(part == ".." or ":" in part for part in parts):
        raise DataError(f"{where}: {name!r} would lie outside the folder it is unpacked into.")
    return folder.joinpath(*parts)


def _read_to_end(file: BinaryIO, most: int) -> None:
    """Read what follows a tar's last member: only there gzip and the like compare their checksums."""
    while most > 0 and (block := file.read(1 << 20)):
        most -= len(block)


class _Member(NamedTuple):
    name: str
    size: int  # bytes, as announced
    regular: bool
    open: Callable[[], BinaryIO]


def _members(archive: Path) -> Iterator[_Member]:
    if not zipfile.is_zipfile(archive):
        with tarfile.open(archive) as tar:
            for member in tar:
                if not member.isdir():
                    yield _Member(member.name, member.size, member.isreg(), partial(tar.extractfile, member))
            _read_to_end(tar.fileobj, RATIO * archive.stat().st_size)
        return
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            if not info.is_dir():
                regular = stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG)  # 0: not made on Unix
                yield _Member(info.filename, info.file_size, regular, partial(opened.open, info))
