"""Whether two computations of one net agree, blob by blob, and where they first do not.

The reference is computed with numpy, layer by layer; the other side is an ONNX model in
onnxruntime, or the net in OpenCV or Caffe. A blob of the model is found by its name, and one
that is overwritten in place by the name of the layer that makes it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any

import numpy as np
import onnx

from prototxt_gen.diagnostics import Sink
from prototxt_gen.engines import load, onnx_values
from prototxt_gen.errors import GraphError, UnsupportedError, VerificationError, WeightsError
from prototxt_gen.graph.check import check, checked
from prototxt_gen.graph.comparison import USUAL, Tolerance, compare_top
from prototxt_gen.graph.comparison import Comparison as Comparison
from prototxt_gen.graph.comparison import Verdict as Verdict
from prototxt_gen.graph.comparison import compare as compare
from prototxt_gen.graph.fillers import Init
from prototxt_gen.graph.graph import Graph, Node, Ref
from prototxt_gen.graph.infer import Shapes, named
from prototxt_gen.graph.run import run
from prototxt_gen.graph.sample import seeded as seeded
from prototxt_gen.graph.weights import Weights, bound
from prototxt_gen.layers.base import Role
from prototxt_gen.layers.parts.shapes import Shape, show
from prototxt_gen.passes.batch import resized
from prototxt_gen.passes.completed import completed
from prototxt_gen.passes.deploy import Losses, deploy
from prototxt_gen.passes.fold import fold
from prototxt_gen.to_onnx.efficient_nms import before_plugins, plugins_of
from prototxt_gen.to_onnx.export import Exported, for_inputs, pruned
from prototxt_gen.to_onnx.sizes import at_several_sizes, input_shapes, places, symbols
from prototxt_gen.verify_model import (
    Inputs,
    Pictures,
    before_nms,
    names_of,
    need_inputs,
    need_outputs,
    pictures_of,
    rounded,
    tolerance_of,
    wanted,
)

Array = np.ndarray[Any, np.dtype[Any]]
#: Computes the outputs of a model by name from its inputs.
Compute = Callable[[onnx.ModelProto, Mapping[str, Array]], Mapping[str, Array]]


def verify(
    graph: Graph,
    model: str | os.PathLike[str] | onnx.ModelProto,
    inputs: Mapping[str, Array] | None = None,
    *,
    outputs: Sequence[str] = (),
    losses: Losses = "auto",
    seed: int = 0,
    provider: str = "CPUExecutionProvider",
    compute: Compute | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    weights_init: Init | None = None,
) -> Verdict:
    """Compare a net with an ONNX model of it, on given inputs or on random ones from a seed.

    ``outputs`` and ``losses`` are those of the conversion, and so are ``weights_init`` and the
    seed, by which the weights are made that no file has. With ``compute``, another runtime
    computes the model, as it is: its outputs alone are compared. A value may differ by ``rtol``
    of itself and by ``atol``; None is what the numbers of the model, float32, float16 or int8,
    allow. Raises VerificationError if the two cannot be compared, since the model has other
    inputs or outputs, or no blob of the net; and UnsupportedError if a layer has no reference.
    """
    whole = model if isinstance(model, onnx.ModelProto) else load(os.fspath(model))
    before, plugins = before_plugins(whole), plugins_of(whole)
    pictures = pictures_of(whole)
    shapes = input_shapes(whole)
    tolerance = tolerance_of(whole, rtol, atol)

    def at(sizes: dict[str, Shape]) -> Verdict:
        net = _for_sizes(graph, sizes, losses, free=bool(places(symbols(whole))))
        source = pruned(net, outputs)
        known = checked(source, for_inputs(source, sizes))
        own = _weights(source, known, weights_init, seed)
        net, weights = _folded_like(whole, source, own)
        if inputs:
            fed, given = dict(inputs), pictures.applied(rounded(whole, inputs))
        else:
            fed, given = pictures.drawn(net, sizes, seed)
            given = rounded(whole, given)
        names = names_of(net, before)
        if not names:
            raise VerificationError("the model has no value with the name of a blob of the net")
        need_outputs(net, whole, set(names.values()))
        if compute is not None:
            ends = {value.name for value in before.graph.output}
            names = {ref: name for ref, name in names.items() if name in ends}
            found = compute(before, fed)
        else:
            found = onnx_values(before, wanted(names.values(), plugins), fed, provider)
        return _verdict((source, own), (net, weights), names, found, given, plugins, tolerance)

    if inputs:
        need_inputs(inputs, shapes)
        return at(pictures.inner({name: value.shape for name, value in inputs.items()}))
    sizes = _sizes(graph, pictures.inner(shapes))
    verdict = at_several_sizes(
        whole, sizes, at, lambda other: _takes(graph, other, losses), pictures.inner
    )
    return replace(verdict, sizes=verdict.sizes + pictures.tried)


def _weights(net: Graph, shapes: Shapes, init: Init | None, seed: int) -> Weights:
    """The weights of a net as a conversion has them; raises WeightsError."""
    if init is not None:
        return bound(net, shapes, completed(net, shapes, init, seed)[0])
    if not net.stored and any(shapes.weights.values()):
        words = "the net has weights, but no caffemodel is given; if convert made them, give its"
        raise WeightsError(f"{words} --weights-init and --seed")
    return bound(net, shapes)


def verify_export(made: Exported, seed: int = 0) -> Verdict:
    """Compare a model that was just made with the net that it was made from."""
    shapes = input_shapes(made.skeleton)
    pictures = Pictures([one.done for one in made.baked])
    declared = _sizes(made.graph, pictures.inner(shapes))
    before, plugins = before_plugins(made.model), plugins_of(made.skeleton)
    names = names_of(made.graph, before)

    def at(sizes: dict[str, Shape]) -> Verdict:
        fed, given = pictures.drawn(made.graph, sizes, seed)
        asked = wanted(names.values(), plugins)
        found = onnx_values(before, asked, fed, "CPUExecutionProvider")
        net = made.graph, made.weights
        if sizes == declared:
            return _verdict(made.source, net, names, found, given, plugins)
        # The net before folding may have a fixed batch; both were compared at the declared size.
        own = checked(made.graph, declared)
        other = resized(made.graph, own, sizes)[0], made.weights
        return _verdict(other, other, names, found, given, plugins)

    verdict = at_several_sizes(made.skeleton, declared, at, inner=pictures.inner)
    return replace(verdict, sizes=verdict.sizes + pictures.tried)


def _takes(graph: Graph, sizes: Mapping[str, Shape], losses: Losses) -> bool:
    """Whether a net can have inputs of these sizes: a layer may fix the batch."""
    try:
        _for_sizes(graph, sizes, losses, free=True)
    except VerificationError:
        return False
    return True


def _verdict(
    source: tuple[Graph, Weights],
    net: tuple[Graph, Weights],
    names: Mapping[Ref, str],
    found: Mapping[str, Array],
    given: Mapping[str, Array],
    plugins: Inputs,
    tolerance: Tolerance = USUAL,
) -> Verdict:
    """Each blob compared with the net before folding, if the blob exists there.

    Folding does not change the last version of a blob. What a layer selects is from the
    model's values, which are compared too.
    """
    theirs = {ref: found[name] for ref, name in names.items()}
    blobs = run(*net, given, others=theirs)
    if len(source[0].nodes) != len(net[0].nodes):
        last = net[0].last
        others = _carried(theirs, net[0], source[0])
        # In the order of the layers: of a blob's versions the last one stays.
        for ref, value in run(*source, given, others=others).items():
            if ref.blob in last:
                blobs[last[ref.blob]] = value
    compared = [
        compare_top(node, ref.blob, blobs[ref], theirs[ref], tolerance)
        for ref, node in _in_order(net[0])
        if ref in theirs
    ]
    compared += before_nms(net[0], blobs, theirs, plugins, found, tolerance)
    return Verdict(tuple(compared), untried=tuple(plugins))


def _carried(values: Mapping[Ref, Array], of: Graph, to: Graph) -> dict[Ref, Array]:
    """The values of the last version of each blob, for another net with the same last ones."""
    ours, theirs = of.last, to.last
    return {
        theirs[ref.blob]: value
        for ref, value in values.items()
        if ref == ours.get(ref.blob) and ref.blob in theirs
    }


def _sizes(graph: Graph, shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """The shapes of the model's inputs, with the net's sizes for free dimensions."""
    own = {
        ref.blob: shape
        for ref, shape in check(graph, Sink(graph.source)).blobs.items()
        if ref.version == 0
    }
    return {
        name: tuple(
            dim or mine or 1
            for dim, mine in zip_longest(shape, (own.get(name) or ())[: len(shape)], fillvalue=None)
        )
        for name, shape in shapes.items()
    }


def _for_sizes(graph: Graph, sizes: Mapping[str, Shape], losses: Losses, *, free: bool) -> Graph:
    """The net for inference with inputs of these sizes, as a conversion makes it.

    If the model's batch is ``free``, or the net does not take the sizes as it is, what has the
    batch written follows it. Raises GraphError and VerificationError.
    """
    sources = graph.sources
    given = {name: shape for name, shape in sizes.items() if name in sources}
    sink, alone = Sink(graph.source), Sink(graph.source)
    shapes = check(graph, sink, given)
    if free or sink.errors:
        own = check(graph, alone)
        made = None if alone.errors else _followed(deploy(graph, own, losses)[0], given)
        if made is not None:
            return made
    if not sink.errors:
        return deploy(graph, shapes, losses)[0]
    alone.raise_errors(GraphError)
    shown = ", ".join(f"{name} {show(shape)}" for name, shape in given.items())
    raise VerificationError(
        f"the net cannot take the inputs of the model, {shown}: {sink.errors[0].message}"
    )


def _followed(net: Graph, given: Mapping[str, Shape]) -> Graph | None:
    """The net whose layers and constants follow the batch of its inputs; None if it cannot."""
    shapes = check(net, Sink())
    inputs = named(shapes, net.inputs)
    wanted = {**inputs, **for_inputs(net, given)}
    if any(name not in inputs or len(wanted[name]) != len(inputs[name]) for name in wanted):
        return None
    made, _ = resized(net, shapes, wanted)
    sink = Sink()
    check(made, sink)
    return None if sink.errors else made


def _folded_like(model: onnx.ModelProto, net: Graph, weights: Weights) -> tuple[Graph, Weights]:
    """The net that corresponds to the model: folded if the model is."""
    kept = {value.name for value in model.graph.output}
    folded, bound, changes = fold(net, weights, kept)
    layers = {node.name.rpartition("/")[0] for node in model.graph.node}
    if changes and not any(change.layer in layers for change in changes):
        return folded, bound
    return net, weights


def _in_order(graph: Graph) -> list[tuple[Ref, Node]]:
    return [
        (top, node)
        for node in graph.nodes
        if node.layer.role is not Role.INPUT
        for top in node.tops
    ]


def verify_graphs(source: Graph, made: Graph, weights: Weights, seed: int = 0) -> Verdict:
    """Compare the outputs of a net for inference with those of an equivalent net.

    Both are computed with numpy. Raises UnsupportedError if a layer has no reference.
    """
    shapes = checked(source)
    own = bound(source, shapes)
    sizes = named(shapes, source.inputs)
    given = seeded(source, sizes, seed)
    a = run(source, own, given, keep=False)
    b = run(made, weights, given, keep=False, others=_carried(a, source, made))
    last = {ref.blob: ref for ref in made.outputs}
    makers = source.makers
    lost = [ref.blob for ref in source.outputs if ref.blob not in last]
    if lost:
        raise UnsupportedError(f"the outputs {', '.join(lost)} are missing from the new net")
    if not source.outputs:
        raise VerificationError("the net has no output at inference, so nothing can be compared")
    return Verdict(
        tuple(
            compare_top(makers[ref], ref.blob, a[ref], b[last[ref.blob]]) for ref in source.outputs
        )
    )
