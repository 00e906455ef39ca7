"""The shapes of all blobs and weights of a net, and the cost of its layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod

from prototxt_gen.diagnostics import Sink, Span
from prototxt_gen.document import Block
from prototxt_gen.errors import ShapeError, UnsupportedError
from prototxt_gen.formats.dialects import is_bvlc
from prototxt_gen.graph.graph import Graph, Node, Ref
from prototxt_gen.layers.base import Cost, Layer, Problem, Role
from prototxt_gen.layers.parts.shapes import MAX_AXES, MAX_COUNT, Shape, count, show
from prototxt_gen.layers.parts.window import OTHER_SPELLINGS


@dataclass(slots=True, eq=False, repr=False)
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
    makers: dict[Ref, Node] = {}
    cautions: list[tuple[Node, Problem]] = []
    for index, node in enumerate(graph.nodes):
        makers.update(dict.fromkeys(node.tops, node))
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
            _report(node, error, bottoms, makers, sink)
            shapes.reasons[index] = error.message
            continue
        except UnsupportedError as error:
            shapes.reasons[index] = error.reason
            continue
        shapes.weights[index] = weights
        shapes.blobs.update(zip(node.tops, tops, strict=True))
        _check_sizes(node, bottoms, weights, tops, sink)
        cautions += [(node, caution) for caution in node.layer.cautions(bottoms)]
    for node, caution in cautions:
        if not _is_cut(graph, node, shapes):
            _warn(node, caution, sink)
    return shapes


def _is_cut(graph: Graph, node: Node, shapes: Shapes) -> bool:
    """Whether all that reads a node takes a part of it, and so knows what is odd about it."""
    readers = [reader for reader in graph.nodes if not set(reader.bottoms).isdisjoint(node.tops)]
    size = _elements(node.tops, shapes)
    return bool(readers) and all(
        reader.layer.rearranges
        and (len(reader.tops) > 1 or 0 < _elements(reader.tops, shapes) < size)
        for reader in readers
    )


def _elements(refs: Sequence[Ref], shapes: Shapes) -> int:
    return sum(count(shapes.blobs.get(ref, (None,))) or 0 for ref in refs)


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
            raise ShapeError(f"the net has no input {name!r}; {why}")


def _problem(node: Node) -> str | None:
    """What is wrong with a node whatever its bottoms' shapes; ``graph.check`` reports it."""
    if not node.layer.arity().fits(len(node.bottoms), len(node.tops)):
        return "it has the wrong number of bottoms or tops"
    problem = next((found for found in node.layer.problems() if not found.warning), None)
    return problem.message if problem else None


def _report(
    node: Node,
    error: ShapeError,
    bottoms: Sequence[Shape],
    makers: Mapping[Ref, Node],
    sink: Sink,
) -> None:
    blamed = error.bottom
    sink.error(
        error.rule,
        error.message,
        span=param_span(node, error.field)
        if blamed is None
        else field_span(node, "bottom", blamed),
        layer=node.name,
        help=error.help or _whose(node, error, bottoms, makers),
    )


def _whose(
    node: Node, error: ShapeError, bottoms: Sequence[Shape], makers: Mapping[Ref, Node]
) -> str | None:
    """Which layers made the bottoms that do not fit together, with shapes not shown yet."""
    if error.bottom is None or len(bottoms) < 2:
        return None
    found = []
    for index in sorted({0 if error.bottom else 1, error.bottom}):
        ref, shape = node.bottoms[index], show(bottoms[index])
        maker = makers[ref]
        # The layer of a net's `input` fields is not in the text.
        own = maker.layer.role is Role.INPUT
        whose = f"the input {ref.blob!r}" if own else f"{ref.blob!r} of layer {maker.name!r}"
        text = f"bottom {index} is {whose}"
        found.append(text if shape in error.message else f"{text}, {shape}")
    return "; ".join(found)


def _warn(node: Node, problem: Problem, sink: Sink) -> None:
    sink.warning(
        problem.rule,
        problem.message,
        span=param_span(node, problem.field, problem.which),
        layer=node.name,
        help=problem.help,
    )


def _check_sizes(
    node: Node,
    bottoms: tuple[Shape, ...],
    weights: tuple[Shape, ...],
    tops: tuple[Shape, ...],
    sink: Sink,
) -> None:
    for index, shape in enumerate(weights):
        if _is_too_large(shape):
            name = node.layer.weights(weights)[index].name
            _check_size(node, f"the {name}", shape, param_span(node, None), sink.error)
    large = [(index, shape) for index, shape in enumerate(tops) if _is_too_large(shape)]
    # The layers after a blob that is too large would only repeat this.
    if not large or any((count(shape) or 0) > MAX_COUNT for shape in bottoms):
        return
    for index, shape in large:
        place = field_span(node, "top", index)
        if not bottoms:  # the shape is what the layer says of itself
            place = param_span(node, "shape", index) or place
        _check_size(node, f"top {node.tops[index].blob!r}", shape, place, sink.error)


def check_buffers(graph: Graph, shapes: Shapes, sink: Sink, dialect: str | None = None) -> None:
    """Report buffers of layers that are too large.

    For BVLC's Caffe that is an error. Engines of forks have other buffers, so otherwise
    it is a warning.
    """
    report = sink.error if is_bvlc(dialect) else sink.warning
    for index, node in enumerate(graph.nodes):
        if type(node.layer).buffers is Layer.buffers:
            continue
        bottoms = shapes.of(node.bottoms)
        if bottoms is not None and index in shapes.weights:
            for what, shape in node.layer.buffers(bottoms):
                if _is_too_large(shape):
                    _check_size(node, what, shape, param_span(node, None), report)


@lru_cache(maxsize=256)
def _is_too_large(shape: Shape) -> bool:
    """Whether a blob has more axes or elements than Caffe counts."""
    known = [dim for dim in shape if dim is not None]
    elements = prod(known) if len(known) == len(shape) else 0
    return len(shape) > MAX_AXES or max(elements, *known, 0) > MAX_COUNT


def _check_size(
    node: Node, what: str, shape: Shape, place: Span | None, report: Callable[..., None]
) -> None:
    """Report a blob that is too large, by its axes and by its elements."""
    elements = count(shape)
    longest = max((dim for dim in shape if dim is not None), default=0)
    if len(shape) > MAX_AXES:
        report(
            "too-many-axes",
            f"{what} would have {len(shape)} axes; Caffe allows at most {MAX_AXES} (blob.hpp)",
            span=place,
            layer=node.name,
        )
    if max(elements or 0, longest) > MAX_COUNT:
        report(
            "blob-too-large",
            f"{what} would be {show(shape)}, {elements} elements; "
            f"Caffe allows at most {MAX_COUNT} (blob.cpp)",
            span=place,
            layer=node.name,
        )


def param_span(node: Node, name: str | None, index: int = 0) -> Span | None:
    """The place of a parameter of a node, else of the message that it is missing in.

    A dotted name is a path. Another spelling of the same counts, as ``kernel_h`` for
    ``kernel_size``; ``index`` is which of several values it is.
    """
    path = name.split(".") if name else [""]
    found = _place(node.params, path, index)
    if found is None and (field := node.source.field(path[0])) is not None:
        scalar = not isinstance(field.value, Block)
        found = field_span(node, path[0], index) if scalar else _place(node.source, path, index)
    if found is None and node.layer.param:
        message = node.source.field(node.layer.param)
        found = message.name_span if message else None
    return found or node.span


def _place(block: Block, path: Sequence[str], index: int) -> Span | None:
    own, *rest = path
    for name in (own, *OTHER_SPELLINGS.get(own, ())):
        fields = [field for field in block if field.name == name]
        if fields:
            field = fields[min(index, len(fields) - 1)]
            inner = field.value if isinstance(field.value, Block) else Block()
            return (_place(inner, rest, index) if rest else None) or field.span
    return None


def field_span(node: Node, name: str, index: int = 0) -> Span | None:
    """The place of the value of a field in the ``layer`` block, else that of the node."""
    found = [f for f in node.source if f.name == name][index : index + 1]
    return found[0].value_span if found else node.span
