"""A caffemodel whose weights stay in its file: a net to be changed, and written with them.

In the document a blob is an empty field ``blobs`` with the place of its bytes. What moves the
field moves the blob, and writing copies the bytes as they are, in any form of Caffe's.
"""

from __future__ import annotations

from collections.abc import Iterator

from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.document import Block, Document, Field
from prototxt_gen.errors import WeightsError
from prototxt_gen.formats.binary.caffemodel import blob_head, layer_head, parts_of, split
from prototxt_gen.formats.binary.message import mark_of, read_binary, serialize
from prototxt_gen.formats.binary.start import need_net
from prototxt_gen.formats.binary.wire import WireField
from prototxt_gen.formats.content import Buffer

_KINDS = {100: "layer", 2: "layers"}  #: the numbers of NetParameter's layers
_START = 4096
_HDF5 = b"\x89HDF"


def read_unread(
    name: str,
    data: Buffer,
    sink: Sink,
    dialect: str | None = None,
    *,
    drop_unknown: bool = False,
) -> Document:
    """The net of a caffemodel, with the places of its blobs.

    Raises WeightsError for another kind of file, or one that is cut off, and ParseError where
    no dialect knows all fields: those that it drops on demand would not be written.
    """
    start = bytes(data[:_START])
    if start.startswith(_HDF5):
        raise WeightsError(f"{name}: HDF5 weights contain no net; expected a caffemodel")
    need_net(name, start)
    try:
        net, places = split(data)
        found = [parts_of(data, place)[1:] for place in places]
    except WeightsError as error:
        raise WeightsError(f"{name}: {error.message}") from None
    document = read_binary(Source(net, name), sink, dialect=dialect, drop_unknown=drop_unknown)
    for number, kind in _KINDS.items():
        own = [blobs for place, blobs in zip(places, found, strict=True) if place.number == number]
        for layer, (outer, inner) in zip(document.root.blocks(kind), own, strict=True):
            layer.fields.extend(map(_field, outer))
            if inner:
                layer.block("layer").fields.extend(map(_field, inner))
    document.source = None
    return document


def write_unread(document: Document, data: Buffer) -> Iterator[bytes]:
    """The parts of a caffemodel of today's layers, with the blobs at their places in ``data``.

    Raises ParseError where the document's dialect has no such field.
    """
    root = Block(field for field in document.root if field.name != "layer")
    yield serialize(Document(root, dialect=document.dialect), "NetParameter")
    for layer in document.root.blocks("layer"):
        blobs = [field for field in layer if field.name == "blobs"]
        own = Block(field for field in layer if field.name != "blobs")
        head = serialize(Document(own, dialect=document.dialect), "LayerParameter")
        sizes = [blob.end - blob.value_start for blob in blobs]
        yield layer_head(head, sizes)
        for blob, size in zip(blobs, sizes, strict=True):
            yield blob_head(size)
            yield data[blob.value_start : blob.end]
    yield mark_of(document)


def _field(place: WireField) -> Field:
    return Field("blobs", Block(), place.start, place.value, place.end)
