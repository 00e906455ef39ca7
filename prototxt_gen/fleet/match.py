"""Caffemodels by their places and contents, and which of them fit a net."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from prototxt_gen.fleet.looks import SNAPSHOT, Fit, Headers, Look, fit, stem
from prototxt_gen.layers.parts.shapes import Shape

_HOW = (
    "in its folder",
    "below its folder",
    "in a sister folder",
    "in a folder above",
    "in another folder",
)
FAR = 4  #: the distance of files that have but their names to do with each other


@dataclass(frozen=True)
class Found:
    """Weights that fit a net, and how they were found."""

    path: str
    how: str
    layers: int


@dataclass
class Library:
    """The caffemodels of a fleet: what each holds, and which are taken."""

    files: dict[str, Headers | str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    _tried: dict[tuple[str, str], Fit] = field(default_factory=dict)

    def add(self, path: str, read: Callable[[str], Headers | str]) -> None:
        """Take a file in, with what it holds."""
        self.files[path] = read(path)

    def of(
        self, net: Look, shapes: Mapping[str, Shape], tier: int, *, own_name: bool, again: bool
    ) -> list[Found]:
        """The files at a distance that fit a net, those of its name or any.

        With ``again`` those too that a net took which is nearer to them, or has their name.
        """
        name = stem(net.path)
        words = "of its name, " if own_name else "another net has it too; " if again else ""
        found = []
        for path in self.files:
            if distance(net.path, path) != tier or (path in self.used and not again):
                continue
            if own_name and not (name and stem(path) == name):
                continue
            one = self._fit(net, path, shapes)
            if one.layers:
                found.append(Found(path, words + _HOW[tier], one.layers))
        return found

    def fitting(self, path: str, nets: Iterable[Look]) -> Look | None:
        """A net near a file that it fits."""
        near = (net for net in nets if net.graph and not net.training)
        for net in near:
            if distance(net.path, path) < FAR and self._fit(net, path, {}).layers:
                return net
        return None

    def nearest(self, net: Look) -> str:
        """Why the nearest file does not fit; empty where none is near."""
        near = sorted((distance(net.path, path), path) for path in self.files)
        name = stem(net.path)
        first = [path for d, path in near if d < FAR or (name and stem(path) == name)]
        first.sort(key=lambda path: (stem(path) != name, self._fit(net, path, {}).foreign))
        if not first:
            return ""
        return f"{posixpath.basename(first[0])} does not fit: {self._fit(net, first[0], {}).why}"

    def _fit(self, net: Look, path: str, shapes: Mapping[str, Shape]) -> Fit:
        key = (net.path, path)
        if key not in self._tried:
            held = self.files[path]
            own = Fit(why=held) if isinstance(held, str) else fit(net, held, shapes)
            self._tried[key] = own
        return self._tried[key]


def distance(a: str, b: str) -> int:
    """How far a file is from another: its folder, below, a sister, above, or elsewhere."""
    ours, theirs = posixpath.dirname(a), posixpath.dirname(b)
    if ours == theirs:
        return 0
    if below(theirs, ours):
        return 1
    one, other = ours.split("/"), theirs.split("/")
    if len(one) == len(other) and sum(x != y for x, y in zip(one, other, strict=True)) == 1:
        return 2  # folders of one parent, or of two trees of one form
    return 3 if below(ours, theirs) else FAR


def below(path: str, folder: str) -> bool:
    """Whether a path is in a folder, or in one below it."""
    return path.startswith(folder.rstrip("/") + "/")


def chosen(
    found: Sequence[Found], snapshots: Literal["latest", "all"]
) -> tuple[list[Found], list[Found]]:
    """Those to take, and older snapshots: of each series its end, or the last turn."""
    if snapshots == "all":
        return list(found), []
    series: dict[str, list[tuple[float, Found]]] = {}
    for one in found:
        folder, name = posixpath.split(one.path)
        name = name.split(".caffemodel")[0]
        match = SNAPSHOT.match(name)
        turn = float(match["turn"]) if match else float("inf")
        series.setdefault(f"{folder}/{match['of'] if match else name}", []).append((turn, one))
    kept, older = [], []
    for some in series.values():
        some.sort(key=lambda pair: pair[0])
        kept.append(some[-1][1])
        older += [one for _, one in some[:-1]]
    return kept, older
