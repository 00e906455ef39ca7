"""Arrays in a zip archive, each in numpy's own format."""

from __future__ import annotations

import os
import tokenize
import warnings
import zipfile
import zlib
from typing import IO, TYPE_CHECKING, Any

from prototxt_gen._numpy import np
from prototxt_gen.formats.binary.declared import need_unpacked, shape_of

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

_ENCRYPTED = 1  #: the bit in a member's flags
#: What zipfile and numpy raise for a member that is cut off or of another kind.
_BROKEN = (
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    MemoryError,
    NotImplementedError,
    OSError,
    OverflowError,
    RecursionError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def read_npz(file: IO[bytes]) -> dict[str, Array]:
    """The arrays of a file by their names, as float32; raises ValueError for invalid ones."""
    start = file.read(2)
    if start != b"PK":
        raise ValueError("it is empty" if not start else "it is not a zip archive")
    try:
        archive = zipfile.ZipFile(file)
        members = archive.infolist()
        declared = sum(member.file_size for member in members)
        need_unpacked(declared, file.seek(0, os.SEEK_END))
    except _BROKEN as error:
        raise ValueError(_words(error)) from error
    found: dict[str, Array] = {}
    for member in members:
        name = member.filename.removesuffix(".npy")
        if name in found:
            raise ValueError(f"it contains {name!r} twice")
        if member.flag_bits & _ENCRYPTED:
            raise ValueError(f"{name!r} is encrypted")
        try:
            with archive.open(member) as stream:
                found[name] = read_npy(stream, member.file_size, name)
        except _BROKEN as error:
            words = _words(error)
            raise ValueError(words if repr(name) in words else f"{name!r}: {words}") from error
    return found


def read_npy(stream: IO[bytes], size: int, name: str) -> Array:
    """The array of an npy file of so many bytes, as float32; raises ValueError for what is none.

    Its shape is held against the size before anything is allocated for it.
    """
    try:
        return _array(stream, size, name)
    except _BROKEN as error:
        raise ValueError(_words(error)) from error


def _array(stream: IO[bytes], size: int, name: str) -> Array:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a header as Python 2 wrote it
        version: Any = np.lib.format.read_magic(stream)
        heads = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        if version not in heads:
            raise ValueError(f"it has the version {version}; expected 1.0 or 2.0")
        shape, by_columns, kind = heads[version](stream)
        if kind.kind not in "fiub":
            raise ValueError(f"{name!r} has the type {kind}; expected numbers")
        held = size - stream.tell()
        shape = shape_of(name, shape, kind.itemsize, held)
        content = stream.read(held)
    values = np.frombuffer(content, kind).reshape(shape, order="F" if by_columns else "C")
    with np.errstate(over="ignore"):
        return np.asarray(values, np.float32, order="C")


def _words(error: Exception) -> str:
    """What is wrong, in one line."""
    if isinstance(error, RecursionError):
        return "its header is nested too deeply"
    if isinstance(error, MemoryError):
        return "it needs more memory than is available"
    return " ".join(str(error.args[0] if error.args else "").split()) or type(error).__name__
