"""The mean of images: what ``compute_image_mean`` writes, or an array of numpy's."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

from prototxt_gen._limits import at_most
from prototxt_gen._numpy import np
from prototxt_gen.errors import WeightsError
from prototxt_gen.formats.binary.blob import read_blob
from prototxt_gen.formats.binary.npz import read_npy
from prototxt_gen.formats.binary.wire import BYTES, WireField
from prototxt_gen.formats.content import read_content

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

_LARGEST = 256 << 20
_NPY = b"\x93NUMPY"


def read_mean(path: str | os.PathLike[str]) -> Array:
    """A mean as (C, H, W), or (C,) for one of each channel: a binaryproto, or an npy file.

    Raises WeightsError for another file, or other axes, and OSError.
    """
    name = os.fspath(path)
    content = read_content(name, at_most(_LARGEST))
    data = content[:]
    try:
        if data.startswith(_NPY):
            mean = read_npy(io.BytesIO(data), len(data), name)
        else:
            mean, _ = read_blob(data, WireField(0, BYTES, 0, len(data), 0, len(data)))
    except (WeightsError, ValueError) as error:
        words = error.message if isinstance(error, WeightsError) else error
        raise WeightsError(f"{name}: is no mean (a binaryproto or .npy): {words}") from None
    return as_mean(name, mean)


def as_mean(name: str, mean: Array) -> Array:
    """A mean without the axis of the batch; raises WeightsError where it has other axes."""
    if mean.ndim == 4 and mean.shape[0] == 1:
        mean = mean[0]
    if mean.ndim == 3 and mean.shape[1:] == (1, 1):
        mean = mean[:, 0, 0]
    if mean.ndim not in (1, 3) or not mean.size:
        shape = "x".join(map(str, mean.shape)) or "a single number"
        raise WeightsError(f"{name}: the mean is {shape}; expected channels x height x width")
    if not np.isfinite(mean).all():
        raise WeightsError(f"{name}: the mean has numbers that are not finite")
    return np.ascontiguousarray(mean, np.float32)
