"""The header's description of an array, checked before anything is allocated for it."""

from __future__ import annotations

from math import prod

from prototxt_gen._limits import HINT, at_most
from prototxt_gen._words import plural

_MOST_AXES = 32  #: as in Caffe (blob.hpp, kMaxBlobAxes)
_MOST = 2**31 - 1
#: What any file may unpack to, and how many times its own size a larger one may: numbers of
#: trained weights hardly shrink.
_ANY, _TIMES = 256 << 20, 16


def shape_of(name: str, found: object, size: int, held: int) -> tuple[int, ...]:
    """The shape of an array, given the bytes per value and the ``held`` bytes in the file.

    Raises ValueError, with the name of the array, if it is not a shape or the size differs.
    """
    if not isinstance(found, (list, tuple)) or not all(
        type(dim) is int and 0 <= dim <= _MOST for dim in found
    ):
        shown = repr(found)[:60]
        raise ValueError(f"{name!r} has the shape {shown}; expected whole numbers, 0 to {_MOST}")
    if len(found) > _MOST_AXES:
        raise ValueError(f"{name!r} has {len(found)} axes; Caffe allows at most {_MOST_AXES}")
    if prod(dim or 1 for dim in found) * size >= 2**63:
        raise ValueError(f"{name!r} has the shape {repr(found)[:60]}, which is too large")
    needed = prod(found) * size
    if needed != held:
        raise ValueError(
            f"{name!r} needs {plural(needed, 'byte')} for its shape, but the file has {held}"
        )
    return tuple(found)


def need_unpacked(declared: int, held: int) -> None:
    """Raise ValueError where a file of ``held`` bytes unpacks to more than weights would."""
    most = at_most(max(_ANY, _TIMES * held))
    if declared > most:
        raise ValueError(
            f"it unpacks to {declared} bytes or more; expected at most {most} of so small a file "
            f"({HINT})"
        )
