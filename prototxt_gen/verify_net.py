"""Whether a net computes what the ONNX model computes that it was made from."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx

from prototxt_gen.engines import load, onnx_values
from prototxt_gen.errors import PrototxtError, VerificationError
from prototxt_gen.from_onnx.cut import ending_at
from prototxt_gen.graph.check import checked
from prototxt_gen.graph.comparison import Tolerance, Verdict, compare_top
from prototxt_gen.graph.graph import Graph, Ref
from prototxt_gen.graph.infer import named
from prototxt_gen.graph.run import run
from prototxt_gen.graph.weights import bound
from prototxt_gen.layers.parts.shapes import Shape, show
from prototxt_gen.to_onnx.efficient_nms import before_plugins, outputs_of_plugins, plugins_of
from prototxt_gen.verify_model import (
    Pictures,
    before_nms,
    pictures_of,
    rounded,
    tolerance_of,
    wanted,
)

Array = np.ndarray[Any, np.dtype[Any]]


def verify_net(
    model: str | os.PathLike[str] | onnx.ModelProto,
    graph: Graph,
    inputs: Mapping[str, Array] | None = None,
    *,
    outputs: Sequence[str] = (),
    seed: int = 0,
    provider: str = "CPUExecutionProvider",
    rtol: float | None = None,
    atol: float | None = None,
) -> Verdict:
    """Compare a model with a net, on given inputs or on random ones from a seed.

    ``rtol`` and ``atol`` are those of ``verify.verify``.

    The model is computed with onnxruntime, the net, with the weights that it has stored, by
    numpy. All values are compared that are in both under one name; every output of the model,
    or those named as ``outputs`` where the net ends earlier, has to be among them. Raises
    VerificationError if the two cannot be compared, and GraphError for an output that the model
    does not compute.

    A net may be the one that a model was made from, with preprocessing before it, or one that
    has that as layers: of a model with preprocessing both are tried, inputs being the model's.
    """
    whole = model if isinstance(model, onnx.ModelProto) else load(os.fspath(model))
    whole = ending_at(whole, outputs)
    pictures = pictures_of(whole)
    tolerance = tolerance_of(whole, rtol, atol)
    verdicts, errors = [], []
    for way in (pictures, pictures.plain()) if pictures.done else (pictures,):
        try:
            verdict = _compared(whole, graph, way, inputs, seed, provider, tolerance)
        except (PrototxtError, ValueError) as error:
            errors.append(error)
            continue
        if verdict.agrees:
            return verdict
        verdicts.append(verdict)
    if not verdicts:
        raise errors[0]
    return verdicts[0]


def _compared(
    whole: onnx.ModelProto,
    graph: Graph,
    pictures: Pictures,
    inputs: Mapping[str, Array] | None,
    seed: int,
    provider: str,
    tolerance: Tolerance,
) -> Verdict:
    """The verdict, where the net is behind the preprocessing of some inputs."""
    shapes = checked(graph)
    sizes = named(shapes, graph.inputs)
    if inputs:
        fed, given = dict(inputs), pictures.applied(rounded(whole, inputs))
    else:
        fed, given = pictures.drawn(graph, sizes, seed)
        given = rounded(whole, given)
    _need_inputs(whole, given)
    _need_pictures(given, {name: shape for name, shape in sizes.items() if name in pictures.done})
    last = graph.last
    names = _common(whole, last)
    plugins = plugins_of(whole)
    found = onnx_values(before_plugins(whole), wanted(names, plugins), fed, provider)
    others = {last[name]: found[name] for name in names}
    blobs = run(graph, bound(graph, shapes), given, others=others)
    makers = graph.makers
    compared = [
        compare_top(makers[last[name]], name, found[name], blobs[last[name]], tolerance)
        for name in names
        if found[name].dtype != np.bool_
    ]
    compared += before_nms(graph, blobs, others, plugins, found, tolerance)
    return Verdict(tuple(compared), () if inputs else pictures.tried, tuple(plugins))


def _need_inputs(model: onnx.ModelProto, given: Mapping[str, Array]) -> None:
    constants = {tensor.name for tensor in model.graph.initializer}
    for value in model.graph.input:
        if value.name not in given and value.name not in constants:
            has = ", ".join(f"{name} {show(array.shape)}" for name, array in given.items())
            raise VerificationError(
                f"the model's input {value.name!r} is no input of the net; it has {has or 'none'}"
            )


def _need_pictures(given: Mapping[str, Array], sizes: Mapping[str, Shape]) -> None:
    """Raise VerificationError for pictures of another size than the net's, but for the batch."""
    for name, shape in sizes.items():
        if name in given and given[name].shape[1:] != shape[1:]:
            raise VerificationError(
                f"the net's input {name!r} is {show(shape)}; the model gives it "
                f"{show(given[name].shape)}"
            )


def _common(model: onnx.ModelProto, last: Mapping[str, Ref]) -> list[str]:
    """The values of the model, in its order, that the net has too."""
    theirs = outputs_of_plugins(model)
    values = [name for node in model.graph.node for name in node.output if name not in theirs]
    for output in model.graph.output:
        if output.name not in last and output.name not in theirs:
            raise VerificationError(
                f"the model outputs {output.name!r}; the net has no such blob; "
                "if it was made with --outputs, give the same here"
            )
    return [name for name in dict.fromkeys(values) if name in last]
