"""Arrays by name in one file: npz and safetensors."""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prototxt_gen._files import whole_file
from prototxt_gen._numpy import np
from prototxt_gen.errors import WeightsError

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

#: What numpy, zipfile and json raise for a file that is cut off or of another kind.
_BROKEN = (
    AttributeError,
    EOFError,
    KeyError,
    NotImplementedError,
    OverflowError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


def write_arrays(path: str | os.PathLike[str], arrays: Mapping[str, Array]) -> None:
    """Write arrays as npz or safetensors, as the file's name says, whole or not at all."""
    suffix = Path(path).suffix
    with whole_file(path) as file:
        if suffix == ".npz":
            np.savez(file, **dict(arrays))  # type: ignore[arg-type]
        elif suffix == ".safetensors":
            _write_safetensors(file, arrays)
        else:
            raise WeightsError(f"{path}: expected a name that ends with .npz or .safetensors")


def read_arrays(path: str | os.PathLike[str]) -> dict[str, Array]:
    """Read npz or safetensors; raises WeightsError where a file is neither."""
    name = os.fspath(path)
    with open(name, "rb") as file:
        start = file.read(4)
    try:
        if Path(name).suffix == ".safetensors":
            return _read_safetensors(name)
        if start[:2] != b"PK":
            raise ValueError("it is empty" if not start else "it has no zip archive")
        return _read_npz(name)
    except _BROKEN as error:
        why = str(error) if "pickle" not in str(error) else "it holds more than numbers"
        raise WeightsError(f"{name}: not a complete npz or safetensors file: {why}") from error


def _read_npz(path: str) -> dict[str, Array]:
    # Opened here, since numpy leaves a broken file open.
    with open(path, "rb") as file, np.load(file, allow_pickle=False) as found:
        return {key: np.asarray(found[key], np.float32) for key in found.files}


def _write_safetensors(file: Any, arrays: Mapping[str, Array]) -> None:
    """A JSON header preceded by its length, then the numbers one after the other."""
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


def _read_safetensors(path: str) -> dict[str, Array]:
    kinds = {"F32": "<f4", "F64": "<f8", "F16": "<f2"}
    if os.path.getsize(path) < 8:
        raise ValueError("it is shorter than the length of its header")
    data = np.memmap(path, np.uint8, "r")
    size = int.from_bytes(bytes(data[:8]), "little")
    if size > len(data) - 8:
        raise ValueError("the header is longer than the file")
    header = json.loads(bytes(data[8 : 8 + size]))
    if not isinstance(header, dict):
        raise ValueError("its header is not a JSON object")
    found = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        start, end = (8 + size + place for place in entry["data_offsets"])
        values = data[start:end].view(kinds[entry["dtype"]])
        found[name] = np.asarray(values, np.float32).reshape(entry["shape"])
    return found
