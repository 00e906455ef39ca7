"""One process at a time, where the system can say so: a lock goes when its owner dies."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prototxt_gen._halves import taken_back

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

LOCK = ".resnet-proto.lock"  #: what the name of a lock ends with


@contextmanager
def folder_lock(folder: Path, busy: str) -> Iterator[None]:
    """Hold a folder; it needs no file. Raises OSError with the text ``busy`` where it is held."""
    if fcntl is None:
        yield
        return
    place = os.open(folder, os.O_RDONLY)
    try:
        _take(place, busy, folder)
        yield
    finally:
        os.close(place)


@contextmanager
def file_lock(target: Path, shown: str | os.PathLike[str]) -> Iterator[None]:
    """Hold a file that is to be written; a hidden file beside it is there for so long.

    Raises OSError, which names ``shown``, where another process holds it.
    """
    if fcntl is None:
        yield
        return
    lock = target.parent / _name(target)
    held: list[int] = []
    tried: list[int] = []

    def release() -> None:
        if not held:
            # A signal came before the lock was known to be held; it may be, by this process.
            while tried:
                os.close(tried.pop())
            remove_free(lock)
            return
        with suppress(OSError):
            os.unlink(lock)

    try:
        with taken_back(release):
            held.append(_opened(lock, shown, tried))
            yield
            release()
    finally:
        for place in held:
            os.close(place)


def remove_free(lock: Path) -> bool:
    """Remove a file that is a lock and that nobody holds; whether it was one."""
    if fcntl is None or not lock.name.endswith(LOCK) or lock.is_symlink():
        return False
    try:
        if lock.stat().st_size:
            return False
        place = _opened(lock, lock, [], create=False)
    except OSError:
        return False
    try:
        os.unlink(lock)
    except OSError:
        return False
    finally:
        os.close(place)
    return True


def _name(target: Path) -> str:
    name = target.name
    while len(os.fsencode(name)) > 200:
        name = name[:-1]
    return f".{name}{LOCK}"


def _opened(
    lock: Path, shown: str | os.PathLike[str], tried: list[int], *, create: bool = True
) -> int:
    """A descriptor that holds the file of that name: not one that was removed meanwhile.

    It is in ``tried`` from the moment when there is one.
    """
    while True:
        try:
            place = os.open(lock, os.O_RDONLY | (os.O_CREAT if create else 0), 0o644)
        except OSError as error:
            raise type(error)(error.errno, error.strerror, str(shown)) from None
        tried.append(place)
        try:
            _take(place, "another process is writing it", shown)
            own, there = os.fstat(place), os.stat(lock)
            if (own.st_dev, own.st_ino) == (there.st_dev, there.st_ino):
                return place
        except FileNotFoundError:
            pass
        except BaseException:
            tried.remove(place)
            os.close(place)
            raise
        tried.remove(place)
        os.close(place)


def _take(place: int, busy: str, shown: str | os.PathLike[str]) -> None:
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OSError(errno.EAGAIN, busy, str(shown)) from None
    except OSError:
        pass  # a file system without locks
