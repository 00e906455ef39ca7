"""What a model's metadata says of the net that it was made from (``to_onnx.source`` writes it)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from prototxt_gen import _arguments
from prototxt_gen.errors import ParseError, PrototxtError
from prototxt_gen.to_onnx.export import OLDEST_OPSET, Options
from prototxt_gen.to_onnx.source import FORMAT, PREFIX


@dataclass(frozen=True, slots=True)
class Kept:
    """What the entries say; ``weights`` has for a node, by its index, how to get its blobs."""

    text: bytes
    dialect: str
    version: str
    options: Options = field(default_factory=Options)
    input_shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    weights: Mapping[int, Sequence[Mapping[str, Any]]] = field(default_factory=dict)


def read_source(entries: Mapping[str, str]) -> Kept | None:
    """What the metadata of a model says of its source; None where it has none of ours.

    Raises ParseError for what ``keep_source`` does not write.
    """
    if PREFIX + "format" not in entries:
        return None
    if entries[PREFIX + "format"] != FORMAT:
        raise ParseError(f"its format is {entries[PREFIX + 'format']!r:.40}; expected {FORMAT!r}")
    asked = _object(entries, "options")
    try:
        options = Options(
            _arguments.whole("opset", asked.get("opset"), OLDEST_OPSET, error=ParseError),
            _arguments.batch(asked.get("batch")),
            _arguments.names("outputs", asked.get("outputs")),
            _arguments.flag("efficient_nms", asked.get("efficient_nms", False)),
            dynamic=_arguments.dynamic(asked.get("dynamic")),
        )
        given = _arguments.shapes(asked.get("input_shapes"))
        hidden = frozenset(_arguments.names("hidden", asked.get("hidden")))
    except PrototxtError as error:
        raise ParseError(f"its options: {error.message}") from error
    weights = _object(entries, "weights")
    for ways in weights.values():
        if not isinstance(ways, list) or not all(isinstance(way, dict) for way in ways):
            raise ParseError("its weights are no lists of objects")
    return Kept(
        _entry(entries, "net").encode("utf-8"),
        _entry(entries, "dialect"),
        _entry(entries, "version"),
        options,
        given,
        hidden,
        {int(index): ways for index, ways in weights.items() if index.isdecimal()},
    )


def _entry(entries: Mapping[str, str], key: str) -> str:
    if PREFIX + key not in entries:
        raise ParseError(f"it lacks {PREFIX + key}")
    entry = entries[PREFIX + key]
    if isinstance(entry, bytes):  # what protobuf makes of other text
        raise ParseError(f"{PREFIX + key} is not UTF-8")
    return entry


def _object(entries: Mapping[str, str], key: str) -> dict[str, Any]:
    """An entry that is an object in JSON."""
    try:
        found = json.loads(_entry(entries, key))
    except (ValueError, RecursionError) as error:
        raise ParseError(f"{PREFIX + key} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise ParseError(f"{PREFIX + key} is no object")
    return found
