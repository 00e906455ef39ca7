"""A model of a fleet with all that a process needs to know of it, and its row of the manifest."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass, field
from typing import Any

from prototxt_gen import _limits, _version
from prototxt_gen.fleet.journal import Row
from prototxt_gen.fleet.plan import Item
from prototxt_gen.fleet.ways import ToOnnx

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
