"""Compiled declarations, read as far as they are asked for.

To import protobuf's own classes takes longer than to read a net. What is read here was written
by protobuf, so that nothing is checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

# The types and labels of google/protobuf/descriptor.proto.
DOUBLE, FLOAT, INT64, UINT64, INT32, FIXED64, FIXED32, BOOL, STRING = range(1, 10)
MESSAGE, BYTES, UINT32, ENUM, SFIXED32, SFIXED64, SINT32, SINT64 = range(11, 19)
REQUIRED, REPEATED = 2, 3

# The numbers of its fields.
_FILE = 1  #: of FileDescriptorSet
_MESSAGES, _ENUMS = 4, 5  #: of FileDescriptorProto
_NAME, _FIELD, _NESTED, _INNER_ENUM = 1, 2, 3, 4  #: of DescriptorProto
_VALUE, _NUMBER = 2, 2  #: of EnumDescriptorProto and EnumValueDescriptorProto
_LABEL, _TYPE, _TYPE_NAME, _DEFAULT = 4, 5, 6, 7  #: of FieldDescriptorProto


class Field(NamedTuple):
    """A declaration of a field; ``default`` is its text, None where there is none."""

    name: str
    label: int
    type: int
    type_name: str
    default: str | None


class Enum:
    """An enum: its name, and the numbers of its values by theirs."""

    def __init__(self, data: bytes) -> None:
        parts = list(_parts(data))
        self.name = _text(dict(parts)[_NAME])
        self._values = [value for number, value in parts if number == _VALUE]

    @cached_property
    def values(self) -> dict[str, int]:
        """The numbers by name, in their order."""
        found = (dict(_parts(value)) for value in self._values)
        return {_text(value[_NAME]): _signed(value[_NUMBER]) for value in found}


class Message:
    """A message type: its name, and what is declared in it."""

    def __init__(self, data: bytes) -> None:
        self._parts = list(_parts(data))
        self.name = _text(dict(self._parts)[_NAME])

    @cached_property
    def fields(self) -> list[Field]:
        """Its fields, in their order."""
        return [_field(dict(_parts(value))) for n, value in self._parts if n == _FIELD]

    @cached_property
    def nested(self) -> list[Message]:
        """The messages in it."""
        return [Message(value) for number, value in self._parts if number == _NESTED]

    @cached_property
    def enums(self) -> list[Enum]:
        """The enums in it."""
        return [Enum(value) for number, value in self._parts if number == _INNER_ENUM]


class File:
    """A file: the messages and enums that are in no other message."""

    def __init__(self, data: bytes) -> None:
        """Of a FileDescriptorProto."""
        parts = list(_parts(data))
        self.messages = [Message(value) for number, value in parts if number == _MESSAGES]
        self.enums = [Enum(value) for number, value in parts if number == _ENUMS]


def first_file(data: bytes) -> bytes:
    """The first file of a FileDescriptorSet."""
    return next(value for number, value in _parts(data) if number == _FILE)


def _field(found: dict[int, bytes]) -> Field:
    default = found.get(_DEFAULT)
    return Field(
        _text(found[_NAME]),
        _signed(found[_LABEL]),
        _signed(found[_TYPE]),
        _text(found.get(_TYPE_NAME, b"")),
        None if default is None else _text(default),
    )


def _parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The number of each field of a message and its bytes, those of a number as they are."""
    at, end = 0, len(data)
    while at < end:
        tag, at = _varint(data, at)
        start = at
        size, at = _varint(data, at)
        if tag & 7 == 2:
            start, at = at, at + size
        yield tag >> 3, data[start:at]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = data[at]
    at += 1
    if value < 0x80:
        return value, at
    value, shift = value & 0x7F, 7
    while (byte := data[at]) > 0x7F:
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
    return value | byte << shift, at + 1


def _signed(data: bytes) -> int:
    value, _ = _varint(data, 0)
    return value - (1 << 64) if value >> 63 else value


def _text(data: bytes) -> str:
    return data.decode()
