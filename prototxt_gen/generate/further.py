"""Fields and layers that a user writes, read by the schema of the spec's dialect."""

from __future__ import annotations

from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.document import Block, Symbol
from prototxt_gen.errors import SpecError
from prototxt_gen.formats.reader import read_text
from prototxt_gen.formats.schema import schema
from prototxt_gen.formats.text.printer import print_block
from prototxt_gen.generate.checks import unknown
from prototxt_gen.generate.recipe import Pairs


def further_fields(pairs: Pairs, message: str, dialect: str, path: str) -> Block:
    """The fields of a message that a mapping has; raises SpecError with the place of a wrong one.

    A text is that, or the name of an enum's value.
    """
    known = schema(dialect).message(message)
    found = Block()
    for name, value in pairs:
        place = f"{path}.{name}" if path else name
        if name not in known.fields:
            raise SpecError(unknown("field", name, list(known.fields)), path=place)
        if known.message(name) is not None:
            raise SpecError("is a message; expected a field of a single value", path=place)
        texts = isinstance(known.default(name), str) and not isinstance(known.default(name), Symbol)
        one = Block()
        for item in value if isinstance(value, tuple) else (value,):
            one.add(name, Symbol(item) if isinstance(item, str) and not texts else item)
        found.fields.extend(_read(print_block(one, 0), message, dialect, place).fields)
    return found


def further_layers(text: str, dialect: str, path: str) -> list[Block]:
    """The layers of a text; raises SpecError if it has anything else."""
    root = _read(text, "NetParameter", dialect, path)
    for field in root:
        if field.name != "layer":
            raise SpecError(f"has {field.name!r}; expected `layer {{ … }}`", path=path)
    return root.blocks("layer")


def _read(text: str, message: str, dialect: str, path: str) -> Block:
    source = Source(text.encode())
    sink = Sink(source)
    root = read_text(source, sink, message, dialect).root
    for found in sink.errors:
        raise SpecError(" ".join(found.message.split()), path=path)
    return root
