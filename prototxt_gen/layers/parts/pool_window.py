"""How Pooling reads its windows, which is not how convolutions do (pooling_layer.cpp)."""

from __future__ import annotations

from collections.abc import Sequence

from prototxt_gen._records import Record, record
from prototxt_gen.document import Block
from prototxt_gen.layers.parts.window import SPELLINGS, Window, both_spellings, read_window


@record
class Grid(Record):
    """The windows over a map of two axes; ``ends`` are the pads behind with which all fit in."""

    sizes: Sequence[int]
    out: Sequence[int]
    kernel: Window
    stride: Window
    pad: Window
    ends: Sequence[int]

    @property
    def gap(self) -> bool:
        """Whether a window may read nothing of the map."""
        return any(end >= k for end, k in zip(self.ends, self.kernel, strict=True))


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


def free_ends(kernel: Window, stride: Window, pad: Window, *, floor: bool) -> list[int]:
    """The pads at the end with which rounding down gives Caffe's windows, for any size.

    Without ``floor`` Caffe rounds up: ceil(a / s) is floor((a + s - 1) / s). Where there is a
    pad on an axis, it leaves out a last window that begins behind the pad: then windows begin
    up to that, as with an end of the kernel less one. A pad of the kernel or more is returned
    where a window may begin outside and is not left out.
    """
    ends = []
    for k, s, p in zip(kernel, stride, pad, strict=True):
        more = 0 if floor else s - 1
        ends.append(k - 1 if any(pad) and more >= k - p else p + more)
    return ends
