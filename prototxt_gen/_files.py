"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from prototxt_gen._halves import writer_of
from prototxt_gen._moves import joined, together

__all__ = ["joined", "named", "need_place", "together", "usual_mode", "whole_file"]

_NO_FOLDER = "its folder does not exist"


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A file to write into, which gets its name only when the block ends without an error.

    Until then the old file stays; inside ``together`` it stays until that ends. A link is
    followed; a device or a pipe is written directly. The permissions are those of the old
    file, else the default. Raises OSError, which names the path, also where another
    process is writing it.
    """
    target = Path(os.path.realpath(path))
    mode = _mode(target)
    if mode is not None and not stat.S_ISREG(mode):
        with named(path), target.open("wb") as stream:
            yield stream
        return
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, _NO_FOLDER, str(path))
    if mode is not None and not os.access(target, os.W_OK):
        raise PermissionError(13, "Permission denied", str(path))
    with joined() as moves, named(path):
        moves.hold(target, path)
        # Known before the file exists, so that it can be removed after any interrupt.
        half = moves.add(target)
        try:
            with open(half, "xb", opener=lambda file, flags: os.open(file, flags, 0o600)) as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            os.chmod(half, usual_mode(target))
        except BaseException:
            moves.drop(half)
            raise


@contextmanager
def named(path: str | os.PathLike[str]) -> Iterator[None]:
    """An OSError of the block names the path, where it names no file or a half one."""
    try:
        yield
    except OSError as error:
        name = error.filename
        if name is not None and (
            isinstance(name, int) or writer_of(Path(os.fsdecode(name))) is None
        ):
            raise
        number, reason = error.errno or errno.EIO, error.strerror or str(error)
        raise OSError(number, reason, str(path)) from None


def need_place(path: str | os.PathLike[str]) -> None:
    """Raise OSError if a file cannot be written: a folder, in no folder, or not permitted."""
    name = os.fspath(path)
    target = os.path.realpath(name)
    folder, mode = os.path.dirname(target), _mode(Path(target))
    if os.path.isdir(name):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
    if not os.path.isdir(folder):
        raise FileNotFoundError(errno.ENOENT, _NO_FOLDER, name)
    # A file is replaced by one made in the same folder; a device is written to.
    beside = mode is None or stat.S_ISREG(mode)
    if (mode is not None and not os.access(target, os.W_OK)) or (
        beside and not os.access(folder, os.W_OK | os.X_OK)
    ):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), name)


def usual_mode(target: Path) -> int:
    """The permissions of a file, else those of a new one."""
    mode = _mode(target)
    return stat.S_IMODE(mode) if mode is not None else 0o666 & ~_umask()


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
