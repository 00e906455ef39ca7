"""Who does the work: threads of this process, or the workers of a Dask cluster.

Both are executors of ``concurrent.futures``; nothing else knows which one it is.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, InvalidStateError, ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from typing import Any, Protocol

from prototxt_gen.errors import PrototxtError
from prototxt_gen.fleet.guard import end_all, guarded
from prototxt_gen.fleet.journal import Row
from prototxt_gen.fleet.task import Task

_AHEAD = 2  #: models that a thread has waiting
_FEW = 8  #: models that are given out where no worker has come yet
_UNTOLD = 20.0  #: seconds in which a result comes that is there


class LostError(PrototxtError):
    """The machines cannot be reached any more."""


class Machines(Protocol):
    """What gives out tasks."""

    def submit(self, task: Task) -> Future[Row]:
        """Give out a task; raises LostError."""

    def room(self) -> int:
        """How many tasks may be given out at once."""

    def withdraw(self, given: Future[Row]) -> bool:
        """Take back a task that has not begun, if it is known that it has not."""

    def close(self) -> None:
        """End what runs."""


class Here:
    """Threads of this process, each with a process of its own."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._pool: Executor = ThreadPoolExecutor(jobs)

    def submit(self, task: Task) -> Future[Row]:
        """Give out a task."""
        return self._pool.submit(guarded, task)

    def room(self) -> int:
        """A few more than there are threads, so that none waits."""
        return self._jobs * _AHEAD

    def withdraw(self, given: Future[Row]) -> bool:
        """Take back a task that waits for a thread."""
        return given.cancel()

    def close(self) -> None:
        """End what runs, and the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        end_all()


class Elsewhere:
    """The workers of a Dask cluster; where its scheduler is gone, it is waited for.

    Dask's own executor is not used: a future of it never ends where the scheduler dies while
    a result is on its way.
    """

    def __init__(self, address: str, patience: float, say: Callable[[str], None]) -> None:
        """Connect; raises LostError where nobody answers."""
        self._address, self._patience, self._say = address, patience, say
        self._asked = 0.0
        self._room = _FEW
        self._given: dict[Future[Row], tuple[Any, float]] = {}
        for name in ("distributed", "tornado.application"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # what is lost is said in a line
        self._client: Any = self._connected(min(patience, 10.0))

    def submit(self, task: Task) -> Future[Row]:
        """Give out a task; raises LostError where the scheduler does not come back."""
        if self._client.status != "running":
            self._again()
        try:
            theirs = self._client.submit(guarded, task, pure=False)
        except Exception:
            self._again()
            theirs = self._client.submit(guarded, task, pure=False)
        ours: Future[Row] = Future()
        self._given[ours] = (theirs, time.monotonic())
        theirs.add_done_callback(lambda done: _hand_over(done, ours))
        return ours

    def room(self) -> int:
        """Two for each thread of the workers that there are now."""
        now = time.monotonic()
        if now - self._asked > 2:
            self._asked = now
            self._look_after(now)
            with suppress(Exception):
                threads = sum(self._client.nthreads().values())
                self._room = max(_FEW, _AHEAD * threads)
        return self._room

    def withdraw(self, given: Future[Row]) -> bool:
        """Nothing: it is not known which of them run."""
        return False

    def close(self) -> None:
        """Take back what is not begun, and say goodbye."""
        with suppress(Exception):
            self._client.close(timeout=5)
        for ours in self._given:
            _end(ours, LostError("the scheduler is gone"))
        self._given.clear()

    def _look_after(self, now: float) -> None:
        """Let a task end whose end Dask knows for long, and did not tell."""
        for ours, (theirs, seen) in list(self._given.items()):
            if ours.done():
                del self._given[ours]
            elif theirs.status == "pending":
                self._given[ours] = (theirs, now)
            elif now - seen > _UNTOLD:
                _end(ours, LostError(f"its result did not come: {theirs.status}"))

    def _again(self) -> None:
        self._say(f"the scheduler at {self._address} is gone; waiting for it")
        self.close()
        self._client = self._connected(self._patience)
        self._say(f"the scheduler at {self._address} is there again")

    def _connected(self, patience: float) -> Any:
        try:
            connect: Any = import_module("distributed").Client
        except ImportError:
            words = "--scheduler needs Dask: pip install 'resnet-proto[fleet]'"
            raise LostError(words) from None
        end = time.monotonic() + patience
        while True:
            left = max(1.0, end - time.monotonic())
            try:
                # A client that loses its scheduler looks for it as long as its timeout.
                return connect(self._address, timeout=min(left, 10.0), set_as_default=False)
            except (OSError, TimeoutError, ValueError, ImportError) as error:
                if isinstance(error, (ValueError, ImportError)) or time.monotonic() >= end:
                    words = " ".join(str(error).split()) or type(error).__name__
                    raise LostError(f"{self._address}: no scheduler answers: {words}") from None
                time.sleep(1)


def _hand_over(theirs: Any, ours: Future[Row]) -> None:
    """Give what Dask has, or that it is lost, to the one who waits."""
    try:
        row = theirs.result(timeout=_UNTOLD)
    except BaseException as error:
        with suppress(Exception):
            theirs.cancel()  # it is given out anew, and shall not be done by both
        _end(ours, LostError(f"{type(error).__name__}: {error}"))
    else:
        with suppress(InvalidStateError):
            ours.set_result(row)


def _end(ours: Future[Row], error: LostError) -> None:
    with suppress(InvalidStateError):
        ours.set_exception(error)
