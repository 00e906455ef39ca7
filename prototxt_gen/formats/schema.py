"""Message types: the fields of a dialect, and their types.

A :class:`Schema` is one dialect, or the *union* of some or all, which reads text that no
single dialect explains. Messages are built when they are first asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from prototxt_gen.document import Number, Scalar, Symbol, Value
from prototxt_gen.formats import declared as proto
from prototxt_gen.formats.dialects import DIALECTS, PACKAGE, bit, names_of, serialized
from prototxt_gen.formats.text import scalars

UNION = "union"

_CONVERTERS: dict[int, scalars.Converter] = {
    proto.DOUBLE: scalars.double,
    proto.FLOAT: scalars.single,
    proto.INT32: scalars.integer(-(2**31), 2**31 - 1),
    proto.INT64: scalars.integer(-(2**63), 2**63 - 1),
    proto.UINT32: scalars.integer(0, 2**32 - 1),
    proto.UINT64: scalars.integer(0, 2**64 - 1),
    proto.SINT32: scalars.integer(-(2**31), 2**31 - 1),
    proto.SINT64: scalars.integer(-(2**63), 2**63 - 1),
    proto.SFIXED32: scalars.integer(-(2**31), 2**31 - 1),
    proto.SFIXED64: scalars.integer(-(2**63), 2**63 - 1),
    proto.FIXED32: scalars.integer(0, 2**32 - 1),
    proto.FIXED64: scalars.integer(0, 2**64 - 1),
    proto.BOOL: scalars.boolean,
    proto.STRING: scalars.string,
    proto.BYTES: scalars.octets,
}


@dataclass(slots=True, eq=False)
class FieldType:
    """One declaration of a field.

    ``convert`` is None for a message field; ``dialects`` is the set of dialects with this
    declaration, as a bit mask of ``formats.dialects.bit``. ``has_default`` is False where
    the ``default`` is only the zero of its type.
    """

    name: str
    repeated: bool
    required: bool
    convert: scalars.Converter | None
    message: str | None
    default: Scalar | None
    has_default: bool
    dialects: int


class Message:
    """A message type; see ``document.MessageType`` for what layers need of it."""

    __slots__ = ("_schema", "fields", "name", "required", "single")

    def __init__(self, schema: Schema, name: str, fields: dict[str, list[FieldType]]) -> None:
        self._schema = schema
        self.name = name
        #: The declarations of each field: one in a single dialect, several in the union.
        self.fields = fields
        self.single = all(len(declared) == 1 for declared in fields.values())
        #: Fields that all their declarations require.
        self.required = tuple(
            field for field, declared in fields.items() if all(d.required for d in declared)
        )

    @property
    def dialect(self) -> str:
        """The name of its schema."""
        return self._schema.name

    def default(self, field: str) -> Scalar | None:
        """The value that an absent field has; None for repeated and message fields."""
        declared = self.fields.get(field)
        return declared[0].default if declared else None

    def has_default(self, field: str) -> bool:
        """Whether the schema itself gives a default, so that writing it means nothing."""
        declared = self.fields.get(field)
        return declared is not None and declared[0].has_default

    def repeated(self, field: str) -> bool:
        """Whether there may be several of a field."""
        declared = self.fields.get(field)
        return declared is not None and declared[0].repeated

    def message(self, field: str) -> Message | None:
        """The type of a message field; None for every other field."""
        declared = self.fields.get(field)
        name = declared[0].message if declared else None
        return self._schema.message(name) if name else None

    def type_of(self, declared: FieldType) -> Message:
        """The type of the message that a field is declared to hold."""
        return self._schema.message(declared.message or "")

    def __repr__(self) -> str:
        return f"<{self.name} of {self._schema.name}>"


class Schema:
    """All message types of a dialect, or of the union of several."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.names = DIALECTS if name == UNION else names_of(name)
        self._messages: dict[str, Message] = {}
        self._declared: dict[str, list[tuple[int, proto.Message]]] = {}
        self._enums: dict[tuple[int, str], proto.Enum] = {}
        self.all = 0  #: the dialects that it is made of, as a bit mask
        for dialect in self.names:
            own = bit(dialect)
            self.all |= own
            file = proto.File(serialized(dialect))
            self._add_enums(own, file.enums, "")
            for message in file.messages:
                self._add(own, message, "")

    def message(self, name: str) -> Message:
        """The message type of a name; raises KeyError where the dialect has none."""
        found = self._messages.get(name)
        if found is None:
            found = self._messages[name] = Message(self, name, self._fields(name))
        return found

    def dialects(self, message: str) -> int:
        """The dialects that have a message, as a bit mask."""
        mask = 0
        for own, _ in self._declared.get(message, ()):
            mask |= own
        return mask

    def __iter__(self) -> Iterator[str]:
        return iter(self._declared)

    def _add(self, mask: int, message: proto.Message, outer: str) -> None:
        name = outer + message.name
        self._declared.setdefault(name, []).append((mask, message))
        self._add_enums(mask, message.enums, f"{name}.")
        for nested in message.nested:
            self._add(mask, nested, f"{name}.")

    def _add_enums(self, mask: int, enums: Iterable[proto.Enum], outer: str) -> None:
        for enum in enums:
            self._enums[mask, outer + enum.name] = enum

    def _fields(self, name: str) -> dict[str, list[FieldType]]:
        fields: dict[str, list[FieldType]] = {}
        known: dict[Any, FieldType] = {}
        for mask, message in self._declared[name]:
            for field in message.fields:
                key = self._signature(mask, field)
                if key in known:
                    known[key].dialects |= mask
                    continue
                known[key] = declared = self._declare(mask, field)
                fields.setdefault(field.name, []).append(declared)
        return fields

    def _signature(self, mask: int, field: proto.Field) -> Any:
        """What makes two declarations of a field the same; the default does not count."""
        values: Any = None
        if field.type == proto.ENUM:
            values = tuple(self._enums[mask, field.type_name.removeprefix(PACKAGE)].values.items())
        return field.name, field.label, field.type, field.type_name, values

    def _declare(self, mask: int, field: proto.Field) -> FieldType:
        type_name = field.type_name.removeprefix(PACKAGE)
        if field.type == proto.ENUM:
            enum = self._enums[mask, type_name].values
            convert: scalars.Converter | None = scalars.enumerated(type_name, enum)
            zero: Scalar | None = Symbol(next(iter(enum)))
        else:
            convert = _CONVERTERS.get(field.type)
            zero = _ZEROS.get(field.type)
        repeated = field.label == proto.REPEATED
        return FieldType(
            field.name,
            repeated,
            field.label == proto.REQUIRED,
            convert,
            type_name if field.type == proto.MESSAGE else None,
            None if repeated else _default(field, convert, zero),
            field.default is not None,
            mask,
        )


@cache
def schema(name: str) -> Schema:
    """The schema of a dialect, of several with commas, or of ``union``.

    Raises KeyError for any other name.
    """
    return Schema(name)


_ZEROS: dict[int, Scalar] = {
    **dict.fromkeys(_CONVERTERS, 0),
    proto.DOUBLE: 0.0,
    proto.FLOAT: 0.0,
    proto.BOOL: False,
    proto.STRING: "",
    proto.BYTES: b"",
}


def _default(
    field: proto.Field, convert: scalars.Converter | None, zero: Scalar | None
) -> Scalar | None:
    text = field.default
    if convert is None or text is None:
        return zero
    if field.type in (proto.STRING, proto.BYTES):
        value: Value = text.encode()
    elif field.type in (proto.ENUM, proto.BOOL) or text.lstrip("-")[0].isalpha():
        value = Symbol(text)
    else:
        value = Number(text)
    return convert(value)
