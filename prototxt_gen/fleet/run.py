"""A fleet under way: what is left to do is given out, and what comes back is written down."""

from __future__ import annotations

import hashlib
import json
import posixpath
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Any

from prototxt_gen._halves import taken_back, writer_of
from prototxt_gen._locks import folder_lock
from prototxt_gen.fleet import manifest, stores, transfers
from prototxt_gen.fleet.hashes import Hashes
from prototxt_gen.fleet.journal import RECEIPTS, Journal, Row
from prototxt_gen.fleet.lock import store_lock
from prototxt_gen.fleet.machines import Machines
from prototxt_gen.fleet.plan import Item, Plan
from prototxt_gen.fleet.taken_over import Earlier
from prototxt_gen.fleet.task import LASTING, Task
from prototxt_gen.fleet.ways import ToOnnx
from prototxt_gen.formats import dialects
from prototxt_gen.layers.outside import loaded_files

BUSY = "another fleet is writing into it"
_AGAIN = ("died", "storage")  #: failures that may be gone when a model is tried again
_DYING = 5.0  #: seconds that a killed process may take to be gone
_MOST_LOST = 20  #: times that a model may be lost with the machine or scheduler that had it


@dataclass(frozen=True)
class Order:
    """What is to be done with a plan: the task, where, how each model, and its limits."""

    task: str
    out: str
    ways: Callable[[Item], ToOnnx]
    retries: int = 2
    memory: int | None = None
    seconds: float | None = None
    cache: str | None = None
    threads: int | None = None


@dataclass
class Fleet:
    """A plan under way: ``done`` is called with each row, also of what is up to date."""

    order: Order
    plan: Plan
    machines: Machines
    done: Callable[[Row, bool], None] = lambda row, known: None
    say: Callable[[str], None] = lambda line: None
    stop: Event = field(default_factory=Event)

    def run(self) -> list[Row]:
        """The last row of each model that has one; raises OSError and LostError.

        Where ``stop`` is set meanwhile, what runs is finished, and nothing more is begun.
        """
        out = self.order.out
        if not stores.is_url(out):
            Path(out).mkdir(parents=True, exist_ok=True)
        with _held(out), taken_back(self._end):
            self._sweep()
            journal = Journal(out)
            try:
                self._left_out(journal)
                self._work(journal)
            finally:
                journal.close()
                self.machines.close()
            self._tidy(journal)
        keys = [(self.order.task, item.name) for item in self.plan.items]
        return [journal.rows[key] for key in keys if key in journal.rows]

    def _work(self, journal: Journal) -> None:
        fresh, again = self._todo(journal), deque[Task]()
        flying: dict[Future[Row], Task] = {}
        lost: dict[str, int] = {}
        while True:
            for task in self._next(fresh, again, len(flying)):
                flying[self.machines.submit(task)] = task
            if self.stop.is_set():
                for future in [one for one in flying if self.machines.withdraw(one)]:
                    del flying[future]
            if not flying:
                return
            ready, _ = wait(flying, timeout=1, return_when=FIRST_COMPLETED)
            rows = []
            for future in ready:
                task = flying.pop(future)
                row = _result(future, task, lost)
                if row is None or self._worth_a_try(row, task):
                    tries = task.tries + (row is not None)
                    again.append(replace(task, tries=tries))
                else:
                    rows.append(row)
            journal.add(rows)
            for row in rows:
                self.done(row, False)

    def _next(self, fresh: Iterator[Task], again: deque[Task], flying: int) -> Iterator[Task]:
        """The tasks to give out now: first those that were not tried yet."""
        while not self.stop.is_set() and flying < self.machines.room():
            task = next(fresh, None) or (again.popleft() if again else None)
            if task is None:
                return
            flying += 1
            yield task

    def _worth_a_try(self, row: Row, task: Task) -> bool:
        again = row["status"] == "failed" and row.get("reason") in _AGAIN
        return again and task.tries <= self.order.retries and not self.stop.is_set()

    def _todo(self, journal: Journal) -> Iterator[Task]:
        """The tasks that are not done yet, as the manifest has it."""
        earlier = Earlier(self.order.out) if self.order.task == "convert" else None
        recipes = _Recipes(self.order.task)
        plugins, schemas = tuple(loaded_files()), tuple(dialects.own())
        order, listing = self.order, stores.Listing([self.order.out, *_common(self.plan)])
        for item in self.plan.items:
            way = order.ways(item)
            row = journal.rows.get((order.task, item.name))
            task = Task(
                order.task, item, way, order.out, recipes.of(way), row, 1, order.memory,
                order.seconds, order.cache, order.threads, plugins, schemas,
            )  # fmt: skip
            if row is not None and is_current(row, task, listing):
                self.done(row, True)
                continue
            taken = earlier.row(task) if earlier is not None and row is None else None
            if taken is not None:
                journal.add([taken])
                self.done(taken, True)
                continue
            yield task

    def _left_out(self, journal: Journal) -> None:
        """Write down what is left out, where that is not there yet."""
        rows = []
        for one in self.plan.left:
            row = {"task": self.order.task, "name": one.path, "status": "left", "why": one.why}
            if journal.rows.get((self.order.task, one.path)) != row:
                rows.append(row)
        journal.add(rows)

    def _sweep(self) -> None:
        """Remove what killed processes left half."""
        out = self.order.out
        if stores.is_url(out):
            swept: Iterable[str] = transfers.sweep(out)
        else:
            swept = (f"{place}: {number}" for place, number in manifest.sweep(Path(out)).items())
        for one in swept:
            self.say(f"removed what was left half: {one}")

    def _has_halves(self) -> bool:
        """Whether half files are in a folder here: of processes that are about to be gone."""
        out = self.order.out
        return not stores.is_url(out) and any(map(writer_of, Path(out).rglob(".*")))

    def _end(self) -> None:
        """End what runs at once, with nothing left half."""
        self.machines.close()
        if not stores.is_url(self.order.out):
            manifest.sweep(Path(self.order.out))

    def _tidy(self, journal: Journal) -> None:
        """What killed workers have left goes: half files, and receipts that the manifest has."""
        self._sweep()
        end = time.monotonic() + _DYING
        while self._has_halves() and time.monotonic() < end:
            time.sleep(0.05)
            self._sweep()
        folder = stores.joined(self.order.out, RECEIPTS)
        with suppress(OSError):
            for path, _ in list(stores.files_below(folder)):
                with suppress(ValueError):
                    said = json.loads(stores.read(path))
                    if (said.get("task"), said.get("name")) in journal.rows:
                        stores.remove(path)
            if not stores.is_url(folder):
                Path(folder).rmdir()


def _common(plan: Plan) -> list[str]:
    """The folder of a store that all nets of a plan are in, if there is one."""
    folders = [item.net.rpartition("/")[0] for item in plan.items if stores.is_url(item.net)]
    common = posixpath.commonprefix([f"{folder}/" for folder in folders]).rpartition("/")[0]
    return [common] if common.count("/") > 2 else []  # more than a bucket


def is_current(row: Mapping[str, Any], task: Task, listing: stores.Listing) -> bool:
    """Whether a row still says what there is: the same recipe, inputs and outputs."""
    if row.get("recipe") != task.recipe:
        return False
    if row["status"] != "done" and row.get("reason") not in LASTING:
        return False
    paths = {one["path"] for one in row["inputs"]}
    wanted = {path for path in (task.item.net, task.item.weights) if path is not None}
    files = (*row["inputs"], *row["outputs"])
    return wanted <= paths and all(listing.stamp(one["path"]) == one["stamp"] for one in files)


def _result(future: Future[Row], task: Task, lost: dict[str, int]) -> Row | None:
    """What came back; None where it was lost on the way, and has to be given out again."""
    try:
        return future.result()
    except (Exception, CancelledError) as error:
        name = task.item.name
        lost[name] = lost.get(name, 0) + 1
        if lost[name] <= _MOST_LOST:
            return None
        why = f"it was lost {_MOST_LOST} times: {type(error).__name__}: {error}"
        return task.failed("died", why)


class _Recipes:
    """Digests of all that a model depends on besides its files."""

    def __init__(self, task: str) -> None:
        hashes = Hashes()
        self._known: dict[str, str] = {}
        plugins = [hashes.of(path) for path in loaded_files()]
        schemas = [[n, hashlib.sha256(schema).hexdigest()] for n, schema in dialects.own()]
        self._all = [task, manifest.installed(), plugins, schemas]

    def of(self, way: ToOnnx) -> str:
        """The digest for a way."""
        mark = way.mark
        if mark not in self._known:
            text = json.dumps([*self._all, mark], sort_keys=True)
            self._known[mark] = hashlib.sha256(text.encode()).hexdigest()
        return self._known[mark]


@contextmanager
def _held(out: str) -> Iterator[None]:
    with store_lock(out, BUSY) if stores.is_url(out) else folder_lock(Path(out), BUSY):
        yield
