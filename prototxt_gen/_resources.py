"""Where the files are that are shipped with the code."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable


@cache
def data_dir(name: str) -> Traversable:
    """The folder ``templates`` or ``proto``, installed or in a checkout."""
    here = Path(__file__).parent
    # An editable install leaves these two at the top level, next to the package.
    for folder in (here / name, here.parent / name):
        if folder.is_dir():
            return folder
    from importlib.resources import files  # the package is in an archive

    return files("prototxt_gen") / name
