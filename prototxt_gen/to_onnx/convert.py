"""The whole way from a net with weights to a model that is known to load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import onnx

from prototxt_gen.errors import UnsupportedError, WeightsError
from prototxt_gen.graph.check import checked
from prototxt_gen.graph.fillers import Init, initial
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.weights import Weights, bound
from prototxt_gen.layers.parts.shapes import Shape
from prototxt_gen.passes.deploy import Change, Losses, deploy
from prototxt_gen.passes.fold import fold
from prototxt_gen.to_onnx.export import OLDEST_OPSET, Exported, Options, export, for_inputs, pruned
from prototxt_gen.to_onnx.write import check_form


@dataclass(frozen=True, slots=True)
class Conversion:
    """What is asked for beside the form of the model."""

    options: Options = field(default_factory=Options)
    input_shapes: Mapping[str, Shape] = field(default_factory=dict)
    losses: Losses = "auto"
    fold: bool = True
    weights_init: Init | None = None
    seed: int = 0


def convert(graph: Graph, asked: Conversion) -> Exported:
    """The model of a net, whose weights are those that the graph has stored.

    Raises GraphError where Caffe would refuse the net, WeightsError for weights that lack
    or do not fit, and UnsupportedError for what has no mapping. What is returned has passed
    ONNX's checker; VerificationError, where it does not, is a bug of ours.
    """
    _need_opset(asked.options.opset)
    shapes = checked(graph, asked.input_shapes)
    net, changes = deploy(graph, shapes, asked.losses)
    net = pruned(net, asked.options.outputs)
    weights, extra = _weights(net, asked)
    changes += extra
    before = net, weights
    if asked.fold:
        net, weights, folded = fold(net, weights, asked.options.outputs)
        changes += folded
    exported = export(net, weights, asked.options, dict(asked.input_shapes))
    if len(net.nodes) != len(before[0].nodes):
        exported.before = before
    exported.changes[:0] = changes
    check_form(exported)
    return exported


def newest_opset() -> int:
    """The newest opset that both the installed onnx and onnxruntime know."""
    newest = onnx.defs.onnx_opset_version()
    try:
        import onnxruntime
    except ImportError:
        return newest
    # onnxruntime says what it knows only by refusing; each release knows what onnx had then.
    known = {"1.17": 20, "1.18": 21, "1.19": 21, "1.20": 21, "1.21": 22, "1.22": 23, "1.23": 24}
    release = ".".join(onnxruntime.__version__.split(".")[:2])
    return min(newest, known.get(release, _NEWEST_TRIED))


_NEWEST_TRIED = 28


def _need_opset(opset: int) -> None:
    newest = newest_opset()
    if not OLDEST_OPSET <= opset <= newest:
        raise UnsupportedError(f"opset {opset}: expected {OLDEST_OPSET} to {newest}")


def _weights(graph: Graph, asked: Conversion) -> tuple[Weights, list[Change]]:
    shapes = checked(graph, for_inputs(graph, asked.input_shapes))
    stored = graph.stored
    if not stored and any(shapes.weights.values()):
        if asked.weights_init is None:
            raise WeightsError(
                "the net has weights, but no caffemodel is given; --weights-init fillers, zeros "
                "or random makes some"
            )
        stored = dict(initial(graph, shapes, asked.weights_init, asked.seed))
    weights = bound(graph, shapes, stored)
    extra = [
        Change(name, "", "its weights are in the file, but the net has no such layer")
        for name in weights.extra
    ]
    return weights, extra
