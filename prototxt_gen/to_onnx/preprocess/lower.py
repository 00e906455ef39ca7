"""Preprocessing as ONNX, before the net or in the weights of its first convolution.

A convolution does more or less, as it can exactly: other channels and a factor by its weights,
a mean by its bias, unless it pads. What it does not do are operators at the input.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.graph.graph import Graph, Node, Ref
from prototxt_gen.graph.infer import Shapes
from prototxt_gen.graph.weights import Weights
from prototxt_gen.layers.base import Before, Role
from prototxt_gen.layers.parts.onnx_resize import as_large_as, sizes_of
from prototxt_gen.layers.parts.shapes import Shape, show
from prototxt_gen.passes.deploy import Change
from prototxt_gen.passes.fold import shares
from prototxt_gen.passes.preprocessing import Preprocessing
from prototxt_gen.passes.rebuild import append, empty_like
from prototxt_gen.to_onnx.builder import Builder

Array = np.ndarray[Any, np.dtype[Any]]
_REVERSED = (2, 1, 0)
_TYPES = {"float32": TensorProto.FLOAT, "uint8": TensorProto.UINT8}


@dataclass(frozen=True, slots=True)
class Baked:
    """A preprocessing in a model: the layer that does some of it, and what that is.

    ``image`` is the initializer with a mean image, whose channels are those of the picture
    where the layer has put them into the net's order.
    """

    done: Preprocessing
    layer: str = ""
    order: bool = False
    mean: bool = False
    scale: bool = False
    image: str = ""

    def change(self, shape: Sequence[int | str | None]) -> Change:
        """What the model takes, and what becomes of it."""
        one = self.done
        order = " RGB" if one.reverses else ""
        taken = "x".join(map(str, one.outer(shape, ("H", "W"))))
        sizes = " with any H and W" if one.resize is not None else ""
        what = f"takes {one.type} {taken}{order}{sizes}; in the model: "
        what += ", then ".join(one.words())
        parts = [name for name in ("order", "mean", "scale") if getattr(self, name)]
        if parts:
            what += f"; {', '.join(parts)} by the weights of {self.layer!r}"
        return Change(one.blob, "input", what)


def need_fit(done: Sequence[Preprocessing], graph: Graph, shapes: Shapes) -> None:
    """Raise UnsupportedError for a preprocessing that is none of the net's inputs."""
    inputs = {ref.blob for ref in graph.inputs}
    for one in done:
        shape = shapes.blobs.get(Ref(one.blob, 0)) if one.blob in inputs else None
        whole = one.crop or one.resize
        if shape is None or len(shape) != 4 or whole not in (None, shape[2:]):
            what = "is no input" if shape is None else f"is {show(shape)}"
            raise UnsupportedError(f"the input {one.blob!r} to preprocess {what}")
        fits = one.image is None or one.image.shape == shape[1:]
        if not fits or len(one.mean) not in (0, 1, shape[1]) or (one.reverses and shape[1] != 3):
            raise UnsupportedError(f"the preprocessing of {one.blob!r} does not fit {show(shape)}")


def absorbed(
    done: Sequence[Preprocessing],
    graph: Graph,
    weights: Weights,
    shapes: Shapes,
    outputs: Collection[Ref],
) -> tuple[Graph, Weights, dict[str, Baked]]:
    """The net whose convolutions do what they can of it, by their weights; what is left to do."""
    nodes, bound = list(graph.nodes), Weights(dict(weights.of), weights.extra)
    baked = {one.blob: Baked(one) for one in done}
    for one in done:
        ref = Ref(one.blob, 0)
        at = [index for index, node in enumerate(nodes) if ref in node.bottoms]
        if not one.fold or len(at) != 1 or ref in outputs or one.does_nothing:
            continue
        node, blobs = nodes[at[0]], weights.get(at[0])
        shape = shapes.blobs[ref]
        if blobs and len(node.bottoms) == len(node.tops) == 1 and not shares(node):
            baked[one.blob], layer, bound.of[at[0]] = _absorbed(one, node, shape, blobs)
            nodes[at[0]] = replace(node, layer=layer)
    made = empty_like(graph)
    for node in nodes:
        append(made, node)
    return made, bound, baked


def _absorbed(
    one: Preprocessing, node: Node, shape: Shape, blobs: tuple[Array, ...]
) -> tuple[Baked, Any, tuple[Array, ...]]:
    """The layer that does most."""
    channels = shape[1] or 0
    means = None if one.image is not None else one.subtracted(channels)
    for mean, order in product((True, False), repeat=2):
        if (mean and means is None) or (order and not one.reverses):
            continue
        # A mean that is left to do comes before the factor, and a pad after both.
        before = Before(
            float(np.float32(one.scale)),
            means.reshape(-1).astype(np.float64) if mean and means is not None else None,
            _REVERSED if order else (),
        )
        if not mean and not order and one.scale == 1:
            continue
        with np.errstate(all="ignore"):
            found = node.layer.absorb_before(shape, blobs, before)
        if found is not None:
            return Baked(one, node.name, order, mean, one.scale != 1), *found
    return Baked(one), node.layer, blobs


def lower_inputs(graph: Graph, shapes: Shapes, builder: Builder, baked: dict[str, Baked]) -> None:
    """Write what no layer does of each input; the builder then has the values of the blobs."""
    for node in graph.nodes:
        for top in node.tops if node.layer.role is Role.INPUT else ():
            builder.values[top] = top.blob
            if top.blob in baked:
                channels = shapes.blobs[top][1] or 0
                builder.begin(node.name)
                value, baked[top.blob] = lower(
                    builder, baked[top.blob], channels, builder.dims.of(top)
                )
                builder.values[top] = value


def lower(
    builder: Builder, baked: Baked, channels: int, dims: Sequence[int | str]
) -> tuple[str, Baked]:
    """Write what no layer does; the value that is the blob, and where a mean image is.

    ``dims`` are those of the blob as the model declares them.
    """
    one = baked.done
    x = one.blob
    if one.type != "float32":
        x = builder.cast(x, "float")
    if one.layout == "nhwc":
        x = builder.transpose(x, [0, 3, 1, 2])
    if one.resize is not None:
        x = _resized(builder, x, dims[:2], one.resize)
    if one.crop is not None:
        top, left = one.offsets
        ends = [top + one.crop[0], left + one.crop[1]]
        x = builder.slice(x, [top, left], ends, [2, 3])
    if one.reverses and not baked.order:
        x = builder.op("Gather", [x, builder.ints(*_REVERSED)], axis=1)
    mean = None if baked.mean else one.subtracted(channels)
    if mean is not None:
        mean = np.ascontiguousarray(mean[:, ::-1]) if baked.order else mean
        name = builder.const(mean, "mean")
        baked = replace(baked, image=name if one.image is not None else "")
        x = builder.op("Sub", [x, name])
    if one.scale != 1 and not baked.scale:
        x = builder.op("Mul", [x, builder.const(np.array(one.scale, np.float32), "scale")])
    return x, baked


def _resized(builder: Builder, x: str, front: Sequence[int | str], size: tuple[int, int]) -> str:
    """Another height and width, as ``passes.resizing`` has it; ``front`` are batch and channels."""
    known = [dim for dim in front if isinstance(dim, int)]
    fixed = len(known) == len(front)
    sizes = builder.ints(*known, *size) if fixed else sizes_of(builder, x, size)
    mode = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    return as_large_as(builder, x, sizes, **mode)


def value_info(
    name: str, dims: Sequence[int | str], done: Mapping[str, Baked]
) -> onnx.ValueInfoProto:
    """An input of the model, whose blob has these dimensions."""
    if name not in done:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)
    one = done[name].done
    return helper.make_tensor_value_info(name, _TYPES[one.type], one.outer(dims, one.free))
