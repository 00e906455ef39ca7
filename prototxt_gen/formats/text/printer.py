"""The printer of prototxt: scalars, quoting, the form of floats, nested blocks.

What it prints reads like a file written by hand: indentation by two spaces, one field
on a line, strings in double quotes, ``0.1`` and not ``0.10000000149011612``. A shape, a
block with ``dim`` only, is on one line, as is customary. Comments and
single blank lines stay where they were; nothing else adds a blank line.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from prototxt_gen.document import Block, Document, Field, Number, Scalar, Symbol

_INDENT = "  "
_WIDEST = 100  #: the widest line that a shape may take

# Control characters, and those that are invisible or reverse the text around them.
_ESCAPED = '["\\\\\0-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]'
_SIMPLE = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def print_document(document: Document) -> bytes:
    """The whole file, in UTF-8; comments in another encoding stay as they are."""
    return print_block(document.root).encode("utf-8", "surrogateescape")


def print_block(block: Block, indent: int = 0) -> str:
    """The fields of a block, each on a line, at a level of indentation."""
    printer = Printer()
    printer.write_block(block, _INDENT * indent)
    return printer.text()


def format_field(field: Field, indent: int = 0) -> str:
    """One field with its comments, at a level of indentation."""
    printer = Printer()
    printer.write_field(field, _INDENT * indent)
    return printer.text()


def format_scalar(value: Scalar) -> str:
    """A scalar in prototxt form: quoted if it is a string and not a word."""
    printer = _PRINTERS.get(type(value))
    if printer is not None:
        return printer(value)
    for kind, printer in _PRINTERS.items():  # a subclass: an IntEnum, numpy's float64
        if isinstance(value, kind):
            return printer(value)
    raise TypeError(f"{value!r} is not a prototxt scalar")


class Printer:
    """The layout of blocks; ``text.layout`` has the scalars of a file spelled as they were."""

    def __init__(self) -> None:
        self._out: list[str] = []

    def text(self) -> str:
        """All that was written."""
        return "".join(self._out)

    def write_block(self, block: Block, indent: str = "") -> None:
        """Write the contents of a block, without a blank line first or last."""
        first = len(self._out)
        for field in block.fields:
            if field.comments:
                self._write_comments(field.comments, indent, blank=len(self._out) > first)
            self._write_value(field, indent)
        comments = block.comments
        while comments and comments[-1] is None:
            comments = comments[:-1]
        self._write_comments(comments, indent, blank=len(self._out) > first)

    def write_field(self, field: Field, indent: str) -> None:
        """Write a field and its comments."""
        self._write_comments(field.comments, indent, blank=False)
        self._write_value(field, indent)

    def statement(self, field: Field, indent: str) -> str:
        """The name and the scalar value of a field."""
        return f"{field.name}: {format_scalar(field.value)}"  # type: ignore[arg-type]

    def brackets(self, field: Field) -> tuple[str, str]:
        """What stands between the name of a field and its block, and after the block."""
        return " ", ""

    def opening(self, field: Field, block: Block) -> str:
        """The comment behind the brace that opens the block of a field, with its ``#``."""
        return ""

    def _write_value(self, field: Field, indent: str) -> None:
        value, trailing, out = field.value, "", self._out
        if field.trailing is not None:
            trailing = f" #{_clean(field.trailing)}"
        if not isinstance(value, Block):
            out.append(f"{indent}{self.statement(field, indent)}{trailing}\n")
            return
        before, after = self.brackets(field)
        line = self._one_line(value) if not value.comments else None
        if line is not None and len(indent) + len(field.name) + len(line) <= _WIDEST:
            out.append(f"{indent}{field.name}{before}{line}{after}{trailing}\n")
            return
        out.append(f"{indent}{field.name}{before}{{{self.opening(field, value)}\n")
        self.write_block(value, indent + _INDENT)
        out.append(f"{indent}}}{after}{trailing}\n")

    def _one_line(self, block: Block) -> str | None:
        """An empty block or a shape on one line; None for any other block."""
        words = ["{"]
        for field in block.fields:
            if field.name != "dim" or isinstance(field.value, Block):
                return None
            if field.trailing is not None or any(c is not None for c in field.comments):
                return None
            words.append(self.statement(field, ""))
        words.append("}")
        return " ".join(words)

    def _write_comments(
        self, comments: tuple[str | None, ...], indent: str, *, blank: bool
    ) -> None:
        """Write comments and single blank lines; ``blank``: whether the first may be blank."""
        for comment in comments:
            if comment is not None:
                self._out.extend(f"{indent}#{_clean(line)}\n" for line in comment.split("\n"))
            elif blank:
                self._out.append("\n")
            blank = comment is not None


def _clean(comment: str) -> str:
    """A comment without line breaks, which would end it."""
    return comment.replace("\n", " ").replace("\0", "").rstrip(" \t\r\v\f")


def _quoted(text: str) -> str:
    if '"' in text or "\\" in text or not text.isprintable():
        text = re.sub(_ESCAPED, _escape, text)
    return f'"{text}"'


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    if char in _SIMPLE:
        return _SIMPLE[char]
    escaped_byte = "\udc80" <= char <= "\udcff"
    data = char.encode("utf-8", "surrogateescape" if escaped_byte else "surrogatepass")
    return "".join(f"\\{byte:03o}" for byte in data)


def _quoted_bytes(data: bytes) -> str:
    return _quoted(data.decode("utf-8", "surrogateescape"))


def _float(value: float) -> str:
    text = float.__repr__(value)
    return text.removesuffix(".0")


_PRINTERS: dict[type, Callable[[Any], str]] = {
    Symbol: str,
    Number: str,
    str: _quoted,
    bytes: _quoted_bytes,
    bool: lambda value: "true" if value else "false",
    int: int.__repr__,
    float: _float,
}
