"""The files that paths stand for: themselves, those in a folder, those that a pattern fits."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from glob import glob, has_magic
from pathlib import Path

SUFFIX = ".prototxt"
#: Folders that hold no nets of the user's own; hidden ones are passed over as well.
_FOREIGN = {"node_modules", "__pycache__", "site-packages"}


def find(paths: Iterable[str], leaves_out: Callable[[str], bool]) -> Iterator[str]:
    """Each file once, in the order of the paths, those of a folder by name.

    A file that is named itself is taken whatever its name; of a folder or a pattern those are
    taken that ``leaves_out`` does not. Raises FileNotFoundError for a folder or a pattern
    without a file; a path that does not exist is the caller's to open.
    """
    seen: set[str] = set()
    for path in paths:
        if path == "-" or not (os.path.isdir(path) or (has_magic(path) and not _exists(path))):
            found = [path]
        else:
            every = _in_folder(path) if os.path.isdir(path) else sorted(glob(path, recursive=True))
            files = [one for one in every if os.path.isfile(one)]
            if not files:
                what = f"no file *{SUFFIX} in it" if os.path.isdir(path) else "no file fits it"
                raise FileNotFoundError(2, what, path)
            found = [one for one in files if not leaves_out(one)]
        for one in found:
            if one not in seen:
                seen.add(one)
                yield one


def _exists(path: str) -> bool:
    return os.path.lexists(path)


def _in_folder(folder: str) -> list[str]:
    found = []
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name[0] != "." and name not in _FOREIGN]
        found += [os.path.join(root, name) for name in files if name.endswith(SUFFIX)]
    return sorted(found, key=lambda path: Path(path).parts)
