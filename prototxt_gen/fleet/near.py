"""Files that are near another: in its folder, below it, beside it, above it, or of its name.

What is near is looked up, so that a fleet of a hundred thousand files takes no longer for each.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Iterator

from prototxt_gen.fleet.looks import stem

_Key = tuple[str, ...]
_RARE = 20  #: the files that may have a name that is rare
SAME, BELOW, SISTER, ABOVE, FAR = range(5)  #: how far, the nearest first
HOW = (
    "in its folder",
    "below its folder",
    "in a sister folder",
    "in a folder above",
    "in another folder",
)


class Near:
    """Paths by their folders and names."""

    def __init__(self, paths: Iterable[str] = ()) -> None:
        # By a folder, by one above, by a pattern of folders; of each also with a name.
        self._found: defaultdict[_Key, list[str]] = defaultdict(list)
        for path in paths:
            folder, name = posixpath.dirname(path), stem(path)
            for key in _keys(folder):
                self._found[key].append(path)
                if name:
                    self._found[(*key, name)].append(path)
            if name:
                self._found["named", name].append(path)

    def of_name(self, path: str, tier: int) -> Iterator[str]:
        """Those at a distance whose name is that of a path, but for its role.

        Of those that are far, a name tells something only where it is rare.
        """
        name = stem(path)
        if not name:
            return
        if tier != FAR:
            yield from self._tier(path, tier, name)
            return
        found = self._found.get(("named", name), ())
        if len(found) <= _RARE:
            yield from (one for one in found if distance(path, one) == FAR)

    def at(self, path: str, tier: int) -> Iterator[str]:
        """Those at a distance but ``FAR``, where all others would be."""
        yield from self._tier(path, tier)

    def drop(self, paths: set[str]) -> None:
        """Let paths go, all at once."""
        for found in self._found.values():
            found[:] = [path for path in found if path not in paths]

    def _tier(self, path: str, tier: int, *name: str) -> Iterator[str]:
        folder = posixpath.dirname(path)
        if tier == SAME:
            yield from self._found.get(("at", folder, *name), ())
        elif tier == BELOW:
            yield from self._found.get(("under", folder, *name), ())
        elif tier == ABOVE:
            for above in _above(folder):
                yield from self._found.get(("at", above, *name), ())
        elif tier == SISTER:
            for key in _patterns(folder):
                for one in self._found.get((*key, *name), ()):
                    if posixpath.dirname(one) != folder:
                        yield one


def distance(a: str, b: str) -> int:
    """How far a file is from another."""
    ours, theirs = posixpath.dirname(a), posixpath.dirname(b)
    if ours == theirs:
        return SAME
    if below(theirs, ours):
        return BELOW
    one, other = ours.split("/"), theirs.split("/")
    if len(one) == len(other) and sum(x != y for x, y in zip(one, other, strict=True)) == 1:
        return SISTER  # folders of one parent, or of two trees of one form
    return ABOVE if below(ours, theirs) else FAR


def below(path: str, folder: str) -> bool:
    """Whether a path is in a folder, or in one below it."""
    return path.startswith(folder.rstrip("/") + "/")


def _above(folder: str) -> Iterator[str]:
    """The folders that a folder is in, the nearest first."""
    while (above := posixpath.dirname(folder)) != folder:
        folder = above
        yield folder


def _keys(folder: str) -> Iterator[_Key]:
    """By what the files of a folder are found."""
    yield "at", folder
    yield from (("under", above) for above in _above(folder))
    yield from _patterns(folder)


def _patterns(folder: str) -> Iterator[_Key]:
    """What a folder shares with each that differs from it by one name."""
    parts = folder.split("/")
    for index in range(len(parts)):
        yield "beside", "/".join(parts[:index]), "/".join(parts[index + 1 :])
