"""The bytes of an input, read once: of a file, or of a pipe that nobody can read again.

Nothing is allocated that the input does not have, and nothing above a limit.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from typing import IO, TYPE_CHECKING, Any, Union, cast, overload

from prototxt_gen._limits import HINT, at_most
from prototxt_gen._numpy import np

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

#: A file of more bytes is read where and when somebody asks for some of it.
READ_WHOLE = 16 << 20
MOST_PIPED = 2**31 - 1  #: of a pipe: what Caffe reads of a file (io.cpp, kProtoReadBytesLimit)
_CHUNK = 1 << 20
_WINDOW = 1 << 12
_SMALL = 1 << 16  #: bytes of numbers that are read with the rest


class LargeFile:
    """The bytes of a large file, each read when it is asked for.

    Nothing is mapped: what is mapped kills this process where another one cuts the file
    short. Here that is an OSError.
    """

    def __init__(self, file: IO[bytes], name: str, size: int) -> None:
        """Of a file that is open without a buffer; it is closed with this."""
        self._file, self._name, self._size = file, name, size
        self._start, self._window = 0, b""
        _, self._changed = self._state()

    def __del__(self) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> bytes: ...
    def __getitem__(self, place: int | slice) -> int | bytes:
        """A byte or a copy of some, as of ``bytes``."""
        if isinstance(place, int):
            return self[place : place + 1][0]
        start, end, _ = place.indices(self._size)
        if end - start > _WINDOW:
            return self._read(start, end)
        if start < self._start or end > self._start + len(self._window):
            self._window = self._read(start, min(start + _WINDOW, self._size))
            self._start = start
        return self._window[start - self._start : end - self._start]

    def _read(self, start: int, end: int) -> bytes:
        self._file.seek(start)
        parts = []
        while start < end:
            parts.append(self._file.read(end - start))
            start += len(parts[-1])
            self._need_same(len(parts[-1]))
        return b"".join(parts)

    def read_into(self, start: int, target: memoryview) -> None:
        """Fill a buffer with the bytes from ``start`` on; raises OSError where they are gone."""
        self._file.seek(start)
        done = 0
        while done < len(target):
            got: int = self._file.readinto(target[done:])  # type: ignore[attr-defined]
            done += got
            self._need_same(got)

    def _state(self) -> tuple[int, int]:
        """The size now, and when it was changed; a store's file has no descriptor to ask."""
        try:
            now = os.fstat(self._file.fileno())
        except io.UnsupportedOperation:
            return self._size, 0
        return now.st_size, now.st_mtime_ns

    def _need_same(self, got: int) -> None:
        """Raise OSError if nothing was got, or the file is not as it was."""
        size, changed = self._state()
        if not got or size < self._size:
            sizes = f"it had {self._size} bytes and now has {size}: " if size != self._size else ""
            raise OSError(errno.EIO, f"{sizes}it was cut off while it was read", self._name)
        if changed != self._changed:
            raise OSError(errno.EIO, "it was changed while it was read", self._name)


Buffer = Union[bytes, LargeFile]


def numbers_at(content: Buffer, kind: Any, count: int, start: int) -> Array:
    """Numbers of a dtype from an offset on: in place where memory has the bytes, else read.

    Many numbers are read anew each time that they are asked for.
    """
    if not isinstance(content, LargeFile):
        return np.frombuffer(content, kind, count, start)

    size = np.dtype(kind).itemsize

    def read(first: int, last: int) -> Array:
        found: Array = np.empty(last - first, kind)
        content.read_into(start + first * size, found.view(np.uint8).data)
        found.flags.writeable = False  # as it is in place
        return found

    if count * size <= _SMALL:
        return read(0, count)
    from prototxt_gen._deferred import Deferred

    return cast("Array", Deferred((count,), kind, read))


def read_content(path: str | os.PathLike[str], most: int | None = None) -> Buffer:
    """The bytes of a file or a pipe, of ``most`` bytes where that is given.

    Raises OSError, also for an input that is larger.
    """
    name = os.fspath(path)
    with open(name, "rb") as file:
        state = os.fstat(file.fileno())
        if not stat.S_ISREG(state.st_mode):
            return read_stream(file, name, at_most(MOST_PIPED) if most is None else most)
        if most is not None:
            need_size(name, state.st_size, most)
        if state.st_size > READ_WHOLE:
            own = open(os.dup(file.fileno()), "rb", buffering=0)  # noqa: SIM115 - it outlives this
            return LargeFile(own, name, state.st_size)
        # A file of /proc says that it is empty.
        return read_stream(file, name, READ_WHOLE if most is None else most, state.st_size)


def read_stream(stream: IO[bytes], name: str, most: int, expected: int = 0) -> bytes:
    """All bytes of a stream, bit by bit; raises OSError where there are more than ``most``."""
    parts = [stream.read(expected)]
    size = len(parts[0])
    while part := stream.read(_CHUNK):
        size += len(part)
        if size > most:
            raise OSError(errno.EFBIG, f"it has more than {most} bytes ({HINT})", name)
        parts.append(part)
    return b"".join(parts)


def need_size(name: str, size: int, most: int) -> None:
    """Raise OSError for a file of more bytes than such a file may have."""
    if size > most:
        raise OSError(errno.EFBIG, f"it has {size} bytes; expected at most {most} ({HINT})", name)


def digest(data: Buffer) -> str:
    """The SHA-256 of an input."""
    import hashlib

    if not isinstance(data, LargeFile):
        return hashlib.sha256(data).hexdigest()
    found, chunk = hashlib.sha256(), memoryview(bytearray(_CHUNK))
    for start in range(0, len(data), _CHUNK):
        part = chunk[: len(data) - start]
        data.read_into(start, part)
        found.update(part)
    return found.hexdigest()
