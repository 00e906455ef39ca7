"""Nets compared up to names: what each blob is made of, all the way from the inputs."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import Any

from prototxt_gen.generate.blocks import build
from prototxt_gen.generate.spec import Spec
from prototxt_gen.generate.zoo import preset
from prototxt_gen.graph.graph import Graph, Node, Ref
from prototxt_gen.layers.base import Layer
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

    def of(self, graph: Graph, *, phase: str | None = None) -> dict[Ref, int]:
        """The structure of every blob of a net, as it is computed in a phase if one is given."""
        found: dict[Ref, int] = {}
        for node in graph.nodes:
            bottoms = [self._made(found, ref) for ref in node.bottoms]
            if isinstance(node.layer, Eltwise) and not node.layer.coeff:
                bottoms.sort()
            for index, top in enumerate(node.tops):
                kind: Hashable = _plain(node.layer, phase) if node.bottoms else "input"
                found[top] = self._number((kind, tuple(bottoms), index))
        return found

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
