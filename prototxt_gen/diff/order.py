"""Which layers have moved so that they read or overwrite another value.

The order of two layers matters where both use a blob and one of them writes it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence

from prototxt_gen.diff.match import Match
from prototxt_gen.diff.net import Net

Access = tuple[int, bool]  #: a unit of the second net, and whether it writes


def moves(pairs: Match, blobs: Mapping[str, str]) -> dict[int, tuple[str, str]]:
    """The units of the first net that have moved: where they stood, and where they stand."""
    found: dict[int, tuple[str, str]] = {}
    for state in range(len(pairs.a.states)):
        ours = _accesses(pairs.a, state)
        theirs = _accesses(pairs.b, state)
        for blob, used in ours.items():
            mapped = [(pairs.there.get(unit, -1), writes) for unit, writes in used]
            both = theirs.get(blobs.get(blob, blob), [])
            kept = set(mapped) & set(both)
            before = [access for access in mapped if access in kept]
            after = [access for access in both if access in kept]
            if before != after:
                _blob_moves(pairs, before, after, found)
    return found


def _accesses(net: Net, state: int) -> dict[str, list[Access]]:
    """Which units of a state use each blob, in their order; one in place counts as a writer."""
    found: dict[str, list[Access]] = defaultdict(list)
    for unit in net.units:
        if state in unit.states:
            for blob in dict.fromkeys((*unit.bottoms, *unit.tops)):
                found[blob].append((unit.index, blob in unit.tops))
    return found


def _blob_moves(
    pairs: Match,
    before: Sequence[Access],
    after: Sequence[Access],
    found: dict[int, tuple[str, str]],
) -> None:
    place = {access: index for index, access in enumerate(after)}
    stands = [place[access] for access in _readers_as_in(before, place)]
    kept = _longest_rising(stands)
    for index, here in enumerate(stands):
        if here in kept:
            continue
        unit, writes = after[here]
        for other_index, other in enumerate(stands):
            crossed = (index < other_index) != (here < other)
            if crossed and other != here and (writes or after[other][1]):
                name = repr(pairs.b.units[after[other][0]].label)
                words = ("before", "after") if index < other_index else ("after", "before")
                ours = pairs.back[unit]
                found.setdefault(ours, (f"{words[0]} {name}", f"{words[1]} {name}"))
                break


def _readers_as_in(before: Sequence[Access], place: Mapping[Access, int]) -> list[Access]:
    """The accesses, with readers between two writers in the order that they have now."""
    ordered: list[Access] = []
    readers: list[Access] = []
    for access in before:
        if access[1]:
            ordered += sorted(readers, key=place.__getitem__)
            ordered.append(access)
            readers = []
        else:
            readers.append(access)
    return ordered + sorted(readers, key=place.__getitem__)


def _longest_rising(numbers: Sequence[int]) -> set[int]:
    """The members of a longest rising subsequence of numbers that are all different."""
    ends: list[int] = []
    at: list[int] = []
    previous: dict[int, int | None] = {}
    for number in numbers:
        index = bisect_left(ends, number)
        previous[number] = at[index - 1] if index else None
        if index == len(ends):
            ends.append(number)
            at.append(number)
        else:
            ends[index] = at[index] = number
    found: set[int] = set()
    number_or_none = at[-1] if at else None
    while number_or_none is not None:
        found.add(number_or_none)
        number_or_none = previous[number_or_none]
    return found
