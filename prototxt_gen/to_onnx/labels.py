"""The names of classes in a model's metadata, read from the files that Caffe's tools have."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence

from prototxt_gen._limits import at_most
from prototxt_gen._words import plural
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.errors import ParseError
from prototxt_gen.formats.content import read_content
from prototxt_gen.formats.reader import read_text
from prototxt_gen.graph.graph import Ref
from prototxt_gen.passes.deploy import Change
from prototxt_gen.to_onnx.export import Exported

ENTRY = "labels"
_LARGEST = 16 << 20
_MOST = 1_000_000  #: labels
_SYNSET = re.compile(r"n\d{8}\s+(?=\S)")
_ITEM = re.compile(rb"\A(\s|#[^\n]*\n)*item\s*\{")


def read_labels(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """The label of each class, in order.

    The file has one on each line, or is a synset_words.txt, whose identifiers are left out, or a
    LabelMap, of which a class without an entry has an empty label. Raises ParseError, OSError.
    """
    name = os.fspath(path)
    data = read_content(name, at_most(_LARGEST))[:]
    if _ITEM.match(data):
        return _label_map(name, data)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ParseError(f"{name}: the labels are not UTF-8: {error.reason}") from error
    lines = [line.strip() for line in text.rstrip().split("\n")]
    if not any(lines) or "\0" in text:
        raise ParseError(f"{name}: has no labels; expected one on each line")
    if all(_SYNSET.match(line) for line in lines):
        lines = [_SYNSET.sub("", line, count=1) for line in lines]
    return tuple(lines)


def _label_map(name: str, data: bytes) -> tuple[str, ...]:
    source = Source(data, name)
    sink = Sink(source)
    root = read_text(source, sink, "LabelMap").root
    sink.raise_errors(ParseError)
    found: dict[int, str] = {}
    for item in root.blocks("item"):
        number = item.get("label", int, 0)
        if number in found or not 0 <= number < _MOST:
            what = "is there twice" if number in found else f"is not within 0 to {_MOST - 1}"
            raise ParseError(f"{name}: the label {number} {what}")
        found[number] = item.get("display_name", str, "") or item.get("name", str, "")
    return tuple(found.get(number, "") for number in range(max(found) + 1))


def keep_labels(made: Exported, labels: Sequence[str]) -> Iterator[Change]:
    """Write labels into a model, and say where their number is not that of its classes."""
    text = json.dumps(list(labels), ensure_ascii=False)
    made.skeleton.metadata_props.add(key=ENTRY, value=text)
    counts = dict(_classes(made))
    if counts and len(labels) not in counts.values():
        has = ", ".join(f"{name!r} has {number}" for name, number in counts.items())
        what = f"there are {plural(len(labels), 'label')}, but of classes {has}"
        yield Change(made.graph.name or "net", "", what)


def _classes(made: Exported) -> Iterator[tuple[str, int]]:
    """How many classes each output has that may be a classifier's."""
    makers = {ref.blob: node for ref, node in made.graph.makers.items()}
    last = {ref.blob: ref for ref in made.graph.last.values()}
    for value in made.skeleton.graph.output:
        dims = value.type.tensor_type.shape.dim
        ref: Ref | None = last.get(value.name)
        if ref is None or makers[ref.blob].layer.detects or len(dims) < 2:
            continue
        if dims[1].dim_value:
            yield value.name, dims[1].dim_value
