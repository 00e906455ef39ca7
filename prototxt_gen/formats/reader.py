"""Read a text: parse it, guess which message it is, and type its values."""

from __future__ import annotations

from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.document import Block, Document
from prototxt_gen.formats.dialects import DIALECTS, RELEASES, is_own
from prototxt_gen.formats.prototxt import parse
from prototxt_gen.formats.schema import UNION, Message, schema
from prototxt_gen.formats.text.resolve import UnknownFields, resolve

#: The messages that a prototxt may hold; the first is taken where several fit.
ROOTS = ("NetParameter", "SolverParameter", "LabelMap")


def read_text(
    source: Source,
    sink: Sink,
    message: str | None = None,
    dialect: str | None = None,
    unknown_fields: UnknownFields = "error",
) -> Document:
    """The typed document of a text; all errors of syntax and schema are reported to the sink.

    The root has no type if the requested dialect does not have the message. ``message`` is
    the type of the root; None guesses it from the names of its fields. ``dialect`` is the
    one to read by; None takes the first that explains the file, and several with commas the
    first of these. ``unknown_fields`` is how to report fields that no known Caffe has. Raises
    KeyError for an unknown dialect.
    """
    root = parse(source, sink)
    message = message or guess_message(root, dialect)
    if dialect is not None and message not in schema(dialect):
        having = ", ".join(name for name in DIALECTS if message in schema(name))
        text = f"this is a {message}, which is not a message of {dialect}"
        sink.error("unknown-message", text, help=f"{having} have it: see --dialect")
        return Document(root, source, dialect)
    found = resolve(root, message, sink, dialect, unknown_fields)
    return Document(root, source, RELEASES.get(found, found))


def without_unknown(block: Block) -> None:
    """Remove the fields that the types of a block and of those in it do not have."""
    if isinstance(block.type, Message):
        known = block.type.fields
        block.fields = [field for field in block if field.name in known]
    for field in block:
        if isinstance(field.value, Block):
            without_unknown(field.value)


def guess_message(root: Block, dialect: str | None = None) -> str:
    """The root message that knows the most fields of a block; a user's own dialect goes first."""
    names = {field.name for field in root}
    first = (dialect,) if dialect is not None and is_own(dialect) else ()
    for name in (*first, "bvlc", UNION):
        known = {
            message: len(names & schema(name).message(message).fields.keys())
            for message in ROOTS
            if message in schema(name)
        }
        best = max(known, key=known.__getitem__)
        if known[best] == len(names):
            break
    return best
