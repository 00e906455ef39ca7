"""Large ONNX models whose weights stay in their files until somebody asks for them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from prototxt_gen.errors import WeightsError
from prototxt_gen.formats.binary.wire import BYTES, WireField, encoded, fields
from prototxt_gen.formats.content import Buffer, LargeFile, numbers_at, read_content

Array = np.ndarray[Any, np.dtype[Any]]
_Place = tuple[int, int]  #: where something begins in a file, and its bytes
_GRAPH, _INITIALIZER, _RAW = 7, 5, 9  #: numbers of ModelProto, GraphProto and TensorProto
_SMALL = 1 << 16  #: bytes of a weight that is read with the rest


def read_unread(path: str) -> tuple[onnx.ModelProto, dict[str, Array]] | None:
    """A model without its large weights, and these by their names, deferred.

    None for a model that is small or unusual; who reads it as a whole sees what is wrong.
    """
    if not os.path.isfile(path):
        return None
    with suppress(DecodeError, KeyError, OSError, ValueError, WeightsError):
        content = read_content(path)
        model, places = _split(content)
        tensors = model.graph.initializer
        if len({tensor.name for tensor in tensors}) < len(tensors):
            return None
        found: dict[str, Array] = {}
        files = _Files(Path(path).parent)
        for tensor, place in zip(tensors, places, strict=True):
            if place is not None:
                found[tensor.name] = _values(tensor, content, *place)
            elif tensor.data_location == onnx.TensorProto.EXTERNAL:
                found[tensor.name] = _values(tensor, *files.place(tensor))
        return (model, found) if found else None
    return None


def _split(content: Buffer) -> tuple[onnx.ModelProto, list[_Place | None]]:
    """The model without its large weights, and where the values of each initializer are."""
    if not isinstance(content, LargeFile):
        model = onnx.ModelProto.FromString(content)
        return model, [None] * len(model.graph.initializer)
    places: list[_Place | None] = []
    rest, graphs = bytearray(), 0
    for field in fields(content, 0, len(content)):
        if field.number == _GRAPH and field.kind == BYTES:
            graphs += 1
            inner = b"".join(_graph(content, field, places))
            rest += _field(_GRAPH, inner)
        else:
            rest += content[field.start : field.end]
    if graphs != 1:
        raise ValueError("the graph is in several parts")
    return onnx.ModelProto.FromString(bytes(rest)), places


def _graph(content: Buffer, place: WireField, places: list[_Place | None]) -> Iterator[bytes]:
    for field in fields(content, place.value, place.end):
        if field.number != _INITIALIZER or field.kind != BYTES:
            yield content[field.start : field.end]
            continue
        rest, large = bytearray(), []
        for inner in fields(content, field.value, field.end):
            if inner.number == _RAW and inner.kind == BYTES and inner.size > _SMALL:
                large.append((inner.value, inner.size))
            else:
                rest += content[inner.start : inner.end]
        if len(large) > 1:
            raise ValueError("a weight has its values twice")
        places.append(large[0] if large else None)
        yield _field(_INITIALIZER, rest)


def _field(number: int, inner: bytes | bytearray) -> bytes:
    return encoded(number << 3 | BYTES) + encoded(len(inner)) + inner


class _Files:
    """The files beside a model that have weights."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, Buffer] = {}

    def place(self, tensor: onnx.TensorProto) -> tuple[Buffer, int, int]:
        """The file that has a weight, where it begins there, and its bytes.

        Raises KeyError and ValueError for a place that is not a plain one: onnx has a word in
        what else a model may read.
        """
        entries = {entry.key: entry.value for entry in tensor.external_data}
        name = entries["location"]
        path = self._folder / name
        if path.name != name or path.is_symlink() or not path.is_file():
            raise ValueError("a weight is in another folder")
        if name not in self._read:
            self._read[name] = read_content(path)
        return self._read[name], int(entries["offset"]), int(entries["length"])


def _values(tensor: onnx.TensorProto, content: Buffer, start: int, size: int) -> Array:
    """The values of a weight; raises ValueError where they are not those of its shape."""
    count = prod(tensor.dims)
    whole = 0 <= start <= len(content) - size
    if tensor.data_type != onnx.TensorProto.FLOAT or not whole or size != 4 * count:
        raise ValueError("a weight is not of float32, or not whole")
    del tensor.external_data[:]
    tensor.ClearField("data_location")
    return numbers_at(content, "<f4", count, start).reshape(tuple(tensor.dims))
