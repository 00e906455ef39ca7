"""Two graphs of one state side by side: what differs, and which layer is which."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from prototxt_gen.diff.compare import Placed, compare_nets
from prototxt_gen.diff.match import Match, match
from prototxt_gen.diff.net import Net, Unit, net_of
from prototxt_gen.diff.result import Change, Diff, What
from prototxt_gen.diff.structure import compare_structure
from prototxt_gen.document import Block
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.phase import State


@dataclass(frozen=True, slots=True)
class Difference:
    """A change, and the indices of the nodes that it is about; None where a net has none."""

    change: Change
    first: int | None
    second: int | None


@dataclass(frozen=True, slots=True)
class Sides:
    """The differences of two graphs; ``pairs`` are the nodes of both that are the same ones.

    ``diff`` says the same as ``files.compare`` does for the files in the state of the graphs.
    Where names do not count, ``differences`` also has the layers without a partner.
    """

    diff: Diff
    differences: tuple[Difference, ...]
    pairs: tuple[tuple[int, int], ...]


def compare_graphs(a: Graph, b: Graph, state: State, *, structure: bool = False) -> Sides:
    """The differences of two graphs that were read in one state."""
    ours, theirs = _net(a, state), _net(b, state)
    if structure:
        placed, differing, pairs = compare_structure(ours, theirs)
        every = (*placed, *_lonely(pairs))
    else:
        pairs, differing = match(ours, theirs), None
        placed = every = compare_nets(pairs)
    nodes = dict.fromkeys(
        (pairs.a.units[one].node, pairs.b.units[other].node) for one, other in pairs.there.items()
    )
    found = tuple(Difference(one.change, _node(one.first), _node(one.second)) for one in every)
    return Sides(Diff(tuple(one.change for one in placed), differing), found, tuple(nodes))


def _net(graph: Graph, state: State) -> Net:
    return net_of(graph, Block(graph.header, graph.header_type), (state,), whole=False)


def _node(unit: Unit | None) -> int | None:
    return None if unit is None else unit.node


def _lonely(pairs: Match) -> Iterator[Placed]:
    """The layers that only one of the nets has."""
    ours, theirs = pairs.left()
    for unit in ours:
        yield Placed(Change("removed", _what(unit), unit.label, unit.type), unit)
    for unit in theirs:
        yield Placed(Change("added", _what(unit), unit.label, unit.type), None, unit)


def _what(unit: Unit) -> What:
    return "input" if unit.is_input else "layer"
