"""What is done to one model of a fleet, in a process of its own: a row of the manifest."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from prototxt_gen import _limits, _version
from prototxt_gen.errors import PrototxtError, VerificationError
from prototxt_gen.fleet import stores, transfers
from prototxt_gen.fleet.errors import first_of
from prototxt_gen.fleet.hashes import Hashes
from prototxt_gen.fleet.jobs import Job
from prototxt_gen.fleet.journal import Row, receipt
from prototxt_gen.fleet.plan import Item
from prototxt_gen.fleet.tasks import TASKS, Files, Result
from prototxt_gen.fleet.ways import ToOnnx
from prototxt_gen.formats import dialects
from prototxt_gen.layers import load_layers

#: Failures that would be the same if a model were tried again as it is.
LASTING = ("refused", "differs")


@dataclass(frozen=True)
class Task:
    """A model of a fleet with all that a process needs to know, on whatever machine it is.

    ``before`` is the last row of the model. ``memory`` is in bytes, ``seconds`` are those it may
    take; None for no limit. ``threads`` are those of its process, None for what is usual there.
    """

    task: str
    item: Item
    way: ToOnnx
    out: str
    recipe: str
    before: Row | None = None
    tries: int = 1
    memory: int | None = None
    seconds: float | None = None
    cache: str | None = None
    threads: int | None = None
    plugins: tuple[str, ...] = ()
    schemas: tuple[tuple[str, bytes], ...] = ()
    limit: str | None = field(default_factory=lambda: os.environ.get(_limits.RAISED))
    version: str = _version.__version__

    def row(self, status: str, **more: Any) -> Row:
        """A row of the manifest."""
        return {
            "task": self.task,
            "name": self.item.name,
            "status": status,
            **{key: [] for key in ("inputs", "outputs", "notes")},
            **more,
            "options": list(self.item.options),
            "tries": self.tries,
            "host": socket.gethostname(),
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "recipe": self.recipe,
        }

    def failed(self, reason: str, why: str, **more: Any) -> Row:
        """The row of a failure."""
        return self.row("failed", reason=reason, why=why, **more)


def work(task: Task | None) -> Row:
    """Do a task; whatever happens is in the row. None is no task: to be ready for one."""
    if task is None:
        _import_all()
        return {}
    _forget_peak()
    start = time.perf_counter()
    inputs: list[Row] = []
    shown: dict[str, str] = {}
    try:
        row = _done(task, inputs, shown)
        if "seconds" in row:  # it was made before, and is as it was
            return row
    except VerificationError as error:
        row = task.failed("differs", first_of(error))
    except PrototxtError as error:
        row = task.failed("refused", first_of(error))
    except MemoryError:
        row = task.failed("memory", "memory is short")
    except OSError as error:
        row = _unread(task, error)
    except Exception as error:
        why = f"a bug in resnet-proto: {type(error).__name__}: {error}"
        row = task.failed("bug", why)
    for local, path in shown.items():
        for key in ("why", "verdict"):
            if key in row:
                row[key] = row[key].replace(local, path)
        row["notes"] = [note.replace(local, path) for note in row["notes"]]
    row["seconds"] = round(time.perf_counter() - start, 3)
    row["peak_mib"] = _peak_mib()
    row["inputs"] = inputs
    _leave_receipt(task, row)
    return row


def _done(task: Task, inputs: list[Row], shown: dict[str, str]) -> Row:
    """The row of a task that can be done; the inputs are noted as they are read."""
    _prepare(task)
    paths = (task.item.net, task.item.weights or "", task.out)
    far = any(map(stores.is_url, paths))
    with TemporaryDirectory(prefix="resnet-proto-") if far else nullcontext("") as scratch:
        files = _fetched(task, Path(scratch), inputs, shown)
        made = _made_before(task, inputs)
        if made is not None:
            return made
        result = TASKS[task.task](task.item.name, task.way, files)
        outputs = _put(task, result)
        row = task.row("done") if result.sound else task.failed("refused", result.verdict)
        row |= {"outputs": outputs, "verdict": result.verdict, "notes": list(result.notes)}
        return row


def _import_all() -> None:
    """Import what takes time."""
    from importlib import import_module

    for name in ("api", "verify", "to_onnx.convert", "to_onnx.write", "lint.engine"):
        import_module(f"prototxt_gen.{name}")
    for name in ("onnxruntime", "fsspec"):
        with suppress(ImportError):
            import_module(name)


def _prepare(task: Task) -> None:
    """Be as the process is that asks; raises PrototxtError where this one is of another version."""
    if task.version != _version.__version__:
        found = f"the worker has resnet-proto {_version.__version__}"
        raise PrototxtError(f"{found}; expected {task.version}, as where the fleet is")
    if task.limit is not None:
        os.environ[_limits.RAISED] = task.limit
    dialects.add_all(task.schemas)
    for plugin in task.plugins:
        load_layers(plugin)


def _fetched(task: Task, scratch: Path, inputs: list[Row], shown: dict[str, str]) -> Files:
    """The files of a model on this machine, each noted as an input."""
    known: dict[str, str] = {}
    for one in (task.before or {}).get("inputs", ()):
        known[one["stamp"]] = one["sha256"]
    hashes = Hashes(known)
    item = task.item
    model = stores.joined(task.out, f"{item.name}.onnx")
    wanted = [item.net, item.weights, model if task.task == "verify" else None]
    local: list[str | None] = []
    for index, path in enumerate(wanted):
        if path is None or not stores.is_url(path):
            local.append(path)
            if path is not None:
                _note(inputs, path, hashes.of(path))
            continue
        folder = Path(task.cache or scratch) / _key(path, index)
        folder.mkdir(parents=True, exist_ok=True)
        here = folder / path.rsplit("/", 1)[-1]
        sha = _cached(path, here)
        shown[str(here)] = path
        local.append(str(here))
        _note(inputs, path, sha)
    net, weights, made = local
    remote = stores.is_url(task.out)
    target = str(scratch / f"{item.name}.onnx") if remote else model
    job = Job(item.name, net or "", weights, target)
    for path in task.way.read_from(job):
        if path not in local:
            _note(inputs, path, hashes.of(path))
    return Files(job, made)


def _cached(path: str, here: Path) -> str:
    """Fetch a file that is not here yet, as it is now; its SHA-256."""
    stamp = here.with_name(f"{here.name}.stamp")
    now = stores.known(path)
    with suppress(OSError, ValueError):
        said = json.loads(stamp.read_bytes())
        if said["stamp"] == now.stamp and here.stat().st_size == now.size:
            return str(said["sha256"])
    sha = transfers.fetch(path, here)
    stamp.write_text(json.dumps({"stamp": now.stamp, "sha256": sha}))
    return sha


def _note(files: list[Row], path: str, sha: str) -> None:
    size, stamp = stores.known(path)
    files.append({"path": path, "size": size, "sha256": sha, "stamp": stamp})


def _put(task: Task, result: Result) -> list[Row]:
    """Put what was made where it belongs, if it is not there; the files as they are then."""
    outputs: list[Row] = []
    if not stores.is_url(task.out):
        for path in result.files:
            _note(outputs, path, transfers.digest(path))
        return outputs
    folder = task.item.name.rpartition("/")[0]
    places = [
        stores.joined(task.out, "/".join(filter(None, (folder, Path(f).name))))
        for f in result.files
    ]
    if len(places) > 1:  # an old model shall not be seen with new weights
        stores.remove(places[0])
    for path, place in reversed(list(zip(result.files, places, strict=True))):
        _note(outputs, place, transfers.upload(Path(path), place))
    return outputs[::-1]


def _made_before(task: Task, inputs: Iterable[Row]) -> Row | None:
    """The row by which a model is up to date: its last one, or one that is not written down yet."""
    place = receipt(task.out, task.task, task.item.name)
    rows = [task.before]
    with suppress(OSError, ValueError):
        rows.append(json.loads(stores.read(place)))
    now = {(one["path"], one["sha256"]) for one in inputs}
    for row in rows:
        if row is None or row.get("recipe") != task.recipe or row.get("status") != "done":
            continue
        if {(one["path"], one["sha256"]) for one in row["inputs"]} != now:
            continue
        outputs: list[Row] = []
        if all(_is_same(one, outputs) for one in row["outputs"]):
            return {**row, "inputs": list(inputs), "outputs": outputs}
    return None


def _is_same(one: Mapping[str, Any], found: list[Row]) -> bool:
    """Whether an output is there and as it was."""
    try:
        now = stores.known(one["path"])
        same: bool = now.size == one["size"] and (
            now.stamp == one["stamp"] or transfers.digest(one["path"]) == one["sha256"]
        )
    except FileNotFoundError:
        return False
    found.append({**one, "stamp": now.stamp})
    return same


def _leave_receipt(task: Task, row: Row) -> None:
    """Say beside the outputs that they are made, until the manifest says so."""
    if row["status"] != "done":
        return
    place = receipt(task.out, task.task, task.item.name)
    data = json.dumps(row).encode()
    with suppress(OSError):  # what it is for is rare; the row is what counts
        if stores.is_url(place):
            stores.write(place, data)
        else:  # one that is torn is none
            Path(place).parent.mkdir(exist_ok=True)
            Path(place).write_bytes(data)


def _unread(task: Task, error: OSError) -> Row:
    """The row of a file that is missing, or of a store that failed."""
    why = f"{error.filename or task.item.net}: {error.strerror or error}"
    reason = "refused" if isinstance(error, FileNotFoundError) else "storage"
    return task.failed(reason, why)


def _key(path: str, index: int) -> str:
    from hashlib import sha256

    return sha256(f"{index} {path}".encode("utf-8", "surrogateescape")).hexdigest()[:20]


def _forget_peak() -> None:
    """Let the peak of this process begin anew, where the system can (proc(5), clear_refs)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_mib() -> float:
    with suppress(OSError, ValueError, IndexError):
        text = Path("/proc/self/status").read_text()
        return round(int(text.split("VmHWM:")[1].split()[0]) / 1024, 1)
    try:
        import resource
    except ImportError:
        return 0.0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(most / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1)
