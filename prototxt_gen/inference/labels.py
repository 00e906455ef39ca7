"""The names of classes: a file with one a line, or a model's own."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from prototxt_gen.errors import VerificationError

KEY = "labels"  #: of a model's metadata
_LARGEST = 8 << 20  #: bytes of a file
_MOST = 1_000_000  #: classes
_SYNSET = re.compile(r"n\d{8}\s+(?=\S)")  #: before the words in ImageNet's synset_words.txt

Labels = Sequence[str]


def read_labels(path: str) -> list[str]:
    """The labels of a file, by line; raises VerificationError and OSError.

    A file that ends in .prototxt is a map of labels as SSD's Caffe has them. The WordNet ids of
    ImageNet's synset_words.txt are left out.
    """
    from prototxt_gen.formats.content import read_content

    data = bytes(read_content(path, _LARGEST)[:])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if "\0" in text:
        raise VerificationError(f"{path}: is no text; expected a label on each line")
    if path.lower().endswith(".prototxt"):
        return _of_map(path, data)
    lines = text.replace("\r\n", "\n").rstrip().split("\n")
    if lines == [""]:
        raise VerificationError(f"{path}: the file is empty; expected a label on each line")
    return [_SYNSET.sub("", line.strip(), count=1) for line in lines]


def _of_map(path: str, data: bytes) -> list[str]:
    """The labels of a LabelMap, by number: items with a name, a label and a display name."""
    from prototxt_gen.diagnostics import Sink, Source
    from prototxt_gen.document import Number
    from prototxt_gen.errors import ParseError
    from prototxt_gen.formats.prototxt import parse

    source = Source(data, path)
    sink = Sink(source)
    found: dict[int, str] = {}
    for item in parse(source, sink).blocks("item"):
        number = item.get("label", Number, Number("0"))
        name = item.get("display_name", bytes, b"") or item.get("name", bytes, b"")
        if number.isdecimal() and int(number) < _MOST:
            found[int(number)] = name.decode("utf-8", "replace")
    sink.raise_errors(ParseError)
    if not found:
        raise VerificationError(f"{path}: is no map of labels; expected item {{ name, label }}")
    return [found.get(number, "") for number in range(max(found) + 1)]


def labels_in(metadata: Mapping[str, str]) -> list[str]:
    """The labels that a model tells; none if it does not, or in another form.

    A list, or a mapping of numbers to labels.
    """
    try:
        found = json.loads(metadata.get(KEY, ""))
    except (ValueError, RecursionError):
        return []
    if isinstance(found, dict):
        places = {int(key): value for key, value in found.items() if key.isdecimal()}
        most = max(places, default=-1)
        # One entry does not make a list of a million.
        found = [places.get(i, "") for i in range(most + 1)] if most < 8 * len(places) + 64 else []
    if isinstance(found, list) and all(isinstance(item, str) for item in found):
        return found
    return []


def label(labels: Labels, index: int) -> str:
    """The label of a class; empty if there is none."""
    return labels[index] if 0 <= index < len(labels) else ""
