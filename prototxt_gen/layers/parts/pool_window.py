"""How Pooling reads its windows, which is not how convolutions do (pooling_layer.cpp)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prototxt_gen.document import Block
from prototxt_gen.layers.parts.facets import Problem
from prototxt_gen.layers.parts.window import SPELLINGS, Window, both_spellings, read_window


def pool_kernel(params: Block) -> Window:
    """A kernel_size counts unless both kernel_h and kernel_w are given."""
    if params.has("kernel_size") and not _both(params, "kernel_size"):
        return params.get_list("kernel_size", int)
    return read_window(params, "kernel_size")


def pool_conflicts(params: Block) -> tuple[str, ...]:
    """Windows in both spellings; kernel_size with only one of kernel_h and kernel_w is legal."""
    found = both_spellings(params)
    return tuple(name for name in found if name != "kernel_size" or _both(params, name))


def _both(params: Block, name: str) -> bool:
    return all(params.has(one) for one in SPELLINGS[name])


def halves(params: Block) -> tuple[str, ...]:
    """Windows with only a height or only a width, which Pooling does not accept."""
    return tuple(
        name
        for name, (height, width) in SPELLINGS.items()
        if not params.has(name) and params.has(height) != params.has(width)
    )


def odd_windows(
    sizes: Sequence[int],
    out: Sequence[int],
    floor: Sequence[int],
    window: tuple[Window, Window, Window],
) -> Iterator[Problem]:
    """What is odd about ``out`` windows over a map, of which rounding down gives ``floor``."""
    _, strides, pads = window
    last = [(o - 1) * s - p for o, s, p in zip(out, strides, pads, strict=True)]
    if any(start >= size > 0 for start, size in zip(last, sizes, strict=True)):
        message = (
            f"the last windows of the {_by(out)} lie beyond the {_by(sizes)} map, since the number "
            "is rounded up: their values are no values of the map"
        )
        yield Problem("empty-pooling-window", message, "stride")
    if list(out) != list(floor):
        message = (
            f"gives {_by(out)} of a {_by(sizes)} map, since Caffe rounds up; where a program "
            f"rounds down, it is {_by(floor)}"
        )
        yield Problem("ceil-pooling", message, "kernel_size")


def _by(sizes: Sequence[int]) -> str:
    return "x".join(map(str, sizes))
