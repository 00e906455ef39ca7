"""The files of a model on the machine that works on it, and what is noted of each."""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from prototxt_gen.fleet import stores, transfers
from prototxt_gen.fleet.hashes import Hashes
from prototxt_gen.fleet.jobs import Job
from prototxt_gen.fleet.journal import Row
from prototxt_gen.fleet.task import Task
from prototxt_gen.fleet.tasks import Files


def fetched(task: Task, scratch: Path, inputs: list[Row], shown: dict[str, str]) -> Files:
    """The files of a model on this machine, each noted as an input; raises OSError.

    ``shown`` gets the paths of those that came from a store by their places here.
    """
    item = task.item
    hashes = Hashes({one["stamp"]: one["sha256"] for one in (task.before or {}).get("inputs", ())})
    model = stores.joined(task.out, f"{item.name}.onnx")
    local: list[str | None] = []
    for path in (item.net, item.weights, model if task.task == "verify" else None):
        if path is None:
            local.append(None)
        elif not stores.is_url(path):
            local.append(path)
            note(inputs, path, hashes.of(path))
        else:
            here, sha = _here(path, Path(task.cache or scratch), scratch)
            shown[str(here)] = path
            local.append(str(here))
            note(inputs, path, sha)
    net, weights, made = local
    target = str(scratch / f"{item.name}.onnx") if stores.is_url(task.out) else model
    job = Job(item.name, net or "", weights, target)
    for path in task.way.read_from(job):
        if path not in local:
            note(inputs, path, hashes.of(path))
    return Files(job, made)


def _here(path: str, cache: Path, scratch: Path) -> tuple[Path, str]:
    """Where a file of a store is on this machine, and its SHA-256."""
    here = _place(path, cache)
    try:
        return here, _cached(path, here)
    except stores.StoreError as error:
        if error.errno != errno.EAGAIN or cache == scratch:
            raise
        # Another process is fetching it; what is large shall not be waited for.
        here = _place(path, scratch)
        return here, _cached(path, here)


def made(paths: Iterable[str]) -> list[Row]:
    """What is noted of files that were made on this machine, as they are read back."""
    outputs: list[Row] = []
    for path in paths:
        note(outputs, path, transfers.digest(path))
    return outputs


def note(files: list[Row], path: str, sha: str) -> None:
    """Note what is known of a file; raises OSError."""
    size, stamp = stores.known(path)
    files.append({"path": path, "size": size, "sha256": sha, "stamp": stamp})


def _place(path: str, folder: Path) -> Path:
    """Where a file of a store is put, under its own name."""
    key = hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:20]
    made = folder / key
    made.mkdir(parents=True, exist_ok=True)
    return made / path.rsplit("/", 1)[-1]


def _cached(path: str, here: Path) -> str:
    """Fetch a file that is not here yet, as it is now; its SHA-256."""
    stamp = here.with_name(f"{here.name}.stamp")
    now = stores.known(path)
    with suppress(OSError, ValueError, KeyError):
        said = json.loads(stamp.read_bytes())
        if said["stamp"] == now.stamp and here.stat().st_size == now.size:
            return str(said["sha256"])
    sha = transfers.fetch(path, here)
    stamp.write_text(json.dumps({"stamp": now.stamp, "sha256": sha}))
    return sha
