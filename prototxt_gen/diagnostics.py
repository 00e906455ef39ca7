"""What is wrong with a file, where, and what to do about it.

Readers, graph checks, shape inference and converters all report to a
:class:`Sink`, so that every problem of a file comes out at once.
"""

from __future__ import annotations

import enum
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn, Protocol

from prototxt_gen._records import Record, record


class Span(NamedTuple):
    """A piece of a file: byte offsets, ``end`` not included."""

    start: int
    end: int


class Source:
    """The bytes that spans point into, and the name that the user knows them by."""

    __slots__ = ("_starts", "data", "path")

    def __init__(self, data: bytes, path: str = "<string>") -> None:
        self.data = data
        self.path = path
        self._starts: list[int] | None = None

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of a byte offset, both counted from 1.

        A column counts characters where the line is UTF-8, else bytes.
        """
        starts = self._line_starts()
        line = bisect_right(starts, offset)
        before = self.data[starts[line - 1] : offset]
        try:
            return line, len(before.decode("utf-8")) + 1
        except UnicodeDecodeError:
            return line, len(before) + 1

    def row(self, offset: int) -> int:
        """The line of a byte offset, from 1, at less cost than its position."""
        return bisect_right(self._line_starts(), offset)

    def line(self, number: int) -> str:
        """The text of a line (from 1), without its end."""
        starts = self._line_starts()
        end = starts[number] if number < len(starts) else len(self.data)
        return self.data[starts[number - 1] : end].decode("utf-8", "replace").rstrip("\r\n")

    def _line_starts(self) -> list[int]:
        if self._starts is None:
            starts, at = [0], self.data.find(b"\n")
            while at >= 0:
                starts.append(at + 1)
                at = self.data.find(b"\n", at + 1)
            self._starts = starts
        return self._starts


#: Of one rule no more findings are kept of a source; the others are counted.
MOST_OF_A_RULE = 100


class Severity(enum.Enum):
    """The severity of a diagnostic: an error is something that Caffe would refuse."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@record
class Diagnostic(Record):
    """One problem: the rule that found it, what was found, and what was expected."""

    rule: str
    severity: Severity
    message: str
    span: Span | None = None
    layer: str | None = None
    help: str | None = None


class Failure(Protocol):
    """An error that carries diagnostics: any of ``prototxt_gen.errors``."""

    def __call__(
        self, message: str, /, *, diagnostics: Sequence[Diagnostic], source: Source | None
    ) -> Exception:
        """Make the error, to be raised."""


@dataclass(slots=True, eq=False, repr=False)
class Sink:
    """Collects the diagnostics of one source, of each rule the first ``most``."""

    source: Source | None = None
    diagnostics: list[Diagnostic] = field(default_factory=list)
    most: int = MOST_OF_A_RULE
    _counts: Counter[tuple[str, Severity]] = field(default_factory=Counter)

    def add(self, found: Diagnostic) -> None:
        """Report a diagnostic."""
        key = found.rule, found.severity
        self._counts[key] += 1
        if self._counts[key] <= self.most:
            self.diagnostics.append(found)

    def takes(self, rule: str, severity: Severity = Severity.ERROR) -> bool:
        """Whether another finding of a rule is kept, so that its words are worth finding."""
        return self._counts[rule, severity] < self.most

    def left_out(self) -> list[Diagnostic]:
        """A note for each rule with more findings than were kept."""
        return [
            Diagnostic(
                rule,
                Severity.NOTE,
                f"{count - self.most} more {severity.value}s of this rule are not shown",
            )
            for (rule, severity), count in self._counts.items()
            if count > self.most
        ]

    def error(
        self,
        rule: str,
        message: str,
        *,
        span: Span | None = None,
        layer: str | None = None,
        help: str | None = None,
    ) -> None:
        """Report something that Caffe would refuse."""
        self.add(Diagnostic(rule, Severity.ERROR, message, span, layer, help))

    def warning(
        self,
        rule: str,
        message: str,
        *,
        span: Span | None = None,
        layer: str | None = None,
        help: str | None = None,
    ) -> None:
        """Report something that Caffe accepts but the user should know."""
        self.add(Diagnostic(rule, Severity.WARNING, message, span, layer, help))

    def note(
        self,
        rule: str,
        message: str,
        *,
        span: Span | None = None,
        layer: str | None = None,
        help: str | None = None,
    ) -> None:
        """Report something that could not be checked."""
        self.add(Diagnostic(rule, Severity.NOTE, message, span, layer, help))

    @property
    def errors(self) -> list[Diagnostic]:
        """The diagnostics that are errors."""
        return [d for d in self.diagnostics if d.severity is Severity.ERROR]

    def sorted(self) -> list[Diagnostic]:
        """All diagnostics in the order of the file; those without a place come last."""
        end = len(self.source.data) + 1 if self.source else 0
        found = sorted(self.diagnostics, key=lambda d: d.span.start if d.span else end)
        return found + self.left_out()

    def raise_errors(self, error: Failure) -> None:
        """Raise ``error`` with everything collected, if any diagnostic is an error."""
        if self.errors:
            self.fail(error)

    def fail(self, error: Failure) -> NoReturn:
        """Raise ``error`` with everything collected; its message is the first error."""
        found = sorted(self.errors, key=lambda d: d.span.start if d.span else 1 << 62)
        message = found[0].message if found else "unknown problem"
        count = sum(n for (_, severity), n in self._counts.items() if severity is Severity.ERROR)
        count = max(count, len(found))
        if count > 1:
            message += f" (and {count - 1} more)"
        raise error(message, diagnostics=self.sorted(), source=self.source)


def render(diagnostic: Diagnostic, source: Source | None) -> str:
    """A diagnostic in one line: ``file:line:column: severity: message; help [rule]``."""
    where = source.path if source else ""
    if source and diagnostic.span:
        line, column = source.position(diagnostic.span.start)
        where = f"{where}:{line}:{column}"
    layer = f"layer {diagnostic.layer!r}: " if diagnostic.layer is not None else ""
    help = f"; {diagnostic.help}" if diagnostic.help else ""
    text = f"{diagnostic.severity.value}: {layer}{diagnostic.message}{help} [{diagnostic.rule}]"
    return f"{where}: {text}" if where else text
