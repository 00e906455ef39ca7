"""The free dimensions of a model, and verification at two sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import onnx

from prototxt_gen.errors import VerificationError
from prototxt_gen.graph.comparison import Verdict
from prototxt_gen.layers.parts.shapes import Shape

Sizes = dict[str, Shape]


def at_two_sizes(
    model: onnx.ModelProto,
    declared: Sizes,
    prove: Callable[[Sizes], Verdict],
    takes: Callable[[Sizes], bool] = lambda sizes: True,
) -> Verdict:
    """The verdict at the declared sizes of the inputs and, if any is free, at other sizes.

    The first disagreement is returned. ``takes`` says whether the net can be computed at the
    other sizes; if not, the verdict says so. Raises VerificationError, starting with the
    size, if a comparison fails.
    """
    free = symbols(model)
    if not free:
        return prove(declared)
    other = _larger(declared, free)
    verdict = _proved(prove, declared, free)
    if not verdict.agrees:
        return verdict
    if not takes(other):
        return replace(verdict, sizes=(f"{_described(declared, free)} only",))
    further = _proved(prove, other, free)
    if not further.agrees:
        return further
    return replace(verdict, sizes=verdict.sizes + further.sizes)


def symbols(model: onnx.ModelProto) -> dict[str, list[tuple[str, int]]]:
    """For each symbol the inputs and axes that have it; an unnamed one is named by its place."""
    found: dict[str, list[tuple[str, int]]] = {}
    for value in model.graph.input:
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if not dim.HasField("dim_value"):
                found.setdefault(dim.dim_param or f"{value.name}[{axis}]", []).append(
                    (value.name, axis)
                )
    return found


def _larger(sizes: Mapping[str, Shape], free: Mapping[str, list[tuple[str, int]]]) -> Sizes:
    """The sizes with each symbol one larger than at its first occurrence."""
    found = {name: list(shape) for name, shape in sizes.items()}
    for places in free.values():
        first, at = places[0]
        size = (sizes[first][at] or 0) + 1
        for name, axis in places:
            found[name][axis] = size
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
