"""The names of classes: a file with one a line, or a model's own."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from prototxt_gen.errors import VerificationError

KEY = "labels"  #: of a model's metadata
_LARGEST = 8 << 20  #: bytes of a file
_SYNSET = re.compile(r"n\d{8}\s+(?=\S)")  #: before the words in ImageNet's synset_words.txt

Labels = Sequence[str]


def read_labels(path: str) -> list[str]:
    """The labels of a file, by line; raises VerificationError and OSError.

    The WordNet ids of ImageNet's synset_words.txt are left out.
    """
    from prototxt_gen.formats.content import read_content

    data = bytes(read_content(path, _LARGEST)[:])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if "\0" in text:
        raise VerificationError(f"{path}: is no text; expected a label on each line")
    lines = text.replace("\r\n", "\n").rstrip().split("\n")
    if lines == [""]:
        raise VerificationError(f"{path}: the file is empty; expected a label on each line")
    return [_SYNSET.sub("", line.strip(), count=1) for line in lines]


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
