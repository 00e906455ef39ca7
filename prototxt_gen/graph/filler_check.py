"""What Caffe's fillers refuse (filler.hpp); Caffe fills a net without weights as it builds it.

A caffemodel replaces what was filled, so ``graph.check`` does not check fillers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prototxt_gen.diagnostics import Sink
from prototxt_gen.document import Block
from prototxt_gen.graph.graph import Graph, Node
from prototxt_gen.graph.infer import Shapes, param_span
from prototxt_gen.layers.base import Role
from prototxt_gen.layers.parts.shapes import Shape, count, show


def check_fillers(graph: Graph, shapes: Shapes, sink: Sink) -> None:
    """Report fillers of unknown types, and those that cannot fill their blobs."""
    for index, node in enumerate(graph.nodes):
        if node.source.has("blobs"):
            continue
        if not node.bottoms and node.layer.role is Role.PLAIN and node.layer.parameter_free():
            _check_tops(node, shapes, sink)
        wanted = shapes.weights.get(index)
        if not wanted:
            continue
        for weight, shape in zip(node.layer.weights(wanted), wanted, strict=True):
            if weight.filler is not None:
                _check(node, weight.filler, node.params.block(weight.filler), shape, sink)


def _check_tops(node: Node, shapes: Shapes, sink: Sink) -> None:
    """A layer that makes its tops from nothing fills them (dummy_data_layer.cpp).

    Constants are filled once, others at every forward pass.
    """
    fillers = node.params.blocks("data_filler") or (Block(),)
    for index, top in enumerate(node.tops):
        filler = fillers[index if len(fillers) > 1 else 0] if index < len(fillers) else fillers[0]
        constant = filler.get("type", str, "constant") == "constant"
        _check(node, "data_filler", filler, shapes.blobs.get(top) if constant else None, sink)


def _check(node: Node, field: str, filler: Block, shape: Shape | None, sink: Sink) -> None:
    """``shape`` is None where only the values are to be checked, without those drawn at random."""
    kind = filler.get("type", str, "constant")
    if kind not in _KINDS:
        known = ", ".join(_KINDS)
        message = f"{field} has the type {kind!r}, which Caffe does not know; expected {known}"
        sink.error("filler-type", message, span=param_span(node, field), layer=node.name)
    elif shape is not None:
        for problem in filler_problems(filler, shape):
            message = f"{field} ({kind}) of {show(shape)}: {problem}"
            sink.error("filler", message, span=param_span(node, field), layer=node.name)


def filler_problems(filler: Block, shape: Shape) -> Iterator[str]:
    """What a filler of a known type refuses in a shape, or in its own numbers."""
    return _KINDS[filler.get("type", str, "constant")](filler, shape)


def _filled(filler: Block, shape: Shape) -> Iterator[str]:
    """There is something to fill, and ``sparse`` is not set."""
    if count(shape) == 0:
        yield "there is nothing to fill; expected at least one number"
    if filler.get("sparse", int, -1) != -1:
        yield f"sparse is {filler.get('sparse', int, -1)}; expected it only for gaussian"


def _uniform(filler: Block, shape: Shape) -> Iterator[str]:
    yield from _filled(filler, shape)
    low, high = filler.get("min", float, 0.0), filler.get("max", float, 1.0)
    if not low <= high:
        yield f"min is {low:g} and max {high:g}; expected min to be at most max"


def _gaussian(filler: Block, shape: Shape) -> Iterator[str]:
    if count(shape) == 0:
        yield "there is nothing to fill; expected at least one number"
    std = filler.get("std", float, 1.0)
    if not std > 0:
        yield f"std is {std:g}; expected more than 0"
    sparse = filler.get("sparse", int, -1)
    outputs = shape[0] if shape else 0
    if sparse < -1 or (sparse >= 0 and outputs is not None and sparse > outputs):
        yield f"sparse is {sparse}; expected at most the {outputs} outputs, or -1"


def _unit_ball(filler: Block, shape: Shape) -> Iterator[str]:
    yield from _filled(filler, shape)
    if len(shape) > 4:
        yield "expected at most 4 axes"


def _fan(filler: Block, shape: Shape) -> Iterator[str]:
    yield from _filled(filler, shape)
    if not shape:
        yield "expected at least one axis"


def _bilinear(filler: Block, shape: Shape) -> Iterator[str]:
    if len(shape) != 4:
        yield "expected 4 axes"
    elif None not in shape[2:] and shape[2] != shape[3]:
        yield "expected a square kernel"
    if filler.get("sparse", int, -1) != -1:
        yield f"sparse is {filler.get('sparse', int, -1)}; expected it only for gaussian"


_KINDS: dict[str, Callable[[Block, Shape], Iterator[str]]] = {
    "constant": _filled,
    "gaussian": _gaussian,
    "positive_unitball": _unit_ball,
    "uniform": _uniform,
    "xavier": _fan,
    "msra": _fan,
    "bilinear": _bilinear,
}
