"""Which of several names was meant by one that is not among them."""

from __future__ import annotations

from collections.abc import Iterable

_FAR = 99


def nearest(name: str, known: Iterable[str]) -> tuple[str, ...]:
    """Names that differ from a name only in case and punctuation, or by a letter or two.

    The nearest come first. A digit is never a slip: `conv4` is not `conv5`.
    """
    names = sorted(set(known))
    same = tuple(one for one in names if _plain(one) == _plain(name))
    if same:
        return same
    most = 0 if len(name) < 4 else 1 if len(name) < 7 else 2
    digits = _digits(name)
    found = sorted(
        (slips, one)
        for one in names
        if abs(len(one) - len(name)) <= most and _digits(one) == digits
        if (slips := _slips(name, one)) <= most
    )
    return tuple(one for _, one in found)


def closest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The name that shares most letters with a name, if it is like it: 1 is the same."""
    from difflib import get_close_matches  # which only a mistake needs

    return next(iter(get_close_matches(name, list(known), 1, cutoff)), None)


def did_you_mean(names: Iterable[str]) -> str:
    """The question, for at least one name."""
    return f"did you mean {' or '.join(map(repr, names))}?"


def _slips(name: str, known: str) -> int:
    """How many letters differ; a large number if a digit does, as in Pooling3D."""
    from difflib import SequenceMatcher

    total = 0
    for tag, i, j, k, m in SequenceMatcher(None, name, known, autojunk=False).get_opcodes():
        if tag != "equal":
            if any(c.isdigit() for c in name[i:j] + known[k:m]):
                return _FAR
            total += max(j - i, m - k)
    return total


def _plain(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())


def _digits(name: str) -> str:
    return "".join(c for c in name if c.isdigit())
