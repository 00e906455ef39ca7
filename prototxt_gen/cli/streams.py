"""Standard streams that are closed, or whose reader has gone.

Output that nobody reads any more is no error: ``gen --list | head -1`` is answered with 0.
A stream that was closed before we began is one, as soon as it is needed.
"""

from __future__ import annotations

import errno
import io
import os
import sys

_NAMES = ("standard input", "standard output", "standard error")


def make_usable() -> None:
    """Give this process three streams that can be relied on, whatever it was started with.

    A closed input or output raises an OSError with its name when it is used; a stderr that
    is closed, or whose reader has gone, takes all and keeps nothing: messages that nobody
    reads stop no work.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # A file opened later would get this number, and with it what libraries print.
            os.open(os.devnull, os.O_RDWR)
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.BufferedReader(_Closed(0)))
    if sys.stdout is None:
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(_Closed(1)))
    encoding, errors = (sys.stderr.encoding, sys.stderr.errors) if sys.stderr else ("utf-8", None)
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(_Forgetful(2, "w", closefd=False)),
        encoding,
        errors or "backslashreplace",
        line_buffering=True,
    )


def drop_output() -> None:
    """Let what standard output still holds go nowhere, so that no exit trips over it."""
    nowhere = io.TextIOWrapper(io.FileIO(os.devnull, "w"))  # as long as this process lives
    try:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
    except OSError:
        sys.stdout = nowhere
    sys.stdout.flush()


class _Closed(io.RawIOBase):
    """A stream that was closed before this process began."""

    def __init__(self, number: int) -> None:
        self._number = number

    def readable(self) -> bool:
        return self._number == 0

    def writable(self) -> bool:
        return self._number == 1

    def readinto(self, buffer: object) -> int:
        raise self._error()

    def write(self, data: object) -> int:
        raise self._error()

    def _error(self) -> OSError:
        return OSError(errno.EBADF, "is closed", _NAMES[self._number])


class _Forgetful(io.FileIO):
    """A file that goes on to nowhere when its reader has gone."""

    def write(self, data: bytes) -> int:  # type: ignore[override]
        try:
            return super().write(data)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            return len(data)
