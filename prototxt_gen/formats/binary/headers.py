"""What weights a caffemodel has, by name and shape, without reading one of them."""

from __future__ import annotations

import io
from typing import IO

from prototxt_gen.errors import WeightsError
from prototxt_gen.formats.binary.blob import read_shape
from prototxt_gen.formats.binary.caffemodel import parts_of, split
from prototxt_gen.formats.binary.start import LOOK_AT, need_net
from prototxt_gen.formats.content import LargeFile


def read_headers(file: IO[bytes], name: str) -> dict[str, tuple[tuple[int, ...], ...]]:
    """The shapes of the weights of each layer that has any, of an open file without a buffer.

    The file is closed. Numbers in the old form, which are not packed, are passed over one by
    one. Raises WeightsError for another kind of file, also for HDF5, and OSError.
    """
    size = file.seek(0, io.SEEK_END)
    data = LargeFile(file, name, size)
    need_net(name, data[: min(size, LOOK_AT)])
    found = {}
    try:
        for place in split(data)[1]:
            layer, own, inner = parts_of(data, place)
            shapes = tuple(read_shape(data, field) for field in (*own, *inner))
            if shapes:
                found[layer] = shapes
    except WeightsError as error:
        raise WeightsError(f"{name}: {error.message}") from None
    return found
