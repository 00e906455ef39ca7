"""A model in one file, written piece by piece: its weights are never in memory a second time."""

from __future__ import annotations

from typing import IO, Any

import onnx

from prototxt_gen._deferred import parts
from prototxt_gen.formats.binary.wire import BYTES, encoded
from prototxt_gen.to_onnx.export import Exported


def write_pieces(made: Exported, file: IO[bytes]) -> dict[str, tuple[int, int]]:
    """Write a model; the offset in the file and the length of each initializer's values.

    The bytes are those of ``made.model``, serialized: the fields of a message in the order of
    their numbers. Raises OSError.
    """
    graph = made.skeleton.graph
    heads = [
        (tensor.SerializeToString(deterministic=True), made.values[tensor.name].nbytes)
        for tensor in graph.initializer
    ]
    # The values are the last field of a tensor that has any.
    sizes = [len(head) + len(_begin(onnx.TensorProto, "raw_data", n)) + n for head, n in heads]
    begins = [_begin(onnx.GraphProto, "initializer", size) for size in sizes]
    before, after = _around(graph, "initializer")
    size = len(before) + sum(map(len, begins)) + sum(sizes) + len(after)
    first, last = _around(made.skeleton, "graph")
    file.write(first + _begin(onnx.ModelProto, "graph", size) + before)
    at = len(first) + len(_begin(onnx.ModelProto, "graph", size)) + len(before)
    places = {}
    for tensor, begin, (head, length) in zip(graph.initializer, begins, heads, strict=True):
        start = begin + head + _begin(onnx.TensorProto, "raw_data", length)
        file.write(start)
        at += len(start)
        places[tensor.name] = at, length
        for part in parts(made.values[tensor.name]):
            file.write(part)
        at += length
    file.write(after + last)
    return places


def _around(message: Any, name: str) -> tuple[bytes, bytes]:
    """What comes before a field of a message, and what after it."""
    parts = []
    for is_part in (int.__lt__, int.__gt__):
        part = type(message)()
        part.CopyFrom(message)
        for field, _ in message.ListFields():
            if not is_part(field.number, _number(type(message), name)):
                part.ClearField(field.name)
        parts.append(part.SerializeToString(deterministic=True))
    return parts[0], parts[1]


def _begin(message: Any, name: str, length: int) -> bytes:
    """What stands before the content of a field."""
    return encoded(_number(message, name) << 3 | BYTES) + encoded(length)


def _number(message: Any, name: str) -> int:
    number: int = message.DESCRIPTOR.fields_by_name[name].number
    return number
