"""Caffe's fillers: what each refuses, and its values (filler.hpp, math_functions.cpp)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import ceil, prod, sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

from prototxt_gen._nearest import did_you_mean, nearest
from prototxt_gen._numpy import np
from prototxt_gen.document import Block
from prototxt_gen.layers.parts.shapes import Shape, count

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

Random = Any  #: numpy.random.Generator
#: What other frameworks call a filler of Caffe's.
_MEANT = {
    "glorot": "xavier",
    "he": "msra",
    "kaiming": "msra",
    "normal": "gaussian",
    "zeros": "constant",
    "ones": "constant",
}
_PIECE = 1 << 20  #: numbers that are drawn at once, as float64


def unknown_filler(filler: Block) -> str | None:
    """What is wrong with the type of a FillerParameter; None if the type is known."""
    kind = kind_of(filler)
    if kind in _KINDS:
        return None
    meant = (_MEANT.get(kind.casefold()),) if kind.casefold() in _MEANT else nearest(kind, _KINDS)
    expected = did_you_mean(filter(None, meant)) if meant else f"expected {', '.join(_KINDS)}"
    return f"the type {kind!r}, which Caffe does not have; {expected}"


def kind_of(filler: Block) -> str:
    """The type of a filler."""
    return filler.get("type", str, "constant")


def filler_faults(filler: Block, shape: Shape) -> Iterator[str]:
    """Why a filler of a known type cannot fill a blob of a shape."""
    return _KINDS[kind_of(filler)].faults(filler, shape)


def filled(filler: Block, size: tuple[int, ...], random: Random) -> Array:
    """The values that a filler of a known type gives."""
    return _KINDS[kind_of(filler)].values(filler, size, random)


def drawn(size: tuple[int, ...], draw: Callable[[int], Array]) -> Array:
    """Numbers as float32, drawn bit by bit: random ones are made as float64."""
    found = np.empty(prod(size), np.float32)
    for start in range(0, found.size, _PIECE):
        piece = found[start : start + _PIECE]
        piece[:] = draw(piece.size)
    return found.reshape(size)


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


def _constants(filler: Block, size: tuple[int, ...], random: Random) -> Array:
    return np.full(size, filler.get("value", float, 0.0), np.float32)


def _uniforms(filler: Block, size: tuple[int, ...], random: Random) -> Array:
    low, high = filler.get("min", float, 0.0), filler.get("max", float, 1.0)
    return drawn(size, lambda count: random.uniform(low, high, count))


def _gaussians(filler: Block, size: tuple[int, ...], random: Random) -> Array:
    mean, std = filler.get("mean", float, 0.0), filler.get("std", float, 1.0)
    values = drawn(size, lambda count: random.normal(mean, std, count))
    sparse = filler.get("sparse", int, -1)
    if sparse >= 0:
        # The average number of inputs of each output that are not 0.
        share = sparse / max(1, size[0])
        values *= drawn(size, lambda count: random.random(count) < share)
    return values


def _unit_balls(filler: Block, size: tuple[int, ...], random: Random) -> Array:
    rows = drawn(((size or (1,))[0], prod(size[1:])), random.random)
    # Their sums are float64, so that not all of them are made at once.
    step = max(1, _PIECE // max(1, rows.shape[1]))
    for start in range(0, len(rows), step):
        some = rows[start : start + step]
        some /= some.sum(axis=1, keepdims=True, dtype=np.float64)
    return rows.reshape(size)


def _fan_of(filler: Block, size: tuple[int, ...]) -> float:
    total = prod(size)
    fan_in = total / size[0]
    fan_out = total / size[1] if len(size) > 1 else total
    norm = filler.get("variance_norm", str, "FAN_IN")
    return {"FAN_IN": fan_in, "FAN_OUT": fan_out, "AVERAGE": (fan_in + fan_out) / 2}[norm]


def _xaviers(filler: Block, size: tuple[int, ...], random: Random) -> Array:
    bound = sqrt(3 / _fan_of(filler, size))
    return drawn(size, lambda count: random.uniform(-bound, bound, count))


def _msras(filler: Block, size: tuple[int, ...], random: Random) -> Array:
    spread = sqrt(2 / _fan_of(filler, size))
    return drawn(size, lambda count: random.normal(0, spread, count))


def _bilinears(filler: Block, size: tuple[int, ...], random: Random) -> Array:
    factor = ceil(size[3] / 2)
    center = (2 * factor - 1 - factor % 2) / (2 * factor)
    line = 1 - np.abs(np.arange(size[3]) / factor - center)
    return np.broadcast_to(np.outer(line, line), size)


class _Kind(NamedTuple):
    """What a kind of filler refuses, and the values that it gives."""

    faults: Callable[[Block, Shape], Iterator[str]]
    values: Callable[[Block, tuple[int, ...], Random], Array]


_KINDS = {
    "constant": _Kind(_filled, _constants),
    "gaussian": _Kind(_gaussian, _gaussians),
    "positive_unitball": _Kind(_unit_ball, _unit_balls),
    "uniform": _Kind(_uniform, _uniforms),
    "xavier": _Kind(_fan, _xaviers),
    "msra": _Kind(_fan, _msras),
    "bilinear": _Kind(_bilinear, _bilinears),
}
