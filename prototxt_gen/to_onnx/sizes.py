"""The free dimensions of a model, and verification at several sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Union

import onnx

from prototxt_gen.errors import VerificationError
from prototxt_gen.graph.comparison import Verdict
from prototxt_gen.layers.parts.ranges import Range
from prototxt_gen.layers.parts.shapes import Shape
from prototxt_gen.to_onnx.free import read_ranges

Sizes = dict[str, Shape]
Names = dict[str, tuple[Union[int, str], ...]]


def at_several_sizes(
    model: onnx.ModelProto,
    declared: Sizes,
    prove: Callable[[Sizes], Verdict],
    takes: Callable[[Sizes], bool] = lambda sizes: True,
    inner: Callable[[Names], Names] = lambda names: names,
) -> Verdict:
    """The verdict at the declared sizes of the inputs and, if any is free, at other sizes.

    A free batch is tried at one other size, a free height or width at two: a smaller one and a
    larger one, of those that the model says it takes. The first disagreement is returned.
    ``takes`` says whether the net can be computed at the other sizes; if not, the verdict says
    so. ``inner`` makes the axes of the net of those of a model, which may have others. Raises
    VerificationError, starting with the size, if a comparison fails.
    """
    free = places(inner(symbols(model)))
    if not free:
        return prove(declared)
    ranges = read_ranges(model)
    declared = _with(declared, free, {s: one.own for s, one in ranges.items()})
    verdict = _proved(prove, declared, free)
    for other in _others(declared, free, ranges):
        if not verdict.agrees:
            return verdict
        if not takes(other):
            only = f"{' and with '.join(verdict.sizes)} only"
            return replace(verdict, sizes=(only,))
        further = _proved(prove, other, free)
        if not further.agrees:
            return further
        verdict = replace(verdict, sizes=verdict.sizes + further.sizes)
    return verdict


def _others(
    declared: Sizes, free: Mapping[str, list[tuple[str, int]]], ranges: Mapping[str, Range]
) -> list[Sizes]:
    """Other sizes than the declared ones: larger batches, and smaller and larger pictures."""
    own = {symbol: declared[at[0][0]][at[0][1]] or 0 for symbol, at in free.items()}
    known = {symbol: ranges.get(symbol, Range(size)) for symbol, size in own.items()}
    larger = {symbol: known[symbol].after(size) for symbol, size in own.items()}
    small, large = dict(larger), dict(larger)
    # Height and width differ, so that one is not taken for the other.
    sides = [symbol for symbol, at in free.items() if symbol in ranges and at[0][1] >= 2]
    for index, symbol in enumerate(sides):
        small[symbol] = known[symbol].after(own[symbol] // (2 + index))
        for _ in range(index):
            large[symbol] = known[symbol].after(large[symbol])
    for symbol in own.keys() - set(sides) if sides else ():
        large[symbol] = own[symbol]
    found = [_with(declared, free, sizes) for sizes in ((small, large) if sides else (larger,))]
    return [sizes for sizes in found if sizes != declared]


def symbols(model: onnx.ModelProto) -> Names:
    """The dimensions of the inputs: numbers, or symbols; an unnamed one is named by its place."""
    return {
        value.name: tuple(
            dim.dim_value if dim.HasField("dim_value") else dim.dim_param or f"{value.name}[{axis}]"
            for axis, dim in enumerate(value.type.tensor_type.shape.dim)
        )
        for value in model.graph.input
    }


def input_shapes(model: onnx.ModelProto) -> Sizes:
    """The shapes of a model's inputs; None is a free dimension."""
    return {
        value.name: tuple(
            dim.dim_value if dim.HasField("dim_value") else None
            for dim in value.type.tensor_type.shape.dim
        )
        for value in model.graph.input
    }


def places(names: Names) -> dict[str, list[tuple[str, int]]]:
    """For each symbol the inputs and axes that have it."""
    found: dict[str, list[tuple[str, int]]] = {}
    for name, dims in names.items():
        for axis, dim in enumerate(dims):
            if isinstance(dim, str):
                found.setdefault(dim, []).append((name, axis))
    return found


def _with(
    sizes: Mapping[str, Shape],
    free: Mapping[str, list[tuple[str, int]]],
    wanted: Mapping[str, int],
) -> Sizes:
    """The sizes with other ones of symbols."""
    found = {name: list(shape) for name, shape in sizes.items()}
    for symbol, places in free.items():
        for name, axis in places if symbol in wanted else ():
            found[name][axis] = wanted[symbol]
    return {name: tuple(shape) for name, shape in found.items()}


def _proved(
    prove: Callable[[Sizes], Verdict], sizes: Sizes, free: Mapping[str, list[tuple[str, int]]]
) -> Verdict:
    described = _described(sizes, free)
    try:
        return replace(prove(sizes), sizes=(described,))
    except VerificationError as error:
        raise VerificationError(f"with {described}: {error.message}") from error


def _described(sizes: Mapping[str, Shape], free: Mapping[str, list[tuple[str, int]]]) -> str:
    """``batch 3``, or several separated by commas."""
    return ", ".join(f"{symbol} {sizes[at[0][0]][at[0][1]]}" for symbol, at in free.items())
