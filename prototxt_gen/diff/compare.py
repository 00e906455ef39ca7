"""What is different between the layers of two nets that are the same ones."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from prototxt_gen.diff.fields import (
    Fields,
    block_fields,
    differences,
    is_written,
    resolved,
    untyped_fields,
)
from prototxt_gen.diff.match import Match
from prototxt_gen.diff.net import Net, Unit
from prototxt_gen.diff.order import moves
from prototxt_gen.diff.result import Change, FieldChange, Kind, What
from prototxt_gen.document import Block, Symbol


class Placed(NamedTuple):
    """A difference, and the layers of both nets that it is about; of a whole net there is none."""

    change: Change
    first: Unit | None = None
    second: Unit | None = None


def compare_nets(pairs: Match) -> tuple[Placed, ...]:
    """Every difference of two nets of the same states, in the order of the first.

    What the second has in addition comes behind the layer that it stands behind, and what the
    first had there.
    """
    return tuple(_Comparison(pairs).run())


def compare_blocks(a: Block, b: Block, what: What) -> tuple[Change, ...]:
    """The fields of two messages, such as solvers."""
    return tuple(one.change for one in _whole(block_fields(a), block_fields(b), what))


def field_changes(a: Unit, b: Unit) -> tuple[FieldChange, ...]:
    """The fields in which two units differ, but for names and wiring."""
    if a.type != b.type:
        of_block = differences(
            untyped_fields(a.source, len(a.tops)), untyped_fields(b.source, len(b.tops))
        )
        found = [FieldChange(*one) for one in of_block]
        rules = [
            FieldChange(*one)
            for one in differences(a.fields, b.fields)
            if one[0] in ("include", "exclude", "phase")
        ]
        return FieldChange("type", a.type, b.type), *found, *rules
    found = [FieldChange(*one) for one in differences(a.fields, b.fields)]
    if a.is_input or not a.layer.known or type(a.layer) is not type(b.layer):
        return tuple(found)
    own = resolved(a.layer)
    direct = [f for f in found if f.name not in own or is_written(f.name, a.layer, b.layer)]
    return tuple(direct or found)


def _whole(a: Fields, b: Fields, what: What) -> Iterator[Placed]:
    found = tuple(FieldChange(*one) for one in differences(a, b))
    if found:
        yield Placed(Change("changed", what, "", "", found))


class _Comparison:
    def __init__(self, pairs: Match) -> None:
        a, b = pairs.a, pairs.b
        self.a, self.b, self.pairs = a, b, pairs
        self.blobs = _renamed_blobs(pairs)
        self.told: set[str] = set()  #: renamed blobs of which a line has told
        self.moves = moves(pairs, self.blobs)
        self.several = {
            label
            for net in (a, b)
            for label, number in Counter(unit.label for unit in net.units).items()
            if number > 1
        }

    def run(self) -> Iterator[Placed]:
        yield from _whole(self.a.header, self.b.header, "net")
        new = self._new()
        waiting = new[-1]
        for unit in self.a.units:
            there = self.pairs.there.get(unit.index)
            if there is None:
                yield Placed(self._change("removed", unit), unit)
                continue
            yield from waiting
            waiting = new[unit.index]
            other = self.b.units[there]
            found = tuple(self._changes(unit, other))
            if found:
                yield Placed(self._change("changed", unit, found), unit, other)
        yield from waiting

    def _new(self) -> dict[int, list[Placed]]:
        """What the second net has in addition, by the unit of the first that it is behind."""
        found: dict[int, list[Placed]] = defaultdict(list)
        behind = -1
        for unit in self.b.units:
            behind = self.pairs.back.get(unit.index, behind)
            if unit.index not in self.pairs.back:
                found[behind].append(Placed(self._change("added", unit), None, unit))
        return found

    def _change(self, kind: Kind, unit: Unit, fields: tuple[FieldChange, ...] = ()) -> Change:
        what: What = "input" if unit.is_input else "layer"
        rules = _rules(unit) if unit.label in self.several else ""
        return Change(kind, what, unit.label, unit.type, fields, rules)

    def _changes(self, a: Unit, b: Unit) -> Iterator[FieldChange]:
        if a.label != b.label:
            yield FieldChange("name", a.label, b.label)
        if a.is_input:
            if a.siblings == b.siblings and a.siblings is not None and a.name != b.name:
                yield FieldChange("layer", a.name, b.name)
            self.told.add(a.label)
        yield from field_changes(a, b)
        yield from self._bottoms(a, b)
        if not a.is_input:
            yield from self._tops(a, b)
        if a.index in self.moves:
            yield FieldChange("order", *map(Symbol, self.moves[a.index]))

    def _bottoms(self, a: Unit, b: Unit) -> Iterator[FieldChange]:
        if len(a.bottoms) != len(b.bottoms):
            yield FieldChange("bottom", a.bottoms, b.bottoms)
            return
        for index, (old, new) in enumerate(zip(a.bottoms, b.bottoms, strict=True)):
            if self.blobs.get(old, old) == new or self._same_maker(a, b, index):
                continue
            name = f"bottom[{index}]" if len(a.bottoms) > 1 else "bottom"
            if old != new:
                yield FieldChange(name, old, new)
            else:
                yield FieldChange(name, _made(self.a, a, index), _made(self.b, b, index))

    def _same_maker(self, a: Unit, b: Unit, bottom: int) -> bool:
        """Whether a bottom is the same value in every state in which both layers are."""
        common = a.states & b.states
        ours = self.pairs.image(tuple(m for m in a.makers[bottom] if m[0] in common))
        return bool(ours) and ours == tuple(m for m in b.makers[bottom] if m[0] in common)

    def _tops(self, a: Unit, b: Unit) -> Iterator[FieldChange]:
        if len(a.tops) != len(b.tops):
            yield FieldChange("top", a.tops, b.tops)
            return
        for index, (old, new) in enumerate(zip(a.tops, b.tops, strict=True)):
            if self.blobs.get(old) == new:
                if old in self.told or old == new:
                    continue
                self.told.add(old)
            if old != new:
                yield FieldChange(f"top[{index}]" if len(a.tops) > 1 else "top", old, new)


def _renamed_blobs(pairs: Match) -> dict[str, str]:
    """The blobs of the first net whose every maker makes one blob of the second, and back."""
    there: dict[str, set[str]] = defaultdict(set)
    back: dict[str, set[str]] = defaultdict(set)
    for ours, theirs in pairs.there.items():
        a, b = pairs.a.units[ours], pairs.b.units[theirs]
        if len(a.tops) == len(b.tops):
            for old, new in zip(a.tops, b.tops, strict=True):
                there[old].add(new)
                back[new].add(old)
    return {
        old: next(iter(new))
        for old, new in there.items()
        if len(new) == 1 and len(back[next(iter(new))]) == 1
    }


def _made(net: Net, unit: Unit, bottom: int) -> Symbol:
    """A bottom with its maker, where the name alone does not tell it from another."""
    makers = dict.fromkeys(net.units[maker].label for _, (maker, _) in unit.makers[bottom])
    by = f"of {', '.join(map(repr, makers))}" if makers else "of no layer"
    return Symbol(f"{unit.bottoms[bottom]!r} {by}")


def _rules(unit: Unit) -> str:
    """When a layer is in the net, in words."""
    include, exclude = (unit.fields.values.get(name) for name in ("include", "exclude"))
    return " and ".join(
        [str(include)] * (include is not None) + [f"not {exclude}"] * (exclude is not None)
    )
