"""Where the files are that are shipped with the code."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path


@cache
def data_dir(name: str) -> Traversable:
    """The folder ``templates`` or ``proto``, installed or in a checkout."""
    # An editable install leaves these two at the top level, next to the package.
    installed = files("prototxt_gen") / name
    return installed if installed.is_dir() else Path(__file__).parents[1] / name
