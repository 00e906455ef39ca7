"""Standard streams that are closed, or whose reader is gone.

Output that is no longer read is not an error: ``gen --list | head -1`` exits with 0.
A stream that was closed before we started is an error as soon as it is needed.
"""

from __future__ import annotations

import errno
import io
import os
import sys

_NAMES = ("standard input", "standard output", "standard error")


def make_usable() -> None:
    """Give this process three usable streams, whatever it was started with.

    A closed input or output, and a full disk behind the output, raise an OSError with the name of
    the stream when it is used. A stderr that
    is closed, or whose reader is gone, discards everything written to it, so that unread
    messages do not stop the work.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # A file opened later would get this number, and with it the output of libraries.
            os.open(os.devnull, os.O_RDWR)
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.BufferedReader(_Closed(0)))
    if sys.stdout is None:
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(_Closed(1)))
    else:
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(_Named(1, "w", closefd=False)),
            sys.stdout.encoding,
            sys.stdout.errors,
            line_buffering=bool(sys.stdout.line_buffering),
            write_through=getattr(sys.stdout, "write_through", False),
        )
    encoding, errors = (sys.stderr.encoding, sys.stderr.errors) if sys.stderr else ("utf-8", None)
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(_Forgetful(2, "w", closefd=False)),
        encoding,
        errors or "backslashreplace",
        line_buffering=True,
    )


def drop_output() -> None:
    """Discard what standard output still holds, so that the exit does not fail on it."""
    nowhere = io.TextIOWrapper(io.FileIO(os.devnull, "w"))  # as long as this process lives
    try:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
    except OSError:
        sys.stdout = nowhere
    else:
        nowhere.close()
    sys.stdout.flush()


class _Closed(io.RawIOBase):
    """A stream that was closed before this process started."""

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


class _Named(io.FileIO):
    """Standard output, whose name is in what goes wrong, but for a reader that is gone."""

    def write(self, data: bytes) -> int:  # type: ignore[override]
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OSError(error.errno, error.strerror, _NAMES[1]) from error


class _Forgetful(io.FileIO):
    """A file that discards what is written once its reader is gone."""

    def write(self, data: bytes) -> int:  # type: ignore[override]
        try:
            return super().write(data)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            return len(data)
