"""All steps from an ONNX model to a net with weights that its Caffe would load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import onnx

from prototxt_gen.from_onnx.lifting import Lifting
from prototxt_gen.from_onnx.model import Model
from prototxt_gen.from_onnx.net import Blob
from prototxt_gen.from_onnx.normalize import normalize
from prototxt_gen.from_onnx.patterns import fuse
from prototxt_gen.from_onnx.target import Target
from prototxt_gen.from_onnx.unread import Array
from prototxt_gen.graph.check import checked
from prototxt_gen.graph.graph import Graph
from prototxt_gen.passes.deploy import Change


@dataclass(frozen=True, slots=True)
class Lift:
    """The options."""

    target: Target = field(default_factory=Target)
    input_shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass
class Net:
    """A net, whose ``graph.stored`` has its weights, and what was done to get it."""

    graph: Graph
    model: Model
    changes: list[Change] = field(default_factory=list)


def lift(
    proto: onnx.ModelProto, asked: Lift | None = None, unread: Mapping[str, Array] | None = None
) -> Net:
    """The net of a model; ``unread`` are the weights that it does not have itself.

    Raises UnsupportedError with all reasons, and GraphError, which is a bug of ours, if Caffe
    would refuse the net.
    """
    asked = asked or Lift()
    model = normalize(proto, asked.input_shapes, unread)
    fuse(model)
    lifting = Lifting(model, asked.target)
    lifting.run()
    lifting.net.drop_unread([lifting.blob(name) for name in model.outputs])
    outputs: dict[str, Blob] = {}
    for name in model.outputs:
        outputs[name] = _output(lifting, name, outputs)
    graph = lifting.net.graph(model.name, outputs)
    checked(graph)
    renamed = [Change(name, "", f"renamed: {why}") for name, why in lifting.net.renamed]
    return Net(graph, model, [*(Change(*note) for note in model.notes), *renamed])


def _output(lifting: Lifting, name: str, outputs: Mapping[str, Blob]) -> Blob:
    """The blob of an output, under its name; a copy where it cannot be that itself.

    A blob that a layer reads is no output of a net (net.cpp), and one blob is no two outputs.
    """
    blob, net = lifting.blob(name), lifting.net
    inputs = [lifting.blobs[other] for other in lifting.model.inputs]
    read = any(blob is bottom for made in net.layers for bottom in made.bottoms)
    if not read and not any(blob is one for one in (*inputs, *outputs.values())):
        blob.name = name
        return blob
    if blob.name == name and not any(blob is one for one in inputs):
        blob.name = ""
    net.begin(name)
    copy = net.copy(blob)
    copy.name = name
    return copy
