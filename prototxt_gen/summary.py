"""The layers of a net, one by one, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prototxt_gen.diagnostics import Diagnostic, Sink, Source
from prototxt_gen.graph.check import check
from prototxt_gen.graph.graph import Graph, Node
from prototxt_gen.graph.infer import Shapes, costs
from prototxt_gen.layers.base import Cost
from prototxt_gen.layers.parts.shapes import Shape, count

_BYTES = 4  #: bytes of a float32


@dataclass(frozen=True, slots=True)
class Row:
    """One layer: ``shapes`` are those of its tops, None where they are unknown."""

    name: str
    type: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    shapes: tuple[Shape | None, ...]
    weights: tuple[Shape, ...] | None
    cost: Cost | None
    reason: str | None  #: why its shapes are unknown, if it is the first of its chain


@dataclass(frozen=True, slots=True)
class Summary:
    """A whole net.

    ``parameters`` are values that training changes, ``statistics`` those that BatchNorm keeps;
    a weight that layers share counts once. ``activations`` are the bytes of all blobs as
    float32; blobs that a layer overwrites in place count once.
    """

    name: str
    rows: tuple[Row, ...]
    activations: int
    diagnostics: tuple[Diagnostic, ...]
    source: Source | None

    @property
    def parameters(self) -> int:
        """The number of learnable values."""
        return sum(row.cost.parameters for row in self.rows if row.cost)

    @property
    def statistics(self) -> int:
        """The number of values that are kept but not learned."""
        return sum(row.cost.statistics for row in self.rows if row.cost)

    @property
    def multiply_adds(self) -> int:
        """The multiply-adds of one pass, in layers that multiply by weights."""
        return sum(row.cost.multiply_adds for row in self.rows if row.cost)

    @property
    def complete(self) -> bool:
        """Whether every shape and every cost is known."""
        return all(row.cost is not None and _known(row) for row in self.rows)

    def to_dict(self) -> dict[str, object]:
        """The summary as JSON; an unknown dimension is null."""
        return {
            "name": self.name,
            "parameters": self.parameters,
            "statistics": self.statistics,
            "multiply_adds": self.multiply_adds,
            "activation_bytes": self.activations,
            "complete": self.complete,
            "layers": [_row_dict(row) for row in self.rows],
        }


def summarize(graph: Graph, input_shapes: Mapping[str, tuple[int, ...]] | None = None) -> Summary:
    """The summary of a graph; what Caffe would refuse is in its ``diagnostics``.

    Raises ShapeError where ``input_shapes`` names a blob that is not an input.
    """
    sink = Sink(graph.source)
    shapes = check(graph, sink, input_shapes)
    cost = {id(node): found for node, found in costs(graph, shapes)}
    rows = tuple(
        _row(node, index, shapes, cost.get(id(node))) for index, node in enumerate(graph.nodes)
    )
    return Summary(graph.name, rows, _activations(graph, shapes), tuple(sink.sorted()), sink.source)


def _row(node: Node, index: int, shapes: Shapes, cost: Cost | None) -> Row:
    return Row(
        node.name,
        node.type,
        tuple(ref.blob for ref in node.bottoms),
        tuple(ref.blob for ref in node.tops),
        tuple(shapes.blobs.get(ref) for ref in node.tops),
        shapes.weights.get(index),
        cost,
        shapes.reasons.get(index) or _open_dimension(node, shapes),
    )


def _open_dimension(node: Node, shapes: Shapes) -> str | None:
    """Why the tops of a node have an unknown dimension, if its bottoms have none."""
    tops, bottoms = shapes.of(node.tops) or (), shapes.of(node.bottoms) or ()
    if any(None in shape for shape in tops) and not any(None in shape for shape in bottoms):
        return "the dimensions shown as ? depend on the data"
    return None


def _activations(graph: Graph, shapes: Shapes) -> int:
    total = 0
    for node in graph.nodes:
        for index, top in enumerate(node.tops):
            if not node.in_place(index):
                total += count(shapes.blobs.get(top) or (None,)) or 0
    return total * _BYTES


def _known(row: Row) -> bool:
    return all(shape is not None and None not in shape for shape in row.shapes)


def _row_dict(row: Row) -> dict[str, object]:
    found: dict[str, object] = {
        "name": row.name,
        "type": row.type,
        "bottoms": row.bottoms,
        "tops": row.tops,
        "shapes": row.shapes,
        "weights": row.weights,
        "parameters": row.cost and row.cost.parameters,
        "statistics": row.cost and row.cost.statistics,
        "multiply_adds": row.cost and row.cost.multiply_adds,
    }
    if row.reason is not None:
        found["reason"] = row.reason
    return found
