"""The neutral document, which text and binary files are read into and written from.

A :class:`Block` is one message: an ordered list of :class:`Field`. A value is another
Block or a scalar. What the text reader yields is untyped at first:

=================  ==============================================
written            value before ``formats.schema`` has typed it
=================  ==============================================
``64``, ``-1e-3``  ``Number``, the token as it was written
``MAX``, ``true``  ``Symbol``
``"data"``         ``bytes``, escapes resolved
``{ ... }``        ``Block``
=================  ==============================================

Typing replaces them by ``int``, ``float``, ``bool``, ``str`` (UTF-8; other bytes become
surrogates), ``bytes`` and, for an enum, ``Symbol`` with the value's name (``int``
where a binary holds a number without a name). A field that no schema knows keeps its
untyped value, so that it can still be shown and printed.

A ``float`` of a 32-bit field is the shortest decimal that names it: 0.1, and never
0.10000000149011612, whether it came from text or from binary.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar, Union

from prototxt_gen.diagnostics import Source, Span

__all__ = [
    "Block",
    "Document",
    "Field",
    "MessageType",
    "Number",
    "Scalar",
    "Source",
    "Span",
    "Symbol",
    "Value",
]


class Symbol(str):
    """A bare word: the name of an enum value (``true`` and ``inf`` before typing)."""

    __slots__ = ()


class Number(str):
    """A number as written, not yet typed by a schema."""

    __slots__ = ()


Scalar = Union[bool, int, float, str, bytes]
Value = Union[bool, int, float, str, bytes, "Block"]
T = TypeVar("T")


class MessageType(Protocol):
    """What a schema knows of a message, as far as layers need it."""

    @property
    def name(self) -> str:
        """The message's name without its package: ``ConvolutionParameter``."""

    def default(self, field: str) -> Scalar | None:
        """The value of an absent field; None for repeated and message fields."""

    def has_default(self, field: str) -> bool:
        """Whether the schema itself gives a default, so that writing it means nothing."""

    def repeated(self, field: str) -> bool:
        """Whether there may be several of a field."""

    def message(self, field: str) -> MessageType | None:
        """The type of a message field; None for every other field."""


class Field:
    """A name and a value, their places, and the comments that belong to them.

    ``start`` is the offset of the name, ``value_start`` that of the value and ``end``
    the one after it, all in bytes; -1 where there is no text. ``comments`` are the
    lines before the field, ``trailing`` is the one on its last line; both without
    the ``#``. A blank line before the field, or between comments, is ``None``.
    """

    __slots__ = ("comments", "end", "name", "start", "trailing", "value", "value_start")

    def __init__(
        self,
        name: str,
        value: Value,
        start: int = -1,
        value_start: int = -1,
        end: int = -1,
        comments: tuple[str | None, ...] = (),
        trailing: str | None = None,
    ) -> None:
        self.name = name
        self.value = value
        self.start = start
        self.value_start = value_start
        self.end = end
        self.comments = comments
        self.trailing = trailing

    @property
    def span(self) -> Span | None:
        """The place of the whole field."""
        return Span(self.start, self.end) if self.start >= 0 else None

    @property
    def name_span(self) -> Span | None:
        """The place of the name."""
        return Span(self.start, self.start + len(self.name)) if self.start >= 0 else None

    @property
    def value_span(self) -> Span | None:
        """The place of the value."""
        return Span(self.value_start, self.end) if self.start >= 0 else None

    def __repr__(self) -> str:
        return f"Field({self.name!r}, {self.value!r})"


class Block:
    """A message: fields in the order they were written.

    Two blocks are equal when they are the same message: for every name the same values
    in the same order. The order of different names, comments and places do
    not count.
    """

    __slots__ = ("comments", "fields", "type")

    def __init__(
        self,
        fields: Iterable[Field] = (),
        type: MessageType | None = None,
        comments: tuple[str | None, ...] = (),
    ) -> None:
        self.fields = list(fields)
        self.type = type
        self.comments = comments  #: the comments after the last field

    @classmethod
    def of(cls, **values: Value | Iterable[Value] | None) -> Block:
        """A block from keywords: a list becomes repeated fields, None is left out."""
        block = cls()
        for name, value in values.items():
            block.add(name, value)
        return block

    def add(self, name: str, value: Value | Iterable[Value] | None) -> None:
        """Append a field, or one for each item of a list; None appends nothing."""
        if value is None:
            return
        if isinstance(value, (bool, int, float, str, bytes, Block)):
            self.fields.append(Field(name, value))
        else:
            self.fields.extend(Field(name, item) for item in value)

    def remove(self, *names: str) -> None:
        """Remove every field with one of these names."""
        self.fields = [field for field in self.fields if field.name not in names]

    def field(self, name: str) -> Field | None:
        """The last field of this name, which is the one that counts."""
        for field in reversed(self.fields):
            if field.name == name:
                return field
        return None

    def all(self, name: str) -> list[Value]:
        """The values of every field of this name."""
        # Loops, here and below: most blocks have none, and these are called often.
        found = []
        for field in self.fields:
            if field.name == name:
                found.append(field.value)
        return found

    def blocks(self, name: str) -> list[Block]:
        """The values of this name that are blocks."""
        found = []
        for field in self.fields:
            if field.name == name and isinstance(field.value, Block):
                found.append(field.value)
        return found

    def block(self, name: str) -> Block:
        """The sub-message of this name; an empty one of the right type where it is absent."""
        field = self.field(name)
        if field is not None and isinstance(field.value, Block):
            return field.value
        return Block(type=self.type.message(name) if self.type else None)

    def has(self, name: str) -> bool:
        """Whether a field of this name is written here."""
        # any() would take thrice as long, and this is called often.
        for field in self.fields:  # noqa: SIM110
            if field.name == name:
                return True
        return False

    def get(self, name: str, kind: type[T], default: T) -> T:
        """The value of a singular field, of a given Python type.

        An absent field has the default of the file's schema, or ``default`` where the
        schema has none. So has a field whose value is of another type: the schema has
        reported it.
        """
        value = None
        for field in reversed(self.fields):
            if field.name == name:
                value = field.value
                break
        if value is None and self.type is not None:
            value = self.type.default(name)
        if kind is float and type(value) is int:
            value = float(value)
        return value if isinstance(value, kind) else default

    def get_list(self, name: str, kind: type[T]) -> tuple[T, ...]:
        """The values of a repeated field that are of a given Python type."""
        found = []
        for field in self.fields:
            if field.name == name and isinstance(field.value, kind):
                found.append(field.value)
        return tuple(found)

    def copy(self) -> Block:
        """A deep copy."""
        return Block(
            (
                Field(
                    f.name,
                    f.value.copy() if isinstance(f.value, Block) else f.value,
                    f.start,
                    f.value_start,
                    f.end,
                    f.comments,
                    f.trailing,
                )
                for f in self.fields
            ),
            self.type,
            self.comments,
        )

    def __iter__(self) -> Iterator[Field]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Block):
            return NotImplemented
        return len(self.fields) == len(other.fields) and _grouped(self) == _grouped(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Block({self.fields!r})"


class Document:
    """A whole file: its root message, the source it was read from, and its dialect.

    ``dialect`` is the one that the file's defaults come from: the one that was asked for,
    else the first that has every field of the file, or ``union`` where none does.
    """

    __slots__ = ("dialect", "root", "source")

    def __init__(self, root: Block, source: Source | None = None, dialect: str = "bvlc") -> None:
        self.root = root
        self.source = source
        self.dialect = dialect


def _grouped(block: Block) -> dict[str, list[tuple[type, Value]]]:
    """Values by name, with their types: True is not 1, and a Symbol is not a str."""
    groups: dict[str, list[tuple[type, Value]]] = {}
    for field in block.fields:
        groups.setdefault(field.name, []).append((type(field.value), field.value))
    return groups
