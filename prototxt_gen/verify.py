"""Whether two computations of one net agree, blob by blob, and where they first do not.

The reference is numpy's, layer by layer; the other side is an ONNX model in onnxruntime, or
OpenCV or Caffe itself on the net. A blob of the model is found by its name, and one that is
overwritten in place by the name of the layer that makes it.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import onnx

from prototxt_gen.diagnostics import Sink
from prototxt_gen.errors import GraphError, UnsupportedError, VerificationError, WeightsError
from prototxt_gen.graph.check import check
from prototxt_gen.graph.comparison import Comparison as Comparison
from prototxt_gen.graph.comparison import Verdict as Verdict
from prototxt_gen.graph.comparison import compare as compare
from prototxt_gen.graph.graph import Graph, Ref
from prototxt_gen.graph.run import run
from prototxt_gen.graph.sample import seeded as seeded
from prototxt_gen.graph.weights import Weights, bind
from prototxt_gen.layers.shapes import Shape
from prototxt_gen.passes.deploy import Losses, deploy
from prototxt_gen.passes.fold import fold
from prototxt_gen.to_onnx.export import Exported, pruned

Array = np.ndarray[Any, np.dtype[Any]]


def verify(
    graph: Graph,
    model: str | os.PathLike[str] | onnx.ModelProto,
    inputs: Mapping[str, Array] | None = None,
    *,
    outputs: Sequence[str] = (),
    losses: Losses = "auto",
    seed: int = 0,
    provider: str = "CPUExecutionProvider",
) -> Verdict:
    """Compare a net with an ONNX model of it, on given or on seeded inputs.

    ``outputs`` and ``losses`` are those of the conversion. Raises VerificationError where
    the two cannot be compared: the model has other inputs or outputs, or no blob of the net;
    and UnsupportedError where a layer has no reference.
    """
    whole = onnx.load(os.fspath(model)) if not isinstance(model, onnx.ModelProto) else model
    shapes = {value.name: _dims(value) for value in whole.graph.input}
    net, weights = _reference(graph, whole, shapes, outputs, losses)
    given = dict(inputs) if inputs else seeded(net, shapes, seed)
    _need_inputs(given, shapes)
    blobs = run(net, weights, given)
    names = _names(net, whole)
    if not names:
        raise VerificationError("the model has no blob of the net, by its names")
    _need_outputs(net, whole, set(names.values()))
    found = _onnx_values(whole, sorted(set(names.values())), given, provider)
    return Verdict(
        tuple(
            compare(ref.blob, layer, blobs[ref], found[names[ref]])
            for ref, layer in _in_order(net)
            if ref in names
        )
    )


def verify_export(made: Exported, seed: int = 0) -> Verdict:
    """Compare a model that was just made with the net that it is of."""
    shapes = {value.name: _dims(value) for value in made.skeleton.graph.input}
    given = seeded(made.graph, shapes, seed)
    blobs = run(made.graph, made.weights, given)
    names = _names(made.graph, made.skeleton)
    found = _onnx_values(made.model, sorted(set(names.values())), given, "CPUExecutionProvider")
    return Verdict(
        tuple(
            compare(ref.blob, layer, blobs[ref], found[names[ref]])
            for ref, layer in _in_order(made.graph)
            if ref in names
        )
    )


def _reference(
    graph: Graph,
    model: onnx.ModelProto,
    shapes: Mapping[str, Shape],
    outputs: Sequence[str],
    losses: Losses,
) -> tuple[Graph, Weights]:
    """The net as the model has it: for inference, and folded where the model is."""
    sink = Sink(graph.source)
    known = {top.blob for node in graph.nodes if not node.bottoms for top in node.tops}
    given = {
        name: tuple(dim or 1 for dim in shape) for name, shape in shapes.items() if name in known
    }
    net, _ = deploy(graph, check(graph, sink, given), losses)
    net = pruned(net, outputs)
    kept = {ref.blob for ref in net.inputs}
    sink = Sink(graph.source)
    inferred = check(net, sink, {name: shape for name, shape in given.items() if name in kept})
    sink.raise_errors(GraphError)
    weights = bind(net, inferred, net.stored, sink)
    sink.raise_errors(WeightsError)
    folded, bound, changes = fold(net, weights)
    layers = {node.name.rpartition("/")[0] for node in model.graph.node}
    if changes and not any(change.layer in layers for change in changes):
        return folded, bound
    return net, weights


def _need_inputs(given: Mapping[str, Array], shapes: Mapping[str, Shape]) -> None:
    for name, shape in shapes.items():
        if name not in given:
            raise VerificationError(f"the model's input {name!r} is not given")
        size = given[name].shape
        fits = len(size) == len(shape) and all(
            a == b or b is None for a, b in zip(size, shape, strict=True)
        )
        if not fits:
            raise VerificationError(f"the input {name!r} is {size}; the model takes {shape}")


def _need_outputs(graph: Graph, model: onnx.ModelProto, compared: Collection[str]) -> None:
    has = [value.name for value in model.graph.output]
    made = {top for node in graph.nodes if node.bottoms for top in node.tops}
    for ref in graph.outputs:
        if ref in made and ref.blob not in has:
            raise VerificationError(
                f"the model does not give {ref.blob!r}, which the net does; for a part of a net "
                f"say which blobs it gives: --outputs {','.join(has)}"
            )
    for name in has:
        if name not in compared:
            raise VerificationError(f"the model gives {name!r}, which is no blob of the net")


def _names(graph: Graph, model: onnx.ModelProto) -> dict[Ref, str]:
    """The value of the model for each version of a blob, as far as there is one."""
    values = {name for node in model.graph.node for name in node.output}
    by_layer: dict[str, list[str]] = {}
    for made in model.graph.node:
        by_layer[made.name.rpartition("/")[0]] = list(made.output)
    last = {top.blob: top for node in graph.nodes for top in node.tops}
    found = {}
    for node in graph.nodes:
        for index, top in enumerate(node.tops):
            outputs = by_layer.get(node.name, [])
            if top == last[top.blob] and top.blob in values:
                found[top] = top.blob
            elif len(node.tops) == 1 and outputs and top != last[top.blob]:
                found[top] = outputs[index]
    return found


def _in_order(graph: Graph) -> list[tuple[Ref, str]]:
    return [(top, node.name) for node in graph.nodes for top in node.tops if node.bottoms]


def _onnx_values(
    model: onnx.ModelProto, names: Sequence[str], inputs: Mapping[str, Array], provider: str
) -> dict[str, Array]:
    """Any values of a model, computed without optimisations that would change their names."""
    try:
        import onnxruntime
    except ImportError:
        raise VerificationError("onnxruntime is not installed: pip install onnxruntime") from None
    if provider not in onnxruntime.get_available_providers():
        available = ", ".join(onnxruntime.get_available_providers())
        raise VerificationError(f"onnxruntime has no {provider} here; it has {available}")
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    present = {value.name for value in whole.graph.output}
    whole.graph.output.extend(
        onnx.ValueInfoProto(name=name) for name in names if name not in present
    )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(
            whole.SerializeToString(), options, providers=[provider]
        )
        given = {v.name: inputs[v.name].astype(np.float32) for v in session.get_inputs()}
        return dict(zip(names, session.run(list(names), given), strict=True))
    except Exception as error:
        raise VerificationError(f"onnxruntime cannot run the model: {error}") from error


def _dims(value: onnx.ValueInfoProto) -> Shape:
    return tuple(
        dim.dim_value if dim.HasField("dim_value") else None
        for dim in value.type.tensor_type.shape.dim
    )


def against_opencv(
    net: str, weights: str, graph: Graph, inputs: Mapping[str, Array]
) -> dict[str, Array]:
    """What OpenCV's dnn makes of a net; the outputs by their names."""
    try:
        import cv2
    except ImportError:
        raise VerificationError(
            "OpenCV is not installed: pip install 'opencv-python-headless<5'"
        ) from None
    try:
        loaded = cv2.dnn.readNetFromCaffe(net, weights)
        for name, value in inputs.items():
            loaded.setInput(value, name)
        return {ref.blob: np.asarray(loaded.forward(ref.blob)) for ref in graph.outputs}
    except cv2.error as error:
        raise VerificationError(f"OpenCV cannot run the net: {error}") from error


def against_caffe(
    net: str, weights: str, graph: Graph, inputs: Mapping[str, Array]
) -> dict[str, Array]:
    """What pycaffe makes of a net; the outputs by their names."""
    try:
        import caffe
    except ImportError:
        raise VerificationError("pycaffe is not installed") from None
    loaded = caffe.Net(net, weights, caffe.TEST)
    for name, value in inputs.items():
        loaded.blobs[name].reshape(*value.shape)
        loaded.blobs[name].data[...] = value
    loaded.forward()
    return {ref.blob: np.array(loaded.blobs[ref.blob].data) for ref in graph.outputs}


def verify_graphs(source: Graph, made: Graph, weights: Weights, seed: int = 0) -> Verdict:
    """Compare the outputs of a net for inference with another that should be the same.

    Both are computed by numpy. Raises UnsupportedError where a layer has no reference.
    """
    sink = Sink()
    shapes = check(source, sink)
    sink.raise_errors(GraphError)
    own = bind(source, shapes, source.stored, sink)
    sink.raise_errors(WeightsError)
    sizes = {ref.blob: shapes.blobs[ref] for ref in source.inputs}
    given = seeded(source, sizes, seed)
    a, b = run(source, own, given, keep=False), run(made, weights, given, keep=False)
    last = {ref.blob: ref for ref in made.outputs}
    makers = {top: node.name for node in source.nodes for top in node.tops}
    lost = [ref.blob for ref in source.outputs if ref.blob not in last]
    if lost:
        raise UnsupportedError(f"the outputs {', '.join(lost)} are lost")
    return Verdict(
        tuple(compare(ref.blob, makers[ref], a[ref], b[last[ref.blob]]) for ref in source.outputs)
    )
