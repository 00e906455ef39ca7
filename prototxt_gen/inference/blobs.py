"""Blobs as files: a name that a stranger chose stays in its folder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from prototxt_gen._files import whole_file

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

_LONGEST = 150  #: characters of a name, of which a file system takes 255
_DIGITS = 16


def safe_name(name: str) -> str:
    """A name of a file for any text: letters, digits, ``_-.~``, and ``%XX`` for all else.

    Two texts have two names, also where letters are the same in both cases; none begins with a
    dot, and a long one ends in its hash.
    """
    data = name.encode("utf-8", "surrogateescape")
    found = quote(data, safe="")
    if found.startswith("."):
        found = "%2E" + found[1:]
    if len(found) > _LONGEST or not found:
        found = f"{found[:_LONGEST]}%{hashlib.sha256(data).hexdigest()[:_DIGITS]}"
    return found


def save_blobs(folder: Path, blobs: Mapping[str, Array]) -> int:
    """Write each blob as an npy file; return how many; raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    taken: set[str] = set()
    for name, value in blobs.items():
        file = safe_name(name)
        if file.lower() in taken:  # a file system may take A for a
            data = name.encode("utf-8", "surrogateescape")
            file += f"%{hashlib.sha256(data).hexdigest()[:_DIGITS]}"
        taken.add(file.lower())
        with whole_file(folder / f"{file}.npy") as stream:
            np.lib.format.write_array(stream, np.asanyarray(value), allow_pickle=False)
    return len(blobs)
