"""How a signal ends the command: in one line, with nothing left half and no process left.

Nothing that takes time is imported here, so that signals are answered from early on.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
_waiting: list[list[int]] = []  #: what has come within each ``held``
_SHOW_CURSOR = b"\r\x1b[K\x1b[?25h"  #: a progress bar hides it


def answer_signals() -> None:
    """Let each of the signals end this process, but those that its parent wants ignored."""
    for name in _NAMES:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


@contextmanager
def held() -> Iterator[None]:
    """A signal that comes within the block is answered at its end.

    To block it for the thread is not enough: Python runs a handler in its first thread,
    whichever thread of the process the system gave the signal to.
    """
    _waiting.append([])
    try:
        yield
    finally:
        for number in _waiting.pop():
            _end(number, None)


def _end(number: int, frame: object) -> None:
    """End at once, with the code that a shell expects.

    No exception is raised: it would come up anywhere, in code that does not look for it.
    """
    if _waiting:
        _waiting[-1].append(number)
        return
    for name in _NAMES:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    halves = sys.modules.get("prototxt_gen._halves")
    if halves is not None:  # else nothing has been begun
        halves.take_back_all()
    line = f"ended by {signal.Signals(number).name}\n".encode()
    try:
        os.write(2, (_SHOW_CURSOR if os.isatty(2) else b"") + line)
    finally:
        os._exit(128 + number)
