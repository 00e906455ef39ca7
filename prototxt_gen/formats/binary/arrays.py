"""Arrays by name in one file: npz and safetensors."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prototxt_gen._files import whole_file
from prototxt_gen._numpy import np
from prototxt_gen.errors import WeightsError
from prototxt_gen.formats.binary.npz import read_npz
from prototxt_gen.formats.binary.safetensors import read_safetensors, write_safetensors

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]


def write_arrays(path: str | os.PathLike[str], arrays: Mapping[str, Array]) -> None:
    """Write arrays as npz or safetensors, by the file's suffix, whole or not at all.

    Raises WeightsError for another suffix, and for an array's name that is not UTF-8.
    """
    suffix = Path(path).suffix
    for name in arrays:
        if not name.isascii() and not _is_utf8(name):
            raise WeightsError(f"{path}: the name {name!r} is not UTF-8, which the format requires")
    with whole_file(path) as file:
        if suffix == ".npz":
            np.savez(file, **dict(arrays))  # type: ignore[arg-type]
        elif suffix == ".safetensors":
            write_safetensors(file, arrays)
        else:
            raise WeightsError(f"{path}: expected a name that ends in .npz or .safetensors")


def read_arrays(path: str | os.PathLike[str], left_out: str = "") -> dict[str, Array]:
    """The arrays of an npz or safetensors file by their names, as float32.

    Those whose names end in ``left_out`` may be missing from the result. Raises WeightsError
    with the reason if a file is neither, and OSError.
    """
    name = os.fspath(path)
    with open(name, "rb") as file:
        try:
            if Path(name).suffix == ".safetensors":
                return read_safetensors(name, left_out)
            return read_npz(file)
        except ValueError as error:
            raise WeightsError(
                f"{name}: is not a complete npz or safetensors file: {error}"
            ) from error
        except MemoryError:
            raise WeightsError(f"{name}: needs more memory than is available") from None


def _is_utf8(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
