"""The options of ``convert`` for preprocessing and labels, checked, with the files they name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal

from prototxt_gen import _arguments
from prototxt_gen._numpy import np
from prototxt_gen.errors import PrototxtError
from prototxt_gen.passes.resizing import MOST
from prototxt_gen.reading import Input, load

if TYPE_CHECKING:
    from prototxt_gen.passes.transform import Transform
    from prototxt_gen.to_onnx.preprocess.wanted import Wanted

    Array = np.ndarray[Any, np.dtype[Any]]

_SIDES = 2
#: A mean: a file, one number, one for each channel, or an array of (C, H, W).
Mean = Any


def wanted(
    preprocess: Literal["auto"] | None = None,
    preprocess_from: Input | None = None,
    mean: Mean = None,
    scale: float | None = None,
    channel_order: Literal["bgr", "rgb"] | None = None,
    input_type: Literal["float32", "uint8"] | None = None,
    layout: Literal["nchw", "nhwc"] | None = None,
    resize: int | Sequence[int] | None = None,
    image_input: str | None = None,
) -> Wanted | None:
    """What is asked for; None if nothing is. Raises PrototxtError for a wrong value."""
    from prototxt_gen.passes.preprocessing import Kind, Layout, Order
    from prototxt_gen.to_onnx.preprocess.wanted import Wanted

    given = (preprocess, preprocess_from, mean, scale, channel_order, input_type, layout)
    if resize is None and all(value is None for value in given):
        if image_input is not None:
            raise PrototxtError("image_input names the input to preprocess; nothing says how")
        return None
    if preprocess is not None:
        _arguments.one_of("preprocess", preprocess, Literal["auto"])
        if preprocess_from is not None:
            raise PrototxtError("preprocess and preprocess_from exclude each other")
    if image_input is not None and not isinstance(image_input, str):
        raise PrototxtError(f"image_input is {image_input!r}; expected the name of an input")
    return Wanted(
        preprocess is not None,
        None if preprocess_from is None else _transforms(preprocess_from),
        None if mean is None else _mean(mean),
        None if scale is None else _scale(scale),
        _arguments.one_of("channel_order", channel_order or "bgr", Order),
        _arguments.one_of("input_type", input_type or "float32", Kind),
        _arguments.one_of("layout", layout or "nchw", Layout),
        image_input,
        None if resize is None else _size(resize),
    )


def labels(given: Input | Sequence[str] | None) -> tuple[str, ...]:
    """The labels of a file, or those given; raises PrototxtError, and OSError."""
    from prototxt_gen.formats.labels import read_labels

    if given is None:
        return ()
    if isinstance(given, (str, os.PathLike)):
        return read_labels(given)
    found = _arguments.names("labels", given)
    if not found:
        raise PrototxtError("labels is empty; expected a label for each class")
    return found


def _transforms(path: Input) -> tuple[Transform, ...]:
    """The transforms of the data layers of a net for tests."""
    from prototxt_gen.passes.transform import transforms_of

    found = transforms_of(load(path))
    if not found:
        raise PrototxtError(f"{os.fspath(path)}: the net has no data layer in the phase TEST")
    return tuple(found)


def _mean(given: Mean) -> Array:
    from prototxt_gen.formats.binary.mean import as_mean, read_mean

    if isinstance(given, (str, os.PathLike)):
        return read_mean(given)
    try:
        found = np.atleast_1d(np.asarray(given))
    except (TypeError, ValueError) as error:
        raise PrototxtError(f"mean is no array of numbers: {error}") from error
    if found.dtype.kind not in "fiu":
        raise PrototxtError(f"mean is {given!r:.40}; expected a file, or numbers")
    with np.errstate(over="ignore"):
        return as_mean("mean", found.astype(np.float32))


def _size(given: object) -> tuple[int, int]:
    """The height and width; one number stands for both, as for Caffe's own tools."""
    sides = given if isinstance(given, Sequence) and not isinstance(given, str) else (given, given)
    if len(sides) == 1:
        sides = [*sides, *sides]
    if len(sides) != _SIDES:
        raise PrototxtError(f"resize is {given!r:.40}; expected one number, or height and width")
    height, width = (_arguments.whole("resize", side, 1, MOST) for side in sides)
    return height, width


def _scale(given: object) -> float:
    known = isinstance(given, (int, float, np.number)) and not isinstance(given, bool)
    number = float(given) if known else 0.0  # type: ignore[arg-type]
    if not isfinite(number) or number == 0:
        raise PrototxtError(f"scale is {given!r}; expected a finite number other than 0")
    return number
