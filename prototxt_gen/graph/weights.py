"""A net with its weights: which blobs of a file belong to which layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from prototxt_gen._numpy import np
from prototxt_gen._words import plural
from prototxt_gen.diagnostics import Sink
from prototxt_gen.errors import WeightsError
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.infer import Shapes
from prototxt_gen.layers.parts.shapes import Shape, count, show

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]


_MOST_NAMED = 8  #: of the layers that only the file has


@dataclass(slots=True)
class Weights:
    """The weights of each node by its index, in the shapes that the net gives them.

    Those in ``of`` may be ones that memory does not hold (``_deferred``).
    """

    of: dict[int, tuple[Array, ...]] = field(default_factory=dict)
    extra: list[str] = field(default_factory=list)  #: layers of the file that the net does not have

    def get(self, index: int) -> tuple[Array, ...]:
        """The weights of a node, in memory; empty where it has none."""
        return tuple(np.asarray(blob) for blob in self.deferred(index))

    def deferred(self, index: int) -> tuple[Array, ...]:
        """The same, where memory need not hold them: for what looks at them once at most."""
        return self.of.get(index, ())


def bind(
    graph: Graph, shapes: Shapes, stored: Mapping[str, Iterable[Array]], sink: Sink
) -> Weights:
    """Give each node the weights of the layer with its name (net.cpp, CopyTrainedLayersFrom).

    Legacy shapes fit where they differ only by axes of size 1. A weight that layers share is
    that of the last of them. Missing or unfitting weights are reported to the sink.
    """
    weights = Weights()
    shared: dict[str, Array] = {}
    other = foreign(graph, shapes, stored)
    if other is not None:
        sink.error("weights-foreign", other)
        return weights
    names = [[p.get("name", str, "") for p in node.source.blocks("param")] for node in graph.nodes]
    for index, node in enumerate(graph.nodes):
        wanted = shapes.weights.get(index, ())
        found = tuple(stored.get(node.name, ()))
        if not wanted:
            continue
        if len(found) != len(wanted) and not (not found and _all_shared(names[index], wanted)):
            _missing(graph, index, len(wanted), len(found), sink)
            continue
        for name, value in zip(names[index], found, strict=False):
            if name:
                shared[name] = value
        weights.of[index] = found
    for index, node in enumerate(graph.nodes):
        wanted = shapes.weights.get(index, ())
        if not wanted or (index not in weights.of):
            continue
        own: list[Array | None] = [*weights.of[index]] or [None] * len(wanted)
        fitted: list[Array] = []
        for position, shape in enumerate(wanted):
            name = names[index][position] if position < len(names[index]) else ""
            blob = shared.get(name) if name in shared else own[position]
            if blob is None:
                _missing(graph, index, len(wanted), 0, sink)
                break
            fit = fit_blob(blob, shape, permissive=bool(name))
            if fit is None:
                sink.error(
                    "weight-shape",
                    f"weight {position} is {show(blob.shape)} in the file; expected {show(shape)}",
                    span=node.span,
                    layer=node.name,
                )
                break
            fitted.append(fit)
        weights.of[index] = tuple(fitted)
    known = {node.name for node in graph.nodes}
    weights.extra = [name for name in stored if name not in known]
    if weights.extra and sink.errors:
        note_extra({name: tuple(stored[name]) for name in weights.extra}, sink)
    return weights


def bound(
    graph: Graph, shapes: Shapes, stored: Mapping[str, Iterable[Array]] | None = None
) -> Weights:
    """The weights that the graph has stored, or others, bound to nodes; raises WeightsError."""
    sink = Sink(graph.source)
    weights = bind(graph, shapes, graph.stored if stored is None else stored, sink)
    sink.raise_errors(WeightsError)
    return weights


def foreign(graph: Graph, shapes: Shapes, stored: Mapping[str, Iterable[Array]]) -> str | None:
    """What to say of a file that has weights, but none that the net needs; None of another."""
    wanted = [graph.nodes[index].name for index, found in shapes.weights.items() if found]
    if not stored or not wanted or any(name in stored for name in wanted):
        return None
    some = ", ".join(repr(name) for name in list(stored)[:3])
    return (
        f"the weights belong to another net: they have layers such as {some}, but none of the "
        f"{len(wanted)} with weights of this net, such as {wanted[0]!r}"
    )


def lacking(graph: Graph, shapes: Shapes, stored: Mapping[str, Iterable[Array]]) -> list[int]:
    """The nodes, by index, of whose weights a file has none; none of them where it is foreign.

    A layer is not among them whose weights are all those of layers that the file has.
    """
    if foreign(graph, shapes, stored) is not None:
        return []
    names = [[p.get("name", str, "") for p in node.source.blocks("param")] for node in graph.nodes]
    found = {n for i, node in enumerate(graph.nodes) if node.name in stored for n in names[i]}
    return [
        index
        for index, wanted in shapes.weights.items()
        if wanted
        and graph.nodes[index].name not in stored
        and not (_all_shared(names[index], wanted) and found.issuperset(names[index]))
    ]


def fit_blob(blob: Array, shape: Shape, *, permissive: bool) -> Array | None:
    """A blob in the shape that its layer gives it; None where it does not fit."""
    wanted = tuple(blob.size if dim is None else dim for dim in shape)
    if blob.shape == wanted:
        return blob
    same_sizes = [d for d in blob.shape if d != 1] == [d for d in wanted if d != 1]
    if count(wanted) == blob.size and (same_sizes or permissive):
        return blob.reshape(wanted)
    return None


def _all_shared(names: list[str], wanted: tuple[Shape, ...]) -> bool:
    return len(names) >= len(wanted) and all(names[: len(wanted)])


def note_extra(extra: Mapping[str, tuple[Array, ...]], sink: Sink) -> None:
    """Name the layers that only the file has: a layer of the net may have another name there."""
    some = [
        f"{name!r} ({', '.join(show(blob.shape) for blob in blobs)})"
        for name, blobs in list(extra.items())[:_MOST_NAMED]
    ]
    more = f" and {len(extra) - _MOST_NAMED} more" if len(extra) > _MOST_NAMED else ""
    message = f"the file has layers that the net has not: {', '.join(some)}{more}"
    sink.note("weights-extra", message)


def _missing(graph: Graph, index: int, wanted: int, found: int, sink: Sink) -> None:
    node = graph.nodes[index]
    if not found:
        message = f"the file has no weights for it; {node.type} has {wanted}"
    else:
        message = f"the file has {plural(found, 'weight')} for it; {node.type} has {wanted}"
    sink.error("weights-missing", message, span=node.span, layer=node.name)
