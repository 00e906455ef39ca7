"""Fields and layers that a user writes, read by the schema of the spec's dialect."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.document import Block, Symbol
from prototxt_gen.errors import SpecError
from prototxt_gen.formats.reader import read_text
from prototxt_gen.formats.schema import schema
from prototxt_gen.formats.text.printer import print_block
from prototxt_gen.generate.checks import is_number, shown, unknown
from prototxt_gen.generate.recipe import MAPPINGS, Pairs
from prototxt_gen.graph.phase import PHASES, State, included

if TYPE_CHECKING:
    from prototxt_gen.generate.spec import Spec

_WORD = re.compile(r"[-+]?[\w.]+([eE][-+]\d+)?", re.ASCII)  #: a number, or the name of a value
_LONGEST = 300  #: characters of what the reader says
TOPS = ("data", "label")  #: of the data layers
#: Fields that a spec says in another way.
_ELSEWHERE = {
    "train_transform": ("crop_size", "mirror", "scale", "mean_file", "mean_value"),
    "test_transform": ("crop_size", "mirror", "scale", "mean_file", "mean_value"),
    "net": ("name", "input", "input_dim"),
}


def need_further(spec: Spec) -> None:
    """Raise SpecError for the first further field, or layer, that the dialect does not have."""
    for name in MAPPINGS:
        for field in further(spec, name):
            if field.name in _ELSEWHERE[name]:
                raise SpecError("is said elsewhere", path=f"training.{name}.{field.name}")
    if spec.training.layers:
        further_layers(spec)


def further(spec: Spec, name: str) -> Block:
    """The fields of a mapping in the part ``training`` of a spec."""
    message = "NetParameter" if name == "net" else "TransformationParameter"
    pairs = getattr(spec.training, name)
    return further_fields(pairs, message, spec.dialect, f"training.{name}")


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
        texts = type(known.default(name)) is str
        one = Block()
        for item in value if isinstance(value, tuple) else (value,):
            one.add(name, _written(item, place, texts=texts))
        read = _read(print_block(one, 0), message, dialect, place)
        for field in read:
            if isinstance(field.value, float) and not is_number(field.value):
                raise SpecError(f"is {field.value}; expected a number of 32 bits", path=place)
        found.fields.extend(read.fields)
    return found


def _written(item: object, place: str, *, texts: bool) -> str | int | float:
    """A value as it is printed: a text in quotes where the field has texts, else bare."""
    if isinstance(item, str):
        if texts:
            return item
        if not _WORD.fullmatch(item):
            raise SpecError(f"is {shown(item)}; expected a number or a word", path=place)
        return Symbol(item)
    if isinstance(item, bool) or is_number(item):
        return item
    raise SpecError(f"is {shown(item)}; expected a number that Caffe's floats hold", path=place)


def further_layers(spec: Spec) -> list[Block]:
    """The layers that a spec has as text.

    Raises SpecError if there is anything else, or no data or labels in some phase.
    """
    path = "training.layers"
    root = _read(spec.training.layers, "NetParameter", spec.dialect, path)
    for field in root:
        if field.name != "layer":
            raise SpecError(f"have {field.name!r}; expected `layer {{ }}`", path=path)
    blocks = root.blocks("layer")
    for phase in PHASES:
        made = {
            top
            for block in blocks
            if included(block, State(phase))
            for top in block.get_list("top", str)
        }
        if missing := [top for top in TOPS if top not in made]:
            message = f"make no {missing[0]!r} in the phase {phase}; expected data and label"
            raise SpecError(message, path=path)
    return blocks


def _read(text: str, message: str, dialect: str, path: str) -> Block:
    source = Source(text.encode("utf-8", "surrogateescape"))
    sink = Sink(source)
    root = read_text(source, sink, message, dialect).root
    for found in sink.errors:
        lines = "\n" in text.strip() and found.span is not None
        where = f"line {source.row(found.span.start)}: " if found.span and lines else ""
        raise SpecError(where + _short(found.message), path=path)
    return root


def _short(message: str) -> str:
    """A message in one line that is not too long."""
    words = " ".join(message.split())
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]}…"
