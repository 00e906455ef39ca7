"""TensorRT's plug-in operator EfficientNMS_TRT in a model, in the place of layers that detect.

TensorRT's parser finds a plug-in by the name of the operator. The domain is the one in which
onnxruntime's TensorRT provider has plug-ins. Nothing else can compute the operator, so that a
model is checked and compared up to the inputs of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import onnx
from onnx import TensorProto, helper

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.graph.graph import Graph, Node, Ref
from prototxt_gen.layers.parts.efficient_nms import Suppression, detector_of
from prototxt_gen.passes.deploy import Change
from prototxt_gen.to_onnx.builder import Builder
from prototxt_gen.to_onnx.free import Dims

DOMAIN, OPERATOR = "trt.plugins", "EfficientNMS_TRT"
#: The outputs, with their types and what they have of each detection, if anything.
_OUTPUTS: tuple[tuple[str, int, tuple[int, ...] | None], ...] = (
    ("num_detections", TensorProto.INT32, None),
    ("detection_boxes", TensorProto.FLOAT, (4,)),
    ("detection_scores", TensorProto.FLOAT, ()),
    ("detection_classes", TensorProto.INT32, ()),
)


class Plugins:
    """The plug-ins of a model that is being made; none unless they are ``asked`` for."""

    def __init__(self, graph: Graph, *, asked: bool) -> None:
        heads = [node for node in graph.nodes if asked and node.layer.detects and node.tops]
        taken = set(graph.last)
        self.names = {node.tops[0]: _names(node, len(heads) > 1, taken) for node in heads}
        self.made: dict[Ref, tuple[Node, Suppression]] = {}

    def need_unread(self, node: Node) -> None:
        """Raise UnsupportedError for a layer that reads what a plug-in has in another form."""
        for ref in node.bottoms:
            if ref in self.names:
                raise UnsupportedError(
                    f"it reads {ref.blob!r}, the detections, which {OPERATOR} has in another form"
                )

    def add(self, builder: Builder, node: Node, bottoms: Sequence[str]) -> None:
        """Write a layer that detects; raises UnsupportedError."""
        detector = detector_of(node.layer)
        if detector is None:
            raise UnsupportedError(f"it has no mapping to {OPERATOR}")
        made = detector.lower_before_nms(builder, bottoms)
        names = self.names[node.tops[0]]
        inputs = [made.boxes, made.scores]
        builder.plugin(OPERATOR, DOMAIN, inputs, names, **made.settings)
        self.made[node.tops[0]] = node, made

    def results(self, ref: Ref, dims: Dims) -> list[onnx.ValueInfoProto]:
        """The outputs in the place of a top."""
        node, made = self.made[ref]
        images, most = dims.of(node.bottoms[0])[0], made.most
        return [
            helper.make_tensor_value_info(
                name, kind, [images, *((1,) if of is None else (most, *of))]
            )
            for name, (_, kind, of) in zip(self.names[ref], _OUTPUTS, strict=True)
        ]

    def changes(self) -> Iterator[Change]:
        """What becomes of each layer that detects, and where the plug-in differs."""
        for ref, (node, made) in self.made.items():
            for what in (
                f"is TensorRT's {OPERATOR}, with the outputs {', '.join(self.names[ref])} instead "
                f"of {ref.blob}; those of an image are by falling score, and have no image number",
                *(f"{OPERATOR}: {difference}" for difference in made.differences),
                f"{OPERATOR} itself was not tried, only what comes before it: nothing but "
                "TensorRT can compute it",
            ):
                yield Change(node.name, node.type, what)

    @property
    def opsets(self) -> list[onnx.OperatorSetIdProto]:
        """The operators of a model besides ONNX's."""
        return [helper.make_opsetid(DOMAIN, 1)] if self.made else []


def _names(node: Node, several: bool, taken: set[str]) -> list[str]:
    """The names of a layer's outputs, which no blob of the net has; they are then taken."""
    prefix = f"{node.tops[0].blob}_" if several else ""
    while any(prefix + name in taken for name, *_ in _OUTPUTS):
        prefix += "_" if prefix else f"{node.tops[0].blob}_"
    names = [prefix + name for name, *_ in _OUTPUTS]
    taken.update(names)
    return names


def plugins_of(model: onnx.ModelProto) -> dict[str, tuple[str, str]]:
    """The layers that a model has as plug-ins, by name, with the values of boxes and scores."""
    return {
        node.name.rpartition("/")[0]: (node.input[0], node.input[1])
        for node in model.graph.node
        if node.op_type == OPERATOR and len(node.input) > 1
    }


def outputs_of_plugins(model: onnx.ModelProto) -> set[str]:
    """The values that plug-ins make."""
    return {name for node in model.graph.node if node.op_type == OPERATOR for name in node.output}


def before_plugins(model: onnx.ModelProto) -> onnx.ModelProto:
    """A model whose plug-ins are cut off: it ends at their inputs. Itself if it has none."""
    if not plugins_of(model):
        return model
    made = onnx.ModelProto()
    made.CopyFrom(model)
    lost = outputs_of_plugins(model)
    del made.graph.node[:]
    made.graph.node.extend(node for node in model.graph.node if node.op_type != OPERATOR)
    del made.graph.output[:]
    made.graph.output.extend(value for value in model.graph.output if value.name not in lost)
    present = {value.name for value in made.graph.output}
    ends = dict.fromkeys(name for pair in plugins_of(model).values() for name in pair)
    made.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        for name in ends
        if name not in present
    )
    return made
