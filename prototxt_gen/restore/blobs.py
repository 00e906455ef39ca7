"""The weights of a net that a model keeps, from the initializers that the model has now."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from prototxt_gen._arguments import MOST
from prototxt_gen._words import plural
from prototxt_gen.errors import ParseError, UnsupportedError
from prototxt_gen.graph.graph import Graph, Node
from prototxt_gen.graph.infer import Shapes
from prototxt_gen.graph.weights import fit_blob
from prototxt_gen.layers.parts.shapes import Shape, count, show
from prototxt_gen.restore.metadata import Kept
from prototxt_gen.to_onnx.source import usual_names

Array = np.ndarray[Any, np.dtype[Any]]
_LARGEST = float(np.finfo(np.float32).max)


class Initializers:
    """The weights of a model, each read once."""

    def __init__(self, proto: onnx.ModelProto, unread: Mapping[str, Array]) -> None:
        """Those of ``unread`` are read when they are used."""
        self._tensors = {tensor.name: tensor for tensor in proto.graph.initializer}
        self._read = dict(unread)

    def get(self, name: str) -> Array:
        """The values; raises UnsupportedError where there are none, or of another type."""
        if name not in self._read:
            tensor = self._tensors.get(name)
            if tensor is None:
                raise UnsupportedError(f"initializer {name}: gone")
            if tensor.data_type != onnx.TensorProto.FLOAT:
                raise UnsupportedError(f"initializer {name}: it is not float32 any more")
            self._read[name] = numpy_helper.to_array(tensor)
        return self._read[name]


def stored_weights(
    graph: Graph, shapes: Shapes, kept: Kept, found: Initializers
) -> dict[str, Sequence[Array]]:
    """The weights by layer; raises PrototxtError where the model does not have them."""
    stored: dict[str, Sequence[Array]] = {}
    for index, wanted in shapes.weights.items():
        node = graph.nodes[index]
        if not wanted:
            continue
        ways = kept.weights.get(index)
        if ways is None:
            ways = [{"name": name} for name in usual_names(node, wanted)]
        if len(ways) != len(wanted):
            raise ParseError(
                f"layer {node.name!r} has {plural(len(wanted), 'weight')}, stored {len(ways)}"
            )
        stored[node.name] = tuple(
            _blob(node, way, shape, found) for way, shape in zip(ways, wanted, strict=True)
        )
    return stored


def _blob(node: Node, way: Mapping[str, Any], wanted: Shape, found: Initializers) -> Array:
    """One weight, as the metadata says how to get it."""
    name, raw, fill = way.get("name"), way.get("raw"), way.get("fill")
    shape = _shape(way.get("shape"), wanted)
    if isinstance(name, str):
        value = found.get(name)
        if way.get("transposed") is True:
            value = np.ascontiguousarray(value.T)
    elif isinstance(raw, str):
        value = _unpacked(raw, prod(shape))
    elif isinstance(fill, float) and abs(fill) <= _LARGEST:
        value = np.broadcast_to(np.float32(fill), shape)
    else:
        raise UnsupportedError(f"layer {node.name!r}: its weights were too large to be stored")
    if "shape" in way and prod(shape) == value.size:
        value = value.reshape(shape)
    fit = fit_blob(value, wanted, permissive=True)
    if fit is None:
        raise UnsupportedError(
            f"layer {node.name!r}: a weight is {show(value.shape)}, stored {show(wanted)}"
        )
    return fit


def _shape(given: object, wanted: Shape) -> tuple[int, ...]:
    """The shape that a weight has in the metadata, if it is one that the layer can take."""
    dims = list(wanted) if given is None else given
    if isinstance(dims, list) and all(isinstance(d, int) and 0 <= d <= MOST for d in dims):
        size = count(wanted)
        if size is None or size == prod(dims):
            return tuple(dims)
    raise ParseError(f"a weight has the shape {given!r:.40}; expected {show(wanted)}")


def _unpacked(raw: str, size: int) -> Array:
    """The numbers of a text, of which there must be as many as the layer takes."""
    try:
        packed = base64.b64decode(raw, validate=True)
        data = zlib.decompressobj().decompress(packed, 4 * size + 1)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise ParseError(f"a weight cannot be unpacked: {error}") from error
    if len(data) != 4 * size:
        raise ParseError(f"a weight has {plural(len(data), 'byte')} or more; expected {4 * size}")
    return np.frombuffer(data, "<f4").astype(np.float32, copy=False)
