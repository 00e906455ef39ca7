"""The files that paths stand for: themselves, those in a folder, those that a pattern fits."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from glob import glob, has_magic
from pathlib import Path

SUFFIX = ".prototxt"
#: Folders that hold no nets of the user's own; hidden ones are passed over as well.
_FOREIGN = {"node_modules", "__pycache__", "site-packages"}


def find(
    paths: Iterable[str],
    failed: Callable[[OSError], None],
    leaves_out: Callable[[str], bool] = lambda path: False,
) -> Iterator[str]:
    """Each file once, in the order of the paths, those of a folder by name.

    A file that is named itself is taken whatever its name; of a folder or a pattern those are
    taken that ``leaves_out`` does not. ``failed`` is called for a folder or a pattern without a
    file, and for a folder that cannot be read; a file that does not exist is the caller's to open.
    """
    seen: set[str] = set()
    for path in paths:
        for one in _files(path, failed, leaves_out):
            name = one if one == "-" else os.path.realpath(one)
            if name not in seen:
                seen.add(name)
                yield one


def _files(
    path: str, failed: Callable[[OSError], None], leaves_out: Callable[[str], bool]
) -> list[str]:
    is_folder = os.path.isdir(path)
    if not is_folder and (not has_magic(path) or os.path.lexists(path)):
        return [path]
    errors: list[OSError] = []
    every = _below(path, errors) if is_folder else sorted(glob(path, recursive=True))
    files = [one for one in every if os.path.isfile(one)]
    for error in errors:
        failed(error)
    if not files and not errors:
        what = f"no file *{SUFFIX} in it" if is_folder else "no file fits it"
        failed(FileNotFoundError(errno.ENOENT, what, path))
    return [one for one in files if not leaves_out(one)]


def _below(folder: str, errors: list[OSError]) -> list[str]:
    found = []
    for root, folders, files in os.walk(folder, onerror=errors.append):
        folders[:] = [name for name in folders if name[0] != "." and name not in _FOREIGN]
        found += [os.path.join(root, name) for name in files if name.endswith(SUFFIX)]
    return sorted(found, key=lambda path: Path(path).parts)
