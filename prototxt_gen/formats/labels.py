"""The names of classes in the files that Caffe's tools have."""

from __future__ import annotations

import os
import re

from prototxt_gen._limits import at_most
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.errors import ParseError
from prototxt_gen.formats.content import read_content
from prototxt_gen.formats.reader import read_text

_LARGEST = 16 << 20
_MOST = 1_000_000  #: labels
_SYNSET = re.compile(r"n\d{8}\s+(?=\S)")  #: before the words in ImageNet's synset_words.txt
_ITEM = re.compile(rb"\A(\xef\xbb\xbf)?(\s|#[^\n]*\n)*item\s*\{")


def read_labels(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """The label of each class, in order.

    The file has one on each line, or is a synset_words.txt, whose identifiers are left out, or a
    LabelMap, of which a class without an entry has an empty label. Raises ParseError, OSError.
    """
    name = os.fspath(path)
    data = bytes(read_content(name, at_most(_LARGEST))[:])
    if _ITEM.match(data) or name.lower().endswith(".prototxt"):
        return _label_map(name, data)
    if b"\0" in data:
        raise ParseError(f"{name}: is no text; expected a label on each line")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = f"line {data.count(bytes([10]), 0, error.start) + 1}"
        raise ParseError(f"{name}: the labels are not UTF-8: {where}, {error.reason}") from error
    lines = [line.strip() for line in text.rstrip().split("\n")]
    if not any(lines):
        raise ParseError(f"{name}: has no labels; expected one on each line")
    if len(lines) > _MOST:
        raise ParseError(f"{name}: has {len(lines)} labels; expected at most {_MOST}")
    return tuple(_SYNSET.sub("", line, count=1) for line in lines)


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
    if not found:
        raise ParseError(f"{name}: is no map of labels; expected item {{ name, label }}")
    return tuple(found.get(number, "") for number in range(max(found) + 1))
