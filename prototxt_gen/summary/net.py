"""The rows of a net and their sums."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from prototxt_gen._words import plural
from prototxt_gen.diagnostics import Diagnostic, Severity, Sink, Source
from prototxt_gen.errors import PrototxtError
from prototxt_gen.graph.check import check
from prototxt_gen.graph.field import Field, fields
from prototxt_gen.graph.graph import Graph, Node, Ref
from prototxt_gen.graph.infer import Shapes, costs, infer, total_cost
from prototxt_gen.layers.base import BATCH, Cost, Role
from prototxt_gen.layers.parts.shapes import Shape, count
from prototxt_gen.passes.axes import Meanings, batch_axes
from prototxt_gen.summary.groups import DEPTHS, groups
from prototxt_gen.summary.memory import BYTES, Memory, memory


@dataclass(frozen=True, slots=True)
class Row:
    """One layer: ``shapes`` are those of its tops, None where they are unknown.

    Of a stage or a unit, ``layers`` are the rows of its layers; bottoms are what it reads of
    others, tops those of its last layer, and numbers are sums.
    """

    name: str
    type: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    shapes: tuple[Shape | None, ...]
    weights: tuple[Shape, ...] | None
    cost: Cost | None
    reason: str | None  #: why its shapes are unknown, if it is the first of its chain
    activations: int = 0  #: the bytes of the blobs that it makes, but not of those in place
    field: Field | None = None  #: the receptive field of its tops; None if it sees no pixel
    windows: Mapping[str, tuple[int, ...]] | None = None  #: kernel, stride, pad and dilation
    layers: tuple[Row, ...] = ()

    @property
    def parameters(self) -> int | None:
        """Learnable values; None if they are unknown."""
        if self.layers:
            return _sum([row.parameters for row in self.layers])
        return self.cost.parameters if self.cost and _are_known(self.weights) else None

    @property
    def statistics(self) -> int | None:
        """Values that are kept but not learned; None if they are unknown."""
        if self.layers:
            return _sum([row.statistics for row in self.layers])
        return self.cost.statistics if self.cost and _are_known(self.weights) else None

    @property
    def multiply_adds(self) -> int | None:
        """Multiply-adds of the pass; None if they are unknown."""
        if self.layers:
            return _sum([row.multiply_adds for row in self.layers])
        # Vectors, such as those of Scale, do not count.
        matrices = any(len(shape) > 1 for shape in self.weights or ())
        known = _are_known(self.weights) and (not matrices or _are_known(self.shapes))
        return self.cost.multiply_adds if self.cost and known else None


@dataclass(frozen=True)
class Summary:
    """A whole net.

    ``parameters`` are values that training changes, ``statistics`` those that BatchNorm keeps;
    a weight that layers share counts once. ``activations`` are the bytes of all blobs as
    float32; blobs that a layer overwrites in place count once. ``memory.peak`` are those of the
    blobs that are needed at the same time.
    """

    name: str
    rows: tuple[Row, ...]
    memory: Memory
    inputs: Mapping[str, Shape | None]
    diagnostics: tuple[Diagnostic, ...]
    source: Source | None
    graph: Graph = field(repr=False, compare=False)
    shapes: Shapes = field(repr=False, compare=False)

    @property
    def activations(self) -> int:
        """The bytes of all blobs."""
        return self.memory.total

    @property
    def parameters(self) -> int:
        """The number of learnable values."""
        return sum(row.cost.parameters for row in self.rows if row.cost)

    @property
    def statistics(self) -> int:
        """The number of values that are kept but not learned."""
        return sum(row.cost.statistics for row in self.rows if row.cost)

    @property
    def weight_bytes(self) -> int:
        """The bytes of parameters and statistics."""
        return (self.parameters + self.statistics) * BYTES

    @property
    def input_bytes(self) -> int:
        """The bytes of the inputs."""
        return sum((count(shape or (None,)) or 0) * BYTES for shape in self.inputs.values())

    @property
    def multiply_adds(self) -> int:
        """The multiply-adds of one pass, in layers that multiply by weights."""
        return sum(row.cost.multiply_adds for row in self.rows if row.cost)

    @property
    def complete(self) -> bool:
        """Whether every shape and every cost is known."""
        return all(row.cost is not None and _are_known(row.shapes) for row in self.rows)

    @property
    def batch(self) -> int | None:
        """How many images a pass takes; None if that is not known."""
        return self._single[0]

    @property
    def image(self) -> tuple[int, Memory] | None:
        """The multiply-adds and the memory of a pass of one image; None if that is not known."""
        return self._single[1]

    @cached_property
    def _single(self) -> tuple[int | None, tuple[int, Memory] | None]:
        return _one_image(self)

    def grouped(self, depth: int | None) -> tuple[Row, ...]:
        """The rows of stages (``depth`` 1), of units (2), or of layers."""
        if depth not in DEPTHS:
            return self.rows
        found = groups(self.graph, self.shapes, depth)
        return tuple(
            _group(name, [self.rows[i] for i in members]) for name, members in found.items()
        )

    def to_dict(self, depth: int | None = None) -> dict[str, object]:
        """The summary as JSON; an unknown dimension is null. With a depth, ``groups``."""
        from prototxt_gen.summary.values import as_dict

        return as_dict(self, depth)

    def __repr__(self) -> str:
        """``<Summary of 'LeNet': 9 layers, 431,080 parameters, 2,293,000 multiply-adds>``."""
        words = [plural(len(self.rows), "layer"), plural(self.parameters, "parameter", ",")]
        words.append(plural(self.multiply_adds, "multiply-add", ","))
        least = "" if self.complete else " at least"
        return f"<Summary of {self.name!r}: {', '.join(words)}{least}>"

    def _repr_html_(self) -> str:
        """The table that a notebook shows."""
        from prototxt_gen._tables import as_html
        from prototxt_gen.summary.columns import DEFAULT, table, totals

        return as_html(table(self, DEFAULT), totals(self))


def summarize(graph: Graph, input_shapes: Mapping[str, tuple[int, ...]] | None = None) -> Summary:
    """The summary of a graph; what Caffe would refuse is in its ``diagnostics``.

    Raises ShapeError where ``input_shapes`` names a blob that is not an input.
    """
    sink = Sink(graph.source)
    shapes = check(graph, sink, input_shapes)
    found, seen = memory(graph, shapes), fields(graph, shapes)
    cost = {id(node): found for node, found in costs(graph, shapes)}
    rows = tuple(
        _row(node, index, shapes, cost.get(id(node)), found.made[index], seen)
        for index, node in enumerate(graph.nodes)
    )
    inputs = {ref.blob: shapes.blobs.get(ref) for ref in _inputs(graph)}
    diagnostics = tuple(sink.sorted())
    return Summary(graph.name, rows, found, inputs, diagnostics, sink.source, graph, shapes)


def _inputs(graph: Graph) -> list[Ref]:
    """What comes from outside, or made-up data if nothing does."""
    heads = [node for node in graph.nodes if not node.bottoms and node.layer.parameter_free()]
    outer = [node for node in heads if node.layer.role in (Role.INPUT, Role.SOURCE)]
    return [ref for node in outer or heads for ref in node.tops]


def _row(
    node: Node,
    index: int,
    shapes: Shapes,
    cost: Cost | None,
    made: int,
    seen: Mapping[Ref, Field],
) -> Row:
    return Row(
        node.name,
        node.type,
        tuple(ref.blob for ref in node.bottoms),
        tuple(ref.blob for ref in node.tops),
        tuple(shapes.blobs.get(ref) for ref in node.tops),
        shapes.weights.get(index),
        cost,
        shapes.reasons.get(index) or _open_dimension(node, shapes),
        made,
        next((seen[ref] for ref in node.tops if ref in seen), None),
        _windows(node),
    )


def _windows(node: Node) -> dict[str, tuple[int, ...]] | None:
    """Kernel, stride, pad and dilation of a layer that has a kernel."""
    found = {
        name: getattr(node.layer, name, None) for name in ("kernel", "stride", "pad", "dilation")
    }
    windows = {name: value for name, value in found.items() if isinstance(value, tuple)}
    return windows if windows.get("kernel") else None


def _open_dimension(node: Node, shapes: Shapes) -> str | None:
    """Why the tops of a node have an unknown dimension, if its bottoms have none."""
    tops, bottoms = shapes.of(node.tops) or (), shapes.of(node.bottoms) or ()
    if any(None in shape for shape in tops) and not any(None in shape for shape in bottoms):
        return "the dimensions shown as ? depend on the data"
    return None


def _group(name: str, rows: list[Row]) -> Row:
    if len(rows) == 1:
        return replace(rows[0], name=name, layers=tuple(rows))
    own = {top for row in rows for top in row.tops}
    read = dict.fromkeys(bottom for row in rows for bottom in row.bottoms if bottom not in own)
    return Row(
        name,
        plural(len(rows), "layer"),
        tuple(read),
        rows[-1].tops,
        rows[-1].shapes,
        None,
        None,
        None,
        sum(row.activations for row in rows),
        rows[-1].field,
        None,
        tuple(rows),
    )


def _one_image(summary: Summary) -> tuple[int | None, tuple[int, Memory] | None]:
    """The batch of a net, and what a pass of one image takes."""
    from prototxt_gen.passes.batch import set_batch

    graph, shapes, whole = summary.graph, summary.shapes, (summary.multiply_adds, summary.memory)
    given = {name: shape for name, shape in summary.inputs.items() if shape}
    inputs = {ref.blob for ref in graph.inputs}
    free = batch_axes(graph, shapes, Meanings(graph, shapes))
    places = {name: one.axis for name, one in free.items() if one.symbol == BATCH}
    places.update(dict.fromkeys(given.keys() - inputs, 0))
    sizes = {given[name][axis] for name, axis in places.items() if name in given}
    batch = sizes.pop() if len(sizes) == 1 else None
    refused = any(found.severity is Severity.ERROR for found in summary.diagnostics)
    if batch is None or batch <= 1 or refused:
        return batch, whole if batch == 1 else None
    fixed = {name: shape for name, shape in given.items() if name in inputs and None not in shape}
    sink = Sink()
    try:
        one, _ = set_batch(graph, 1, fixed)
        others = {name: (1, *given[name][1:]) for name in given.keys() - inputs}
        found = infer(one, sink, others)
    except PrototxtError:
        return batch, None
    if sink.errors:
        return batch, None
    return batch, (total_cost(one, found).multiply_adds, memory(one, found))


def _sum(values: Sequence[int | None]) -> int | None:
    return None if None in values else sum(value or 0 for value in values)


def _are_known(shapes: Sequence[Shape | None] | None) -> bool:
    return shapes is not None and all(s is not None and None not in s for s in shapes)
