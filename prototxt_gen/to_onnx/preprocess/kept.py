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
    size = crop = None
    if "size" in row:
        size, crop = _pair(row["size"]), _pair(row["crop"])
        if size[0] < crop[0] or size[1] < crop[1]:
            raise ValueError(f"a crop of {crop} from {size}")
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


def _pair(value: Sequence[Any]) -> tuple[int, int]:
    height, width = value
    if not all(type(one) is int and 0 < one <= _MOST for one in (height, width)):
        raise ValueError(f"a size is {value!r:.40}")
    return height, width


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not abs(value) <= _LARGEST:
        raise ValueError(f"a number is {value!r:.40}")
    return float(value)
