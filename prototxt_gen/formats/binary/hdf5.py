"""Weights in Caffe's HDF5 form: the group ``data`` has a group for each layer.

A file of HDF5 may point out of itself, at any file of the machine, and a small one may
stand for numbers without end. Neither is followed: links are resolved here, step by step,
and sizes are looked at before anything is read.
"""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, Any

from prototxt_gen._numpy import np
from prototxt_gen.errors import WeightsError
from prototxt_gen.formats.binary.declared import need_unpacked

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

_MOST_LINKS = 16  #: on the way to one object, as in HDF5 itself (H5L_NUM_LINKS)
#: What h5py raises for a file that is damaged or of another form.
_BROKEN = (
    AttributeError,
    KeyError,
    MemoryError,
    OSError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
)


def read_hdf5(path: str, file: IO[bytes] | None = None) -> list[tuple[str, tuple[Array, ...]]]:
    """The layers of a file by their names, each with its weights as float32.

    ``file`` has the bytes where the path is no file to be opened. Raises WeightsError for a
    file of another form, and where a weight is not in the file itself: behind an external
    link, in external storage, or a virtual dataset (net.cpp, ToHDF5, makes none of them).
    """
    try:
        import h5py
    except ImportError:
        raise WeightsError(
            f"{path}: this is an HDF5 file, which needs h5py: pip install 'resnet-proto[hdf5]'"
        ) from None
    try:
        with h5py.File(path if file is None else file, "r") as opened:
            if "data" not in opened.keys():  # noqa: SIM118 - `in` itself follows links
                raise WeightsError("this HDF5 file has no group `data`; it is not a caffemodel")
            return _layers(opened, _size(path, file))
    except WeightsError as error:
        raise WeightsError(f"{path}: {error.message}") from None
    except _BROKEN as error:
        words = " ".join(str(error).split()) or "it needs more memory than there is"
        raise WeightsError(f"{path}: this HDF5 file is not in Caffe's form: {words}") from error


def _size(path: str, file: IO[bytes] | None) -> int:
    return os.path.getsize(path) if file is None else file.seek(0, os.SEEK_END)


def _layers(file: Any, held: int) -> list[tuple[str, tuple[Array, ...]]]:
    """Everything is looked at first, and read when all of it is known to be sound."""
    found: list[tuple[str, list[Any]]] = []
    declared = 0
    for layer in _group(file, "/data"):
        place = f"/data/{layer}"
        names = set(_group(file, place))
        wanted = [str(index) for index in range(len(names))]
        if names != set(wanted):
            shown = ", ".join(sorted(names)[:5])
            raise ValueError(f"the weights of {layer!r} are {shown}; expected 0, 1 and so on")
        blobs = [_dataset(file, f"{place}/{name}") for name in wanted]
        declared += sum(blob.size * max(4, blob.dtype.itemsize) for blob in blobs)
        need_unpacked(declared, held)
        found.append((layer.replace("\\", "/"), blobs))
    with np.errstate(over="ignore"):
        return [(n, tuple(np.asarray(blob, np.float32) for blob in blobs)) for n, blobs in found]


def _group(file: Any, place: str) -> list[str]:
    """The names in a group."""
    found = _object(file, place)
    if not hasattr(found, "keys"):
        raise ValueError(f"{place!r} is no group")
    return list(found)


def _dataset(file: Any, place: str) -> Any:
    """A dataset of numbers that are in the file."""
    found = _object(file, place)
    if not hasattr(found, "dtype") or not hasattr(found, "is_virtual"):
        raise ValueError(f"{place!r} is no dataset")
    if found.is_virtual:
        raise WeightsError(f"{place!r} is a virtual dataset; expected numbers in the file itself")
    if found.external:
        raise WeightsError(
            f"{place!r} has external storage, {found.external[0][0]!r}; "
            "expected numbers in the file itself"
        )
    if found.shape is None or found.dtype.kind not in "fiub":
        raise ValueError(f"{place!r} is of {found.dtype}; expected numbers")
    return found


def _object(file: Any, place: str) -> Any:
    """The object of a path; soft links are followed here, and never out of the file."""
    import h5py

    left, at, links = place.strip("/").split("/")[::-1], file, 0
    while left:
        name = left.pop()
        link = at.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            raise WeightsError(
                f"{place!r} is an external link to {link.filename!r}; "
                "expected numbers in the file itself"
            )
        if not isinstance(link, h5py.SoftLink):
            at = at[name]
            continue
        links += 1
        if links > _MOST_LINKS:
            raise ValueError(
                f"{place!r} is behind more than {_MOST_LINKS} links, or a loop of them"
            )
        if link.path.startswith("/"):
            at = file
        left += [part for part in link.path.split("/") if part not in ("", ".")][::-1]
    return at
