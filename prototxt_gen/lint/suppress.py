"""Comments that say of which rules nothing is to be reported, and where.

    type: "Foo"  # prototxt: ignore[unknown-type]      on this line
    # prototxt: ignore[in-place-shared, unused-top]    on the next line with a statement
    # prototxt: ignore-file[old-form]                  in the whole file

Without a list of rules it is all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from prototxt_gen.diagnostics import Diagnostic, Severity, Source, Span

_MARK = b"prototxt: ignore"
#: A string, which may hold a #, or a comment.
_PART = re.compile(rb"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|(#[^\n]*)")
_ASKED = re.compile(r"#\s*prototxt: ignore(-file)?(?:\[([^\]]*)\])?(?=\s|$|#)")
UNUSED = "unused-ignore"


@dataclass(eq=False)
class _Ignore:
    """What a comment asks for: rules, or all; on a line, or in the file."""

    span: Span
    rules: frozenset[str]
    line: int | None
    used: set[str] = field(default_factory=set)

    def takes(self, rule: str, line: int | None) -> bool:
        """Whether a finding is not to be reported."""
        if (self.line is not None and self.line != line) or (self.rules and rule not in self.rules):
            return False
        self.used.add(rule)
        return True


def without_ignored(
    found: Iterable[Diagnostic], source: Source, known: Iterable[str]
) -> list[Diagnostic]:
    """The findings that no comment asks to leave out, and those about such comments, in order."""
    if _MARK not in source.data:
        return list(found)
    ignores = list(_ignores(source))
    kept = []
    for one in found:
        line = source.position(one.span.start)[0] if one.span else None
        # Each comment is asked: another one that takes it is of use as well.
        taken = [ignore.takes(one.rule, line) for ignore in ignores]
        if not any(taken):
            kept.append(one)
    names = set(known)
    kept += [one for ignore in ignores for one in _unused(ignore, names)]
    return sorted(kept, key=lambda one: one.span.start if one.span else len(source.data) + 1)


def _unused(ignore: _Ignore, known: set[str]) -> Iterator[Diagnostic]:
    for rule in sorted(ignore.rules - known):
        message = f"there is no rule {rule!r} to ignore"
        yield Diagnostic(UNUSED, Severity.WARNING, message, ignore.span)
    where = "in this file" if ignore.line is None else "here"
    for rule in sorted((ignore.rules & known) - ignore.used):
        message = f"nothing is found by the rule {rule!r} {where}"
        yield Diagnostic(UNUSED, Severity.WARNING, message, ignore.span)
    if not ignore.rules and not ignore.used:
        yield Diagnostic(UNUSED, Severity.WARNING, f"nothing is found {where}", ignore.span)


def _ignores(source: Source) -> Iterator[_Ignore]:
    lines = source.data.split(b"\n")
    start = 0
    for number, line in enumerate(lines, 1):
        if _MARK in line:
            for part in _PART.finditer(line):
                text = (part[1] or b"").decode("utf-8", "replace")
                asked = _ASKED.search(text)
                if asked is None:
                    continue
                at = start + part.start() + len(text[: asked.start()].encode())
                span = Span(at, at + len(asked[0].encode()))
                names = frozenset(name.strip() for name in (asked[2] or "").split(",")) - {""}
                alone = not line[: part.start()].strip()
                of = None if asked[1] else _next(lines, number) if alone else number
                yield _Ignore(span, names, of)
        start += len(line) + 1


def _next(lines: list[bytes], number: int) -> int:
    """The next line after a number that holds more than a comment."""
    for index in range(number, len(lines)):
        text = lines[index].strip()
        if text and not text.startswith(b"#"):
            return index + 1
    return number
