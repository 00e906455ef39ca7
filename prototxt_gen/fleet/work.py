"""What is done to one model of a fleet, in a process of its own: a row of the manifest."""

from __future__ import annotations

import os
import time
from contextlib import nullcontext, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from prototxt_gen import _limits, _version
from prototxt_gen.errors import PrototxtError, VerificationError
from prototxt_gen.fleet import files, memory, receipts, stores
from prototxt_gen.fleet.errors import first_of
from prototxt_gen.fleet.journal import Row
from prototxt_gen.fleet.task import Task
from prototxt_gen.fleet.tasks import TASKS
from prototxt_gen.fleet.transfers import Upload
from prototxt_gen.formats import dialects
from prototxt_gen.layers import load_layers


class _Work:
    """A task under way: what was read so far, and since when."""

    def __init__(self, task: Task) -> None:
        memory.forget_peak()
        self.task = task
        self.inputs: list[Row] = []
        self.shown: dict[str, str] = {}  #: files of stores by what they are called here
        self._start = time.perf_counter()

    def finished(self, row: Row) -> Row:
        """The row with all that is known only now."""
        for local, path in self.shown.items():
            for key in ("why", "verdict"):
                if key in row:
                    row[key] = row[key].replace(local, path)
            row["notes"] = [note.replace(local, path) for note in row["notes"]]
        row["seconds"] = round(time.perf_counter() - self._start, 3)
        row["peak_mib"] = memory.peak_mib()
        row["inputs"] = self.inputs
        return row


def work(task: Task | None) -> Row:
    """Do a task; whatever happens is in the row. None is no task: to be ready for one."""
    if task is None:
        _import_all()
        return {}
    under_way = _Work(task)
    try:
        return _done(under_way)
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
    return under_way.finished(row)


def _done(under_way: _Work) -> Row:
    """The row of a task that can be done."""
    task = under_way.task
    _prepare(task)
    paths = (task.item.net, task.item.weights or "", task.out)
    far = any(map(stores.is_url, paths))
    with TemporaryDirectory(prefix="resnet-proto-") if far else nullcontext("") as scratch:
        found = files.fetched(task, Path(scratch), under_way.inputs, under_way.shown)
        made = receipts.made_before(task, under_way.inputs)
        if made is not None:
            return made
        result = TASKS[task.task](task.item.name, task.way, found)
        row = task.row("done") if result.sound else task.failed("refused", result.verdict)
        row |= {"verdict": result.verdict, "notes": list(result.notes)}
        if stores.is_url(task.out):
            return _sent(under_way, row, result.files)
        row["outputs"] = files.made(result.files)
        under_way.finished(row)
        receipts.leave(task, row)
        return row


def _sent(under_way: _Work, row: Row, made: tuple[str, ...]) -> Row:
    """Put the files of a row into the store.

    The receipt is there before they appear: whoever dies in between has done nothing twice.
    """
    task = under_way.task
    folder = task.item.name.rpartition("/")[0]
    names = ("/".join(filter(None, (folder, Path(path).name))) for path in made)
    sent: list[Upload] = []
    try:
        for path, name in zip(made, names, strict=True):
            sent.append(Upload(Path(path), stores.joined(task.out, name)))
            sent[-1].send()
        other = receipts.made_before(task, under_way.inputs)
        if other is not None:  # another worker was faster, which was thought to be lost
            return other
        row["outputs"] = [
            {"path": one.path, "size": one.size, "sha256": one.sha256, "stamp": ""} for one in sent
        ]
        under_way.finished(row)
        receipts.leave(task, row)
        if len(sent) > 1:  # an old model shall not be seen with new weights
            stores.remove(sent[0].path)
        for one in reversed(sent):
            one.appear()
        for output in row["outputs"]:
            output["stamp"] = stores.known(output["path"]).stamp
        return row
    finally:
        for one in sent:
            one.drop()


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


def _unread(task: Task, error: OSError) -> Row:
    """The row of a file that is missing, or of a store that failed."""
    why = f"{error.filename or task.item.net}: {error.strerror or error}"
    reason = "refused" if isinstance(error, FileNotFoundError) else "storage"
    return task.failed(reason, why)
