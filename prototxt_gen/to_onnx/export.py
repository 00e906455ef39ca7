"""A graph with its weights as an ONNX model.

Inputs and outputs keep the names of Caffe's blobs, and the last version of a blob that is
written in place owns its name; weights are called ``<layer>/weight``, ``<layer>/bias``.
All reasons against a net are reported together; a returned model has passed the checker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper

from prototxt_gen import _version
from prototxt_gen._nearest import did_you_mean, nearest
from prototxt_gen.diagnostics import Sink
from prototxt_gen.errors import GraphError, UnsupportedError
from prototxt_gen.graph.check import checked, need_inputs
from prototxt_gen.graph.graph import Graph, Node, Ref
from prototxt_gen.graph.infer import Shapes
from prototxt_gen.graph.weights import Weights
from prototxt_gen.layers.base import Layer, Role
from prototxt_gen.layers.parts.shapes import Shape, same, show
from prototxt_gen.layers.parts.sizes import is_free
from prototxt_gen.passes.batch import set_batch
from prototxt_gen.passes.deploy import Change
from prototxt_gen.passes.preprocessing import Preprocessing
from prototxt_gen.passes.rebuild import append, empty_like, needed
from prototxt_gen.to_onnx.batch import free_batch, need_all
from prototxt_gen.to_onnx.builder import Builder
from prototxt_gen.to_onnx.dynamic import Dynamic, free_sizes, said
from prototxt_gen.to_onnx.efficient_nms import Plugins
from prototxt_gen.to_onnx.free import Dims, keep_ranges
from prototxt_gen.to_onnx.heads import made_bottoms
from prototxt_gen.to_onnx.names import final_names, need_names, outputs_of
from prototxt_gen.to_onnx.preprocess.lower import (
    Baked,
    absorbed,
    lower_inputs,
    need_fit,
    value_info,
)

Array = np.ndarray[Any, np.dtype[Any]]
OLDEST_OPSET, USUAL_OPSET = 11, 17


@dataclass(frozen=True, slots=True)
class Options:
    """How a net is exported; ``batch=None`` keeps the net's own."""

    opset: int = USUAL_OPSET
    batch: int | Literal["dynamic"] | None = None
    outputs: tuple[str, ...] = ()
    efficient_nms: bool = False  #: whether detections are those of TensorRT's plug-in
    preprocessing: tuple[Preprocessing, ...] = ()
    dynamic: Dynamic = field(default_factory=dict)  #: inputs with free sizes


@dataclass
class Exported:
    """A model, the net it was made from, and what happened to each layer.

    ``before`` is the net that ``graph`` was folded from, if any. ``skeleton`` is the model
    with initializers without values; ``values`` holds these by name, in the same order; they
    may be in a file and larger than memory.
    """

    skeleton: onnx.ModelProto
    values: dict[str, Array]
    graph: Graph
    weights: Weights
    changes: list[Change] = field(default_factory=list)
    before: tuple[Graph, Weights] | None = None
    baked: tuple[Baked, ...] = ()  #: preprocessing in the model

    @property
    def source(self) -> tuple[Graph, Weights]:
        """The net and its weights before folding."""
        return self.before or (self.graph, self.weights)

    @cached_property
    def model(self) -> onnx.ModelProto:
        """The whole model, with its values."""
        whole = onnx.ModelProto()
        whole.CopyFrom(self.skeleton)
        for tensor in whole.graph.initializer:
            self.fill(tensor)
        return whole

    def fill(self, tensor: onnx.TensorProto) -> None:
        """Give an initializer of the skeleton its values."""
        tensor.raw_data = np.ascontiguousarray(self.values[tensor.name]).tobytes()


def export(
    graph: Graph, weights: Weights, options: Options, given: Mapping[str, Shape] | None = None
) -> Exported:
    """The model of a net for inference.

    Raises UnsupportedError with a diagnostic for each layer that cannot be exported, and
    GraphError if shapes are not known, Caffe would refuse the net, or a weight has the size
    of the batch.
    """
    changes: list[Change] = []
    given = for_inputs(graph, given or {})
    if options.batch is not None and options.batch != "dynamic":
        graph, changes = set_batch(graph, options.batch, given)
        given = {}
    shapes = checked(graph, given)
    need_inputs(graph, shapes)
    graph, dims, more = _free(graph, shapes, options)
    changes += more
    need_names(graph)
    _need_weights(graph, shapes, weights)
    builder = Builder(options.opset)
    builder.dims = dims
    plugins = Plugins(graph, asked=options.efficient_nms)
    done = options.preprocessing
    need_fit(done, graph, shapes)
    ends = outputs_of(graph, options.outputs)
    seen, bound, baked = absorbed(done, graph, weights, shapes, ends)
    builder.reserve({*graph.last, *(name for names in plugins.names.values() for name in names)})
    lower_inputs(seen, shapes, builder, baked)
    values = _lower(seen, bound, shapes, dims, builder, plugins)
    if options.batch == "dynamic":
        need_all(dims)
    changes += said(dims, options.dynamic)
    model = _model(graph, dims, builder, values, options, plugins, baked)
    changes += plugins.changes()
    changes += [baked[name].change(dims.of(Ref(name, 0))) for name in baked]
    if options.dynamic:
        keep_ranges(model, dims.ranges)
    return Exported(
        model, builder.initializers, graph, weights, changes, baked=tuple(baked.values())
    )


def _free(graph: Graph, shapes: Shapes, options: Options) -> tuple[Graph, Dims, list[Change]]:
    """The net with the sizes free that are asked to be."""
    if options.batch == "dynamic":
        return free_batch(graph, shapes)
    if options.dynamic:
        return free_sizes(graph, shapes, options.dynamic, options.preprocessing)
    return graph, Dims(shapes), []


def _need_weights(graph: Graph, shapes: Shapes, weights: Weights) -> None:
    """Check that weights that fit the net also fit it with another batch."""
    for index, wanted in shapes.weights.items():
        for blob, shape in zip(weights.deferred(index), wanted, strict=False):
            if not same(blob.shape, shape):
                raise GraphError(
                    f"layer {graph.nodes[index].name!r}: a weight has the size of the batch: it is "
                    f"{show(blob.shape)}, but would be {show(shape)} with the batch asked for"
                )


def pruned(graph: Graph, outputs: Sequence[str]) -> Graph:
    """The part of a net that the requested outputs need; all of it if none are requested.

    Raises GraphError if there is no such blob.
    """
    if not outputs:
        return graph
    need_outputs(graph, outputs)
    made = empty_like(graph)
    for index in needed(graph, outputs):
        append(made, graph.nodes[index])
    return made


def need_outputs(graph: Graph, names: Sequence[str]) -> None:
    """Raise GraphError for a blob that the net does not have."""
    known = graph.last
    for name in names:
        if name not in known:
            hint = _hint(graph, name)
            raise GraphError(f"the net has no blob {name!r} to use as an output{hint}")


def _hint(graph: Graph, name: str) -> str:
    """What was meant by the name of a blob, else in which state there is one, else the outputs."""
    near = nearest(name, graph.last)
    if near:
        return f"; {did_you_mean(near)}"
    ends = ", ".join(repr(ref.blob) for ref in graph.outputs)
    why = graph.state_of(name) or (f"its own outputs are {ends}" if ends else "")
    return why and f"; {why}"


def for_inputs(graph: Graph, given: Mapping[str, Shape]) -> dict[str, Shape]:
    """The shapes that are given for inputs of the net."""
    names = {ref.blob for ref in graph.inputs}
    return {name: shape for name, shape in given.items() if name in names}


def _lower(
    graph: Graph,
    weights: Weights,
    shapes: Shapes,
    dims: Dims,
    builder: Builder,
    plugins: Plugins,
) -> dict[Ref, str]:
    """Write every node; the name of the value of each blob that is no plug-in's.

    Nodes after one that was refused are checked too, as far as possible.
    """
    sink = Sink(graph.source)
    values = builder.values
    lost: set[Ref] = set()  # the tops of refused nodes, and of the nodes after them
    for index, node in enumerate(graph.nodes):
        if node.layer.role is Role.INPUT:
            continue
        behind = not lost.isdisjoint(node.bottoms)
        try:
            plugins.need_unread(node)
            own = _own_reason(index, node, shapes)
            if own is not None:
                raise UnsupportedError(own)
            if not behind or _known(node, shapes):
                given = [values[ref] for ref in node.bottoms]
                _begin(node, dims, builder)
                if node.tops and node.tops[0] in plugins.names:
                    plugins.add(builder, node, given)
                else:
                    values.update(_lower_one(node, weights.deferred(index), builder, given))
        except UnsupportedError as error:
            sink.error(
                "unsupported",
                f"{node.type}: {error.reason}",
                span=node.span,
                layer=node.name,
                help=None if behind else _way_out(graph, node),
            )
            behind = True
        if behind:
            lost.update(node.tops)
            # Any names will do: a net with an error gives no model.
            values.update((top, top.blob) for top in node.tops)
    if sink.errors:
        sink.fail(UnsupportedError)
    return values


def _way_out(graph: Graph, node: Node) -> str | None:
    """How to convert what comes before a node; None if nothing does."""
    ends = made_bottoms(graph, node)
    also = "--detection stop, or " if node.layer.detects else ""
    return f"{also}--outputs {','.join(ends)} ends the model before it" if ends else None


def _own_reason(index: int, node: Node, shapes: Shapes) -> str | None:
    """Why a node can in no case be exported; None if that is not known."""
    if not node.layer.known:
        return "the type is not known"
    if type(node.layer).lower is Layer.lower:
        return "there is no mapping to ONNX yet"
    return None if _known(node, shapes) else shapes.reasons.get(index)


def _known(node: Node, shapes: Shapes) -> bool:
    return shapes.of(node.bottoms) is not None and shapes.of(node.tops) is not None


def _begin(node: Node, dims: Dims, builder: Builder) -> None:
    """Tell the builder the shapes of a node; raises UnsupportedError for blobs that are empty."""
    bottoms, tops = dims.shapes.of(node.bottoms), dims.shapes.of(node.tops)
    if bottoms is None or tops is None:
        raise UnsupportedError("its shapes are not known")
    for shape in (*bottoms, *tops):
        if any(not is_free(dim) and dim == 0 for dim in shape):
            raise UnsupportedError(f"it has an empty blob, {show(shape)}")
    builder.begin(node.name, bottoms, tops)


def _lower_one(
    node: Node, blobs: Sequence[object], builder: Builder, bottoms: Sequence[str]
) -> dict[Ref, str]:
    try:
        # Overflow gives infinity, as in Caffe, without a warning.
        with np.errstate(all="ignore"):
            made = node.layer.lower(builder, bottoms, list(blobs))  # type: ignore[arg-type]
    except OverflowError as error:
        raise UnsupportedError(f"one of its numbers is too large for ONNX: {error}") from error
    except MemoryError as error:
        raise UnsupportedError("its constants need more memory than is available") from error
    return dict(zip(node.tops, made, strict=True))


def _model(
    graph: Graph,
    dims: Dims,
    builder: Builder,
    values: dict[Ref, str],
    options: Options,
    plugins: Plugins,
    baked: Mapping[str, Baked],
) -> onnx.ModelProto:
    outputs = outputs_of(graph, options.outputs)
    if not outputs:
        raise UnsupportedError("nothing is left of the net: it has no output at inference")
    names = final_names(graph, builder, values, outputs)
    inputs = [value_info(ref.blob, dims.of(ref), baked) for ref in graph.inputs]
    results: list[onnx.ValueInfoProto] = []
    for ref in outputs:
        if ref in names:
            info = helper.make_tensor_value_info(names[ref], TensorProto.FLOAT, dims.of(ref))
            results.append(info)
        else:
            results += plugins.results(ref, dims)
    made = helper.make_graph(
        builder.nodes,
        graph.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace") or "net",
        inputs,
        results,
        [_tensor(name, array) for name, array in builder.initializers.items()],
    )
    opsets = [helper.make_opsetid("", options.opset)]
    return helper.make_model(
        made,
        opset_imports=[*opsets, *plugins.opsets],
        ir_version=helper.find_min_ir_version_for(opsets),
        producer_name="resnet-proto",
        producer_version=_version.__version__,
    )


def _tensor(name: str, array: Array) -> onnx.TensorProto:
    """An initializer without its values."""
    kind = helper.np_dtype_to_tensor_dtype(array.dtype)
    return onnx.TensorProto(name=name, dims=array.shape, data_type=kind)
