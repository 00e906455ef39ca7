"""The fields of a layer's dataclass, as they appear in its parameter message."""

from __future__ import annotations

import dataclasses
import sys
import typing
from collections.abc import Set
from functools import cache
from types import SimpleNamespace
from typing import Any, NamedTuple

from prototxt_gen.document import Symbol, Value


class ParamField(NamedTuple):
    """A field of the dataclass that represents a field of the parameter message."""

    name: str
    default: Any
    kind: type
    repeated: bool
    optional: bool


def fields(cls: type) -> tuple[ParamField, ...]:
    """The fields of a dataclass and the Python types of their values.

    ``tuple[int, ...]`` is a repeated field, ``bool | None`` a field whose absence has a
    meaning, and any other annotation is the type itself.
    """
    return _read(cls)


@cache
def _read(cls: type) -> tuple[ParamField, ...]:
    declared = dataclasses.fields(cls)
    hints = _hints(cls, {field.name for field in declared})
    found = []
    for field in declared:
        hint = hints[field.name]
        arguments = typing.get_args(hint)
        repeated = typing.get_origin(hint) is tuple
        optional = type(None) in arguments
        kind = arguments[0] if repeated or optional else hint
        default = None if field.default is dataclasses.MISSING else field.default
        found.append(ParamField(field.name, default, kind, repeated, optional))
    return tuple(found)


def _hints(cls: type, names: Set[str]) -> dict[str, Any]:
    """The types of fields; ``get_type_hints`` of the class would have those of all facets too."""
    hints: dict[str, Any] = {}
    for one in reversed(cls.__mro__):
        written = vars(one).get("__annotations__", {})
        own = SimpleNamespace(__annotations__={k: written[k] for k in written if k in names})
        hints |= typing.get_type_hints(own, vars(sys.modules[one.__module__]))
    return hints


def plain(value: Any, kind: type) -> Value | list[Value]:
    """A field's value as a Block takes it."""
    if isinstance(value, tuple):
        return [plain(item, kind) for item in value]  # type: ignore[misc]
    return kind(value) if kind in (Symbol, float) else value
