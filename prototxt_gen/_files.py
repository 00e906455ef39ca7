"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A file to write into, which gets its name only when the block ends without an error.

    Until then the old file stays. A link is followed; a device or a pipe is written
    directly. The permissions are those of the old file, else the default. Raises OSError.
    """
    target = Path(os.path.realpath(path))
    mode = _mode(target)
    if mode is not None and not stat.S_ISREG(mode):
        with target.open("wb") as stream:
            yield stream
        return
    if mode is not None and not os.access(target, os.W_OK):
        raise PermissionError(13, "Permission denied", str(path))
    # The name is chosen before the file exists, so that it can be removed after any interrupt.
    name = target.parent / f".{target.name[:100]}.{os.urandom(4).hex()}"
    try:
        with _created(name, path) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(name, stat.S_IMODE(mode) if mode is not None else 0o666 & ~_umask())
        os.replace(name, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


def _created(name: Path, path: str | os.PathLike[str]) -> IO[bytes]:
    try:
        return open(name, "xb", opener=lambda file, flags: os.open(file, flags, 0o600))
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(path)) from None


def need_place(path: str | os.PathLike[str]) -> None:
    """Raise OSError if a file cannot be written: a folder, in no folder, or not permitted."""
    name = os.fspath(path)
    target = os.path.realpath(name)
    folder, mode = os.path.dirname(target), _mode(Path(target))
    if os.path.isdir(name):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
    if not os.path.isdir(folder):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
    # A file is replaced by one made in the same folder; a device is written to.
    beside = mode is None or stat.S_ISREG(mode)
    if (mode is not None and not os.access(target, os.W_OK)) or (
        beside and not os.access(folder, os.W_OK | os.X_OK)
    ):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), name)


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
