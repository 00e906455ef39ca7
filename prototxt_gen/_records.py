"""What a dataclass compiles for each class when it is imported, once for all of them."""

from __future__ import annotations

import dataclasses
from typing import Any


class Record:
    """A base of dataclasses with ``eq=False, repr=False``, which are equal by their fields."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self is other or _compared(self) == _compared(other)

    def __hash__(self) -> int:
        return hash(_compared(self))

    def __repr__(self) -> str:
        known = (one for one in _fields(self) if one.repr)
        shown = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in known)
        return f"{type(self).__qualname__}({shown})"


def _fields(record: object) -> tuple[dataclasses.Field[Any], ...]:
    """The fields; a class without the decorator has none."""
    return dataclasses.fields(record) if dataclasses.is_dataclass(record) else ()


def _compared(record: object) -> tuple[Any, ...]:
    return tuple(getattr(record, one.name) for one in _fields(record) if one.compare)
