"""Which layer of one net is which of another: by name, and of those left over by place.

A layer that has another name is known by its type, its parameters and its neighbours, where
only one layer of each net can be meant.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable

from prototxt_gen.diff.net import Makers, Net, Unit

#: What makes two layers of one name the same one, where there are several: best first.
_LIKENESS: tuple[Callable[[Unit], Hashable], ...] = (
    lambda unit: (unit.states, unit.key, unit.bottoms, unit.tops),
    lambda unit: (unit.states, unit.key),
    lambda unit: (unit.states, unit.type),
    lambda unit: unit.key,
    lambda unit: unit.type,
    # Of another type it is the same one only at the same place.
    lambda unit: (unit.states, unit.bottoms, unit.tops),
    lambda unit: (unit.bottoms, unit.tops),
    lambda unit: unit.bottoms[:1] or (unit.index, id(unit)),
)
Place = tuple[Hashable, ...]


class Match:
    """The pairs of two nets, by the indices of their units."""

    def __init__(self, a: Net, b: Net) -> None:
        self.a, self.b = a, b
        self.there: dict[int, int] = {}  #: of the first net in the second
        self.back: dict[int, int] = {}

    def pair(self, a: Unit, b: Unit) -> None:
        """Two units are the same one."""
        self.there[a.index] = b.index
        self.back[b.index] = a.index

    def image(self, makers: Makers) -> Makers | None:
        """Makers in terms of the second net; None if one of them is not in it."""
        if not all(unit in self.there for _, (unit, _) in makers):
            return None
        return tuple((state, (self.there[unit], top)) for state, (unit, top) in makers)

    def left(self) -> tuple[list[Unit], list[Unit]]:
        """The units of both nets that have no partner."""
        return (
            [unit for unit in self.a.units if unit.index not in self.there],
            [unit for unit in self.b.units if unit.index not in self.back],
        )


def match(a: Net, b: Net) -> Match:
    """The pairs of two nets of the same states."""
    found = Match(a, b)
    _by_name(found)
    while _renamed(found):
        pass
    return found


def _by_name(found: Match) -> None:
    groups: dict[Hashable, tuple[list[Unit], list[Unit]]] = defaultdict(lambda: ([], []))
    for side, net in enumerate((found.a, found.b)):
        for unit in net.units:
            groups[unit.is_input, unit.label][side].append(unit)
    for ours, theirs in groups.values():
        for likeness in _LIKENESS:
            _pair_equal(found, ours, theirs, likeness)


def _pair_equal(
    found: Match, ours: Iterable[Unit], theirs: Iterable[Unit], key: Callable[[Unit], Hashable]
) -> None:
    """Pair those of equal keys, in their order."""
    waiting: dict[Hashable, list[Unit]] = defaultdict(list)
    for unit in theirs:
        if unit.index not in found.back:
            waiting[key(unit)].append(unit)
    for unit in ours:
        if unit.index not in found.there and waiting.get(key(unit)):
            found.pair(unit, waiting[key(unit)].pop(0))


def _renamed(found: Match) -> bool:
    """Pair what is left over by places, the surest first; whether there was anything."""
    return any(
        _by_place(found, *way)
        for way in (
            (_exact, _below, False),
            (_exact, _above, True),
            (_exact, _below_and_tops, False),
            (_of_type, _below_and_above, False),
            (_of_type, _above, True),
            (_of_type, _below_alone, False),
        )
    )


def _exact(unit: Unit) -> Hashable:
    return unit.key


def _of_type(unit: Unit) -> Hashable:
    return unit.is_input, unit.type


def _below(unit: Unit, found: Match | None) -> Place | None:
    """Who makes what it reads, in terms of the second net; without ``found`` it is of that."""
    if found is None:
        return unit.makers
    images = [found.image(makers) for makers in unit.makers]
    return None if None in images else tuple(images)


def _below_alone(unit: Unit, found: Match | None) -> Place | None:
    """The same, where it reads anything."""
    return _below(unit, found) if unit.bottoms else None


def _above(unit: Unit, found: Match | None) -> Place | None:
    """Who reads what it makes; None if nobody does."""
    if not unit.readers:
        return None
    if found is None:
        return (frozenset(unit.readers),)
    if not all(reader in found.there for reader, _, _ in unit.readers):
        return None
    return (frozenset((found.there[reader], b, t) for reader, b, t in unit.readers),)


def _below_and_tops(unit: Unit, found: Match | None) -> Place | None:
    below = _below(unit, found)
    return None if below is None else (*below, unit.tops)


def _below_and_above(unit: Unit, found: Match | None) -> Place | None:
    below, above = _below(unit, found), _above(unit, found)
    if below is None or not (unit.bottoms or above) or (unit.readers and above is None):
        return None
    return (*below, above)


def _by_place(
    found: Match,
    what: Callable[[Unit], Hashable],
    place: Callable[[Unit, Match | None], Place | None],
    backward: bool,
) -> bool:
    """Pair units of one kind and place, where each net has only one such; whether any was."""
    ours, theirs = found.left()
    if not ours or not theirs:
        return False

    def key(unit: Unit, to: Match | None) -> Hashable:
        where = place(unit, to)
        return None if where is None else (what(unit), len(unit.tops), where)

    twins = Counter(key(unit, None) for unit in ours)
    candidates: dict[Hashable, list[Unit]] = defaultdict(list)
    for unit in theirs:
        candidates[key(unit, None)].append(unit)
    before = len(found.there)
    for unit in reversed(ours) if backward else ours:
        there = key(unit, found)
        if there is None or twins[key(unit, None)] > 1:
            continue
        same = candidates.get(there, [])
        if len(same) == 1 and same[0].index not in found.back:
            found.pair(unit, same[0])
    return len(found.there) > before
