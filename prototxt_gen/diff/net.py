"""A net as two nets are compared: its layers in their order, and who makes what they read.

A file holds nets for several states. Who makes a blob is asked in each of them, so that a data
layer for TRAIN and one for TEST are both the maker of what they make.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from prototxt_gen.diff.fields import Fields, block_fields, layer_fields
from prototxt_gen.document import Block
from prototxt_gen.formats.upgrade.inputs import INPUT_FIELDS
from prototxt_gen.graph.graph import Graph, Node
from prototxt_gen.graph.phase import PHASES, State, included, stages_of
from prototxt_gen.layers.base import Layer, Role
from prototxt_gen.passes.splits import is_caffes_split

Maker = tuple[int, int]  #: the index of a unit, and which of its tops
Makers = tuple[tuple[int, Maker], ...]  #: of one bottom: the maker in each state that has one


@dataclass(slots=True, eq=False)
class Unit:
    """A layer, or one input of the net, which is the top of an Input layer or a field."""

    index: int
    name: str
    type: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    fields: Fields
    source: Block
    layer: Layer
    is_input: bool = False
    siblings: tuple[str, ...] | None = None  #: the tops of an input's layer; None if it has none
    commutes: bool = False  #: whether the order of its bottoms does not count
    states: frozenset[int] = frozenset()
    makers: tuple[Makers, ...] = ()
    readers: list[tuple[int, int, int]] = field(default_factory=list)  #: unit, its bottom, our top
    node: int = -1  #: the index of its node in the graph

    @property
    def label(self) -> str:
        """How a user knows it: the name of the layer, or of the input's blob."""
        return self.tops[0] if self.is_input else self.name

    @property
    def key(self) -> tuple[object, ...]:
        """What it is, without names and wiring."""
        return self.is_input, self.type, self.fields.key()


@dataclass(slots=True, eq=False)
class Net:
    """All layers of a file, or those of one state."""

    units: list[Unit]
    header: Fields
    states: Sequence[State]


def states_of(*roots: Block) -> tuple[State, ...]:
    """The states in which the layers of whole files are wired."""
    if not any(
        layer.has("include") or layer.has("exclude")
        for root in roots
        for layer in root.blocks("layer")
    ):
        return (State(),)
    stages = dict.fromkeys(stage for root in roots for stage in stages_of(root))
    return tuple(
        State(phase, names)
        for phase in PHASES
        for names in (frozenset[str](), *(frozenset({stage}) for stage in stages))
    )


def net_of(graph: Graph, root: Block, states: Sequence[State], *, whole: bool) -> Net:
    """The net of a graph of all layers; ``whole`` keeps those that none of the states has.

    Split layers that Caffe has put in are taken out, as they are in what it saves.
    """
    own = [state.within(root) for state in states]
    units: list[Unit] = []
    renamed: dict[str, str] = {}
    makers: dict[str, str] = {}
    for index, node in enumerate(graph.nodes):
        inside = frozenset(i for i, state in enumerate(own) if included(node.source, state))
        if not inside and not whole:
            continue
        bottoms = tuple(renamed.get(ref.blob, ref.blob) for ref in node.bottoms)
        tops = tuple(ref.blob for ref in node.tops)
        if is_caffes_split(node, makers):
            renamed.update(dict.fromkeys(tops, bottoms[0]))
            continue
        makers.update(dict.fromkeys(tops, node.name))
        is_field = index == 0 and graph.input_form != "layers"
        for unit in _units(node, bottoms, tops, whole=whole, is_field=is_field):
            unit.index, unit.states, unit.node = len(units), inside, index
            units.append(unit)
    wire(units, len(own))
    rest = block_fields(root, (*INPUT_FIELDS, "layer", "layers", "name"))
    header = Fields({"name": graph.name, **rest.values}, {"name": "", **rest.defaults})
    return Net(units, header, states)


def _units(
    node: Node, bottoms: tuple[str, ...], tops: tuple[str, ...], *, whole: bool, is_field: bool
) -> Iterable[Unit]:
    layer, source = node.layer, node.source
    fields = layer_fields(layer, source, len(tops), rules=whole)
    if layer.role is not Role.INPUT or not tops or bottoms:
        yield Unit(0, node.name, node.type, bottoms, tops, fields, source, layer)
        return
    shapes = fields.values.pop("shape", None)
    given = shapes if isinstance(shapes, tuple) else ()
    for index, top in enumerate(tops):
        own = Fields(dict(fields.values), dict(fields.defaults))
        if len(given) not in (0, 1, len(tops)):  # which Caffe refuses
            own.put("shapes", given)
        elif given:
            own.put("shape", given[index if len(given) > 1 else 0])
        siblings = None if is_field else tops
        yield Unit(0, node.name, node.type, (), (top,), own, source, layer, True, siblings)


def wire(units: Sequence[Unit], states: int) -> None:
    """Say of each unit who makes what it reads, and who reads what it makes."""
    last: list[dict[str, Maker]] = [{} for _ in range(states)]
    for unit in units:
        unit.makers = tuple(
            tuple((s, last[s][blob]) for s in sorted(unit.states) if blob in last[s])
            for blob in unit.bottoms
        )
        for bottom, found in enumerate(unit.makers):
            for maker, top in {maker for _, maker in found}:
                place = 0 if unit.commutes else bottom
                units[maker].readers.append((unit.index, place, top))
        for index, blob in enumerate(unit.tops):
            for state in unit.states:
                last[state][blob] = unit.index, index
