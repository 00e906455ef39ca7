"""The shapes of all blobs and weights of a net, and the cost of its layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prototxt_gen.diagnostics import Sink, Span
from prototxt_gen.errors import ShapeError, UnsupportedError
from prototxt_gen.graph.graph import Graph, Node, Ref
from prototxt_gen.layers.base import Cost
from prototxt_gen.layers.parts.shapes import MAX_AXES, MAX_COUNT, Shape, count, show


@dataclass(slots=True)
class Shapes:
    """The known shapes of a net: of each blob, and of the weights of each node.

    A blob or a node that is missing here has no known shape.
    """

    blobs: dict[Ref, Shape] = field(default_factory=dict)
    weights: dict[int, tuple[Shape, ...]] = field(default_factory=dict)  #: by node index
    #: Why shapes are unknown starting with a node, by node index.
    reasons: dict[int, str] = field(default_factory=dict)

    def of(self, refs: Iterable[Ref]) -> tuple[Shape, ...] | None:
        """The shapes of several blobs; None if one of them is unknown."""
        found = [self.blobs.get(ref) for ref in refs]
        return None if None in found else tuple(shape for shape in found if shape is not None)


def named(shapes: Shapes, refs: Iterable[Ref]) -> dict[str, Shape]:
    """The known shapes of blobs by their names."""
    return {ref.blob: shapes.blobs[ref] for ref in refs if ref in shapes.blobs}


def infer(graph: Graph, sink: Sink, given: Mapping[str, Shape] | None = None) -> Shapes:
    """The shapes of a net; a layer that cannot take its bottoms is reported to the sink.

    After such a layer, or one of an unknown type, shapes are unknown. ``given`` are shapes
    that replace those of layers without bottoms, whatever is known of their other tops.
    Raises ShapeError if it names a blob that no such layer makes.
    """
    given = given or {}
    _need_inputs(graph, given)
    shapes = Shapes()
    for index, node in enumerate(graph.nodes):
        if not node.bottoms:
            shapes.blobs.update({top: given[top.blob] for top in node.tops if top.blob in given})
        if not node.layer.known:
            shapes.reasons[index] = f"the type {node.type!r} is not known"
            continue
        bottoms = shapes.of(node.bottoms)
        if bottoms is None:
            continue
        problem = _problem(node)
        if problem is not None:
            shapes.reasons[index] = problem
            continue
        try:
            weights = node.layer.blob_shapes(bottoms)
            tops = _tops(node, bottoms, given)
        except ShapeError as error:
            _report(node, error, sink)
            shapes.reasons[index] = error.message
            continue
        except UnsupportedError as error:
            shapes.reasons[index] = error.reason
            continue
        shapes.weights[index] = weights
        shapes.blobs.update(zip(node.tops, tops, strict=True))
        _check_sizes(node, bottoms, weights, tops, sink)
    return shapes


def costs(graph: Graph, shapes: Shapes) -> Iterator[tuple[Node, Cost]]:
    """Each node with known shapes and its cost; a shared weight counts once."""
    seen: set[str] = set()
    for index, node in enumerate(graph.nodes):
        bottoms, tops = shapes.of(node.bottoms), shapes.of(node.tops)
        if index in shapes.weights and bottoms is not None and tops is not None:
            cost = node.layer.cost(bottoms, tops)
            yield node, _less(cost, _repeated(node, shapes.weights[index], seen))


def _repeated(node: Node, weights: tuple[Shape, ...], seen: set[str]) -> int:
    """The number of elements of a node's weights that an earlier node shares."""
    total = 0
    for param, shape in zip(node.source.blocks("param"), weights, strict=False):
        name = param.get("name", str, "")
        if name in seen:
            total += count(shape) or 0
        elif name:
            seen.add(name)
    return total


def _less(cost: Cost, shared: int) -> Cost:
    if cost.parameters:
        return cost._replace(parameters=max(0, cost.parameters - shared))
    return cost._replace(statistics=max(0, cost.statistics - shared))


def total_cost(graph: Graph, shapes: Shapes) -> Cost:
    """The sum over all nodes with known shapes."""
    found = [cost for _, cost in costs(graph, shapes)]
    return Cost(*(sum(column) for column in zip(*found, strict=True))) if found else Cost()


def _tops(node: Node, bottoms: tuple[Shape, ...], given: Mapping[str, Shape]) -> tuple[Shape, ...]:
    names = [top.blob for top in node.tops]
    if node.bottoms or not any(name in given for name in names):
        return node.layer.shapes(bottoms, len(names))
    if all(name in given for name in names):
        return tuple(given[name] for name in names)
    own = node.layer.shapes(bottoms, len(names))
    # The tops of a layer share a batch: there are as many labels as images.
    batches = {s[0]: given[n][0] for n, s in zip(names, own, strict=True) if s and given.get(n)}
    return tuple(
        given.get(name, (batches.get(shape[0], shape[0]), *shape[1:]) if shape else shape)
        for name, shape in zip(names, own, strict=True)
    )


def _need_inputs(graph: Graph, given: Mapping[str, Shape]) -> None:
    known = graph.sources
    for name in given:
        if name not in known:
            why = graph.state_of(name) or f"it has {', '.join(sorted(known)) or 'none'}"
            raise ShapeError(f"the net has no input {name!r}; {why}", rule="no-such-input")


def _problem(node: Node) -> str | None:
    """What is wrong with a node whatever its bottoms' shapes; ``graph.check`` reports it."""
    if not node.layer.arity().fits(len(node.bottoms), len(node.tops)):
        return "it has the wrong number of bottoms or tops"
    problem = next((found for found in node.layer.problems() if not found.warning), None)
    return problem.message if problem else None


def _report(node: Node, error: ShapeError, sink: Sink) -> None:
    sink.error(
        error.rule,
        error.message,
        span=param_span(node, error.field),
        layer=node.name,
        help=error.help,
    )


def _check_sizes(
    node: Node,
    bottoms: tuple[Shape, ...],
    weights: tuple[Shape, ...],
    tops: tuple[Shape, ...],
    sink: Sink,
) -> None:
    # The layers after a blob that is too large would only repeat this.
    fresh = () if any((count(shape) or 0) > MAX_COUNT for shape in bottoms) else tops
    for what, found in (("weight", weights), ("top", fresh)):
        for index, shape in enumerate(found):
            elements = count(shape)
            longest = max((dim for dim in shape if dim is not None), default=0)
            if len(shape) > MAX_AXES:
                sink.error(
                    "too-many-axes",
                    f"{what} {index} would have {len(shape)} axes; Caffe allows at most {MAX_AXES} "
                    "(blob.hpp)",
                    span=node.span,
                    layer=node.name,
                )
            if max(elements or 0, longest) > MAX_COUNT:
                sink.error(
                    "blob-too-large",
                    f"{what} {index} would be {show(shape)}, {elements} elements; "
                    f"Caffe allows at most {MAX_COUNT} (blob.cpp)",
                    span=node.span,
                    layer=node.name,
                )


def param_span(node: Node, field: str | None) -> Span | None:
    """The place of a parameter of a node, else that of the node."""
    found = node.params.field(field) if field else None
    return (found and found.span) or (field_span(node, field) if field else None) or node.span


def field_span(node: Node, name: str, index: int = 0) -> Span | None:
    """The place of the value of a field in the ``layer`` block, else that of the node."""
    found = [f for f in node.source if f.name == name][index : index + 1]
    return found[0].value_span if found else node.span
