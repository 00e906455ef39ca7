"""Sizes that are free: arithmetic with symbols, in place of numbers.

A free size poses as a whole number in a shape. It can be added, multiplied and divided by
whole numbers, rounding down; the result is a polynomial of symbols and of such quotients, in
one form, or an int where no symbol is left. A comparison is decided for all sizes at once, or
narrows them to those for which it has the answer that it has for the net's own size
(``parts.ranges``). Whatever needs a number, as a constant of a model does, is refused: so no
result can hold for one size alone unless that is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, cast

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.layers.parts.terms import (
    Atom,
    Product,
    Terms,
    degree_of,
    divided,
    grows,
    period_of,
    rank,
    signs_of,
    symbols_of,
    value_of,
)

if TYPE_CHECKING:
    from prototxt_gen.layers.parts.ranges import Ranges

_MOST_TERMS = 64  #: of a sum that is divided by another


class Size:
    """A free size; ``ranges`` are the sizes that its symbols may have."""

    __array_ufunc__ = None  # numpy's numbers leave arithmetic to us

    def __init__(self, terms: Terms, ranges: Ranges) -> None:
        self.terms = terms
        self.ranges = ranges

    def __add__(self, other: object) -> Any:
        return self._plus(other, 1)

    __radd__ = __add__

    def __sub__(self, other: object) -> Any:
        return self._plus(other, -1)

    def __rsub__(self, other: object) -> Any:
        return (-self)._plus(other, 1)

    def __neg__(self) -> Any:
        return self * -1

    def __mul__(self, other: object) -> Any:
        theirs = _terms(other)
        if theirs is None:
            return self._refused(other)
        found: dict[Product, int] = {}
        for product, factor in self.terms:
            for more, by in theirs:
                key = tuple(sorted((*product, *more), key=str))
                found[key] = found.get(key, 0) + factor * by
        return self._made(found)

    __rmul__ = __mul__

    def __floordiv__(self, other: object) -> Any:
        if isinstance(other, Size):
            return self._parted(other)
        if not isinstance(other, int):
            return NotImplemented
        if other < 1:
            self._needed()
        whole = {product: factor // other for product, factor in self.terms if not factor % other}
        rest = [(product, factor) for product, factor in self.terms if factor % other]
        return self._made(whole) + self._made(divided(tuple(rest), other))

    def __mod__(self, other: object) -> Any:
        if isinstance(other, Size):
            self._parted(other)
            return 0
        return self - self // other * other if isinstance(other, int) else NotImplemented

    def __eq__(self, other: object) -> bool:
        if _terms(other) is None:
            return False
        return self.ranges.zero(self - other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __lt__(self, other: object) -> bool:
        return self.ranges.positive(other - self)

    def __le__(self, other: object) -> bool:
        return self.ranges.positive(other - self + 1)

    def __gt__(self, other: object) -> bool:
        return self.ranges.positive(self - other)

    def __ge__(self, other: object) -> bool:
        return self.ranges.positive(self - other + 1)

    def __bool__(self) -> bool:
        return not self.ranges.zero(self)

    def __hash__(self) -> int:
        return hash(self.terms)

    def __repr__(self) -> str:
        return " ".join(signs_of(self.terms))

    def __str__(self) -> str:
        """As in a shape, where ``x`` is between sizes."""
        return f"({self!r})" if len(self.terms) > 1 else repr(self)

    def __format__(self, spec: str) -> str:
        return str(self)

    def _needed(self, *_: object, **__: object) -> NoReturn:
        raise UnsupportedError(f"it needs {self!r} as a number, and the size is free")

    __index__ = __int__ = __float__ = __truediv__ = __rtruediv__ = __rfloordiv__ = _needed
    __rmod__ = __pow__ = __rpow__ = __array__ = __divmod__ = __rdivmod__ = __round__ = (
        bit_length
    ) = _needed

    def _refused(self, other: object) -> Any:
        """A fraction needs the number; anything else may know better."""
        return self._needed() if hasattr(type(other), "__float__") else NotImplemented

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """The symbols in it, each once."""
        return tuple(sorted(symbols_of(self.terms)))

    @cached_property
    def period(self) -> int:
        """After so many steps of each symbol it grows by the same again."""
        return period_of(self.terms)

    @property
    def degree(self) -> int:
        """The most symbols that are multiplied."""
        return degree_of(self.terms)

    @property
    def symbol(self) -> str | None:
        """The symbol that it is, if it is no more."""
        ((product, factor), *more) = self.terms
        only = product[0] if len(product) == 1 and factor == 1 and not more else None
        return only if isinstance(only, str) else None

    def at(self, values: Mapping[str, int]) -> int:
        """The number that it is where symbols have these values."""
        return value_of(self.terms, values)

    @property
    def monotone(self) -> bool:
        """Whether each of its atoms grows with the symbols."""
        return all(map(grows, self._atoms()))

    def without_common(self, least: Mapping[str, int]) -> Any:
        """Divided by the atoms that all products have, if these are never 0; an int, or a size."""
        shared = [
            atom
            for atom in self._atoms()
            if all(atom in product for product, _ in self.terms)
            and grows(atom)
            and value_of((((atom,), 1),), least) > 0
        ]
        found = self
        for atom in dict.fromkeys(shared):
            found = (
                found // Size((((atom,), 1),), self.ranges) if isinstance(found, Size) else found
            )
        return found

    def _atoms(self) -> list[Atom]:
        return [atom for product, _ in self.terms for atom in product]

    def grown(self, least: Mapping[str, int]) -> dict[Product, int]:
        """The sum in terms of how much each atom is above its value at the least sizes.

        Atoms grow with the symbols, so that none is below it; what has no atom is under ``()``.
        """
        found: dict[Product, int] = {}
        for product, factor in self.terms:
            for mask in range(1 << len(product)):
                left = tuple(atom for bit, atom in enumerate(product) if mask >> bit & 1)
                taken = [atom for bit, atom in enumerate(product) if not mask >> bit & 1]
                more = value_of(((tuple(taken), factor),), least)
                found[left] = found.get(left, 0) + more
        return {product: factor for product, factor in found.items() if factor or not product}

    def _plus(self, other: object, sign: int) -> Any:
        theirs = _terms(other)
        if theirs is None:
            return self._refused(other)
        found = dict(self.terms)
        for product, factor in theirs:
            found[product] = found.get(product, 0) + sign * factor
        return self._made(found)

    def _made(self, found: Mapping[Product, int]) -> Any:
        """A size, or an int if no symbol is left."""
        terms = tuple(sorted(((p, f) for p, f in found.items() if f), key=str))
        if not any(product for product, _ in terms):
            return terms[0][1] if terms else 0
        return Size(terms, self.ranges)

    def _parted(self, other: Size) -> Any:
        """The exact quotient by another size; raises UnsupportedError where it is not seen.

        As polynomials are divided: by the term with the most factors, until nothing is left.
        """
        divisor, by = max(other.terms, key=rank)
        rest, found = self, 0
        for _ in range(_MOST_TERMS):
            if not isinstance(rest, Size):
                break
            product, factor = max(rest.terms, key=rank)
            left = list(product)
            for atom in divisor:
                if atom not in left:
                    self._undivided(other)
                left.remove(atom)
            if factor % by:
                self._undivided(other)
            part = self._made({tuple(left): factor // by})
            found, rest = found + part, rest - part * other
        if isinstance(rest, Size) or rest:
            self._undivided(other)
        return found

    def _undivided(self, other: Size) -> NoReturn:
        raise UnsupportedError(f"it divides {self!r} by {other!r}, which are free")


def is_free(dim: object) -> bool:
    """Whether a dimension is a free size."""
    return isinstance(dim, Size)


def any_free(dims: object) -> bool:
    """Whether numbers, in lists of any depth, have a free size among them."""
    if isinstance(dims, (list, tuple)):
        return any(map(any_free, dims))
    return isinstance(dims, Size)


def always_equal(one: object, other: object) -> bool:
    """Whether two dimensions are equal for all sizes; narrows nothing."""
    if not isinstance(one, Size) and not isinstance(other, Size):
        return one == other
    if _terms(one) is None or _terms(other) is None:
        return False
    apart = cast(Any, one) - cast(Any, other)
    return apart.ranges.vanishes(apart) if isinstance(apart, Size) else apart == 0


def _terms(value: object) -> Terms | None:
    if isinstance(value, Size):
        return value.terms
    if not hasattr(type(value), "__index__"):
        return None
    number = int(cast(Any, value))
    return (((), number),) if number else ()
