"""Protobuf's wire format, read in place: the fields of a message, and where they are.

No message is built, so that a file of any size costs only what is read of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from prototxt_gen._words import plural
from prototxt_gen.errors import WeightsError
from prototxt_gen.formats.content import Buffer

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10


class WireField(NamedTuple):
    """A field: its number and wire type, its value, and its bytes from ``start`` to ``end``.

    ``value`` is the number of a varint, else the offset of the content, whose length is
    ``size``.
    """

    number: int
    kind: int
    value: int
    size: int
    start: int
    end: int


def fields(data: Buffer, start: int, end: int) -> Iterator[WireField]:
    """The fields of a message between ``start`` and ``end``.

    Raises WeightsError, with the offset, where the bytes are not a message.
    """
    at = start
    while at < end:
        begin = at
        head = data[begin : min(end, begin + 2 * _LONGEST_VARINT)]
        tag, used = (head[0], 1) if head[0] < 0x80 else _varint(head, 0, begin)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise broken(begin, "a field has the number 0")
        if kind == VARINT:
            value, used = _varint(head, used, begin)
            at = begin + used
            yield WireField(number, kind, value, used, begin, at)
            continue
        if kind == BYTES:
            size, used = _varint(head, used, begin)
        elif kind in (FIXED32, FIXED64):
            size = 4 if kind == FIXED32 else 8
        else:
            raise broken(begin, f"a field has the unknown wire type {kind}")
        at = begin + used
        if size > end - at:
            raise broken(begin, f"a field has {plural(size, 'byte')}, but only {end - at} are left")
        yield WireField(number, kind, at, size, begin, at + size)
        at += size


def varints(data: Buffer, field: WireField) -> Iterator[int]:
    """The numbers of a packed field, or the number of one that is not packed."""
    if field.kind == VARINT:
        yield field.value
        return
    at, end = field.value, field.value + field.size
    while at < end:
        value, used = _varint(data[at : min(end, at + _LONGEST_VARINT)], 0, at)
        at += used
        yield value


def encoded(number: int) -> bytes:
    """A number in wire format: seven bits a byte, the lowest first."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def broken(offset: int, why: str) -> WeightsError:
    """The error for bytes that are not a message, or are cut off."""
    return WeightsError(f"at byte {offset}: {why}; the file is cut off or not a caffemodel")


def _varint(data: bytes, at: int, start: int) -> tuple[int, int]:
    """A number in bytes that are at ``start`` in the file, and where it ends in them."""
    value = shift = 0
    for place in range(at, min(len(data), at + _LONGEST_VARINT)):
        byte = data[place]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (1 << 64) - 1, place + 1
        shift += 7
    raise broken(start + at, "a number does not end")
