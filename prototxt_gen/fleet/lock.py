"""One fleet at a time into a folder of a store: a file that says who has it, and is kept fresh."""

from __future__ import annotations

import errno
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from prototxt_gen._halves import is_alive, taken_back
from prototxt_gen.fleet import stores
from prototxt_gen.fleet.journal import RECEIPTS

STALE = 180.0  #: seconds after which a lock is nobody's
_FRESH = 30.0  #: seconds between two signs of life


@contextmanager
def store_lock(out: str, busy: str) -> Iterator[None]:
    """Hold a folder of a store; raises OSError with ``busy`` and its owner where it is held.

    Stores have no locks: two that begin within a second may both see their own file last only
    if the store shows them different states.
    """
    path = stores.joined(out, f"{RECEIPTS}/lock.json")
    mine = {"host": socket.gethostname(), "process": os.getpid(), "id": os.urandom(8).hex()}
    other = _owner(path)
    if other is not None:
        raise OSError(errno.EAGAIN, f"{busy}: {other}", out)
    _sign(path, mine)
    time.sleep(0.2)
    if _read(path).get("id") != mine["id"]:
        raise OSError(errno.EAGAIN, busy, out)
    ended = threading.Event()

    def keep() -> None:
        while not ended.wait(_FRESH):
            with suppress(OSError):
                _sign(path, mine)

    def release() -> None:
        ended.set()
        with suppress(OSError):
            if _read(path).get("id") == mine["id"]:
                stores.remove(path)

    keeper = threading.Thread(target=keep, daemon=True)
    keeper.start()
    with taken_back(release):
        yield
    release()


def _owner(path: str) -> str | None:
    """Who has a lock that is still fresh."""
    said = _read(path)
    if not said or not isinstance(said.get("time"), (int, float)):
        return None
    age = time.time() - said["time"]
    process = said.get("process")
    gone = isinstance(process, int) and not is_alive(process)
    if age > STALE or (gone and said.get("host") == socket.gethostname()):
        return None
    return f"process {said.get('process')} on {said.get('host')}, {max(0, age):.0f} s ago"


def _sign(path: str, mine: dict[str, Any]) -> None:
    stores.write(path, json.dumps({**mine, "time": time.time()}).encode())


def _read(path: str) -> dict[str, Any]:
    try:
        said = json.loads(stores.read(path))
    except (FileNotFoundError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}
