"""Arrays in safetensors: the length of a JSON header, the header, and the values.

As in the safetensors library, the values of the arrays must fill the file without gaps.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any

from prototxt_gen._numpy import np
from prototxt_gen._words import plural
from prototxt_gen.formats.binary.declared import shape_of
from prototxt_gen.formats.content import numbers_at, read_content

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

_METADATA = "__metadata__"
#: BF16, the upper half of a float, is converted by its bits.
_KINDS = {"F32": "<f4", "F64": "<f8", "F16": "<f2", "BF16": "<u2"}
_COUNTS = {"I64": "<i8", "I32": "<i4"}


def write_safetensors(file: IO[bytes], arrays: Mapping[str, Array]) -> None:
    """Write arrays as float32, one after the other."""
    header: dict[str, object] = {}
    offset = 0
    for name, array in arrays.items():
        places = [offset, offset + array.nbytes]
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": places}
        offset += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
    for array in arrays.values():
        file.write(np.ascontiguousarray(array, "<f4").reshape(-1).view(np.uint8).data)


def read_safetensors(path: str, left_out: str = "") -> dict[str, Array]:
    """The arrays of a file by their names, as float32; raises ValueError for an invalid file.

    Those whose names end in ``left_out`` may hold whole numbers; they are left out.
    """
    content = read_content(path)
    if len(content) < 8:
        raise ValueError("it is shorter than the length of its header")
    size = int.from_bytes(content[:8], "little")
    if size > len(content) - 8:
        raise ValueError("the header is longer than the file")
    begin = 8 + size
    header, held = _header(content[8:begin]), len(content) - begin
    counts = {name for name in header if left_out and name.endswith(left_out)}
    entries = [
        (name, *_entry(name, entry, held, _COUNTS if name in counts else {}))
        for name, entry in header.items()
    ]
    at = 0
    found = {name: np.zeros(0, np.float32) for name in header if name not in counts}
    for name, kind, shape, start, end in sorted(entries, key=lambda entry: entry[3:]):
        if start != at:
            raise ValueError(
                f"{name!r} has data_offsets {start} to {end}; expected them to start at {at}, "
                "where the previous array ends"
            )
        if name in found:
            values = numbers_at(content, "u1", end - start, begin + start)
            found[name] = _floats(values, kind).reshape(shape)
        at = end
    if at != held:
        raise ValueError(f"it has {plural(held - at, 'byte')} after the last array")
    return found


def _header(text: bytes) -> dict[str, Any]:
    """The entries by the names of the arrays; the entries themselves are not checked here."""
    try:
        found = json.loads(text.decode("utf-8"), object_pairs_hook=_without_repetition)
        for name in found if isinstance(found, dict) else ():
            name.encode("utf-8")
    except UnicodeError:
        raise ValueError("its header is not UTF-8") from None
    except RecursionError:
        raise ValueError("its header is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"its header is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueError("its header is not a JSON object")
    about = found.pop(_METADATA, {})
    if not isinstance(about, dict) or not all(isinstance(text, str) for text in about.values()):
        raise ValueError(f"{_METADATA} is not a mapping of strings")
    return found


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"its header contains {name!r} twice")
        found[name] = value
    return found


def _entry(
    name: str, entry: Any, held: int, counts: Mapping[str, str]
) -> tuple[str, tuple[int, ...], int, int]:
    """The dtype, the shape and the position of an array; raises ValueError for invalid ones."""
    for key in ("dtype", "shape", "data_offsets"):
        if not isinstance(entry, dict) or key not in entry:
            raise ValueError(f"{name!r} has no {key}")
    kind, places = entry["dtype"], entry["data_offsets"]
    kinds = {**_KINDS, **counts}
    if not isinstance(kind, str) or kind not in kinds:
        raise ValueError(f"{name!r} is {kind}; expected F32, F64, F16 or BF16")
    whole = isinstance(places, list) and [type(place) for place in places] == [int, int]
    if not whole or not 0 <= places[0] <= places[1] <= held:
        raise ValueError(
            f"{name!r} has data_offsets {repr(places)[:60]}; expected start and end within the "
            f"{plural(held, 'byte')} after the header"
        )
    start, end = places
    shape = shape_of(name, entry["shape"], np.dtype(kinds[kind]).itemsize, end - start)
    return kind, shape, start, end


def _floats(content: Array, kind: str) -> Array:
    values = content.view(_KINDS[kind])
    if kind == "BF16":
        return (values.astype(np.uint32) << 16).view(np.float32)
    with np.errstate(over="ignore"):
        return np.asarray(values, np.float32)
