"""Checks of a specification's entries; each raises SpecError with the path of the entry."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from prototxt_gen.errors import SpecError

#: The most channels a layer may have: ``num_output`` is a uint32.
MOST_CHANNELS = 2**32 - 1


def unknown(what: str, found: object, choices: Sequence[object]) -> str:
    """The message for a word that is none of the choices."""
    names = [str(choice) for choice in choices]
    close = get_close_matches(str(found), names, 1)
    if close:
        return f"unknown {what} {found!r}; did you mean {close[0]!r}?"
    return f"unknown {what} {found!r}; expected {_or(names)}"


def need_range(path: str, value: object, least: int, most: int) -> None:
    """A whole number between two bounds."""
    if type(value) is not int:
        raise SpecError(f"is {value!r}, expected a whole number", path=path)
    if not least <= value <= most:
        raise SpecError(f"is {value}, expected {least} to {most}", path=path)


def need_size(path: str, value: object) -> None:
    """A whole number from 1 on."""
    need_range(path, value, 1, MOST_CHANNELS)


def need_sizes(path: str, value: object) -> None:
    """A list of them, which is not empty."""
    if not isinstance(value, tuple) or not value:
        raise SpecError(f"is {value!r}, expected a list of whole numbers", path=path)
    for index, item in enumerate(value):
        need_size(f"{path}[{index}]", item)


def need_fraction(path: str, value: object) -> None:
    """A number from 0 on and below 1."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < 1:
        raise SpecError(f"is {value!r}, expected 0 or more and less than 1", path=path)


def need_choice(path: str, value: object, choices: Sequence[object]) -> None:
    """One of some words or numbers."""
    if value not in choices or isinstance(value, bool):
        raise SpecError(unknown(path, value, choices), path=path)


def need_type(path: str, value: object, kind: type, wanted: str) -> None:
    """A value of a type."""
    if type(value) is not kind:
        raise SpecError(f"is {value!r}, expected {wanted}", path=path)


def _or(choices: Sequence[str]) -> str:
    return " or ".join([", ".join(choices[:-1]), choices[-1]] if len(choices) > 1 else choices)
