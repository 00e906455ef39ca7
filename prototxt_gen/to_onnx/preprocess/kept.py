"""The preprocessing in a model, as the model's metadata tells it.

Anyone may have written the metadata: whatever it says is checked.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, get_args

import numpy as np
import onnx
from onnx import numpy_helper

from prototxt_gen.errors import ParseError
from prototxt_gen.passes.preprocessing import Kind, Layout, Order, Preprocessing
from prototxt_gen.passes.resizing import MOST
from prototxt_gen.to_onnx.preprocess.lower import Baked

ENTRY = "resnet-proto.preprocessing"
_MOST = 1 << 16  #: the longest side of a picture, and the most numbers of a mean
_LARGEST = float(np.finfo(np.float32).max)
_CHOICES = {"type": Kind, "layout": Layout, "order": Order}


def keep(model: onnx.ModelProto, done: Iterable[Baked]) -> None:
    """Write what was done into a model's metadata, if anything was."""
    rows = [_row(one) for one in done]
    if rows:
        text = json.dumps(rows, sort_keys=True, separators=(",", ":"))
        model.metadata_props.add(key=ENTRY, value=text)


def _row(baked: Baked) -> dict[str, Any]:
    one = baked.done
    row: dict[str, Any] = {"blob": one.blob, "type": one.type, "layout": one.layout}
    row |= {"order": one.order, "mean": list(one.mean), "scale": one.scale, "fold": one.fold}
    if one.crop is not None and one.size is not None:
        row |= {"size": list(one.size), "crop": list(one.crop)}
    if one.resize is not None:
        row["resize"] = list(one.resize)
        row |= {"crop": list(one.crop)} if one.crop is not None else {}
    if one.image is not None:
        row |= {"image": baked.image, "image_reversed": baked.order}
    return row


def read_kept(model: onnx.ModelProto) -> tuple[Preprocessing, ...]:
    """What is in a model of preprocessing, as far as it says so.

    Raises ParseError for what ``keep`` does not write.
    """
    entry = next((one.value for one in model.metadata_props if one.key == ENTRY), None)
    if entry is None:
        return ()
    try:
        rows = json.loads(entry)
    except (ValueError, RecursionError) as error:
        raise ParseError(f"{ENTRY} is no JSON: {error}") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ParseError(f"{ENTRY} is no list of objects")
    try:
        found = tuple(_read(row, model) for row in rows)
    except (KeyError, TypeError, ValueError) as error:
        raise ParseError(f"{ENTRY}: {error}") from error
    if len({one.blob for one in found}) < len(found):
        raise ParseError(f"{ENTRY} has an input twice")
    return found


def _read(row: dict[str, Any], model: onnx.ModelProto) -> Preprocessing:
    """One of them; raises ValueError, KeyError or TypeError."""
    for name, choices in _CHOICES.items():
        if row[name] not in get_args(choices):
            raise ValueError(f"{name} is {row[name]!r:.40}")
    if not isinstance(row["blob"], str) or not isinstance(row["fold"], bool):
        raise ValueError("it names no input, or does not tell about folding")
    image = None
    if "image" in row:
        image = _image(row["image"], model)
        image = image[::-1].copy() if row["image_reversed"] is True else image
    resize = _pair(row["resize"], MOST) if "resize" in row else None
    size = _pair(row["size"]) if "size" in row else None
    if resize is not None and size is not None:
        raise ValueError("it resizes pictures of one size")
    whole = resize or size
    crop = _pair(row["crop"]) if size is not None or "crop" in row else None
    if crop is not None and (whole is None or whole[0] < crop[0] or whole[1] < crop[1]):
        raise ValueError(f"a crop of {crop} from {whole}")
    return Preprocessing(
        row["blob"],
        row["type"],
        row["layout"],
        row["order"],
        tuple(map(_number, row["mean"][:_MOST])),
        image,
        _number(row["scale"]),
        size,
        crop,
        row["fold"],
        resize,
    )


def _image(name: str, model: onnx.ModelProto) -> np.ndarray[Any, np.dtype[Any]]:
    """A mean image, which is an initializer of the model."""
    tensor = next((one for one in model.graph.initializer if one.name == name), None)
    if tensor is None or tensor.data_type != onnx.TensorProto.FLOAT or len(tensor.dims) != 4:
        raise ValueError(f"the mean image {name!r:.40} is gone")
    value = numpy_helper.to_array(tensor)
    if value.shape[0] != 1:
        raise ValueError(f"the mean image is {value.shape}")
    return value.reshape(value.shape[1:])


def _pair(value: Sequence[Any], most: int = _MOST) -> tuple[int, int]:
    height, width = value
    if not all(type(one) is int and 0 < one <= most for one in (height, width)):
        raise ValueError(f"a size is {value!r:.40}")
    return height, width


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not abs(value) <= _LARGEST:
        raise ValueError(f"a number is {value!r:.40}")
    return float(value)
