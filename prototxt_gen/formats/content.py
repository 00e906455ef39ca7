"""The bytes of an input, read once: of a file, or of a pipe that nobody can read again.

Nothing is allocated that the input does not have, and nothing above a limit.
"""

from __future__ import annotations

import errno
import mmap
import os
import stat
from typing import IO

from prototxt_gen._words import plural

Buffer = bytes | memoryview

#: A file of more bytes is mapped. What is mapped kills this process where another one cuts
#: the file short, so that whatever memory holds easily is read.
READ_WHOLE = 256 << 20
MOST_PIPED = 2**31 - 1  #: of a pipe: what Caffe reads of a file (io.cpp, kProtoReadBytesLimit)
_CHUNK = 1 << 20


def read_content(path: str | os.PathLike[str], most: int | None = None) -> Buffer:
    """The bytes of a file or a pipe, of ``most`` bytes where that is given.

    Raises OSError, also for an input that is larger.
    """
    name = os.fspath(path)
    with open(name, "rb") as file:
        state = os.fstat(file.fileno())
        if not stat.S_ISREG(state.st_mode):
            return read_stream(file, name, MOST_PIPED if most is None else most)
        if most is not None:
            need_size(name, state.st_size, most)
        if state.st_size > READ_WHOLE:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        # A file of /proc says that it is empty.
        return read_stream(file, name, READ_WHOLE if most is None else most, state.st_size)


def read_stream(stream: IO[bytes], name: str, most: int, expected: int = 0) -> bytes:
    """All bytes of a stream, bit by bit; raises OSError where there are more than ``most``."""
    parts = [stream.read(expected)]
    size = len(parts[0])
    while part := stream.read(_CHUNK):
        size += len(part)
        if size > most:
            raise OSError(errno.EFBIG, f"it has more than {most} bytes", name)
        parts.append(part)
    return b"".join(parts)


def need_size(name: str, size: int, most: int) -> None:
    """Raise OSError for a file of more bytes than such a file may have."""
    if size > most:
        raise OSError(errno.EFBIG, f"it has {size} bytes; expected at most {most}", name)


def need_whole(data: Buffer, name: str) -> None:
    """Raise OSError where a file that is mapped is no longer as long as it was."""
    mapped = data.obj if isinstance(data, memoryview) else None
    if isinstance(mapped, mmap.mmap) and mapped.size() < len(mapped):
        sizes = f"it had {plural(len(mapped), 'byte')} and now has {mapped.size()}"
        raise OSError(errno.EIO, f"{sizes}: it was cut off while it was read", name)
