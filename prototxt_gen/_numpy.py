"""``np``: numpy, imported on first use.

``gen``, ``validate`` and ``summary`` import the layers but never compute with
them, and start without numpy. Not importlib.util.LazyLoader: on Python 3.11 it fails
when two threads touch the module first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["np"]

if TYPE_CHECKING:
    import numpy as np
else:

    class _Numpy:
        def __getattr__(self, name: str) -> Any:
            import numpy

            return getattr(numpy, name)

    np = _Numpy()
