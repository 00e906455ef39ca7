"""What says beside the outputs that a model is made, until the manifest says so.

Where a worker, the scheduler or the machine of the manifest dies in between, the model is given
out again, and found to be made.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from prototxt_gen.fleet import stores, transfers
from prototxt_gen.fleet.journal import Row, receipt
from prototxt_gen.fleet.task import Task


def leave(task: Task, row: Row) -> None:
    """Leave a receipt of a row that is done."""
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


def made_before(task: Task, inputs: Iterable[Row]) -> Row | None:
    """The row by which a model is up to date: its last one, or that of a receipt."""
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
