"""What Caffe's fillers refuse (filler.hpp, math_functions.cpp)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prototxt_gen.document import Block
from prototxt_gen.layers.parts.shapes import Shape, count


def unknown_filler(filler: Block) -> str | None:
    """What is wrong with the type of a FillerParameter; None if the type is known."""
    kind = kind_of(filler)
    if kind in _KINDS:
        return None
    return f"the type {kind!r}, which Caffe does not have; expected {', '.join(_KINDS)}"


def kind_of(filler: Block) -> str:
    """The type of a filler."""
    return filler.get("type", str, "constant")


def filler_faults(filler: Block, shape: Shape) -> Iterator[str]:
    """Why a filler of a known type cannot fill a blob of a shape."""
    return _KINDS[kind_of(filler)](filler, shape)


def _filled(filler: Block, shape: Shape) -> Iterator[str]:
    """The blob has elements, and there is no sparsity."""
    yield from _something(shape)
    yield from _dense(filler)


def _something(shape: Shape) -> Iterator[str]:
    if count(shape) == 0:
        yield "there is nothing to fill; expected at least one number"


def _dense(filler: Block) -> Iterator[str]:
    sparse = filler.get("sparse", int, -1)
    if sparse != -1:
        yield f"sparse is {sparse}; only gaussian may have it"


def _uniform(filler: Block, shape: Shape) -> Iterator[str]:
    yield from _filled(filler, shape)
    low, high = filler.get("min", float, 0.0), filler.get("max", float, 1.0)
    if not low <= high:
        yield f"min is {low:g} and max is {high:g}; expected min not above max"


def _gaussian(filler: Block, shape: Shape) -> Iterator[str]:
    yield from _something(shape)
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
    yield from _dense(filler)


_KINDS: dict[str, Callable[[Block, Shape], Iterator[str]]] = {
    "constant": _filled,
    "gaussian": _gaussian,
    "positive_unitball": _unit_ball,
    "uniform": _uniform,
    "xavier": _fan,
    "msra": _fan,
    "bilinear": _bilinear,
}
