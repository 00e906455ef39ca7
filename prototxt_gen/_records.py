"""Frozen dataclasses of which nothing is compiled when they are imported.

The decorator of the standard library compiles six methods for each class; the types of layers
alone would take longer than a net takes to print. Here all classes have the same methods.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple, TypeVar, dataclass_transform

from prototxt_gen._words import plural

R = TypeVar("R", bound="Record")


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
def record(cls: type[R]) -> type[R]:
    """Make a subclass of Record a frozen dataclass; ``fields`` and ``replace`` know it."""
    return dataclasses.dataclass(init=False, repr=False, eq=False)(cls)


class Record:
    """The methods of a frozen dataclass: made by its fields, equal by them, never changed."""

    def __init__(self, *given: Any, **values: Any) -> None:
        known = _KNOWN.get(type(self)) or _learn(type(self))
        made = values
        if given or values.keys() != known.names:
            made = _completed(self, known, given, values)
        vars(self).update(made)
        if known.settles:
            self.__post_init__()

    def __post_init__(self) -> None:
        """Look at the values, in a subclass."""

    def __setattr__(self, name: str, value: object) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self is other or _compared(self) == _compared(other)

    def __hash__(self) -> int:
        return hash(_compared(self))

    def __repr__(self) -> str:
        known = (one for one in _fields(type(self)) if one.repr)
        return f"{_name(self)}({', '.join(f'{f.name}={getattr(self, f.name)!r}' for f in known)})"


class _Parameters(NamedTuple):
    """What a class takes: in which order, and what is taken where nothing is given."""

    order: tuple[str, ...]
    names: frozenset[str]
    defaults: dict[str, Any]
    created: tuple[tuple[str, Any], ...]
    settles: bool


_KNOWN: dict[type, _Parameters] = {}


def _learn(cls: type[Record]) -> _Parameters:
    taken = [one for one in _fields(cls) if one.init]
    missing = dataclasses.MISSING
    _KNOWN[cls] = found = _Parameters(
        tuple(one.name for one in taken if not one.kw_only),
        frozenset(one.name for one in taken),
        {one.name: one.default for one in taken if one.default is not missing},
        tuple((f.name, f.default_factory) for f in taken if f.default_factory is not missing),
        cls.__post_init__ is not Record.__post_init__,
    )
    return found


def _completed(
    made: Record, known: _Parameters, given: tuple[Any, ...], values: dict[str, Any]
) -> dict[str, Any]:
    """All values by name; raises TypeError where they are not those that the class takes."""
    if len(given) > len(known.order):
        raise TypeError(f"{_name(made)} takes at most {plural(len(known.order), 'value')}")
    named = dict(zip(known.order, given, strict=False))
    if twice := named.keys() & values.keys():
        raise TypeError(f"{_name(made)} takes {min(twice)!r} only once")
    if wrong := values.keys() - known.names:
        raise TypeError(f"{_name(made)} does not take {min(wrong)!r}")
    found = {**known.defaults, **named, **values}
    for name, create in known.created:
        if name not in found:
            found[name] = create()
    if len(found) < len(known.names):
        raise TypeError(f"{_name(made)} needs {min(known.names - found.keys())!r}")
    return found


def _fields(cls: type) -> tuple[dataclasses.Field[Any], ...]:
    """The fields; a class without the decorator has none."""
    return dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ()


def _compared(made: Record) -> tuple[Any, ...]:
    return tuple(getattr(made, one.name) for one in _fields(type(made)) if one.compare)


def _name(made: Record) -> str:
    return type(made).__qualname__
