"""A blob in protobuf's wire format: its numbers, and its shape in any form of Caffe's."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from math import prod
from typing import TYPE_CHECKING, Any

from prototxt_gen._numpy import np
from prototxt_gen._words import plural
from prototxt_gen.formats.binary.wire import (
    BYTES,
    FIXED32,
    FIXED64,
    WireField,
    broken,
    fields,
    varints,
)
from prototxt_gen.formats.content import Buffer, numbers_at

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

# Numbers of caffe.proto: BlobProto.
_LEGACY, DATA, SHAPE, _DOUBLE = (1, 2, 3, 4), 5, 7, 8
_RAW_TYPE, _RAW = 10, 12
_RAW_TYPES = {0: "<f8", 1: "<f4", 2: "<f2"}
_MOST_AXES = 32  #: as in Caffe (blob.hpp, kMaxBlobAxes)
_MOST = 2**31 - 1


def read_blob(data: Buffer, place: WireField) -> tuple[Array, bool]:
    """The numbers of a blob in its shape, as float32; they stay where they are if they are that.

    And whether the shape is in the old form: num, channels, height and width. Raises
    WeightsError, with the offset, where numbers and shape do not fit.
    """
    shape: list[int] | None = None
    legacy: dict[int, int] = {}
    parts: list[Array] = []
    raw_type = 0
    for field in _folded(data, place):
        if field.number == SHAPE and field.kind == BYTES:
            dims = (
                dim
                for inner in fields(data, field.value, field.end)
                if inner.number == 1
                for dim in varints(data, inner)
            )
            shape = list(islice(dims, _MOST_AXES + 1))
        elif field.number in _LEGACY and field.kind == 0:
            legacy[field.number] = field.value
        elif field.number == DATA:
            parts.append(_numbers(data, field, "<f4"))
        elif field.number == _DOUBLE:
            parts.append(_numbers(data, field, "<f8"))
        elif field.number == _RAW_TYPE:
            raw_type = field.value
        elif field.number == _RAW and field.kind == BYTES:
            if raw_type not in _RAW_TYPES:
                raise broken(field.start, f"raw numbers of type {raw_type} are not floats")
            parts.append(_numbers(data, field, _RAW_TYPES[raw_type]))
    values = parts[0] if len(parts) == 1 else np.concatenate(parts or [np.zeros(0, np.float32)])
    old = shape is None and bool(legacy)
    if shape is None:
        shape = [legacy.get(number, 0) for number in _LEGACY] if legacy else []
    if len(shape) > _MOST_AXES:
        raise broken(
            place.start, f"a blob has {len(shape)} axes or more; Caffe allows {_MOST_AXES}"
        )
    if prod(shape) != values.size or max(shape, default=0) > _MOST:
        raise broken(place.start, f"a blob of shape {shape} has {plural(values.size, 'number')}")
    return values.astype(np.float32, copy=False).reshape(shape), old


def read_shape(data: Buffer, place: WireField) -> tuple[int, ...]:
    """The shape of a blob alone; its numbers are passed over. Raises WeightsError."""
    legacy: dict[int, int] = {}
    for field in fields(data, place.value, place.end):
        if field.number == SHAPE and field.kind == BYTES:
            inner = (one for one in fields(data, field.value, field.end) if one.number == 1)
            dims = islice((dim for one in inner for dim in varints(data, one)), _MOST_AXES)
            return tuple(dims)
        if field.number in _LEGACY and field.kind == 0:
            legacy[field.number] = field.value
        elif field.kind == FIXED32 and len(legacy) == len(_LEGACY):
            break  # millions of numbers may follow, and no list of dimensions
    return tuple(legacy.get(number, 0) for number in _LEGACY) if legacy else ()


def _folded(data: Buffer, place: WireField) -> Iterator[WireField]:
    """The fields of a blob; floats that are not packed, in the old form, become one field."""
    run: WireField | None = None
    for field in fields(data, place.value, place.end):
        single = field.number in (DATA, _DOUBLE) and field.kind in (FIXED32, FIXED64)
        if run is not None and single and field.number == run.number:
            run = run._replace(end=field.end)
            continue
        if run is not None:
            yield run
            run = None
        if single:
            run = field
        else:
            yield field
    if run is not None:
        yield run


def _numbers(data: Buffer, field: WireField, kind: str) -> Array:
    size = np.dtype(kind).itemsize
    if field.kind == BYTES:
        if field.size % size:
            raise broken(
                field.start,
                f"a list has {plural(field.size, 'byte')}, which is no multiple of {size}",
            )
        return numbers_at(data, kind, field.size // size, field.value)
    # Each number is preceded by a tag of one byte.
    records = np.dtype([("tag", "u1"), ("value", kind)])
    count = (field.end - field.start) // records.itemsize
    return numbers_at(data, records, count, field.start)["value"]
