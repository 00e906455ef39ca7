"""The weights of a caffemodel: numpy arrays that lie in the bytes of the file, read once.

All forms that Caffe has ever written are read: V2, V1 and V0 layers, shapes as a list or
as num, channels, height and width, numbers as float, double or, by NVIDIA's fork, raw.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prototxt_gen._files import whole_file
from prototxt_gen._limits import HINT, at_most
from prototxt_gen._numpy import np
from prototxt_gen.document import Block, Document
from prototxt_gen.errors import WeightsError
from prototxt_gen.formats.binary.blob import DATA, SHAPE, read_blob
from prototxt_gen.formats.binary.hdf5 import read_hdf5
from prototxt_gen.formats.binary.start import HDF5, LAYER, LAYERS, LOOK_AT, need_net
from prototxt_gen.formats.binary.wire import (
    BYTES,
    WireField,
    broken,
    encoded,
    fields,
)
from prototxt_gen.formats.content import Buffer, read_content

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

# Numbers of caffe.proto: LayerParameter, V1LayerParameter, V0LayerParameter.
_NAME, _BLOBS = 1, 7
_V1_V0, _V1_NAME, _V1_BLOBS = 1, 4, 6
_V0_NAME, _V0_BLOBS = 1, 50
_LARGEST_NET = 256 << 20  #: without its weights, as of a text


@dataclass(frozen=True)
class StoredLayer:
    """A layer of a file: its name, and its weights as float32 arrays.

    ``legacy`` are the indexes of those whose shape is num, channels, height and width, which
    Caffe compares from the last axis on (blob.cpp, ShapeEquals).
    """

    name: str
    blobs: tuple[Array, ...]
    legacy: frozenset[int] = frozenset()


@dataclass(frozen=True, repr=False)
class Caffemodel:
    """The contents of a file: the layers in their order, and the net without its weights."""

    path: str
    layers: tuple[StoredLayer, ...]
    net: bytes  #: a binary NetParameter without any blobs

    def weights(self) -> dict[str, tuple[Array, ...]]:
        """The weights by layer name; where layers share a name, those of the last that has any."""
        return {layer.name: layer.blobs for layer in self.layers if layer.blobs}


def read_caffemodel(path: str | os.PathLike[str]) -> Caffemodel:
    """The layers and weights of a caffemodel; a pipe will do.

    Raises WeightsError, with the offset, for a file that is cut off or of another kind,
    and OSError.
    """
    return parse_caffemodel(os.fspath(path), read_content(path))


def parse_caffemodel(name: str, data: Buffer) -> Caffemodel:
    """The same of bytes that were read from a file of a name."""
    start = bytes(data[:LOOK_AT])
    if not start:
        raise WeightsError(f"{name}: the file is empty")
    if start.startswith(HDF5):
        file = io.BytesIO(data) if isinstance(data, bytes) else None
        layers = tuple(StoredLayer(*layer) for layer in read_hdf5(name, file))
        return Caffemodel(name, layers, b"")
    need_net(name, start)
    try:
        return _read(name, data)
    except WeightsError as error:
        raise WeightsError(f"{name}: {error.message}") from None


def parse_net(name: str, data: Buffer) -> Caffemodel:
    """The net of a caffemodel alone: no weight is read."""
    try:
        return Caffemodel(name, (), split(data)[0])
    except WeightsError as error:
        raise WeightsError(f"{name}: {error.message}") from None


def _read(path: str, data: Buffer) -> Caffemodel:
    net, places = split(data)
    return Caffemodel(path, tuple(_layer(data, place) for place in places), net)


def split(data: Buffer) -> tuple[bytes, list[WireField]]:
    """The net without its weights, and where its layers are; raises WeightsError."""
    layers = []
    net = bytearray()
    for field in fields(data, 0, len(data)):
        if field.kind == BYTES and field.number in (LAYER, LAYERS):
            v2 = field.number == LAYER
            net += _without_blobs(data, field, (_BLOBS,) if v2 else (_V1_BLOBS, _V1_V0))
            layers.append(field)
        else:
            _need_small(field.start, field.end - field.start)
            net += data[field.start : field.end]
        _need_small(field.start, len(net))
    if not layers:
        raise broken(0, "there is no layer")
    return bytes(net), layers


def parts_of(data: Buffer, place: WireField) -> tuple[str, list[WireField], list[WireField]]:
    """The name of a layer, where its blobs are, and where those of a V0 layer inside it are."""
    v2 = place.number == LAYER
    named, number = (_NAME, _BLOBS) if v2 else (_V1_NAME, _V1_BLOBS)
    name, own, inner = "", [], []
    for field in fields(data, place.value, place.end):
        if field.kind != BYTES:
            continue
        if field.number == number:
            own.append(field)
        elif field.number == named:
            name = _text(data, field)
        elif field.number == _V1_V0 and not v2:
            for old in fields(data, field.value, field.end):
                if old.kind == BYTES and old.number == _V0_BLOBS:
                    inner.append(old)
                elif old.kind == BYTES and old.number == _V0_NAME:
                    name = _text(data, old)
    return name, own, inner


def _layer(data: Buffer, place: WireField) -> StoredLayer:
    name, own, inner = parts_of(data, place)
    blobs = [read_blob(data, field) for field in (*own, *inner)]
    before = frozenset(index for index, (_, legacy) in enumerate(blobs) if legacy)
    return StoredLayer(name, tuple(blob for blob, _ in blobs), before)


def _without_blobs(data: Buffer, place: WireField, numbers: tuple[int, ...]) -> bytes:
    """The field of a layer once more, without its weights."""
    kept = bytearray()
    for field in fields(data, place.value, place.end):
        if field.number not in numbers:
            _need_small(field.start, len(kept) + field.end - field.start)
            kept += data[field.start : field.end]
        elif field.number == _V1_V0 and field.kind == BYTES:
            kept += _without_blobs(data, field, (_V0_BLOBS,))
    return encoded(place.number << 3 | BYTES) + encoded(len(kept)) + kept


def _need_small(offset: int, size: int) -> None:
    """Raise WeightsError where a net without its weights is none, by its size."""
    most = at_most(_LARGEST_NET)
    if size > most:
        raise broken(offset, f"the net has more than {most} bytes besides its weights ({HINT})")


def _text(data: Buffer, field: WireField) -> str:
    return bytes(data[field.value : field.end]).decode("utf-8", "surrogateescape")


def write_caffemodel(
    path: str | os.PathLike[str], document: Document, weights: Mapping[str, Sequence[Array]]
) -> None:
    """Write a net with weights, given by layer name, as Caffe does.

    Numbers go straight from their arrays into the file: no message of the whole is built.
    The file is written whole or not at all, and tells its dialect where another would be read
    from it. Raises ParseError where the document's dialect has no such field, and OSError.
    """
    from prototxt_gen._deferred import contiguous, parts
    from prototxt_gen.formats.binary.message import mark_of, serialize

    root = Block(f for f in document.root if f.name not in ("layer", "layers"))
    head = serialize(Document(root, dialect=document.dialect), "NetParameter")
    with whole_file(path) as file:
        file.write(head)
        for layer in document.root.blocks("layer"):
            own = serialize(Document(layer, dialect=document.dialect), "LayerParameter")
            arrays = [
                contiguous(blob, "<f4") for blob in weights.get(layer.get("name", str, ""), ())
            ]
            shapes = [_shape_field(array) for array in arrays]
            sizes = [
                len(shape) + _length(DATA, array.nbytes)
                for shape, array in zip(shapes, arrays, strict=True)
            ]
            file.write(layer_head(own, sizes))
            for shape, array, size in zip(shapes, arrays, sizes, strict=True):
                file.write(blob_head(size) + shape)
                file.write(encoded(DATA << 3 | BYTES) + encoded(array.nbytes))
                for part in parts(array):
                    file.write(part)
        file.write(mark_of(document))


def _shape_field(array: Array) -> bytes:
    dims = b"".join(map(encoded, array.shape))
    packed = encoded(1 << 3 | BYTES) + encoded(len(dims)) + dims if array.shape else b""
    return encoded(SHAPE << 3 | BYTES) + encoded(len(packed)) + packed


def layer_head(own: bytes, sizes: Iterable[int]) -> bytes:
    """The beginning of a layer: its fields, before blobs of these sizes."""
    inside = len(own) + sum(_length(_BLOBS, size) for size in sizes)
    return encoded(LAYER << 3 | BYTES) + encoded(inside) + own


def blob_head(size: int) -> bytes:
    """The beginning of a layer's blob of a size."""
    return encoded(_BLOBS << 3 | BYTES) + encoded(size)


def _length(number: int, size: int) -> int:
    """The size in bytes of a field with content of a given size."""
    return len(encoded(number << 3 | BYTES)) + len(encoded(size)) + size
