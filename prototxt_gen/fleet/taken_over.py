"""What ``convert FOLDER`` has made, by its ``manifest.json``: it is taken over, not made again."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from prototxt_gen.fleet import manifest, stores
from prototxt_gen.fleet.batch import SAME, known_outcome, mark_of
from prototxt_gen.fleet.hashes import Hashes
from prototxt_gen.fleet.jobs import Job
from prototxt_gen.fleet.journal import Row
from prototxt_gen.fleet.task import Task


class Earlier:
    """The rows of an old manifest, of an output on this machine."""

    def __init__(self, out: str) -> None:
        self._rows = {} if stores.is_url(out) else manifest.read(Path(out))
        self._hashes = Hashes({} if stores.is_url(out) else manifest.seen(Path(out)))

    def row(self, task: Task) -> Row | None:
        """The row of a model that is up to date by the old manifest."""
        old = self._rows.get(task.item.name)
        item = task.item
        if old is None or stores.is_url(item.net) or stores.is_url(item.weights or ""):
            return None
        target = stores.joined(task.out, f"{item.name}.onnx")
        job = Job(item.name, item.net, item.weights, target)
        try:
            marks = (mark_of(one, task.way, self._hashes) for one in (job, _from_here(job)))
            outcomes = (known_outcome(job, mark, old, self._hashes) for mark in marks)
            outcome = next((one for one in outcomes if one and one.status == SAME), None)
            if outcome is None:
                return None
            inputs = [self._file(path) for path in task.way.read_from(job)]
            beside = old["made"].split(" ", 2)[2:]
            made = [target, *(str(Path(target).parent / name) for name in beside)]
            outputs = [self._file(path) for path in made]
        except OSError:
            return None
        notes = list(outcome.notes)
        return task.row(
            "done", outputs=outputs, verdict="", notes=notes, seconds=0.0, peak_mib=0.0,
            inputs=inputs, taken_from=manifest.MANIFEST,
        )  # fmt: skip

    def _file(self, path: str) -> Row:
        size, stamp = stores.known(path)
        return {"path": path, "size": size, "sha256": self._hashes.of(path), "stamp": stamp}


def _from_here(job: Job) -> Job:
    """The same job with paths from the working folder, as a command may have had them."""
    weights = os.path.relpath(job.weights) if job.weights else None
    return replace(job, net=os.path.relpath(job.net), weights=weights)
