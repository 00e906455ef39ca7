"""How the text reader handles mistakes: report each once, and find where to continue.

A mistake often makes the rest of its line look wrong as well. So after an error nothing
more is reported on the same line until one field has been read properly.
"""

from __future__ import annotations

import re

from prototxt_gen.diagnostics import Diagnostic, Severity, Sink, Span
from prototxt_gen.document import Block, Field
from prototxt_gen.formats.text.nottext import name_of
from prototxt_gen.formats.text.tokens import Token, shorten, string_end

MOST_ERRORS = 100
_MOST_SILENT = 1000
_RESUME = re.compile(r"""["'\n#{}<>]|\b[A-Za-z_][A-Za-z0-9_]*[ \t]*[:{<]""", re.ASCII)


class Stop(Exception):
    """Nothing more in this file is worth reading."""


class Reporter:
    """Passes errors to a sink, without those that only follow from another one."""

    def __init__(self, text: str, data: bytes, sink: Sink) -> None:
        self._text = text
        self._data = data
        self._sink = sink
        self._count = 0
        self._silent = 0
        self._line_end = -1
        self._clean = True

    @property
    def found(self) -> bool:
        """Whether anything was reported."""
        return self._count > 0

    def good(self) -> None:
        """A field was read properly: the next mistake is independent."""
        self._clean = True

    def error(
        self, message: str, start: int, end: int, *, help: str | None = None, rule: str = "syntax"
    ) -> None:
        """Report an error, unless it follows from the one before."""
        if self._count == 0 and self.refuse_binary():
            raise Stop
        if not self._clean and start <= self._line_end:
            self._silent += 1
            if self._silent >= _MOST_SILENT:
                raise Stop
            return
        self._clean = False
        if start > self._line_end:
            line_end = self._text.find("\n", start)
            self._line_end = line_end if line_end >= 0 else len(self._text)
        if self._count >= MOST_ERRORS:
            note = f"too many errors: reading stops after the first {MOST_ERRORS}"
            place = Span(start, start)
            self._sink.diagnostics.append(Diagnostic("syntax", Severity.NOTE, note, place))
            raise Stop
        self._count += 1
        self._sink.error(rule, message, span=Span(start, end), help=help)

    def fatal(self, rule: str, message: str, start: int, end: int, help: str | None = None) -> None:
        """Report an error after which nothing is worth reading, and stop."""
        self.error(message, start, end, help=help, rule=rule)
        raise Stop

    def unexpected(self, expected: str, found: Token, *, help: str | None = None) -> None:
        """Report a token that was not expected; a bad token has its own message."""
        if found.kind == "bad":
            self.error(found.problem, found.start, found.end, help=found.help)
        else:
            message = f"expected {expected}, found {self.describe(found)}"
            self.error(message, found.start, found.end, help=help)

    def describe(self, token: Token) -> str:
        """A token as a message shows it."""
        if token.kind == "end":
            return "the end of the file"
        return f"`{shorten(self._text[token.start : token.end])}`"

    def resume(self, pos: int) -> int:
        """Where to continue: at a brace, at what looks like a field, or at the line's end."""
        while True:
            match = _RESUME.search(self._text, pos)
            if match is None:
                return len(self._text)
            if match[0] not in ('"', "'"):
                return match.start()
            pos = string_end(self._text, match.start())
            if pos < 0:
                line_end = self._text.find("\n", match.start())
                return line_end if line_end >= 0 else len(self._text)

    def refuse_binary(self) -> bool:
        """Report what this file is, if it is not text at all."""
        named = name_of(self._data)
        if named is not None:
            self._count += 1
            what, help = named
            self._sink.error("not-text", f"this is {what}, not a prototxt", help=help)
        return named is not None


def report_unclosed(reporter: Reporter, text: str, stack: list[Field], blocks: list[Block]) -> None:
    """Report which of the open blocks is not closed, as far as that can be told.

    Where a block holds one of its own name, which no message of Caffe's does, the brace is
    missing before that one: the blocks after it are moved to where they belong.
    """
    for depth, field in enumerate(stack):
        inner = next(
            (i for i, f in enumerate(blocks[depth + 1].fields) if f.name == field.name), -1
        )
        if inner >= 0:
            fields = blocks[depth + 1].fields
            line = text.count("\n", 0, fields[inner].start) + 1
            message = f"the block `{field.name}` that opens here is not closed"
            help = f"a `}}` is missing before line {line}, where the next `{field.name}` starts"
            blocks[depth].fields.extend(fields[inner:])
            del fields[inner:]
            break
    else:
        field = stack[-1]
        more = f", nor are the {len(stack) - 1} around it" if len(stack) > 2 else ""
        more = ", nor is the one around it" if len(stack) == 2 else more
        message = f"the file ends, but the block `{field.name}` that opens here is not closed{more}"
        help = "add the missing `}`; if the text stops in the middle, the file was cut off"
    for open_field in stack:
        open_field.end = len(text)
    if reporter.found and not all(field.name for field in stack):
        return  # a brace without a field opened a block: that has been reported
    end = field.start + len(field.name)
    reporter.good()
    reporter.error(message, field.start, end, help=help, rule="unclosed-block")
