"""From what is written to what is meant: C++'s text format rules for scalars.

Each converter takes an untyped value and gives a typed one, or raises :class:`Mismatch`.
They follow ``TextFormat::Parser`` (text_format.cc): an integer may be hexadecimal or
octal, a float may not; a bool is ``true``, ``True``, ``t`` or an integer of value 1; an
enum is a name or a number that the enum knows.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping

from prototxt_gen._nearest import closest
from prototxt_gen._words import cut
from prototxt_gen.document import Block, Number, Scalar, Symbol, Value

Converter = Callable[[Value], Scalar]

_SPECIAL = {"inf": "inf", "infinity": "inf", "nan": "nan"}
_TRUE = ("true", "True", "t")
_FALSE = ("false", "False", "f")
_OCTAL_OR_HEX = re.compile(r"-?0(?:[xX]|[0-9]+\Z)")
_INT32 = (-(2**31), 2**31 - 1)
_SAFE_DIGITS = 6  #: decimals with this many digits name distinct float32 values (FLT_DIG)


class Mismatch(Exception):
    """A value that a field cannot have: the rule, the message, and what to do."""

    def __init__(self, rule: str, message: str, help: str | None = None) -> None:
        super().__init__(message)
        self.rule = rule
        self.message = message
        self.help = help


def integer(low: int, high: int) -> Converter:
    """Integers between two bounds."""
    expected = "an integer" if low < 0 else "an integer of 0 or more"

    def convert(value: Value) -> int:
        number = _parsed(value) if type(value) is Number else None
        if number is None or (low >= 0 and value[0] == "-"):  # type: ignore[index]
            raise wrong_type(expected, value)
        if low <= number <= high:
            return number
        raise _out_of_range(value, low, high)

    return convert


def double(value: Value) -> float:
    """A 64-bit float."""
    if type(value) is Number:
        if _OCTAL_OR_HEX.match(value):
            raise wrong_type("a number in decimal form", value)
        return float(value.rstrip("fF"))
    if type(value) is Symbol:
        name = _SPECIAL.get(value.lower().removeprefix("-"))
        if name is not None:
            return float(name if value[0] != "-" else f"-{name}")
    raise wrong_type("a number", value)


def single(value: Value) -> float:
    """A 32-bit float, as the shortest decimal that names it."""
    return shortest(double(value))


def shortest(number: float) -> float:
    """The shortest decimal that rounds to the same 32-bit float as ``number``."""
    try:
        packed = struct.pack("<f", number)
    except OverflowError:  # C++'s narrowing cast gives infinity
        return float("inf") if number > 0 else float("-inf")
    rounded: float = struct.unpack("<f", packed)[0]
    if rounded != rounded or rounded in (float("inf"), float("-inf")):
        return rounded
    for digits in range(_SAFE_DIGITS, 9):
        candidate = float(f"{rounded:.{digits}g}")
        try:
            if struct.pack("<f", candidate) == packed:
                return candidate
        except OverflowError:
            continue
    return float(f"{rounded:.9g}")


def boolean(value: Value) -> bool:
    """``true`` or ``false`` in one of the spellings of C++."""
    if type(value) is Symbol:
        if value in _TRUE:
            return True
        if value in _FALSE:
            return False
    if type(value) is Number and value[0] != "-" and _parsed(value) in (0, 1):
        return bool(_parsed(value))
    raise wrong_type("true or false", value)


def string(value: Value) -> str:
    """Text; bytes that are not UTF-8 become surrogates."""
    if type(value) is bytes:
        return value.decode("utf-8", "surrogateescape")
    raise wrong_type("a string in quotes", value)


def octets(value: Value) -> bytes:
    """Bytes."""
    if type(value) is bytes:
        return value
    raise wrong_type("a string in quotes", value)


def enumerated(enum: str, numbers: Mapping[str, int]) -> Converter:
    """Names of an enum's values, and numbers that have one."""
    names = {number: Symbol(name) for name, number in reversed([*numbers.items()])}
    as_number = integer(*_INT32)

    def convert(value: Value) -> Symbol:
        if type(value) is Symbol:
            if value in numbers:
                return value
            if value[0] not in "-[":
                raise _unknown_value(enum, value, numbers)
        if type(value) is Number:
            name = names.get(int(as_number(value)))
            if name is None:
                raise _unknown_value(enum, value, numbers)
            return name
        raise wrong_type(f"a value of {enum}, without quotes", value)

    return convert


def describe(value: Value) -> str:
    """A value as a message names it."""
    if isinstance(value, Block):
        return "a block"
    if isinstance(value, bytes):
        text = value.decode("utf-8", "replace")
        return f'"{cut(text)}"'
    if isinstance(value, (Number, Symbol)):
        return cut(value)
    return repr(value)


def wrong_type(expected: str, value: Value) -> Mismatch:
    """The error for a value of another type than its field."""
    return Mismatch("wrong-type", f"expected {expected}, found {describe(value)}")


def _out_of_range(value: Value, low: int, high: int) -> Mismatch:
    message = f"{describe(value)} is out of range: expected {low} to {high}"
    return Mismatch("out-of-range", message)


def _parsed(text: str) -> int | None:
    """An integer in decimal, hexadecimal or octal form; None for a float."""
    for base in (0, 8):  # base 0 refuses 017, which is octal here
        try:
            return int(text, base)
        except ValueError:
            continue
    return None


def _unknown_value(enum: str, value: str, numbers: Mapping[str, int]) -> Mismatch:
    close = closest(value, numbers) or closest(value.upper(), numbers)
    if close:
        help = f"did you mean {close}?"
    elif len(numbers) <= 12:
        help = f"expected one of {', '.join(numbers)}"
    else:
        help = None
    return Mismatch("unknown-enum-value", f"{enum} has no value {cut(value)}", help)
