"""What a model and a net have in common: inputs, outputs, and the values to compare.

Of a layer that the model has as TensorRT's EfficientNMS_TRT the inputs are compared, which are
boxes and scores; nothing but TensorRT computes the operator.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import onnx
from onnx import numpy_helper

from prototxt_gen.errors import ParseError, VerificationError
from prototxt_gen.graph.comparison import USUAL, Comparison, Tolerance, compare
from prototxt_gen.graph.graph import Graph, Ref
from prototxt_gen.graph.sample import seeded
from prototxt_gen.layers.base import Role
from prototxt_gen.layers.parts.efficient_nms import detector_of
from prototxt_gen.layers.parts.shapes import Shape
from prototxt_gen.passes.preprocessing import Preprocessing, held
from prototxt_gen.to_onnx.efficient_nms import outputs_of_plugins, plugins_of
from prototxt_gen.to_onnx.names import name_of
from prototxt_gen.to_onnx.preprocess.kept import read_kept

Array = np.ndarray[Any, np.dtype[Any]]
T = TypeVar("T")
_DEVIATIONS = 3  #: of normal noise, that values of an input in int8 reach
_INT8_MOST = 127
Inputs = Mapping[str, tuple[str, str]]  #: of each plug-in, by the layer's name


class Pictures:
    """The preprocessing in a model: what the model takes is not what the net takes.

    Shapes and values are those of the net's inputs, but where a name says something else.
    ``reach`` has for inputs of a model in int8 the greatest value that they can have.
    """

    def __init__(
        self, done: Sequence[Preprocessing], reach: Mapping[str, float] | None = None
    ) -> None:
        self.done = {one.blob: one for one in done}  #: by input
        self._reach = reach or {}

    def plain(self) -> Pictures:
        """That of a net which does itself what is done: pictures are taken as they come."""
        return Pictures([Preprocessing(one.blob, one.type) for one in self.done.values()])

    def inner(self, shapes: Mapping[str, tuple[T, ...]]) -> dict[str, tuple[T | int, ...]]:
        """The shapes of the net's inputs, of those of the model's."""
        return {
            name: self.done[name].inner(shape) if name in self.done else shape
            for name, shape in shapes.items()
        }

    def drawn(
        self, graph: Graph, sizes: Mapping[str, Shape], seed: int
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Values for the model, and what the net makes of them; pictures are from 0 to 255.

        What is in int8 has the reach that it was calibrated for: its noise is as strong as that.
        """
        values = seeded(graph, sizes, seed)
        for name, most in self._reach.items():
            if name in values:
                values[name] = np.clip(values[name] * np.float32(most / _DEVIATIONS), -most, most)
        random = np.random.default_rng(seed)
        for name, one in self.done.items():
            if name in values:
                shape = one.outer([int(dim) for dim in values[name].shape], one.sample)
                values[name] = random.integers(0, 256, shape).astype(one.type)
        return values, self.applied(values)

    @property
    def tried(self) -> tuple[str, ...]:
        """The sizes of pictures that are drawn where a model takes any, in words."""
        sizes = [one.sample for one in self.done.values() if one.resize is not None]
        return tuple(f"a picture of {height}x{width}" for height, width in sizes)

    def applied(self, values: Mapping[str, Array]) -> dict[str, Array]:
        """What the net takes, of what the model takes."""
        return {
            name: one.apply(held(value, np.dtype(one.type), name))
            if (one := self.done.get(name))
            else value
            for name, value in values.items()
        }


def pictures_of(model: onnx.ModelProto) -> Pictures:
    """The preprocessing that a model says is in it; raises VerificationError for no such words."""
    try:
        return Pictures(read_kept(model), _reach(model))
    except ParseError as error:
        raise VerificationError(f"the model's metadata: {error.message}") from error


def _reach(model: onnx.ModelProto) -> dict[str, float]:
    """The greatest value that each input may have which the model quantizes at once."""
    known = {tensor.name: tensor for tensor in model.graph.initializer}
    inputs = {value.name for value in model.graph.input}
    return {
        node.input[0]: float(numpy_helper.to_array(known[node.input[1]]).max()) * _INT8_MOST
        for node in model.graph.node
        if node.op_type == "QuantizeLinear" and node.input[0] in inputs and node.input[1] in known
    }


def need_inputs(given: Mapping[str, Array], shapes: Mapping[str, Shape]) -> None:
    """Raise VerificationError for values that are no inputs of a model."""
    for name, shape in shapes.items():
        if name not in given:
            raise VerificationError(f"the model's input {name!r} is not given")
        size = given[name].shape
        fits = len(size) == len(shape) and all(
            a == b or b is None for a, b in zip(size, shape, strict=True)
        )
        if not fits:
            raise VerificationError(f"the input {name!r} is {size}; the model takes {shape}")


def need_outputs(graph: Graph, model: onnx.ModelProto, compared: Collection[str]) -> None:
    """Raise VerificationError where the net or the model has an output that the other lacks."""
    plugins, theirs = plugins_of(model), outputs_of_plugins(model)
    has = [value.name for value in model.graph.output if value.name not in theirs]
    made = {
        top: node for node in graph.nodes if node.layer.role is not Role.INPUT for top in node.tops
    }
    tops = [top.blob for top, node in made.items() if node.name in plugins]
    for ref in graph.outputs:
        if ref not in made or made[ref].name in plugins:
            continue
        if not {ref.blob, name_of(ref, {ref.blob})} & set(has):
            raise VerificationError(
                f"the model does not output {ref.blob!r}, which the net does; if it was converted "
                f"with --outputs, give them here too: --outputs {','.join([*has, *tops])}"
            )
    for name in has:
        if name not in compared:
            raise VerificationError(f"the model outputs {name!r}, which is not a blob of the net")


def names_of(graph: Graph, model: onnx.ModelProto) -> dict[Ref, str]:
    """The value of the model for each version of a blob, if there is one."""
    values = {name for node in model.graph.node for name in node.output}
    by_layer: dict[str, list[str]] = {}
    for made in model.graph.node:
        by_layer[made.name.rpartition("/")[0]] = list(made.output)
    last = graph.last
    found = {}
    inputs = {ref.blob for ref in graph.inputs}
    for node in graph.nodes:
        for index, top in enumerate(node.tops):
            outputs = by_layer.get(node.name, [])
            name = name_of(top, inputs)
            if top == last[top.blob] and name in values:
                found[top] = name
            elif len(node.tops) == 1 and outputs and top != last[top.blob]:
                found[top] = outputs[index]
    return found


def wanted(names: Iterable[str], plugins: Inputs) -> list[str]:
    """The values of a model to compute."""
    return sorted({*names, *(name for pair in plugins.values() for name in pair)})


def before_nms(
    graph: Graph,
    blobs: Mapping[Ref, Array],
    theirs: Mapping[Ref, Array],
    plugins: Inputs,
    found: Mapping[str, Array],
    tolerance: Tolerance = USUAL,
) -> Iterator[Comparison]:
    """The boxes and scores of each plug-in, of the model's values, which are compared too."""
    for node in graph.nodes:
        detector = detector_of(node.layer)
        if node.name not in plugins or detector is None:
            continue
        bottoms: Sequence[Array] = [theirs.get(ref, blobs[ref]) for ref in node.bottoms]
        ours = detector.before_nms(bottoms)
        for what, mine, name in zip(("boxes", "scores"), ours, plugins[node.name], strict=True):
            yield compare(f"{what} of {node.tops[0].blob}", node.name, mine, found[name], tolerance)


#: Of models in float16 and int8: what their own rounding makes of a deep net. In int8 single
#: values say little.
_HALF, _INT8 = Tolerance(1e-2, 1e-2), Tolerance(cosine=0.9)


def numbers_of(model: onnx.ModelProto) -> str:
    """``float32``, ``float16`` or ``int8``: what a model computes with, at least in part."""
    if is_int8(model):
        return "int8"
    half = halves_of(model) or any(t.data_type == _FLOAT16 for t in model.graph.initializer)
    return "float16" if half else "float32"


def tolerance_of(
    model: onnx.ModelProto, rtol: float | None = None, atol: float | None = None
) -> Tolerance:
    """What the numbers of a model allow, but for what is given."""
    usual = {"int8": _INT8, "float16": _HALF}.get(numbers_of(model), USUAL)
    if rtol is None and atol is None:
        return usual
    return Tolerance(usual.rtol if rtol is None else rtol, usual.share, atol)


def is_int8(model: onnx.ModelProto) -> bool:
    """Whether a part of a model is in int8, by the ranges of some inputs."""
    return any(node.op_type in ("QuantizeLinear", "QLinearConv") for node in model.graph.node)


_FLOAT16 = onnx.TensorProto.FLOAT16


def halves_of(model: onnx.ModelProto) -> set[str]:
    """The inputs that are float16."""
    return {v.name for v in model.graph.input if v.type.tensor_type.elem_type == _FLOAT16}


def rounded(model: onnx.ModelProto, values: Mapping[str, Array]) -> dict[str, Array]:
    """Inputs as a model takes them: those in float16 are rounded, for the net as well."""
    halves = halves_of(model)
    return {
        name: held(value, np.dtype(np.float16), name).astype(np.float32)
        if name in halves
        else value
        for name, value in values.items()
    }
