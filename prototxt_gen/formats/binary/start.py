"""What a file is, by its first bytes."""

from __future__ import annotations

from prototxt_gen.errors import WeightsError
from prototxt_gen.formats.binary.wire import BYTES, VARINT, fields
from prototxt_gen.formats.content import Buffer
from prototxt_gen.formats.text.nottext import name_of

HDF5 = b"\x89HDF\r\n\x1a\n"
LAYER, LAYERS = 100, 2  #: the numbers of NetParameter's layers, V2 and V1
# The wire types of NetParameter's fields before its layers; forks add others after them.
_HEAD: dict[int, tuple[int, ...]] = {
    **dict.fromkeys((1, 3, 6, 8), (BYTES,)),
    **dict.fromkeys((5, 7), (VARINT,)),
    4: (VARINT, BYTES),
}
_TAGS = (b"\x12", b"\xa2\x06")  #: of a layer field, V1 and V2; neither ever occurs in text
LOOK_AT = 4096


def is_net(data: Buffer) -> bool:
    """Whether the bytes of a file are a caffemodel that may hold a net, by the first of them."""
    return _starts_as_net(bytes(data[:LOOK_AT]))


def is_binary(data: Buffer) -> bool:
    """Whether the bytes of a file are binary rather than a prototxt, by the first of them."""
    start = bytes(data[:LOOK_AT])
    return start.startswith(HDF5) or b"\0" in start or _starts_as_net(start)


def _starts_as_net(start: bytes) -> bool:
    """Whether the first bytes are fields of a NetParameter up to its first layer."""
    at = 0
    try:
        for field in fields(start, 0, len(start)):
            if field.number in (LAYER, LAYERS):
                return field.kind == BYTES
            if field.kind not in _HEAD.get(field.number, (field.kind,)):
                return False
            at = field.end
    except WeightsError:
        pass  # the layer continues after the first bytes
    return start.startswith(_TAGS, at)


def need_net(name: str, start: bytes) -> None:
    """Raise a WeightsError that names what was given instead of a caffemodel."""
    if _starts_as_net(start):
        return
    what = name_of(start)
    if what is not None and not what[0].startswith(("a binary", "a web page", "JSON")):
        raise WeightsError(f"{name}: is {what[0]}, not a caffemodel")
    if not is_binary(start):
        raise WeightsError(f"{name}: this is a text file; expected a caffemodel")
