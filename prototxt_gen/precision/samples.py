"""What a model is tried with: pictures of a folder as it takes them, or random numbers."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import onnx

from prototxt_gen.errors import PrototxtError, VerificationError
from prototxt_gen.graph.check import checked
from prototxt_gen.inference.computers import fitted
from prototxt_gen.inference.images import Frame, Preparation, frame_of, open_picture, read_array
from prototxt_gen.layers.parts.shapes import Shape, show
from prototxt_gen.passes.preprocessing import Preprocessing, held
from prototxt_gen.to_onnx.export import Exported
from prototxt_gen.to_onnx.sizes import input_shapes
from prototxt_gen.verify_model import Pictures

Array = np.ndarray[Any, np.dtype[Any]]
Feed = dict[str, Array]
_DRAWN = 8  #: how many random inputs


def drawn(made: Exported) -> Iterator[Feed]:
    """Random inputs of a model, each from a seed of its own."""
    pictures = Pictures([one.done for one in made.baked])
    own = {ref.blob: shape for ref, shape in checked(made.graph).blobs.items() if not ref.version}
    shapes = pictures.inner(input_shapes(made.skeleton))
    sizes = {
        name: tuple(dim or own_dim for dim, own_dim in zip(shape, own[name], strict=True))
        for name, shape in shapes.items()
    }
    for seed in range(_DRAWN):
        yield dict(pictures.drawn(made.graph, sizes, seed)[0])


def pictured(
    model: onnx.ModelProto, done: Iterable[Preprocessing], paths: Sequence[str]
) -> Iterator[Feed]:
    """Files, images or npy, as the one input of a model takes them, a batch at a time.

    ``done`` is the preprocessing that is in the model.

    The last batch is filled with its last image, and so is one before an image of another size,
    where a model takes any. Raises PrototxtError for a file that is no
    image or does not fit, and VerificationError for a model that takes something else; and
    OSError.
    """
    name, shape, dtype = _input(model)
    orders = [one.order for one in done]
    preparation, frame = Preparation(orders[0] if orders else "bgr"), frame_of(shape)
    size = (shape[0] or 1) if shape else 1
    rows: list[Array] = []

    def filled() -> Feed:
        batch = np.stack(rows + [rows[-1]] * (size - len(rows)))
        rows.clear()
        return {name: batch}

    for path in paths:
        try:
            rows_of_file = _rows(path, name, shape, preparation, frame)
            found = [_held(row, dtype, name, path) for row in rows_of_file]
        except VerificationError as error:  # which would be a verdict on the model
            raise PrototxtError(error.message) from error
        for row in found:
            if rows and row.shape != rows[0].shape:
                yield filled()
            rows.append(row)
            if len(rows) == size:
                yield filled()
    if rows:
        yield filled()


def _held(row: Array, dtype: np.dtype[Any], name: str, path: str) -> Array:
    try:
        return held(row, dtype, name)
    except VerificationError as error:
        raise VerificationError(f"{path}: {error.message}") from error


def _rows(
    path: str, name: str, shape: Shape, preparation: Preparation, frame: Frame | None
) -> Iterable[Array]:
    if os.path.splitext(path)[1].lower() == ".npy":
        try:
            return list(fitted(read_array(path), name, shape))
        except VerificationError as error:
            raise VerificationError(f"{path}: {error.message}") from error
    if frame is None:
        raise VerificationError(f"{path}: the input {name!r} is {show(shape)}, which is no image")
    picture = open_picture(path, frame.channels, forms="image or .npy file")
    return [preparation.prepared(picture, frame)]


def _input(model: onnx.ModelProto) -> tuple[str, Shape, np.dtype[Any]]:
    """The one input of a model; raises VerificationError where there are others."""
    shapes = input_shapes(model)
    if len(shapes) != 1:
        raise VerificationError(
            f"images are for one input, but the model has {', '.join(shapes) or 'none'}"
        )
    ((name, shape),) = shapes.items()
    kind = model.graph.input[0].type.tensor_type.elem_type
    return name, shape, onnx.helper.tensor_dtype_to_np_dtype(kind)
