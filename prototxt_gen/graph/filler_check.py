"""What Caffe's fillers refuse (filler.hpp); a net without weights fills them as it is built.

A caffemodel takes the place of what was filled, so that ``graph.check`` does not ask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prototxt_gen.diagnostics import Sink
from prototxt_gen.document import Block
from prototxt_gen.graph.graph import Graph, Node
from prototxt_gen.graph.infer import Shapes, param_span
from prototxt_gen.layers.parts.shapes import Shape, count, show

#: The filler of each weight, where it is not ``weight_filler`` and then ``bias_filler``.
_FIELDS: dict[str, tuple[str, ...]] = {
    "Scale": ("filler", "bias_filler"),
    "Bias": ("filler",),
    "PReLU": ("filler",),
    "Normalize": ("scale_filler",),
    "BN": ("slope_filler", "bias_filler"),
    "BatchNorm": (),
    "Parameter": (),
}
#: Where such a filler is absent, the weights are set without one.
_OPTIONAL = frozenset({"filler", "scale_filler", "slope_filler"})


def check_fillers(graph: Graph, shapes: Shapes, sink: Sink) -> None:
    """Report fillers that do not exist, and those that cannot fill their weights."""
    for index, node in enumerate(graph.nodes):
        if node.source.has("blobs"):
            continue
        if node.layer.type == "DummyData":
            _check_dummies(node, shapes, sink)
        for position, shape in enumerate(shapes.weights.get(index, ())):
            field = _field(node, position, shape)
            if field is not None:
                _check(node, field, node.params.block(field), shape, sink)


def _check_dummies(node: Node, shapes: Shapes, sink: Sink) -> None:
    """Constants are filled at once, others with each forward (dummy_data_layer.cpp)."""
    fillers = node.params.blocks("data_filler") or (Block(),)
    for index, top in enumerate(node.tops):
        filler = fillers[index if len(fillers) > 1 else 0] if index < len(fillers) else fillers[0]
        constant = filler.get("type", str, "constant") == "constant"
        _check(node, "data_filler", filler, shapes.blobs.get(top) if constant else None, sink)


def _field(node: Node, position: int, shape: Shape) -> str | None:
    own = _FIELDS.get(node.layer.type)
    if own is None:
        return "weight_filler" if position == 0 or len(shape) > 1 else "bias_filler"
    if node.layer.type == "Scale" and len(node.bottoms) == 2:
        position += 1
    if position >= len(own) or (own[position] in _OPTIONAL and not node.params.has(own[position])):
        return None
    return own[position]


def _check(node: Node, field: str, filler: Block, shape: Shape | None, sink: Sink) -> None:
    """``shape`` is None where the values alone are to be looked at, and not even those drawn."""
    kind = filler.get("type", str, "constant")
    if kind not in _KINDS:
        known = ", ".join(_KINDS)
        message = f"{field} has the type {kind!r}, which Caffe does not know; expected {known}"
        sink.error("filler-type", message, span=param_span(node, field), layer=node.name)
    elif shape is not None:
        for problem in _KINDS[kind](filler, shape):
            sink.error(
                "filler",
                f"{field} ({kind}) of {show(shape)}: {problem}",
                span=param_span(node, field),
                layer=node.name,
            )


def _filled(filler: Block, shape: Shape) -> Iterator[str]:
    """There is something to fill, and no sparsity."""
    if count(shape) == 0:
        yield "there is nothing to fill; expected at least one number"
    if filler.get("sparse", int, -1) != -1:
        yield f"sparse is {filler.get('sparse', int, -1)}; expected none, but for gaussian"


def _uniform(filler: Block, shape: Shape) -> Iterator[str]:
    yield from _filled(filler, shape)
    low, high = filler.get("min", float, 0.0), filler.get("max", float, 1.0)
    if not low <= high:
        yield f"min is {low:g} and max {high:g}; expected min not above max"


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
        yield f"sparse is {filler.get('sparse', int, -1)}; expected none, but for gaussian"


_KINDS: dict[str, Callable[[Block, Shape], Iterator[str]]] = {
    "constant": _filled,
    "gaussian": _gaussian,
    "positive_unitball": _unit_ball,
    "uniform": _uniform,
    "xavier": _fan,
    "msra": _fan,
    "bilinear": _bilinear,
}
