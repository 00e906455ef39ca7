"""Sums of products of symbols and of quotients that are rounded down, each in one form."""

from __future__ import annotations

from collections.abc import Mapping
from math import gcd, lcm
from typing import NamedTuple, Union


class Quotient(NamedTuple):
    """A sum divided by a number, rounded down."""

    of: Terms
    by: int


Atom = Union[str, Quotient]  #: a symbol, or a quotient
Product = tuple[Atom, ...]
Terms = tuple[tuple[Product, int], ...]  #: a sum of products, each with its factor


def divided(terms: Terms, by: int) -> dict[Product, int]:
    """A sum divided by a number, in its one form: whole parts apart, and quotients joined."""
    shift = sum(factor for product, factor in terms if not product)
    rest = [(product, factor) for product, factor in terms if product]
    if not rest:
        return {(): shift // by}
    common = gcd(by, *(factor for _, factor in rest))
    if common > 1:  # floor((c x + s) / (c d)) is floor((x + floor(s / c)) / d)
        rest = [(product, factor // common) for product, factor in rest]
        shift, by = shift // common, by // common
        if by == 1:
            return {**dict(rest), (): shift}
        return _again(rest, shift, by)
    if all(factor < 0 for _, factor in rest):  # floor(-x / d) is -floor((x + d - 1) / d)
        turned = _again([(p, -f) for p, f in rest], by - 1 - shift, by)
        return {product: -factor for product, factor in turned.items()}
    ((product, factor), *more) = rest
    if not more and factor == 1 and len(product) == 1 and isinstance(product[0], Quotient):
        inner = product[0]  # floor((floor(x / d) + s) / e) is floor((x + s d) / (d e))
        found = dict(inner.of)
        found[()] = found.get((), 0) + shift * inner.by
        return _again([(p, f) for p, f in found.items() if p], found[()], inner.by * by)
    whole, left = divmod(shift, by)
    sum_ = tuple(sorted((*rest, *([((), left)] if left else [])), key=str))
    return {(Quotient(sum_, by),): 1, (): whole}


def _again(rest: list[tuple[Product, int]], shift: int, by: int) -> dict[Product, int]:
    """The same once more, with what is divisible taken out first."""
    found = {product: factor // by for product, factor in rest if not factor % by}
    left = [(product, factor) for product, factor in rest if factor % by]
    for product, factor in divided((*left, ((), shift)), by).items():
        found[product] = found.get(product, 0) + factor
    return found


def symbols_of(terms: Terms) -> set[str]:
    """The symbols in a sum."""
    found: set[str] = set()
    for product, _ in terms:
        for atom in product:
            found |= {atom} if isinstance(atom, str) else symbols_of(atom.of)
    return found


def rank(term: tuple[Product, int]) -> tuple[int, str]:
    """The order of terms in a division: what has more factors first."""
    return len(term[0]), str(term[0])


def grows(atom: Atom) -> bool:
    """Whether it is never less where a symbol is more."""
    return isinstance(atom, str) or all(
        factor > 0 and all(map(grows, product)) for product, factor in atom.of if product
    )


def degree_of(terms: Terms) -> int:
    """The most symbols that are multiplied."""
    return max(
        (
            sum(1 if isinstance(atom, str) else degree_of(atom.of) for atom in product)
            for product, _ in terms
        ),
        default=0,
    )


def period_of(terms: Terms) -> int:
    """After so many steps of a symbol the sum grows by the same again."""
    of = [
        atom.by * period_of(atom.of)
        for product, _ in terms
        for atom in product
        if isinstance(atom, Quotient)
    ]
    return lcm(*of)


def value_of(terms: Terms, values: Mapping[str, int]) -> int:
    """The number that the sum is where symbols have these values."""
    total = 0
    for product, factor in terms:
        for atom in product:
            known = isinstance(atom, str)
            factor *= values[atom] if known else value_of(atom.of, values) // atom.by  # type: ignore
        total += factor
    return total


def signs_of(terms: Terms) -> list[str]:
    """The sum as people write it: what has symbols first."""
    words: list[str] = []
    for product, factor in sorted(terms, key=lambda term: not term[0]):
        factors = [str(abs(factor))] if abs(factor) != 1 or not product else []
        shown = "*".join([*factors, *map(_shown, product)])
        minus = factor < 0
        words += [("-" if minus else "+"), shown] if words else ["-" * minus + shown]
    return words


def _shown(atom: Atom) -> str:
    if isinstance(atom, str):
        return atom
    of = " ".join(signs_of(atom.of))
    return f"floor({f'({of})' if ' ' in of else of} / {atom.by})"
