"""Weights in a file beside a model: what that file is called, and which one a model reads.

Model and weights change as one: while there is an old model, no other weights ever stand
under the name that it reads.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import onnx

from prototxt_gen._deferred import parts
from prototxt_gen.to_onnx.builder import CONSTANT
from prototxt_gen.to_onnx.export import Array, Exported

_SMALL = 8 << 10  #: bytes of a constant that may be a shape
_LARGEST = 64 << 20  #: bytes of a model that can be one of ours with its weights beside it


def write_values(made: Exported, path: Path) -> dict[str, tuple[int, int]]:
    """Write the values one after the other; the offset and length of each.

    Small constants are left out: they belong into the model.
    """
    places = {}
    with path.open("wb") as file:
        for name, found in made.values.items():
            if _is_small(name, found):
                continue
            places[name] = file.tell(), found.nbytes
            for part in parts(found):
                file.write(part)
        file.flush()
        os.fsync(file.fileno())
    return places


def with_places(
    made: Exported, places: Mapping[str, tuple[int, int]], location: str
) -> onnx.ModelProto:
    """The model that gives the place of each value in a file of that name.

    It has its small constants itself: a new shape or axes must be known to know shapes, and
    neither the checker nor most other readers look for those in another file.
    """
    model = onnx.ModelProto()
    model.CopyFrom(made.skeleton)
    for tensor in model.graph.initializer:
        if _is_small(tensor.name, made.values[tensor.name]):
            made.fill(tensor)
            continue
        offset, length = places[tensor.name]
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", location), ("offset", offset), ("length", length)):
            tensor.external_data.add(key=key, value=str(value))
    return model


def read_beside(model: Path) -> dict[str, int]:
    """The files beside a model that it reads, each with the bytes that it has at the least."""
    try:
        if os.path.getsize(model) > _LARGEST:
            return {}
        found = onnx.load(model, load_external_data=False)
    except Exception:  # whatever is there, it is no model
        return {}
    needed: dict[str, int] = {}
    for tensor in found.graph.initializer:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        name = entries.get("location")
        if name and tensor.data_location == onnx.TensorProto.EXTERNAL:
            end = 0
            with suppress(ValueError):
                end = int(entries.get("offset", "0")) + int(entries.get("length", "0"))
            needed[name] = max(end, needed.get(name, 0))
    return needed


def _is_small(name: str, values: Array) -> bool:
    return name.startswith(CONSTANT) and values.nbytes <= _SMALL


def is_whole(folder: Path, needed: Mapping[str, int]) -> bool:
    """Whether all that a model reads is there."""
    with suppress(OSError):
        return all((folder / name).stat().st_size >= size for name, size in needed.items())
    return False


def free_name(target: Path, written: Path, taken: Mapping[str, int]) -> str:
    """The name for weights beside a model: the usual one, where that can be had.

    Where the model that is there reads other weights of that name, the hash of those that were
    ``written`` comes into it.
    """
    if f"{target.name}.data" not in taken:
        return f"{target.name}.data"
    digest = _hash(written) or ""
    names = [f"{target.name}.data"]
    names += [f"{target.name}.{digest[:length]}.data" for length in (8, 16, 64)]
    for name in names[:-1]:
        if name not in taken or _hash(target.parent / name) == digest:
            return name
    return names[-1]


def left_over(target: Path, taken: Mapping[str, int], used: str) -> Iterator[Path]:
    """What an earlier model of that name read, or one that never came to be was to read."""
    own = re.compile(re.escape(target.name) + r"\.([0-9a-f]{8}|[0-9a-f]{16}|[0-9a-f]{64})\.data")
    names = []
    with suppress(OSError):  # a folder may be written to and not be looked at
        names = os.listdir(target.parent)
    for name in names:
        path, match = target.parent / name, own.fullmatch(name)
        if name == used or not (match or name == f"{target.name}.data"):
            continue
        # A name alone is no proof that a file is ours.
        if name in taken or (match and (_hash(path) or "").startswith(match[1])):
            yield path


def _hash(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
