"""How weights start, written in a word: ``msra``, ``xavier:AVERAGE``, ``gaussian:0.01``."""

from __future__ import annotations

from collections.abc import Mapping

from prototxt_gen.document import Block, Symbol
from prototxt_gen.errors import SpecError
from prototxt_gen.generate.checks import need_text, shown, single, unknown

#: Which values a filler counts (filler.hpp, VarianceNorm).
FANS = ("FAN_IN", "FAN_OUT", "AVERAGE")
#: By type: the fields that its numbers are; a filler with a fan has none.
FILLERS: Mapping[str, tuple[str, ...]] = {
    "msra": (),
    "xavier": (),
    "gaussian": ("std",),
    "uniform": ("min", "max"),
    "constant": ("value",),
}
_FANNED = ("msra", "xavier")


def filler(text: str) -> Block:
    """The message of a filler that ``need_filler`` lets pass."""
    kind, *rest = text.split(":")
    block = Block.of(type=kind)
    if kind in _FANNED:
        block.add("variance_norm", Symbol(rest[0]) if rest else None)
        return block
    for name, number in zip(FILLERS[kind], rest, strict=True):
        block.add(name, float(number))
    return block


def need_filler(path: str, value: object) -> None:
    """A type of filler, with its numbers or its fan behind colons."""
    need_text(path, value)
    kind, *rest = str(value).split(":")
    if kind not in FILLERS:
        raise SpecError(unknown("filler", kind, list(FILLERS)), path=path)
    if kind in _FANNED:
        if len(rest) > 1:
            raise SpecError(f"is {shown(value)}; expected {kind}, or {kind}:FAN_OUT", path=path)
        if rest and rest[0] not in FANS:
            raise SpecError(unknown("fan", rest[0], FANS), path=path)
        return
    numbers = [_number(item) for item in rest]
    if len(rest) != len(FILLERS[kind]) or None in numbers:
        form = ":".join((kind, *(name.upper() for name in FILLERS[kind])))
        raise SpecError(f"is {shown(value)}; expected {form}, in numbers", path=path)
    if kind == "gaussian" and single(numbers[0] or 0.0) <= 0:
        raise SpecError(f"is {shown(value)}; expected a deviation of more than 0", path=path)
    if kind == "uniform" and not single(numbers[0] or 0.0) < single(numbers[1] or 0.0):
        raise SpecError(f"is {shown(value)}; expected a minimum below the maximum", path=path)


def _number(text: str) -> float | None:
    try:
        found = float(text) if len(text) < 40 and "_" not in text else float("nan")
    except ValueError:
        return None
    return found if abs(found) <= 3.4e38 else None
