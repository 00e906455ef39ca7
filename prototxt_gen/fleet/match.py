"""Caffemodels by their places and contents, and which of them fit a net."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Literal

from prototxt_gen.fleet.looks import SNAPSHOT, Fit, Headers, Look, fit, stem
from prototxt_gen.fleet.near import ABOVE, BELOW, FAR, HOW, SAME, SISTER, Near
from prototxt_gen.fleet.stores import is_url
from prototxt_gen.layers.parts.shapes import Shape

_KEPT = 200  #: files of which it is remembered what is in them
_FEW = 5  #: files that are looked at for a reason why none fits


@dataclass(frozen=True)
class Found:
    """Weights that fit a net, and how they were found; with no layers, it was not looked."""

    path: str
    how: str
    layers: int


class Library:
    """The caffemodels of a fleet: what each holds, and which are taken."""

    def __init__(self, files: Iterable[str], load: Callable[[str], Headers | str]) -> None:
        """Of files; ``load`` gives the shapes in one, or why these are not known."""
        self.files = list(files)
        self.used: set[str] = set()
        self.held = lru_cache(_KEPT)(load)
        self._all, self._free = Near(self.files), Near(self.files)
        self._tried: dict[tuple[str, str], Fit] = {}

    def of(
        self, net: Look, shapes: Mapping[str, Shape], tier: int, *, own_name: bool, again: bool
    ) -> list[Found]:
        """The files at a distance that fit a net, those of its name or any.

        With ``again`` those too that a net took which is nearer to them, or has their name. Of a
        store, where a look takes hundreds of requests, one alone of its name in its folder is
        taken as it is: the worker that has both will see whether it fits.
        """
        words = "of its name, " if own_name else "another net has it too; " if again else ""
        near = self._all if again else self._free
        paths = list(near.of_name(net.path, tier) if own_name else near.at(net.path, tier))
        if own_name and tier == SAME and len(paths) == 1 and is_url(paths[0]):
            return [Found(paths[0], words + HOW[tier], 0)]
        fits = ((path, self._fit(net, path, shapes)) for path in paths)
        found = [Found(path, words + HOW[tier], one.layers) for path, one in fits if one.layers]
        return sorted(found, key=lambda one: one.path)

    def forget_used(self) -> None:
        """What is taken by now is no longer free."""
        self._free.drop(self.used)

    def nearest(self, net: Look) -> str:
        """Why the nearest file does not fit; empty where none is near."""
        named = (path for tier in range(FAR + 1) for path in self._all.of_name(net.path, tier))
        near = (path for tier in (SAME, BELOW, ABOVE) for path in self._all.at(net.path, tier))
        some = [*islice(named, _FEW), *islice(near, _FEW)]
        if not some:
            return ""
        fits = [(path, self._fit(net, path, {})) for path in dict.fromkeys(some)]
        own = stem(net.path)
        path, one = min(fits, key=lambda pair: (stem(pair[0]) != own, pair[1].foreign))
        return f"{posixpath.basename(path)} does not fit: {one.why}"

    def fitting(self, path: str, near: Near, nets: Mapping[str, Look]) -> Look | None:
        """A net near a file that it fits."""
        around = (one for tier in (SAME, ABOVE, BELOW, SISTER) for one in near.at(path, tier))
        for name in islice(around, 10 * _FEW):
            if self._fit(nets[name], path, {}).layers:
                return nets[name]
        return None

    def try_near(self, net: Look) -> None:
        """Compare a net that was just read with those of its name in its folder."""
        paths = list(self._all.of_name(net.path, SAME))
        if net.graph and not net.training and not (len(paths) == 1 and is_url(paths[0])):
            for path in paths or self._all.at(net.path, SAME):
                self._fit(net, path, {})

    def _fit(self, net: Look, path: str, shapes: Mapping[str, Shape]) -> Fit:
        key = (net.path, path)
        if key not in self._tried:
            held = self.held(path)
            own = Fit(why=held) if isinstance(held, str) else fit(net, held, shapes)
            self._tried[key] = own
        return self._tried[key]


def deploy_of(net: Look, near: Near, deploys: Mapping[str, Look]) -> Look | None:
    """The net for inference that has the layers of a training net."""
    if net.graph is None:
        return None
    for other in _around(net, near, deploys):
        if other.layers and other.layers <= net.names:
            return other
    return None


def borrowed(
    net: Look, near: Near, deploys: Mapping[str, Look]
) -> tuple[dict[str, Shape], Look | None]:
    """The shapes of inputs that a training net lacks, of the nearest net that has them."""
    if not net.training or net.graph is None:
        return {}, None
    for other in _around(net, near, deploys):
        shapes = {name: dims for name, dims in other.shapes.items() if name in net.sources}
        if shapes:
            return shapes, other
    return {}, None


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


def _around(net: Look, near: Near, nets: Mapping[str, Look]) -> Iterator[Look]:
    """The nets near one, the nearest first, of sisters a few."""
    for tier in (SAME, BELOW, ABOVE, SISTER):
        paths: Iterable[str] = near.at(net.path, tier)
        for path in islice(paths, 10 * _FEW):
            yield nets[path]
