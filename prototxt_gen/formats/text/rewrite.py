"""A new block from the fields of an old one: moved fields keep their place and comments.

The upgrade renames fields, wraps them and unwraps them. A :class:`Rewriter` does all
three so that a later error still points at the user's own line, and no comment is
lost: those of a field that is removed pass to the next field that is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prototxt_gen.document import Block, Field, MessageType, Value

Comments = tuple[str | None, ...]


def moved(
    field: Field, name: str, value: Value | None = None, comments: Comments | None = None
) -> Field:
    """The field under another name, at the same place; with another value if given."""
    return Field(
        name,
        field.value if value is None else value,
        field.start,
        field.value_start,
        field.end,
        field.comments if comments is None else comments,
        field.trailing,
    )


def changed(block: Block, name: str, change: Callable[[Block], Block]) -> Block:
    """The block with ``change`` applied to every sub-message of a name."""
    return Block(
        (
            moved(field, name, change(field.value))
            if field.name == name and isinstance(field.value, Block)
            else field
            for field in block
        ),
        block.type,
        block.comments,
    )


def shown(value: Value) -> str:
    """A value as a message shows it: a word without quotes."""
    return value if isinstance(value, str) else repr(value)


def child_type(type: MessageType | None, field: str) -> MessageType | None:
    """The type of a message field, where the outer type is known."""
    return type.message(field) if type is not None else None


class Rewriter:
    """Writes a block in the order of the block that it is made from."""

    def __init__(self, type: MessageType | None) -> None:
        self._type = type
        self._fields: list[Field] = []
        self._children: dict[str, list[Block]] = {}
        self._waiting: Comments = ()

    def keep(self, field: Field, name: str | None = None, value: Value | None = None) -> None:
        """Write a field, under its own name and value unless others are given."""
        self._append(moved(field, name or field.name, value))

    def wrap(
        self,
        field: Field,
        parent: str,
        name: str,
        index: int = 0,
        value: Value | None = None,
    ) -> None:
        """Write a field into the sub-message ``parent[index]``.

        A sub-message that does not exist yet is created here, where its first field is;
        a blank line before that field goes before the sub-message.
        """
        children = self._children.setdefault(parent, [])
        inner = moved(field, name, value)
        if index == len(children):
            blank = () if not inner.comments or inner.comments[0] is not None else (None,)
            inner.comments = inner.comments[len(blank) :]
            child = Block(type=child_type(self._type, parent))
            children.append(child)
            place = (field.start, field.value_start, field.end)
            self._append(Field(parent, child, *place, comments=blank))
        children[index].fields.append(inner)

    def unwrap(self, field: Field, block: Block) -> Iterator[Field]:
        """Yield the fields of a sub-message that itself is removed."""
        self._wait(field.comments)
        yield from block
        self._wait((*block.comments, field.trailing))

    def drop(self, field: Field) -> None:
        """Leave a field out, but keep its comments."""
        self._wait(_comments(field))

    def finish(self, comments: Comments = ()) -> Block:
        """The block; ``comments`` are those after the last field."""
        return Block(self._fields, self._type, self._waiting + comments)

    def _append(self, field: Field) -> None:
        if self._waiting:
            field.comments = self._waiting + field.comments
            self._waiting = ()
        self._fields.append(field)

    def _wait(self, comments: Iterable[str | None]) -> None:
        self._waiting += tuple(comment for comment in comments if comment is not None)


def _comments(field: Field) -> Iterator[str | None]:
    """Every comment of a field, in the order of the file."""
    yield from field.comments
    if isinstance(field.value, Block):
        for inner in field.value:
            yield from _comments(inner)
        yield from field.value.comments
    yield field.trailing
