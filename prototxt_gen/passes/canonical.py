"""The normal form of a net: what comes back of it from ONNX by its structure alone.

- Inputs come first, one Input layer for each.
- No layer writes in place: every value has a name of its own, and the last version of a blob
  keeps the blob's.
- What only gives a value another name at inference is gone (Dropout, Split), and so is what
  gives nothing (Silence), unless the name is that of an output of the net.
- A layer that only flattens is gone where its reader flattens too (InnerProduct).
- A layer has the spelling that lifting gives it (``Layer.canonical``): a BatchNorm has the
  factor 1, and weights are not transposed.
- Fillers, learning rates and other things of training are gone, and weights are not shared.
"""

from __future__ import annotations

from prototxt_gen.graph.check import checked
from prototxt_gen.graph.graph import Graph, Node, Ref
from prototxt_gen.graph.infer import Shapes
from prototxt_gen.graph.weights import Weights, bound
from prototxt_gen.layers.base import Role
from prototxt_gen.layers.inputs import Input
from prototxt_gen.layers.parts.shapes import Shape, count
from prototxt_gen.passes.rebuild import input_shapes


def canonical(graph: Graph) -> Graph:
    """The normal form of a net for inference, with its weights.

    Raises GraphError if Caffe would refuse the net, and WeightsError if its weights do not fit.
    """
    shapes = checked(graph)
    return _Normal(graph, shapes, bound(graph, shapes)).run()


class _Normal:
    """The net while it is made; ``names`` are those of the values of the source."""

    def __init__(self, graph: Graph, shapes: Shapes, weights: Weights) -> None:
        self.graph, self.shapes, self.weights = graph, shapes, weights
        self.made = Graph(graph.name, dialect=graph.dialect)
        self.names: dict[Ref, str] = {}
        self.last = graph.last
        self.taken = set(self.last)
        self.readers: dict[Ref, list[Node]] = {}
        for node in graph.nodes:
            for ref in node.bottoms:
                self.readers.setdefault(ref, []).append(node)

    def run(self) -> Graph:
        """The net."""
        for node in self.graph.nodes:
            if node.layer.role is Role.INPUT:
                for top, shape in zip(node.tops, input_shapes(node), strict=True):
                    self.names[top] = top.blob
                    self.made.add(top.blob, Input((shape or (),)), (), (top.blob,))
        for index, node in enumerate(self.graph.nodes):
            if node.layer.role not in (Role.INPUT, Role.SINK):
                self._add(index, node)
        return self.made

    def _add(self, index: int, node: Node) -> None:
        bottoms = self.shapes.of(node.bottoms) or ()
        normal = node.layer.canonical(bottoms, self.weights.get(index))
        if (normal is None and self._may_go(node)) or self._is_flat_anyway(node):
            for top in node.tops:
                self.names[top] = self.names[node.bottoms[0]]
            return
        layer, blobs = normal or (node.layer, self.weights.get(index))
        for top in node.tops:
            self.names[top] = top.blob if top == self.last[top.blob] else self._fresh(node.name)
        tops = [self.names[top] for top in node.tops]
        self.made.add(node.name, layer, [self.names[ref] for ref in node.bottoms], tops)
        if blobs:
            self.made.stored[node.name] = blobs

    def _may_go(self, node: Node) -> bool:
        """Whether the values of a layer's bottom can have one name alone."""
        outputs = set(self.graph.outputs)
        return outputs.isdisjoint(node.tops)

    def _is_flat_anyway(self, node: Node) -> bool:
        """Whether a layer flattens what its readers flatten too."""
        (top, *more), bottoms = node.tops, self.shapes.of(node.bottoms) or ()
        readers = self.readers.get(top, [])
        if more or not readers or not node.layer.rearranges or len(bottoms) != 1:
            return False
        flat = self.shapes.blobs[top]
        return (
            len(bottoms[0]) > 2
            and flat == (bottoms[0][0], count(bottoms[0][1:]))
            and all(_flattens(reader, bottoms[0], flat) for reader in readers)
        )

    def _fresh(self, name: str) -> str:
        label, number = name, 1
        while label in self.taken:
            number += 1
            label = f"{name}_{number}"
        self.taken.add(label)
        return label


def _flattens(node: Node, shape: Shape, flat: Shape) -> bool:
    """Whether a layer with weights takes an item as a vector, whatever its shape is."""
    layer = node.layer
    if layer.parameter_free() or len(node.bottoms) != 1:
        return False
    ways = [(layer.shapes([one], 1), layer.blob_shapes([one])) for one in (shape, flat)]
    return ways[0] == ways[1]
