"""The shapes of a net some of whose sizes are free, for all these sizes at once.

The layers compute with symbols in place of numbers (``layers.parts.sizes``). What cannot be
computed without a number is refused; what holds for some sizes alone narrows them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import cast

import onnx

from prototxt_gen.diagnostics import Sink
from prototxt_gen.errors import ShapeError, UnsupportedError
from prototxt_gen.graph.graph import Graph, Node, Ref
from prototxt_gen.graph.infer import Shapes
from prototxt_gen.layers.parts.ranges import Range, Ranges
from prototxt_gen.layers.parts.shapes import Dim, Shape, show
from prototxt_gen.layers.parts.sizes import Size, always_equal, any_free, is_free
from prototxt_gen.passes.deploy import Change
from prototxt_gen.passes.rebuild import append, empty_like

METADATA = "resnet-proto.sizes"  #: the entry of a model that says which sizes it takes


@dataclass(frozen=True)
class Dims:
    """The shapes of a model's blobs, with free sizes, and the input's axis of each symbol."""

    shapes: Shapes
    ranges: Ranges = field(default_factory=lambda: Ranges({}))
    sources: Mapping[str, tuple[Ref, int]] = field(default_factory=dict)

    def of(self, ref: Ref) -> list[int | str]:
        """The shape of a blob as the model declares it."""
        return [self._declared(ref, axis) for axis in range(len(self.shapes.blobs[ref]))]

    def _declared(self, ref: Ref, axis: int) -> int | str:
        dim = self.shapes.blobs[ref][axis]
        if dim is not None and not is_free(dim):
            return dim
        for symbol in self.sources:
            if always_equal(dim, symbol_size(symbol, self.ranges)):
                return symbol
        return f"{ref.blob}_{axis}"

    def narrowed(self) -> Iterator[tuple[str, str]]:
        """Each symbol with fewer sizes than all, and which these are, in words."""
        for symbol, layers in self.ranges.narrowed.items():
            shown = ", ".join(map(repr, dict.fromkeys(layers.values())))
            yield symbol, f"{self.ranges.of[symbol].text(symbol)} (by {shown})"


def symbol_size(symbol: str, ranges: Ranges) -> int:
    """A symbol as a size, which poses as a number in shapes."""
    return cast(int, Size((((symbol,), 1),), ranges))


def inferred(
    graph: Graph, shapes: Shapes, ranges: Ranges, given: Mapping[str, Shape], sink: Sink
) -> tuple[Graph, Shapes, list[Change]]:
    """A net, its shapes, and what follows free sizes in it.

    ``given`` are the shapes of inputs and constants with free sizes, ``shapes`` those of the
    net's own sizes. A layer that needs a number, or fits no other sizes than the net's own, is
    reported; what is literal follows, if there is no choice.
    """
    found = Shapes(weights=dict(shapes.weights), reasons=dict(shapes.reasons))
    made, planes = empty_like(graph), dict[Ref, Shape]()
    changes: list[Change] = []
    for node in graph.nodes:
        ranges.layer = node.name
        bottoms, own = found.of(node.bottoms), shapes.of(node.tops)
        node, followed = _following(node, shapes.of(node.bottoms), bottoms)
        changes += followed
        append(made, node)
        if own is None or bottoms is None:
            continue
        if not any_free(bottoms) and planes.keys().isdisjoint(node.bottoms):
            named = (given.get(top.blob, shapes.blobs[top]) for top in node.tops)
            found.blobs.update(zip(node.tops, own if node.bottoms else tuple(named), strict=True))
            continue
        try:
            tops = _tops(node, bottoms, planes)
        except (ShapeError, UnsupportedError) as error:
            reason = error.reason if isinstance(error, UnsupportedError) else error.message
            sink.error("unsupported", f"{node.type}: {reason}", span=node.span, layer=node.name)
            continue
        found.blobs.update(zip(node.tops, tops, strict=True))
    return made, found, changes


def _tops(node: Node, bottoms: tuple[Shape, ...], planes: dict[Ref, Shape]) -> tuple[Shape, ...]:
    """The shapes of a node's tops; ``planes`` are the maps that the values of masks are places of.

    Raises ShapeError and UnsupportedError.
    """
    _need_weights(node, bottoms)
    tops = node.layer.shapes(bottoms, len(node.tops))
    for ref in node.bottoms:
        if ref in planes:
            node.layer.need_plane(planes[ref], tops)
    said = ((ref, node.layer.plane(at, bottoms)) for at, ref in enumerate(node.tops))
    planes.update((ref, plane) for ref, plane in said if plane is not None)
    return tops


def _following(
    node: Node, own: tuple[Shape, ...] | None, bottoms: tuple[Shape, ...] | None
) -> tuple[Node, list[Change]]:
    """The node, without literal sizes of its layer that are those of free axes.

    ``own`` are the shapes of the bottoms with the net's own sizes.
    """
    layer, changes = node.layer, []
    axes = zip(own[0], bottoms[0], strict=True) if own and bottoms else ()
    for axis, (size, free) in enumerate(axes):
        if own and is_free(free):
            before, layer = layer, layer.unpinned(own[0], axis)
            if layer != before:
                what = f"its literal size follows {free}, which is {size} in the net"
                changes.append(Change(node.name, node.type, what))
    try:
        layer.shapes(bottoms or (), len(node.tops)) if changes else ()
    except (ShapeError, UnsupportedError):  # what the layer has written is what does not fit
        return node, []
    return replace(node, layer=layer), changes


def _need_weights(node: Node, bottoms: tuple[Shape, ...]) -> None:
    shapes = node.layer.blob_shapes(bottoms)
    for shape, weight in zip(shapes, node.layer.weights(shapes), strict=True):
        if any_free(shape):
            raise UnsupportedError(
                f"its {weight.name} has one size, and its bottom would be {show(bottoms[0])}"
            )


def keep_ranges(model: onnx.ModelProto, ranges: Ranges) -> None:
    """Write the sizes that a model takes into its metadata, for ``read_ranges``."""
    entry = {
        symbol: {"from": list(one.starts), "own": one.own, "step": one.step}
        for symbol, one in ranges.of.items()
    }
    text = json.dumps(entry, sort_keys=True, separators=(",", ":"))
    model.metadata_props.add(key=METADATA, value=text)


def read_ranges(model: onnx.ModelProto) -> dict[str, Range]:
    """The sizes of each symbol that a model says it takes; what is no such entry is left out."""
    text = next((one.value for one in model.metadata_props if one.key == METADATA), "{}")
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    found: dict[str, Range] = {}
    for symbol, one in entry.items() if isinstance(entry, dict) else ():
        own, step, starts = (one.get(key) for key in ("own", "step", "from"))
        numbers = [own, step, *starts] if isinstance(starts, list) and starts else [None]
        if all(type(number) is int and number > 0 for number in numbers):
            found[symbol] = Range(own, step, tuple(starts))
    return found


def free_dims(bottom: Shape, top: Shape) -> list[Dim]:
    """Dimensions for a Reshape: 0 keeps one of the bottom, -1 is inferred.

    Other free sizes stay as they are, for the model to compute. Raises UnsupportedError if two
    dimensions depend on the data.
    """
    if not any_free(top) and None not in top:
        if 0 in top:
            raise UnsupportedError("a shape with a dimension of 0 cannot be reshaped in ONNX")
        return list(top)
    dims: list[Dim] = [
        0 if is_free(dim) and axis < len(bottom) and always_equal(dim, bottom[axis]) else dim
        for axis, dim in enumerate(top)
    ]
    unknown = [axis for axis, dim in enumerate(dims) if dim is None]
    if len(unknown) > 1:
        raise UnsupportedError("several dimensions of the new shape depend on the data")
    if not unknown:
        unknown = [axis for axis, dim in enumerate(dims) if is_free(dim)][-1:]
    for axis in unknown:
        dims[axis] = -1
    return dims
