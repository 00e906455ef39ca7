"""A model in a process that may die alone: by itself, or since it takes too much.

``guarded`` is what every executor runs, a pool of threads here or a worker of Dask elsewhere.
Each thread that calls it has one process, which does one model after the other.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from prototxt_gen._limits import threads_of
from prototxt_gen.fleet import manifest
from prototxt_gen.fleet.journal import Row
from prototxt_gen.fleet.memory import resident
from prototxt_gen.fleet.task import Task
from prototxt_gen.fleet.work import work
from prototxt_gen.fleet.workers import Died, Worker

_LOOK = 0.05  #: seconds between two looks at a process
_MIB = 1 << 20

Process = Worker[Task | None, Row]

_own = threading.local()
_all: list[Process] = []
_starting = threading.Lock()


def guarded(task: Task) -> Row:
    """The row of a task, also where its process dies or has to be ended."""
    child = _child(task.threads)
    if isinstance(child, Died):
        return task.failed("died", child.text)
    start = time.monotonic()
    child.give(task)
    peak = 0
    while not child.pipe.poll(_LOOK):
        spent = time.monotonic() - start
        if task.memory is not None:
            now = resident(child.process.pid or 0) or 0
            peak = max(peak, now)
            if now > task.memory:
                why = f"it took more than the {task.memory / _MIB:.0f} MiB of --memory"
                return _ended(child, task, "memory", why, spent, peak)
        if task.seconds is not None and spent > task.seconds:
            why = f"it took more than the {task.seconds:g} s of --timeout"
            return _ended(child, task, "time", why, spent, peak)
    result = child.take()
    if isinstance(result, Died):
        return _ended(child, task, "died", result.text, time.monotonic() - start, peak)
    return result


def end_all() -> None:
    """End the processes of all threads of this one; nobody waits for them any more."""
    while _all:
        _all.pop().end()


def _child(threads: int | None) -> Process | Died:
    """The process of this thread, a new one where there is none; how it died where it did.

    It has imported what takes time, which is no model's fault.
    """
    child: Process | None = getattr(_own, "child", None)
    if child is not None and child in _all:
        return child
    with _starting, _parent_of_any(), threads_of(threads):
        child = Worker(work)
        _all.append(child)
        child.start()
    child.give(None)
    result = child.take()
    if isinstance(result, Died):
        with suppress(ValueError):
            _all.remove(child)
        child.end()
        return result
    _own.child = child
    return child


def _ended(child: Process, task: Task, reason: str, why: str, spent: float, peak: int) -> Row:
    """The row of a task whose process is no more, and what it left is removed."""
    number = child.process.pid or 0
    with suppress(ValueError):
        _all.remove(child)
    _own.child = None
    child.end()
    target = Path(task.out) / task.item.name
    manifest.remove_halves(target.parent, number)
    more = {"seconds": round(spent, 3), "peak_mib": round(peak / _MIB, 1)}
    return task.failed(reason, why, **more)


@contextmanager
def _parent_of_any() -> Iterator[None]:
    """Let this process have another: a worker of Dask is a daemon, which may have none.

    Its process cannot outlive it: the system ends it, or it sees its pipe close.
    """
    config: dict[str, Any] = multiprocessing.current_process()._config  # type: ignore[attr-defined]
    daemon = config.pop("daemon", None)
    try:
        yield
    finally:
        if daemon is not None:
            config["daemon"] = daemon
