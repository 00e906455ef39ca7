"""Text format: parse a prototxt into Blocks, and print Blocks.

The reader accepts what Caffe's own accepts (C++ ``TextFormat``) and knows no schema:
``formats.schema`` checks fields and types afterwards. Three forms are legal only for
repeated fields and are left for it to judge: the items of ``name: [1]``
are :class:`ListItem`, ``name: []`` has the value :data:`EMPTY_LIST`, and ``name []``
:data:`EMPTY_BLOCK_LIST`.

Two limits are ours, not C++'s: a file has at most 256 MiB and a number at most 4096
characters; blocks nest at most 100 deep, more than any message of Caffe's.
"""

from __future__ import annotations

from prototxt_gen._limits import HINT, LARGEST_FILE, at_most
from prototxt_gen.diagnostics import Sink, Source, Span
from prototxt_gen.document import Block
from prototxt_gen.errors import ParseError
from prototxt_gen.formats.text.parser import Parser
from prototxt_gen.formats.text.printer import (
    format_field,
    format_scalar,
    print_block,
    print_document,
)
from prototxt_gen.formats.text.recovery import Reporter
from prototxt_gen.formats.text.tree import EMPTY_BLOCK_LIST, EMPTY_LIST, ListItem

__all__ = [
    "EMPTY_BLOCK_LIST",
    "EMPTY_LIST",
    "LARGEST_FILE",
    "ListItem",
    "format_field",
    "format_scalar",
    "largest_file",
    "parse",
    "print_block",
    "print_document",
    "reformat",
]

_BOM = b"\xef\xbb\xbf"


def largest_file() -> int:
    """The most bytes that a text may have here."""
    return at_most(LARGEST_FILE)


def parse(source: Source, sink: Sink, *, fast: bool = True) -> Block:
    """Read a text into an untyped Block; all syntax errors are reported to the sink.

    After an error the Block holds what could be read. ``fast=False`` reads every
    statement with the exact tokenizer, for tests to compare.
    """
    data = source.data
    most = largest_file()
    if len(data) > most:
        message = f"the file has {len(data)} bytes; expected at most {most} ({HINT})"
        sink.error("file-too-large", message)
        return Block()
    text = data.decode("latin-1")
    first = Sink(source)
    root = _parse(data, text, first, fast=fast)
    # Nothing else is left of the errors that a hole of a template causes.
    if _has_syntax_errors(first):
        from prototxt_gen.formats.text.leftovers import leftovers

        found, rest = leftovers(text)
        if found:
            first = Sink(source, found)
            root = _parse(rest.encode("latin-1"), rest, first, fast=fast)
    for diagnostic in first.diagnostics:
        sink.add(diagnostic)
    return root


def _parse(data: bytes, text: str, sink: Sink, *, fast: bool) -> Block:
    reporter = Reporter(text, data, sink)
    parser = Parser(data, text, reporter, fast=fast)
    start = 0
    if data.startswith(_BOM):
        if reporter.refuse_binary():
            return Block()
        start = len(_BOM)
        message = "the file starts with a byte order mark, which Caffe refuses"
        help = "save it as UTF-8 without a byte order mark"
        sink.error("byte-order-mark", message, span=Span(0, start), help=help)
    parser.run(start)
    return parser.root


def _has_syntax_errors(sink: Sink) -> bool:
    return any(one.rule not in ("not-text", "byte-order-mark") for one in sink.errors)


def reformat(source: Source) -> bytes:
    """A text in the one layout, with the same message and the same comments.

    It takes no schema, so that fields may have any name. Raises ParseError with all syntax
    errors.
    """
    from prototxt_gen.formats.text.layout import lay_out

    sink = Sink(source)
    root = parse(source, sink)
    sink.raise_errors(ParseError)
    return lay_out(root, source.data)
