"""Which sizes free symbols may have, and what is true of all of them.

Along one symbol a free size is a line with a repeating rest: after ``period`` steps it grows
by the same again. So what is true of it is decided exactly by looking at one period.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from math import gcd, lcm, prod
from typing import TYPE_CHECKING

from prototxt_gen.errors import UnsupportedError

if TYPE_CHECKING:
    from prototxt_gen.layers.parts.sizes import Size

_LONGEST = 4096  #: the most sizes of a symbol that are looked at; no net has strides like that
_MOST_PLACES = 1 << 16  #: the most sizes of several symbols together


@dataclass(frozen=True, slots=True)
class Range:
    """The sizes of a symbol: each of ``starts``, and what is some ``step`` more."""

    own: int  #: the net's own size
    step: int = 1
    starts: tuple[int, ...] = (1,)

    def __contains__(self, size: int) -> bool:
        return any(size >= start and (size - start) % self.step == 0 for start in self.starts)

    def after(self, size: int) -> int:
        """The next larger size."""
        return min(max(s, s + -(-(size + 1 - s) // self.step) * self.step) for s in self.starts)

    def text(self, symbol: str) -> str:
        """The sizes in words."""
        least = min(self.starts)
        if self.step == 1:
            return f"{symbol} of {least} or more"
        rests = sorted(start % self.step for start in self.starts)
        if len(rests) > 1:
            shown = ", ".join(map(str, rests))
            return f"{symbol} of {least} or more that leaves {shown} when divided by {self.step}"
        less = f"{symbol} - {rests[0]}" if rests[0] else symbol
        return f"{symbol} of {least} or more with {less} divisible by {self.step}"


class Ranges:
    """The range of each symbol, which comparisons narrow, and which layers did so."""

    def __init__(self, own: dict[str, int]) -> None:
        self.of = {symbol: Range(size) for symbol, size in own.items()}
        self.layer = ""  #: the layer that is looked at
        #: By symbol, the layer that gave the least size, and those that gave a step.
        self.narrowed: dict[str, dict[int, str]] = {}
        self._known: dict[tuple[object, bool], bool] = {}

    def positive(self, size: Size | int) -> bool:
        """Whether a number is above 0."""
        return size > 0 if isinstance(size, int) else self._decided(size, True)

    def zero(self, size: Size | int) -> bool:
        """Whether a number is 0."""
        return size == 0 if isinstance(size, int) else self._decided(size, False)

    def vanishes(self, size: Size) -> bool:
        """Whether a number is 0 for all sizes."""
        # A polynomial of this degree is 0 if it is at one place more than that along each symbol.
        many = [
            [
                start + lap * step
                for start in self._starts(symbol, step)
                for lap in range(size.degree + 1)
            ]
            for symbol in size.symbols
            for step in [lcm(self.of[symbol].step, size.period)]
        ]
        if prod(map(len, many)) > _MOST_PLACES:
            return False
        return all(
            not size.at(dict(zip(size.symbols, values, strict=True))) for values in product(*many)
        )

    def _decided(self, size: Size, above: bool) -> bool:
        bare = size.without_common(self._least(size))
        if isinstance(bare, int):
            return bare > 0 if above else bare == 0
        size = bare
        key = (size.terms, above)
        if key not in self._known:
            if len(size.symbols) == 1 and size.degree == 1:
                self._known[key] = self._narrow(size, above)
            else:
                self._known[key] = self._by_sign(size, above)
        return self._known[key]

    def _by_sign(self, size: Size, above: bool) -> bool:
        """Of several symbols: what only grows from the least sizes on, or only falls."""
        if size.monotone:
            rest = size.grown(self._least(size))
            start = rest.pop((), 0)
            if all(factor > 0 for factor in rest.values()) and start > 0:
                return above
            if all(factor < 0 for factor in rest.values()) and start < (1 if above else 0):
                return False
        if not above and self.vanishes(size):
            return True
        if not above and (pair := _pair(size)):
            raise UnsupportedError(
                f"it fits only where {pair[0]} is {pair[1]}; give both sizes one name"
            )
        raise UnsupportedError(f"it depends on whether {_asked(size, above)}")

    def _narrow(self, size: Size, above: bool) -> bool:
        """Decided as for the net's own size; the symbol keeps the sizes where that holds."""
        (symbol,) = size.symbols
        known = self.of[symbol]
        step = lcm(known.step, size.period)

        def true(at: int) -> bool:
            value = size.at({symbol: at})
            return value > 0 if above else value == 0

        wanted = true(known.own)
        kept = []
        for start in self._starts(symbol, step):
            value = size.at({symbol: start})
            growth = size.at({symbol: start + step}) - value
            if growth == 0:
                kept += [start] if true(start) == wanted else []
                continue
            if (above and growth > 0) != wanted:
                words = _asked(size, above)
                raise UnsupportedError(
                    f"it fits only where {words}" if wanted else f"it fits only unless {words}"
                )
            # From here on it is as wanted.
            laps = max(0, -value // growth + 1 if growth > 0 else -(-value // -growth))
            if not above:
                laps = -value // growth + 1 if value % growth == 0 and -value // growth >= 0 else 0
            first = start + laps * step
            if first > known.own and (known.own - start) % step == 0:
                raise UnsupportedError(f"it fits only unless {_asked(size, above)}")
            kept.append(first)
        found = _joined(replace(known, step=step, starts=tuple(kept)), known)
        if found != known:
            self.of[symbol] = found
            self._known.clear()
            layers = self.narrowed.setdefault(symbol, {})
            layers[found.step] = self.layer
        return wanted

    def _least(self, size: Size) -> dict[str, int]:
        return {symbol: min(self.of[symbol].starts) for symbol in size.symbols}

    def _starts(self, symbol: str, step: int) -> Iterator[int]:
        """The first sizes in steps that are longer."""
        known = self.of[symbol]
        if step > _LONGEST:
            raise UnsupportedError(f"its sizes repeat only after {step} of {symbol}")
        for start in known.starts:
            yield from range(start, start + step, known.step)


def _joined(found: Range, before: Range) -> Range:
    """A range in the steps that it had before, if it has all of them from a size on."""
    times = found.step // before.step
    if len(found.starts) < times * len(before.starts):
        return found
    starts = []
    for start in before.starts:
        same = [s for s in found.starts if (s - start) % before.step == 0]
        # The last size of each class that is left out.
        out = max(s - found.step for s in same)
        starts.append(max(start, out + before.step))
    joined = replace(before, starts=tuple(starts))
    return joined if joined.own in joined else found


def _asked(size: Size, above: bool) -> str:
    """What is asked of a number, in words: symbols on one side, and a number on the other."""
    factors = [factor for product, factor in size.terms if product]
    shift = sum(factor for product, factor in size.terms if not product)
    common = 1 if above else gcd(*factors, shift)
    if all(factor < 0 for factor in factors):
        common = -common
    rest = (size - shift) * common // (common * common)
    shift = -shift // common
    if common < 0:
        return f"{rest!r} is {'less than ' if above else ''}{shift}"
    return f"{rest!r} is {'more than ' if above else ''}{shift}"


def _pair(size: Size) -> tuple[object, object] | None:
    """The two symbols of which a number is the difference; None if it is another."""
    if len(size.terms) != 2 or {factor for _, factor in size.terms} != {1, -1}:
        return None
    (one, _), (other, _) = size.terms
    found = [atom for product in (one, other) for atom in product if isinstance(atom, str)]
    return (found[0], found[1]) if len(one) == len(other) == 1 and len(found) == 2 else None
