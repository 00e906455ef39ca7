"""Which layer of one net has the weights of which layer of another that computes the same.

What is compared is what is computed in the TEST phase, whatever blobs and layers are called:
types with their resolved parameters, who reads what, and which weights are shared. Data, losses,
fillers, learning rates and the sizes of inputs do not count, nor does what follows the last layer
with weights, where nets for training and for inference differ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from prototxt_gen.diff.fields import Fields, layer_fields, resolved
from prototxt_gen.diff.net import Net, Unit, wire
from prototxt_gen.diff.result import structure_lines
from prototxt_gen.diff.structure import Pairing, alike, pair_structure
from prototxt_gen.document import Block
from prototxt_gen.errors import GraphError
from prototxt_gen.graph.graph import Graph, Node, Ref
from prototxt_gen.graph.phase import State
from prototxt_gen.layers.base import Instead, Layer


class Counterparts(NamedTuple):
    """The layers that may have weights, by name; and how many layers only one of the nets has."""

    names: dict[str, str]
    left: tuple[int, int]


def counterparts(a: Graph, b: Graph) -> Counterparts:
    """For each layer of the first net that may have weights, the name of the second's.

    One of the nets may go on where the other ends, as a detector does behind its trunk. Raises
    GraphError, with the first layers that do not fit, if the nets are not equal but for names;
    and if it is not known which of two equal inputs or outputs is which.
    """
    nets = _computed(a), _computed(b)
    found = pair_structure(*nets, _ends(*nets))
    if not _fits_one(found):
        nets = _up_to_weights(nets[0]), _up_to_weights(nets[1])
        found = pair_structure(*nets, _ends(*nets))
    if not _fits_one(found):
        lines = structure_lines(found.structure, "")
        raise GraphError("the nets are not equal but for names: " + "; ".join(lines))
    pairs = found.pairs
    names = {
        unit.name: nets[1].units[pairs.there[unit.index]].name
        for unit in nets[0].units
        if unit.index in pairs.there and _has_weights(unit)
    }
    return Counterparts(
        names, (len(nets[0].units) - found.fitting, len(nets[1].units) - found.fitting)
    )


def _fits_one(found: Pairing) -> bool:
    """Whether all layers of one of the nets fit, so that the other one contains it."""
    return found.fitting > 0 and found.fitting in map(
        len, (found.pairs.a.units, found.pairs.b.units)
    )


def _has_weights(unit: Unit) -> bool:
    return not unit.is_input and _learns(unit.layer)


def _learns(layer: Layer) -> bool:
    """Whether a layer may have weights."""
    return layer.known and not layer.parameter_free()


def _computed(graph: Graph) -> Net:
    """The net in the TEST phase, every version of a blob with a name of its own."""
    shares = Counter(name for node in graph.nodes for name in _shared(node))
    names: dict[Ref, str] = {}
    read = {ref for node in graph.nodes for ref in node.bottoms}
    made = {ref for node in graph.nodes for ref in node.tops}
    units = [_input(ref) for ref in sorted(read - made)]
    for node in graph.nodes:
        layer = node.layer.at_inference()
        if layer is Instead.INPUT or (not node.bottoms and not _learns(node.layer)):
            units += [_input(top) for top in node.tops if top in read]
            continue
        if layer is Instead.NOTHING:
            continue
        own = node.layer.in_test() if layer is Instead.ITSELF else layer
        bottoms = [names.get(ref, _name(ref)) for ref in node.bottoms]
        if own is None:
            names.update(dict.fromkeys(node.tops, bottoms[0]))
            continue
        names.update({top: _name(top) for top in node.tops})
        if isinstance(own, Layer):
            bottoms = bottoms if own is not layer else bottoms[:1]
            units.append(_unit(node, own, bottoms, shares))
    return _wired(units)


def _name(ref: Ref) -> str:
    return f"{ref.blob} {ref.version}" if ref.version > 0 else ref.blob


def _input(ref: Ref) -> Unit:
    fields, top = Fields(), _name(ref)
    return Unit(0, ref.blob, "input", (), (top,), fields, Block(), Layer(), is_input=True)


def _unit(node: Node, layer: Layer, bottoms: Sequence[str], shares: Mapping[str, int]) -> Unit:
    fields = Fields()
    if layer.known:
        for name, value in resolved(layer).items():
            fields.put(name, value)
    else:
        fields = layer_fields(layer, node.source, len(node.tops), rules=False)
    users = tuple(shares[name] for name in _shared(node))
    if any(number > 1 for number in users):
        fields.put("layers that share a weight", users)
    tops = tuple(map(_name, node.tops))
    return Unit(
        *(0, node.name, layer.type or node.type, tuple(bottoms), tops, fields, node.source, layer),
        commutes=layer.commutes,
    )


def _shared(node: Node) -> list[str]:
    """The names of the weights of a layer by which others can share them."""
    names = (param.get("name", str, "") for param in node.source.blocks("param"))
    return [name for name in names if name]


def _wired(units: list[Unit]) -> Net:
    for index, unit in enumerate(units):
        unit.index, unit.states, unit.readers = index, frozenset({0}), []
    wire(units, 1)
    return Net(units, Fields(), (State(),))


def _up_to_weights(net: Net) -> Net:
    """The net without the layers that no layer with weights needs."""
    needed: set[int] = set()
    for unit in reversed(net.units):
        if _has_weights(unit) or unit.index in needed:
            needed.add(unit.index)
            needed.update(maker for found in unit.makers for _, (maker, _) in found)
    return _wired([unit for unit in net.units if unit.index in needed])


def _ends(a: Net, b: Net) -> dict[str, str]:
    """Which inputs and outputs are the same ones by their names, where nothing else tells.

    Raises GraphError where their names do not tell either.
    """
    known: dict[str, str] = {}
    theirs = {unit.label for unit in b.units}
    for group in alike(a):
        inputs = [unit.label for unit in group if unit.is_input]
        outputs = {(u.makers, u.index * _has_weights(u)): u.label for u in group if not u.readers}
        ends = inputs or list(outputs.values())
        if len(ends) < 2:
            continue
        if not theirs.issuperset(ends):
            raise GraphError(
                f"{' and '.join(map(repr, ends[:2]))} are alike, so that only their names can "
                "tell which is which in the other net, where they are called otherwise"
            )
        known.update({label: label for label in ends})
    return known
