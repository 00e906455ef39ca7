"""Whether two nets are equal but for the names of their layers and blobs.

Every layer gets a colour, which is refined until it tells all that the layer's surroundings
tell: what it is, and the colours of those that make what it reads and that read what it makes.
Two nets of equal colours are paired layer by layer from the inputs on; where several layers
have a colour, as equal branches have, one is chosen, and the choice is a colour of its own.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

from prototxt_gen.diff.compare import Placed, field_changes
from prototxt_gen.diff.fields import differences
from prototxt_gen.diff.match import Match
from prototxt_gen.diff.net import Makers, Net, Unit
from prototxt_gen.diff.result import Change, FieldChange, Found, Structure, What

_MOST_CHOICES = 64  #: after so many refinements, a choice is taken as it comes
Colours = tuple[list[int], list[int]]


def compare_structure(a: Net, b: Net) -> tuple[tuple[Placed, ...], Structure | None, Match]:
    """What differs but for names, how far the layers fit (None if all do), and the pairs."""
    fields = tuple(FieldChange(*one) for one in differences(a.header, b.header) if one[0] != "name")
    changes = (Placed(Change("changed", "net", "", "", fields)),) if fields else ()
    search = _Search(a, b)
    pairs, fitting = _paired(search)
    if fitting == len(a.units) == len(b.units):
        return changes, None, pairs
    both = [(u, b.units[pairs.there[u.index]]) for u in a.units if u.index in pairs.there]
    changed = [Placed(_changed(unit, other, pairs), unit, other) for unit, other in both]
    found = [one for one in changed if one.change.fields]
    return (*changes, *found), _structure(pairs, fitting), pairs


class Pairing(NamedTuple):
    """The layers of two nets that are the same ones, and how many of them fit."""

    pairs: Match
    fitting: int

    @property
    def structure(self) -> Structure:
        """How far the nets fit."""
        return _structure(self.pairs, self.fitting)


def pair_structure(a: Net, b: Net, ends: Mapping[str, str]) -> Pairing:
    """The layers of two nets that are the same ones but for names.

    ``ends`` are the labels of units of which it is known which are the same ones.
    """
    return _paired(_Search(a, b, ends))


def alike(net: Net) -> list[list[Unit]]:
    """The units of a net that cannot be told from each other but by their names."""
    groups = defaultdict(list)
    for unit, colour in zip(net.units, _Search(net, net).colours[0], strict=True):
        groups[colour].append(unit)
    return [group for group in groups.values() if len(group) > 1]


def _paired(search: _Search) -> Pairing:
    """Pairs, and how many of them fit."""
    if Counter(search.colours[0]) == Counter(search.colours[1]):
        found = search.pair_all()
        if found is not None:
            return Pairing(found, len(found.there))
    pairs = Match(*search.nets)
    return Pairing(pairs, _pair_from_inputs(pairs, search))


class _Search:
    def __init__(self, a: Net, b: Net, ends: Mapping[str, str] | None = None) -> None:
        self.nets = (a, b)
        ends = ends or {}
        there = {new: old for old, new in ends.items()}
        self.own: dict[Hashable, int] = {}
        #: What each unit is by itself, as a number.
        self.labels: Colours = (
            [self._colour((_label(u), u.label if u.label in ends else None)) for u in a.units],
            [self._colour((_label(u), there.get(u.label))) for u in b.units],
        )
        self.colours = self._refined(self.labels)
        self.choices = 0

    def pair_all(self) -> Match | None:
        """For every layer of the first net the one of the second that it is; None without one."""
        pairs = Match(*self.nets)
        self.theirs = self._by_colour()
        for unit in self.nets[0].units:
            same = self._candidates(unit, pairs)
            if not same:
                return None
            if len(same) > 1 and self.choices < _MOST_CHOICES:
                self.choices += 1
                self._choose(unit, same[0])
            pairs.pair(unit, same[0])
        return pairs

    def _candidates(self, unit: Unit, pairs: Match) -> list[Unit]:
        makers = _images(unit, pairs)
        same = self.theirs.get(self.colours[0][unit.index], [])
        return [u for u in same if u.index not in pairs.back and _makers(u) == makers]

    def _choose(self, a: Unit, b: Unit) -> None:
        new = self._colour(("chosen", self.choices))
        self.colours[0][a.index] = self.colours[1][b.index] = new
        self.colours = self._refined(self.colours)
        self.theirs = self._by_colour()

    def _by_colour(self) -> dict[int, list[Unit]]:
        found: dict[int, list[Unit]] = defaultdict(list)
        for unit, colour in zip(self.nets[1].units, self.colours[1], strict=True):
            found[colour].append(unit)
        return found

    def likeness(self, a: Unit, b: Unit) -> tuple[bool, bool]:
        """How well a unit of the second net stands for one of the first: the greater the better."""
        readers = [
            Counter((labels[r], bottom, top) for r, bottom, top in unit.readers)
            for labels, unit in zip(self.labels, (a, b), strict=True)
        ]
        return self.colours[0][a.index] == self.colours[1][b.index], readers[0] == readers[1]

    def _refined(self, colours: Colours) -> Colours:
        number = _number(colours)
        while True:
            ours, theirs = (
                self._once(net, own) for net, own in zip(self.nets, colours, strict=True)
            )
            colours = ours, theirs
            if (new := _number(colours)) == number:
                return colours
            number = new

    def _once(self, net: Net, colours: list[int]) -> list[int]:
        """A pass from the inputs on and one back."""
        colours = list(colours)
        for unit in net.units:
            below = tuple(
                tuple((state, colours[maker], top) for state, (maker, top) in makers)
                for makers in unit.makers
            )
            if unit.commutes:
                below = tuple(sorted(below))
            colours[unit.index] = self._colour((colours[unit.index], "reads", below))
        for unit in reversed(net.units):
            above = tuple(sorted((colours[r], bottom, top) for r, bottom, top in unit.readers))
            colours[unit.index] = self._colour((colours[unit.index], "read by", above))
        return colours

    def _colour(self, key: Hashable) -> int:
        return self.own.setdefault(key, len(self.own))


def _number(colours: Colours) -> int:
    return len({*colours[0], *colours[1]})


def _label(unit: Unit) -> Hashable:
    """What a unit is, with the pattern of its blobs."""
    return unit.key, len(unit.bottoms), _pattern(unit), unit.states


def _pair_from_inputs(pairs: Match, search: _Search) -> int:
    """Pair what fits, and then what is at the same place and of the same type, by turns.

    The number of those that fit.
    """
    of_type = tuple([(u.is_input, u.type) for u in net.units] for net in (pairs.a, pairs.b))
    types = of_type[0], of_type[1]
    while (
        _pair_by(pairs, search, search.labels)
        or _pair_by(pairs, search, types, among=1)
        or _pair_by(pairs, search, types, most=1)
    ):
        pass
    ours, theirs = search.labels
    return sum(ours[unit] == theirs[there] for unit, there in pairs.there.items())


def _pair_by(
    pairs: Match,
    search: _Search,
    kinds: tuple[Sequence[Hashable], Sequence[Hashable]],
    *,
    among: int | None = None,
    most: int | None = None,
) -> int:
    """Pair units of one kind whose makers are pairs; the number of pairs.

    ``among`` is how many units of a kind there may be at a place, and ``most`` how many pairs
    are made.
    """
    ours, theirs = pairs.left()
    waiting: dict[Hashable, list[Unit]] = defaultdict(list)
    for unit in theirs:
        waiting[kinds[1][unit.index], _makers(unit)].append(unit)
    alike = Counter((kinds[0][unit.index], _makers(unit)) for unit in ours)
    made = 0
    for unit in ours:
        kind = kinds[0][unit.index]
        same = waiting.get((kind, _images(unit, pairs)))
        if not same or (among and max(len(same), alike[kind, _makers(unit)]) > among):
            continue
        best = max(same, key=lambda other: search.likeness(unit, other))
        same.remove(best)
        pairs.pair(unit, best)
        made += 1
        if made == most:
            break
    return made


def _makers(unit: Unit) -> tuple[Makers | None, ...]:
    """Who makes what a unit reads, in an order that counts."""
    return tuple(sorted(unit.makers)) if unit.commutes else unit.makers


def _images(unit: Unit, pairs: Match) -> tuple[Makers | None, ...]:
    """The same in terms of the second net; None for what is not in it."""
    found = tuple(pairs.image(makers) for makers in unit.makers)
    if not unit.commutes or None in found:
        return found
    return tuple(sorted(makers for makers in found if makers is not None))


def _changed(a: Unit, b: Unit, pairs: Match) -> Change:
    """What two layers at the same place differ in."""
    fields = list(field_changes(a, b))
    if len(a.tops) != len(b.tops):
        fields.append(FieldChange("number of tops", len(a.tops), len(b.tops)))
    elif _pattern(a) != _pattern(b):
        fields.append(FieldChange("in place", _in_place(a), _in_place(b)))
    other = b.label if b.label != a.label else ""
    what: What = "input" if a.is_input else "layer"
    return Change("changed", what, a.label, a.type, tuple(fields), other=other)


def _structure(pairs: Match, fitting: int) -> Structure:
    """How far two nets fit, and the first layers that do not."""
    a, b = pairs.a, pairs.b
    firsts = (unit for unit in a.units if not _fits(unit, pairs))
    first = next(firsts, None)
    if first is not None and first.index in pairs.there:
        other: Unit | None = b.units[pairs.there[first.index]]
    else:
        other = _counterpart(first, pairs)
    return Structure(fitting, (len(a.units), len(b.units)), (_found(a, first), _found(b, other)))


def _fits(unit: Unit, pairs: Match) -> bool:
    there = pairs.there.get(unit.index)
    return there is not None and _label(unit) == _label(pairs.b.units[there])


def _counterpart(unit: Unit | None, pairs: Match) -> Unit | None:
    """What the second net has where the first has a unit without a partner."""
    _, others = pairs.left()
    if unit is not None:
        makers = _images(unit, pairs)
        here = [other for other in others if _makers(other) == makers]
        return here[0] if here else next(iter(others), None)
    return next(iter(others), None)


def _pattern(unit: Unit) -> tuple[int, ...]:
    """Which of its blobs are the same: its bottoms, and then its tops."""
    first: dict[str, int] = {}
    return tuple(first.setdefault(blob, len(first)) for blob in (*unit.bottoms, *unit.tops))


def _in_place(unit: Unit) -> tuple[bool, ...]:
    return tuple(top in unit.bottoms for top in unit.tops)


def _found(net: Net, unit: Unit | None) -> Found | None:
    if unit is None:
        return None
    makers = dict.fromkeys(maker for found in unit.makers for _, (maker, _) in found)
    readers = dict.fromkeys(reader for reader, _, _ in unit.readers)
    return Found(
        unit.label,
        unit.type,
        tuple(net.units[index].label for index in makers),
        tuple(net.units[index].label for index in readers),
    )
