"""What Caffe would load, and a person should still know: about layers, one by one.

What is about how they are joined is in ``smells_wiring``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module

from prototxt_gen._words import plural
from prototxt_gen.diagnostics import Diagnostic, Severity, Span
from prototxt_gen.document import Block
from prototxt_gen.formats.schema import schema
from prototxt_gen.graph.graph import Node
from prototxt_gen.graph.infer import field_span, param_span
from prototxt_gen.layers.base import Instead, Layer, Role
from prototxt_gen.layers.parts.forks import BVLC
from prototxt_gen.layers.parts.shapes import show
from prototxt_gen.lint.net import InPhase, Net
from prototxt_gen.lint.rule import smell


@smell("old-form")
def old_form(net: Net) -> Iterator[Diagnostic]:
    """The net has `layers`, the form of before 2015.

    Caffe upgrades it at each start, and says so in its log (upgrade_proto.cpp). Tools that read
    prototxt themselves often do not take it. `resnet-proto upgrade` writes the present form.
    """
    for field in net.written.root:
        if field.name == "layers":
            message = "the net has the form of before 2015: `layers`, of types without quotes"
            help = "resnet-proto upgrade writes the present form"
            yield Diagnostic("old-form", Severity.WARNING, message, field.span, help=help)
            return


@smell("batch-norm-without-scale")
def batch_norm_without_scale(net: Net) -> Iterator[Diagnostic]:
    """The output of a BatchNorm is not scaled and shifted by a Scale.

    Caffe's BatchNorm only subtracts the mean and divides by the deviation: unlike the batch
    normalization of other programs, it learns no factor and no offset (batch_norm_layer.cpp).
    These are a layer of their own, a Scale with `bias_term: true` after it. Without it the net
    can express less: after a ReLU, half of all values are 0, whatever is learned. Weights that
    another program trained need a place for their factors and offsets, too.

    Nothing is reported where a layer with weights reads the output, such as a Convolution,
    which can learn the factor itself, nor for layers of forks that have their own: NVIDIA's
    with `scale_bias`, and with `--dialect intel` Intel's, where MKL-DNN has it by default. If
    no BatchNorm of a net has a Scale, only the first is reported.
    """
    for one in net.phases.values():
        normal = [node for index, node in enumerate(one.graph.nodes) if _normalizes(one, index)]
        bare = [node for node in normal if _stays_normal(one, node)]
        if len(bare) == len(normal):
            yield from _first(
                "batch-norm-without-scale",
                bare,
                "no Scale follows, so that no factor and no offset are learned",
                'add a layer of type "Scale" with `bias_term: true` after it',
            )
        else:
            for node in bare:
                yield from _first(
                    "batch-norm-without-scale",
                    [node],
                    f"no Scale follows, as it does after {len(normal) - len(bare)} others",
                    'add a layer of type "Scale" with `bias_term: true` after it',
                )


def _normalizes(one: InPhase, index: int) -> bool:
    """Whether all weights of a layer are statistics."""
    shapes, node = one.shapes.weights.get(index), one.graph.nodes[index]
    if not shapes or type(node.layer).weights is Layer.weights:
        return False
    # In a dialect with a filler for it, the layer may have a factor of its own (intel/caffe).
    own = node.params.type is not None and node.params.type.message("filler") is not None
    return not own and all(weight.statistic for weight in node.layer.weights(shapes))


def _stays_normal(one: InPhase, node: Node) -> bool:
    """Whether layers read the output, and none has weights, nor may have."""
    readers = [reader.layer for top in node.tops for reader in one.readers.get(top, ())]
    return bool(readers) and all(layer.known and layer.parameter_free() for layer in readers)


@smell("batch-statistics")
def batch_statistics(net: Net) -> Iterator[Diagnostic]:
    """At inference, a layer normalizes by the statistics of the batch.

    Without `use_global_stats`, BatchNorm takes the statistics of the batch in the phase TRAIN,
    and the stored ones in TEST. With `use_global_stats: false` it takes those of the batch in
    both (batch_norm_layer.cpp): the result for an image depends on the other images of its
    batch, and alone it is another one, so that the accuracy seen in training is not that of
    the deployed net. The stored statistics are not even read. SegNet's BN does the same with
    `bn_mode: LEARN`, its default.

    Leave `use_global_stats` out, so that the phase decides; for SegNet write `bn_mode: INFERENCE`.
    It is reported for nets whose layers are included by phase, and for deploy nets.
    """
    if net.tests is not None:
        nodes = net.tests.graph.nodes
        yield from _first(
            "batch-statistics",
            [node for node in nodes if node.layer.by_batch() and node.phase is None],
            "normalizes by the statistics of the batch in the phase TEST as well",
            "leave out `use_global_stats: false` (or `bn_mode: LEARN`)",
            parameter="use_global_stats",
        )


@smell("layer-phase")
def layer_phase(net: Net) -> Iterator[Diagnostic]:
    """A layer has a `phase` of its own, outside of `include`.

    `phase: TRAIN` in a layer does not leave it out of the net for TEST, as
    `include { phase: TRAIN }` does. The layer is part of every net, but behaves as in
    training: Dropout drops values at random, and BatchNorm takes the statistics of the batch
    (net.cpp, Init: only a layer without a phase gets that of the net). Caffe writes such a
    `phase` into every layer of a caffemodel, so a prototxt that was made of one has it.

    Write `include { phase: TRAIN }`, or leave the `phase` out. It is reported once for a net, and
    not for layers that are included in this phase only.
    """
    found = [node for _, _, node in net.nodes if node.phase is not None and not _chosen(node)]
    for phase in ("TRAIN", "TEST"):
        yield from _first(
            "layer-phase",
            [node for node in found if node.phase == phase],
            f"`phase: {phase}` in the layer itself does not choose where it is included, but how "
            "it behaves in every net",
            f"write `include {{ phase: {phase} }}`, or leave it out",
            field="phase",
        )


def _chosen(node: Node) -> bool:
    """Whether a layer is only included in the phase that it has."""
    rules = node.source.blocks("include")
    return bool(rules) and all(rule.get("phase", str, "") == node.phase for rule in rules)


@smell("loss-in-deploy")
def loss_in_deploy(net: Net) -> Iterator[Diagnostic]:
    """A net without data layers computes a loss, and so needs labels.

    Such a net is for inference: its inputs are filled by a program. With a loss in it, Caffe
    needs labels as a further input, and prints or returns a number that means nothing if they
    are not given. Most often the loss was left when the data layers became inputs.

    Replace the loss by its head, as Softmax for SoftmaxWithLoss, and remove the label:
    `resnet-proto deploy --losses head` does both. It is no mistake where a program feeds a net
    for training.
    """
    if net.is_deploy:
        for _, _, node in net.nodes:
            head = node.layer.at_inference()
            if node.layer.role is not Role.LOSS or head is Instead.ITSELF:
                continue
            what = "leaves it out" if head is Instead.NOTHING else "puts its head in its place"
            yield from _first(
                "loss-in-deploy",
                [node],
                "is a loss in a net for inference: no data layer gives it labels",
                f"resnet-proto deploy --losses head {what}",
            )


@smell("unused-param")
def unused_param(net: Net) -> Iterator[Diagnostic]:
    """A layer has a parameter message that its type does not read.

    A layer may hold the parameter messages of all types at once, and Caffe reads only its
    own: a `pooling_param` in a Convolution is read by nobody, without a word (caffe.proto,
    LayerParameter). It is left over from a layer that was copied, or the type is wrong, or
    the values are missing where they were meant to be.

    Remove it, or rename it to the message of the layer's type. Messages of forks are not
    reported, and neither are layer types that BVLC's Caffe does not have.
    """
    known = schema("bvlc").message("LayerParameter").fields
    for _, _, node in net.nodes:
        for field in node.source:
            name, layer = field.name, node.layer
            if not name.endswith("_param") or not isinstance(field.value, Block):
                continue
            if name == layer.param or name in layer.besides or name not in known:
                continue
            if node.type in BVLC:
                own = f"; its own is {layer.param}" if layer.param else ""
                message = f"{node.type} does not read {name}{own}"
                yield _warning("unused-param", message, field.name_span, node, "remove it")


@smell("ceil-pooling", asked_for=True)
def ceil_pooling(net: Net) -> Iterator[Diagnostic]:
    """A pooling has another size in programs that round down.

    Caffe rounds the number of windows up, so that the last row and column of windows may hang
    over the edge of the map (pooling_layer.cpp, Reshape). PyTorch, TensorFlow, Keras and ONNX
    round down unless they are told otherwise: the net has other sizes there, or the last row
    is lost. GoogLeNet, SqueezeNet and ResNet all have such layers, and nothing is wrong with
    them; so this is reported only where the rule is selected by its name.

    To have the same size everywhere, choose a kernel, stride and pad that divide evenly, or
    write `round_mode: FLOOR` where Caffe is of 2018 or later. `resnet-proto convert` writes
    pads, so that its ONNX has Caffe's windows.
    """
    for one, _, node in net.nodes:
        bottoms, tops = one.shapes.of(node.bottoms), one.shapes.of(node.tops)
        if not bottoms or not tops:
            continue
        other = node.layer.rounded_down(bottoms, len(tops))
        if other is not None:
            message = f"gives {show(tops[0])}, since Caffe rounds up; where a program rounds down, "
            message += f"it is {show(other[0])}"
            yield _warning("ceil-pooling", message, node.span, node, None)


def _first(
    rule: str,
    nodes: Iterable[Node],
    message: str,
    help: str,
    *,
    parameter: str | None = None,
    field: str | None = None,
) -> Iterator[Diagnostic]:
    """A finding about the first of some layers, which says how many there are."""
    found = list(nodes)
    if found:
        more = f" (and {plural(len(found) - 1, 'more layer')})" if found[1:] else ""
        span = field_span(found[0], field) if field else param_span(found[0], parameter)
        yield _warning(rule, message + more, span, found[0], help)


def _warning(
    rule: str, message: str, span: Span | None, node: Node, help: str | None
) -> Diagnostic:
    return Diagnostic(rule, Severity.WARNING, message, span, node.name, help)


import_module("prototxt_gen.lint.rules.smells_wiring")
