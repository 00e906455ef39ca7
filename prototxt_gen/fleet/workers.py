"""Processes that do work of one kind, one piece after the other, and die with their parent.

Each has a pipe of its own, so that it is known whose piece it was when one dies.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Generic, TypeVar, cast

from prototxt_gen._halves import taken_back
from prototxt_gen._signals import held

T = TypeVar("T")
R = TypeVar("R")

_SAFE_PATH = "PYTHONSAFEPATH"
_SIGNALS = [getattr(signal, n) for n in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, n)]
_SET_DEATH_SIGNAL = 1  #: PR_SET_PDEATHSIG of linux/prctl.h


@dataclass(frozen=True, slots=True)
class Died:
    """The end of a process in the middle of its work; a negative code is a signal's."""

    process: int
    code: int

    @property
    def text(self) -> str:
        """How it ended."""
        if self.code >= 0:
            return f"the process that converted it ended with code {self.code}"
        try:
            name = signal.Signals(-self.code).name
        except ValueError:
            name = f"signal {-self.code}"
        memory = "; is memory short?" if name == "SIGKILL" else ""
        return f"the process that converted it was killed by {name}{memory}"


class Worker(Generic[T, R]):
    """A process and the piece that it is at."""

    def __init__(self, work: Callable[[T], R]) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(
            target=_serve, args=(work, theirs, os.getpid()), daemon=True
        )
        self._theirs = theirs

    def start(self) -> None:
        """Start the process; whoever ends all must know of it before."""
        with held(), _sheltered():
            self.process.start()
        self._theirs.close()

    def give(self, item: T) -> None:
        """Let it work on a piece; a process that has died is found out by ``take``."""
        self.item = item
        with suppress(OSError):
            self.pipe.send(item)

    def take(self) -> R | Died:
        """What it has made."""
        try:
            return cast(R, self.pipe.recv())
        except (EOFError, OSError):
            number = self.process.pid or 0
            self.process.join()
            return Died(number, self.process.exitcode or 0)

    def end(self) -> None:
        """It has nothing that is worth a goodbye."""
        with suppress(Exception):
            self.process.kill()
            self.process.join()
            self.pipe.close()


def in_processes(
    work: Callable[[T], R], items: Iterable[T], most: int
) -> Generator[tuple[T, R | Died], None, None]:
    """Each item with what ``work`` makes of it, as soon as it is done; not in order.

    At most ``most`` processes are there at once, and none when the iterator ends or is closed.
    """
    waiting = deque(items)
    busy: dict[Connection, Worker[T, R]] = {}
    idle: list[Worker[T, R]] = []
    started: list[Worker[T, R]] = []

    def end() -> None:
        for worker in started:
            worker.end()

    with taken_back(end):
        while waiting or busy:
            while waiting and len(busy) < most:
                if idle:
                    worker = idle.pop()
                else:
                    worker = Worker(work)
                    started.append(worker)
                    worker.start()
                busy[worker.pipe] = worker
                worker.give(waiting.popleft())
            for pipe in wait(list(busy)):
                worker = busy.pop(cast(Connection, pipe))
                result = worker.take()
                if isinstance(result, Died):
                    worker.end()
                else:
                    idle.append(worker)
                yield worker.item, result
        end()


def _serve(work: Callable[[T], R], pipe: Connection, parent: int) -> None:
    """What a process does until its parent has nothing more, or is no more."""
    gc.disable()  # as in its parent
    _die_with(parent)
    if hasattr(signal, "pthread_sigmask"):
        # Ctrl-C reaches all processes of a terminal, and the parent answers it.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [s for s in _SIGNALS if s != signal.SIGINT])
    with suppress(EOFError, OSError):
        while True:
            pipe.send(work(pipe.recv()))


def _die_with(parent: int) -> None:
    """Let the system kill this process when its parent dies; elsewhere it sees its pipe close."""
    if sys.platform != "linux":
        return
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


@contextmanager
def _sheltered() -> Iterator[None]:
    """Start a process that imports nothing from the working folder, and that no Ctrl-C reaches.

    Python looks for modules in the working folder first, and there a user's net may lie
    beside a ``signal.py``; that holds for the process too that multiprocessing starts by itself.
    """
    before = os.environ.get(_SAFE_PATH)
    os.environ[_SAFE_PATH] = "1"
    try:
        resource_tracker.ensure_running()  # first, since it unblocks signals
        with _blocked():
            yield
    finally:
        if before is None:
            del os.environ[_SAFE_PATH]
        else:
            os.environ[_SAFE_PATH] = before


@contextmanager
def _blocked() -> Iterator[None]:
    """Signals wait; a process that is started inherits that."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
