"""All steps from a net with weights to a model that is known to load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import onnx

from prototxt_gen.errors import UnsupportedError, WeightsError
from prototxt_gen.graph.check import checked, need_inputs
from prototxt_gen.graph.fillers import Init
from prototxt_gen.graph.graph import Graph, Ref
from prototxt_gen.graph.infer import named
from prototxt_gen.graph.weights import Weights, bound
from prototxt_gen.layers.base import Role
from prototxt_gen.layers.parts.shapes import Shape
from prototxt_gen.passes.completed import completed
from prototxt_gen.passes.deploy import Change, Losses, deploy
from prototxt_gen.passes.fold import fold
from prototxt_gen.to_onnx.dynamic import own_shapes
from prototxt_gen.to_onnx.export import (
    OLDEST_OPSET,
    Exported,
    Options,
    export,
    for_inputs,
    need_outputs,
    pruned,
)
from prototxt_gen.to_onnx.heads import Detection, at_heads, before_heads, has_heads
from prototxt_gen.to_onnx.labels import keep_labels
from prototxt_gen.to_onnx.preprocess.kept import keep
from prototxt_gen.to_onnx.preprocess.wanted import Wanted, known_shapes, preprocessings
from prototxt_gen.to_onnx.source import keep_source
from prototxt_gen.to_onnx.write import check_form


@dataclass(frozen=True, slots=True)
class Conversion:
    """The options besides the form of the model."""

    options: Options = field(default_factory=Options)
    input_shapes: Mapping[str, Shape] = field(default_factory=dict)
    losses: Losses = "auto"
    fold: bool = True
    weights_init: Init | None = None
    seed: int = 0
    metadata: bool = True  #: whether the model keeps the net that it was made from
    detection: Detection = "full"
    preprocess: Wanted | None = None
    labels: tuple[str, ...] = ()


def convert(graph: Graph, asked: Conversion) -> Exported:
    """The model of a net, whose weights are those that the graph has stored.

    Raises GraphError if Caffe would refuse the net, WeightsError for weights that are missing
    or do not fit, and UnsupportedError for layers without a mapping. The returned model has
    passed ONNX's checker; VerificationError, if it does not, is a bug of ours.
    """
    need_opset(asked.options.opset)
    if asked.preprocess is not None:
        known = known_shapes(asked.preprocess, graph)
        asked = replace(asked, input_shapes={**known, **asked.input_shapes})
    if asked.options.dynamic:
        own = own_shapes(graph, asked.options.dynamic, asked.input_shapes)
        asked = replace(asked, input_shapes={**asked.input_shapes, **own})
    shapes = checked(graph, asked.input_shapes)
    whole, changes = deploy(graph, shapes, asked.losses)
    if asked.losses == "keep":
        changes = _with_lost_losses(graph, whole, changes)
    if asked.detection != "full":
        need_outputs(whole, asked.options.outputs)
    if asked.detection == "stop":
        outputs, more = before_heads(whole, asked.options.outputs)
        asked = replace(asked, options=replace(asked.options, outputs=outputs))
        changes += more
    elif asked.detection == "trt":
        outputs, more = at_heads(whole, asked.options.outputs)
        options = replace(asked.options, outputs=outputs, efficient_nms=has_heads(whole))
        asked = replace(asked, options=options)
        changes += more
    net = pruned(whole, asked.options.outputs)
    weights, more = _weights(net, asked)
    changes += [*more, *_remarks(net, weights), *_unused(graph, whole, weights.extra)]
    if asked.preprocess is not None:
        shapes = checked(net, for_inputs(net, asked.input_shapes))
        need_inputs(net, shapes)
        inputs = named(shapes, net.inputs)
        done, more = preprocessings(asked.preprocess, graph, inputs, fold=asked.fold)
        changes = [*_without(changes, more), *more]
        asked = replace(asked, options=replace(asked.options, preprocessing=tuple(done)))
    before = net, weights
    if asked.fold:
        net, weights, folded = fold(net, weights, asked.options.outputs)
        changes += folded
    exported = export(net, weights, asked.options, dict(asked.input_shapes))
    if len(net.nodes) != len(before[0].nodes):
        exported.before = before
    exported.changes[:0] = changes
    if asked.labels:
        exported.changes += keep_labels(exported, asked.labels)
    keep(exported.skeleton, exported.baked)
    if asked.metadata:
        # With a batch of their own the inputs of the net have the shapes that were given.
        given = {} if isinstance(asked.options.batch, int) else asked.input_shapes
        keep_source(exported, asked.options, given)
    check_form(exported)
    return exported


def _without(changes: list[Change], others: list[Change]) -> list[Change]:
    """The changes but for those of data layers of which more is known now."""
    better = {(one.layer, one.what.partition(";")[0]) for one in others}
    return [one for one in changes if (one.layer, one.what.partition(";")[0]) not in better]


def newest_opset() -> int:
    """The newest opset that both the installed onnx and onnxruntime know."""
    newest = onnx.defs.onnx_opset_version()
    try:
        import onnxruntime
    except ImportError:
        return newest
    # onnxruntime does not report its newest opset; each release supports that of its onnx.
    known = {"1.17": 20, "1.18": 21, "1.19": 21, "1.20": 21, "1.21": 22, "1.22": 23, "1.23": 24}
    release = ".".join(onnxruntime.__version__.split(".")[:2])
    return min(newest, known.get(release, _NEWEST_TRIED))


_NEWEST_TRIED = 28


def need_opset(opset: int) -> None:
    """Raise UnsupportedError for an opset that cannot be written, or not be loaded here."""
    newest = newest_opset()
    if not OLDEST_OPSET <= opset <= newest:
        raise UnsupportedError(f"opset {opset}: expected {OLDEST_OPSET} to {newest}")


def _weights(graph: Graph, asked: Conversion) -> tuple[Weights, list[Change]]:
    """The weights of each layer, and which of them no file has."""
    shapes = checked(graph, for_inputs(graph, asked.input_shapes))
    if asked.weights_init is not None:
        stored, made = completed(graph, shapes, asked.weights_init, asked.seed)
        return bound(graph, shapes, stored), made
    if not graph.stored and any(shapes.weights.values()):
        raise WeightsError(
            "the net has weights, but no caffemodel is given; --weights-init fillers, zeros "
            "or random makes some"
        )
    return bound(graph, shapes, graph.stored), []


def _remarks(graph: Graph, weights: Weights) -> list[Change]:
    """What the user should know about how layers with their weights are read."""
    return [
        Change(node.name, node.type, what)
        for index, node in enumerate(graph.nodes)
        for what in node.layer.remarks(node.source, weights.deferred(index), graph.dialect)
    ]


def _unused(graph: Graph, whole: Graph, extra: list[str]) -> list[Change]:
    """What happened to weights of the file that the model does not have."""
    types = {node.name: node.type for node in graph.nodes}
    beside = {node.name for node in whole.nodes}
    changes = []
    for name in extra:
        if name in beside:
            what = "left out: the outputs asked for do not need it"
            changes.append(Change(name, types[name], what))
        elif name not in types:
            what = "its weights are in the file, but the net has no such layer"
            changes.append(Change(name, "", what))
    return changes  # layers that only training needs are already reported


def _with_lost_losses(graph: Graph, net: Graph, changes: list[Change]) -> list[Change]:
    """The changes, with a reason for each loss that was to be kept and was not."""
    kept = net.last
    lost = {}
    for node in graph.nodes:
        at = sorted(node.layer.labels(len(node.bottoms)))
        labels = [ref for index in at if (ref := node.bottoms[index]).blob not in kept]
        if node.layer.role is Role.LOSS and labels:
            lost[node.name, node.type] = (
                f"; it could not be kept: its label {labels[0].blob!r} comes from the data layer "
                f"{_origin(graph, labels[0])!r}"
            )
    return [
        replace(change, what=change.what + lost.get((change.layer, change.type), ""))
        for change in changes
    ]


def _origin(graph: Graph, ref: Ref) -> str:
    """The layer without bottoms that a blob is made of, by its first bottoms."""
    makers = graph.makers
    while makers[ref].bottoms:
        ref = makers[ref].bottoms[0]
    return makers[ref].name
