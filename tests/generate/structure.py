"""Nets compared up to names: what each blob is made of, all the way from the inputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from prototxt_gen.document import Block
from prototxt_gen.generate.blocks import build
from prototxt_gen.generate.spec import Spec
from prototxt_gen.generate.zoo import preset
from prototxt_gen.graph.graph import Graph, Node, Ref
from prototxt_gen.layers.base import Layer, Weight
from prototxt_gen.layers.batch_norm import BatchNorm
from prototxt_gen.layers.combine import Eltwise
from prototxt_gen.layers.pooling import Pooling

SMALL = {"stages": [2, 2], "width": 8, "classes": 5, "input_shape": [1, 3, 64, 64]}


def net(name: str = "", **keys: Any) -> Graph:
    """A preset, or a small net, with other keys."""
    return build(Spec.of({**(preset(name) if name else SMALL), **keys})).graph


def nodes(graph: Graph, kind: str) -> list[Node]:
    """The layers of a type."""
    return [node for node in graph.nodes if node.type == kind]


class Structures:
    """Numbers for structures; two blobs have the same one if they are made in the same way."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}

    def of(self, graph: Graph, *, phase: str | None = None, strict: bool = False) -> dict[Ref, int]:
        """The structure of every blob of a net, as it is computed in a phase if one is given.

        ``strict``: what its layers read, how their weights start and learn, and every other
        field count as well.
        """
        found: dict[Ref, int] = {}
        for node in graph.nodes:
            bottoms = [self._made(found, ref) for ref in node.bottoms]
            if isinstance(node.layer, Eltwise) and not node.layer.coeff:
                bottoms.sort()
            for index, top in enumerate(node.tops):
                kind: Hashable = _plain(node.layer, phase) if node.bottoms else "input"
                if strict:
                    kind = (kind, trained(node))
                found[top] = self._number((kind, tuple(bottoms), index))
        return found

    def whole(self, graph: Graph, phase: str) -> Counter[int]:
        """How often each structure is in a net, strictly."""
        return Counter(self.of(graph, phase=phase, strict=True).values())

    def scores(self, graph: Graph) -> int:
        """The structure of what the last inner product of a net makes."""
        found = self.of(graph)
        return [found[n.tops[0]] for n in graph.nodes if n.type == "InnerProduct"][-1]

    def _made(self, found: dict[Ref, int], ref: Ref) -> int:
        """What a layer reads; a blob that nothing makes is as the first of an input."""
        return found[ref] if ref in found else self._number(("input", (), 0))

    def _number(self, key: Hashable) -> int:
        return self._numbers.setdefault(key, len(self._numbers))


def _plain(layer: Layer, phase: str | None) -> Layer:
    """A layer without the spelling of its rounding, and of where its statistics are from."""
    if isinstance(layer, BatchNorm) and layer.use_global_stats is None and phase:
        return replace(layer, use_global_stats=phase == "TEST")
    return replace(layer, ceil_mode=False) if isinstance(layer, Pooling) else layer


#: Fields of a layer that other parts of a comparison look at.
_ELSEWHERE = frozenset({"name", "type", "bottom", "top", "param", "include", "exclude", "phase"})
_FILLERS = ("weight_filler", "filler", "scale_filler", "bias_filler")
#: Which fields a filler reads, with their defaults (filler.hpp).
_READ: dict[str, dict[str, Any]] = {
    "constant": {"value": 0.0},
    "gaussian": {"mean": 0.0, "std": 1.0, "sparse": -1},
    "uniform": {"min": 0.0, "max": 1.0},
    "msra": {"variance_norm": "FAN_IN"},
    "xavier": {"variance_norm": "FAN_IN"},
}


def trained(node: Node) -> Hashable:
    """How the weights of a layer start and learn, and each other field that is no default."""
    source, params = node.source, node.params
    rest = written(source, _ELSEWHERE | {node.layer.param or ""})
    modelled = node.layer.models() | node.layer.spellings | set(_FILLERS)
    if not node.bottoms:
        modelled = frozenset()  # what data layers read is no part of a structure
    elif node.type == "BatchNorm":
        modelled -= {"filler"}  # Intel's
    return (
        tuple(_learned(node, index, weight) for index, weight in enumerate(_weights(node))),
        rest,
        written(params, modelled),
    )


def _weights(node: Node) -> Sequence[Weight]:
    layer = node.layer
    if isinstance(layer, BatchNorm):
        return layer.weights([(1,)] * (5 if layer.scale_bias else 3))
    bias = getattr(layer, "bias_term", None)
    if bias is None or len(node.bottoms) > 1:
        return ()
    return layer.weights([(1, 1), (1,)][: 1 + bias])


def _learned(node: Node, index: int, weight: Weight) -> Hashable:
    """The rates, and the filler; the decay is multiplied by the rate of learning."""
    if weight.fixed:  # batch_norm_layer.cpp sets lr_mult to 0 where no param is given
        return "fixed"
    params = node.source.blocks("param")
    block = params[index] if index < len(params) else Block()
    rate = block.get("lr_mult", float, 1.0)
    decay = block.get("decay_mult", float, 1.0) if rate else 0.0
    filler = node.params.block(weight.filler or "")
    usual = weight.value if not node.params.has(weight.filler or "") else 0.0
    kind = filler.get("type", str, "constant")
    values = {name: (filler.all(name) or [value])[-1] for name, value in _READ[kind].items()}
    if kind == "constant" and not filler.has("value"):
        values["value"] = usual
    return rate, decay, kind, tuple(sorted(values.items()))


def written(block: Block, skipped: Iterable[str] = ()) -> Hashable:
    """The fields of a block that are not the default."""
    found = []
    for field in block:
        value = field.value
        if field.name in skipped:
            continue
        if isinstance(value, Block):
            inner = written(value)
            found.append((field.name, inner))
        elif block.type is None or value != block.type.default(field.name):
            found.append((field.name, value))
    return tuple(sorted(found, key=repr))


def header(graph: Graph) -> Hashable:
    """The fields of a net other than its name and its layers."""
    return tuple(
        sorted((field.name, repr(field.value)) for field in graph.header if field.name != "name")
    )
