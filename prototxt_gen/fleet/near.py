"""Files that are near another: in its folder, below it, beside it, above it, or of its name.

What is near is looked up, so that a fleet of a hundred thousand files takes no longer for each.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Iterator

from prototxt_gen.fleet.looks import stem

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
        self._at: defaultdict[str, list[str]] = defaultdict(list)
        self._under: defaultdict[str, list[str]] = defaultdict(list)
        self._beside: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        self._named: defaultdict[str, list[str]] = defaultdict(list)
        for path in paths:
            self.add(path)

    def add(self, path: str) -> None:
        """Take a path in."""
        folder = posixpath.dirname(path)
        self._at[folder].append(path)
        for above in _above(folder):
            self._under[above].append(path)
        for key in _patterns(folder):
            self._beside[key].append(path)
        if name := stem(path):
            self._named[name].append(path)

    def of_name(self, path: str, tier: int) -> Iterator[str]:
        """Those at a distance whose name is that of a path, but for its role."""
        name = stem(path)
        found = self._named.get(name, ()) if name else ()
        return (one for one in found if distance(path, one) == tier)

    def at(self, path: str, tier: int) -> Iterator[str]:
        """Those at a distance but ``FAR``, where all others would be."""
        folder = posixpath.dirname(path)
        if tier == SAME:
            yield from self._at.get(folder, ())
        elif tier == BELOW:
            yield from self._under.get(folder, ())
        elif tier == ABOVE:
            for above in _above(folder):
                yield from self._at.get(above, ())
        elif tier == SISTER:
            for key in _patterns(folder):
                for one in self._beside.get(key, ()):
                    if posixpath.dirname(one) != folder:
                        yield one

    def drop(self, paths: set[str]) -> None:
        """Let paths go, all at once."""
        for lists in (self._at, self._under, self._beside, self._named):
            for found in lists.values():
                found[:] = [path for path in found if path not in paths]


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


def _patterns(folder: str) -> Iterator[tuple[str, str]]:
    """What a folder shares with each that differs from it by one name."""
    parts = folder.split("/")
    for index in range(len(parts)):
        yield "/".join(parts[:index]), "/".join(parts[index + 1 :])
