"""Checks of a specification's entries; each raises SpecError with the path of the entry."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TypeGuard

from prototxt_gen._nearest import closest
from prototxt_gen.errors import SpecError

#: The most channels a layer may have: ``num_output`` is a uint32.
MOST_CHANNELS = 2**32 - 1
LARGEST_FLOAT = (2 - 2**-23) * 2.0**127  #: of 32 bits, which Caffe's are
_LONGEST = 60  #: of what was found, in a message


def unknown(what: str, found: object, choices: Sequence[object]) -> str:
    """The message for a word that is not one of the choices."""
    names = [str(choice) for choice in choices]
    close = closest(shown(found, plain=True), names)
    if close:
        return f"unknown {what} {shown(found)}; did you mean {close!r}?"
    return f"unknown {what} {shown(found)}; expected {_or(names)}"


def shown(value: object, *, plain: bool = False) -> str:
    """A value as messages show it, shortened if it is long; ``plain``: without quotes."""
    try:
        text = str(value) if plain else repr(value)
    except ValueError:
        return "a number of thousands of digits"  # which Python does not print
    except RecursionError:
        return "a list that is nested too deeply"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether it is a number, not a bool, that fits a float of Caffe's."""
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and -LARGEST_FLOAT <= value <= LARGEST_FLOAT
    )


def need_range(path: str, value: object, least: int, most: int) -> int:
    """A whole number between two bounds."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise SpecError(f"is {shown(value)}; expected a whole number", path=path)
    if not least <= value <= most:
        raise SpecError(f"is {shown(value)}; expected {least} to {most}", path=path)
    return value


def need_size(path: str, value: object) -> None:
    """A whole number of 1 or more."""
    need_range(path, value, 1, MOST_CHANNELS)


def need_sizes(path: str, value: object, least: int = 1) -> None:
    """A non-empty list of whole numbers of 1 or more, or another least one."""
    if not isinstance(value, tuple) or not value:
        raise SpecError(f"is {shown(value)}; expected a list of whole numbers", path=path)
    for index, item in enumerate(value):
        need_range(f"{path}[{index}]", item, least, MOST_CHANNELS)


def need_fraction(path: str, value: object) -> None:
    """A number of 0 or more that is less than 1, also as a float of 32 bits."""
    if not (is_number(value) and 0 <= value < 1):
        raise SpecError(f"is {shown(value)}; expected 0 or more and less than 1", path=path)
    if single(value) == 1:
        raise SpecError(f"is {shown(value)}, which is 1 as a float of 32 bits", path=path)


def need_positive(path: str, value: object) -> None:
    """A number of more than 0, also as a float of 32 bits."""
    if not (is_number(value) and value > 0):
        raise SpecError(f"is {shown(value)}; expected more than 0", path=path)
    if single(value) == 0:
        raise SpecError(f"is {shown(value)}, which is 0 as a float of 32 bits", path=path)


def need_rates(path: str, value: object) -> None:
    """Two numbers of 0 or more: the factors of the learning rate and of the decay."""
    need_pair(path, value, "of the learning rate and of the decay")
    if isinstance(value, tuple) and any(item < 0 for item in value):
        raise SpecError(f"is {shown(value)}; expected 0 or more", path=path)


def need_list(path: str, value: object, least: int = 1) -> None:
    """A list as for ``need_sizes``, which may be empty."""
    if value != ():
        need_sizes(path, value, least)


def need_words(path: str, value: object, alone: Sequence[str], words: Sequence[str]) -> None:
    """One of the words that stand ``alone``, or others separated by commas."""
    need_text(path, value)
    found = str(value).split(",")
    for word in found if value not in alone else ():
        if word not in words:
            raise SpecError(unknown(path, word, [*alone, *words]), path=path)
    if len(set(found)) < len(found):
        raise SpecError(f"is {shown(value)}, which has a word twice", path=path)


def need_pair(path: str, value: object, what: str) -> None:
    """A list of two numbers, or an empty one."""
    if not isinstance(value, tuple) or len(value) not in (0, 2) or not all(map(is_number, value)):
        raise SpecError(f"is {shown(value)}; expected two numbers: {what}", path=path)


def need_choice(path: str, value: object, choices: Sequence[object]) -> None:
    """One of several words or numbers, all of one type."""
    if type(value) is not type(choices[0]) or value not in choices:
        raise SpecError(unknown(path, value, choices), path=path)


def need_text(path: str, value: object) -> None:
    """A text that can be encoded as UTF-8."""
    need_type(path, value, str, "a text")
    try:
        str(value).encode()
    except UnicodeEncodeError:
        raise SpecError(f"is {shown(value)}, which is not valid Unicode", path=path) from None


def need_type(path: str, value: object, kind: type, wanted: str) -> None:
    """A value of a type."""
    if type(value) is not kind:
        raise SpecError(f"is {shown(value)}; expected {wanted}", path=path)


def single(value: float) -> float:
    """The nearest float of 32 bits."""
    return float(struct.unpack("f", struct.pack("f", value))[0])


def _or(choices: Sequence[str]) -> str:
    return " or ".join([", ".join(choices[:-1]), choices[-1]] if len(choices) > 1 else choices)
