"""Resize as ONNX has it, in the form that every opset from 11 on takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from prototxt_gen._numpy import np

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Builder

_INPUTS_MAY_BE_ABSENT = 13  #: the opset since which roi and scales may be


def as_large_as(b: Builder, x: str, sizes: str, **mode: str) -> str:
    """Give a blob the sizes in a value of int64, one for each of its axes."""
    return b.op("Resize", [x, absent(b), absent(b), sizes], **mode)


def absent(b: Builder) -> str:
    """An input of Resize that says nothing."""
    return b.const(np.zeros(0, np.float32)) if b.opset < _INPUTS_MAY_BE_ABSENT else ""


def sizes_of(b: Builder, x: str, sizes: Sequence[int]) -> str:
    """The sizes of (N, C, H, W) with another height and width, computed from the value."""
    front = b.slice(b.op("Shape", [x]), [0], [2], [0])
    return b.op("Concat", [front, b.ints(*sizes)], axis=0)
