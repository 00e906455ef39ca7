"""How to feed a model with a picture, in Python, with OpenCV and with Pillow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import onnx

from prototxt_gen.passes.preprocessing import Preprocessing
from prototxt_gen.to_onnx.preprocess.lower import Baked

_CHANNELS = (1, 3)


def feeding(model: onnx.ModelProto, baked: Iterable[Baked], file: str) -> list[dict[str, Any]]:
    """For each input with preprocessing what is in the model of a file, and texts in Python."""
    inputs = {value.name: value for value in model.graph.input}
    return [_row(one.done, inputs, file) for one in baked]


def _row(
    one: Preprocessing, inputs: Mapping[str, onnx.ValueInfoProto], file: str
) -> dict[str, Any]:
    others = [name for name in inputs if name != one.blob]
    dims = [dim.dim_value for dim in inputs[one.blob].type.tensor_type.shape.dim]
    row: dict[str, Any] = {"input": one.blob, "does": list(one.words())}
    shape = dims if one.layout == "nchw" else [dims[0], dims[3], *dims[1:3]]
    if shape[1] in _CHANNELS:
        for name, lines in (("opencv", _opencv), ("pillow", _pillow)):
            row[name] = "\n".join([*lines(one, shape), *_rest(one, shape, file, others)]) + "\n"
    return row


def _opencv(one: Preprocessing, shape: list[int]) -> Iterator[str]:
    """Reading with OpenCV: blue, green, red."""
    grey = shape[1] == 1
    yield "import cv2"
    yield "import numpy as np"
    yield "import onnxruntime"
    yield ""
    yield f'x = cv2.imread("picture.png", cv2.IMREAD_{"GRAYSCALE" if grey else "COLOR"})'
    if one.resize is not None:
        yield _any_size(one.resize)
    elif 0 in shape[2:]:
        yield from _kept(shape, "x.shape[:2]")
        yield "x = cv2.resize(x, (width, height))"
    else:
        yield f"x = cv2.resize(x, ({shape[3]}, {shape[2]}))"
    if one.reverses:
        yield "x = cv2.cvtColor(x, cv2.COLOR_BGR2RGB)"


def _pillow(one: Preprocessing, shape: list[int]) -> Iterator[str]:
    """Reading with Pillow: red, green, blue."""
    mode = "L" if shape[1] == 1 else "RGB"
    yield "import numpy as np"
    yield "import onnxruntime"
    yield "from PIL import Image, ImageOps"
    yield ""
    yield f'x = ImageOps.exif_transpose(Image.open("picture.png")).convert("{mode}")'
    if one.resize is not None:
        yield "x = np.asarray(x)"
        yield _any_size(one.resize)
    elif 0 in shape[2:]:
        yield from _kept(shape, "x.height, x.width")
        yield "x = np.asarray(x.resize((width, height)))"
    else:
        yield f"x = np.asarray(x.resize(({shape[3]}, {shape[2]})))"
    if shape[1] == 3 and not one.reverses:
        yield "x = x[:, :, ::-1]  # blue, green, red"


def _any_size(size: tuple[int, int]) -> str:
    return f"# of any height and width: the model resizes it to {size[0]} x {size[1]}"


def _kept(shape: list[int], own: str) -> Iterator[str]:
    """The height and width of a picture, where the model leaves one free."""
    yield f"height, width = {own}  # free in the model; notes of the conversion say what fits"
    for name, size in zip(("height", "width"), shape[2:], strict=True):
        if size:
            yield f"{name} = {size}"


def _rest(one: Preprocessing, shape: list[int], file: str, others: Sequence[str]) -> Iterator[str]:
    """From an array of height, width and channels on."""
    if shape[1] == 1:
        yield "x = x[:, :, None]"
    if one.layout == "nchw":
        yield "x = x.transpose(2, 0, 1)"
    batch = f"np.repeat(x[None], {shape[0]}, axis=0)" if shape[0] > 1 else "x[None]"
    yield f"x = np.ascontiguousarray({batch}, np.{one.type})  # from 0 to 255"
    yield f"session = onnxruntime.InferenceSession({file!r})"
    if others:
        yield f"# The model has other inputs, to be given too: {', '.join(map(repr, others))}"
    yield f"outputs = session.run(None, {{{one.blob!r}: x}})"
