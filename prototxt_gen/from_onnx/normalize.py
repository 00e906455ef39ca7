"""From an ONNX file to a Model: functions inlined, constants folded, shapes inferred.

The nodes are taken once, in order. A node whose inputs are all constant is computed with
onnx's own reference, and for any other the shapes of its outputs are inferred, so that the
arithmetic on shapes that exporters write disappears. All floats become float32, as in Caffe.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnx.inliner import inline_local_functions

from prototxt_gen._words import plural
from prototxt_gen.diagnostics import Sink
from prototxt_gen.errors import ParseError, ShapeError, UnsupportedError
from prototxt_gen.from_onnx.folding import CHANGED, RANDOM, computed, drops, pads_nothing, sizes
from prototxt_gen.from_onnx.model import Array, Model, Op
from prototxt_gen.from_onnx.output_types import output_types
from prototxt_gen.from_onnx.pool_shapes import without_empty_windows
from prototxt_gen.from_onnx.values import array_of, attribute_of, text_of

OLDEST_OPSET = 7
_OURS = ("", "ai.onnx")
_LARGEST = 1 << 26  #: the most elements of a constant that is computed here
_FLOATS = (TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)
#: The names of operators that compute with whole numbers in the place of floats.
_QUANTISED = ("QLinear", "ConvInteger", "MatMulInteger", "DynamicQuantizeLinear", "QGemm")
#: Operators that compute what they are given, once a net is not trained any more.
_NOTHING = {"Dropout", "Identity"}


def normalize(
    proto: onnx.ModelProto,
    given: Mapping[str, Sequence[int]] | None = None,
    unread: Mapping[str, Array] | None = None,
) -> Model:
    """The model in the form that lifting reads; ``given`` are shapes of its inputs.

    ``unread`` are the weights that it does not have itself; they are read now.

    The model has passed ``files.check``. A free first dimension of an input becomes 1, which is
    noted. Raises ShapeError for an input whose other dimensions are free, or one of ``given``
    that the model does not have; UnsupportedError for what no rule could make a net of: an
    opset below 7, control flow, operators of another domain; and ParseError for a weight that
    is broken.
    """
    opset = next((o.version for o in proto.opset_import if o.domain in _OURS), 0)
    if opset < OLDEST_OPSET:
        raise UnsupportedError(f"the model has opset {opset}; expected {OLDEST_OPSET} or later")
    if proto.functions:
        proto = inline_local_functions(proto)
    made = Model(
        text_of(proto.graph.name),
        opset,
        text_of(proto.producer_name),
        outputs=[value.name for value in proto.graph.output],
        metadata={entry.key: entry.value for entry in proto.metadata_props},
    )
    reading = _Reading(made, list(proto.opset_import))
    reading.constants(proto.graph, unread or {})
    reading.inputs(proto.graph, given or {})
    sink = Sink()
    for node in proto.graph.node:
        try:
            reading.node(node)
        except UnsupportedError as error:
            label = node.name or next(iter(node.output), "")
            sink.error("unsupported", f"{node.op_type}: {error.reason}", layer=label)
            reading.lost.update(filter(None, node.output))
    sink.raise_errors(UnsupportedError)
    reading.finish()
    return made


@dataclass
class _Reading:
    """What is known while the nodes are read."""

    made: Model
    opsets: list[onnx.OperatorSetIdProto]
    types: dict[str, onnx.TypeProto] = field(default_factory=dict)
    same: dict[str, str] = field(default_factory=dict)  #: a value that is another one
    lost: set[str] = field(default_factory=set)  #: values of operators that were refused
    rounded: dict[str, str] = field(default_factory=dict)  #: a quantised value, and what it was of
    widened: bool = False  #: whether there was a floating-point type other than float32

    def constants(self, graph: onnx.GraphProto, unread: Mapping[str, Array]) -> None:
        """The initializers, as float32 where they are floats."""
        if graph.sparse_initializer:
            raise UnsupportedError("the model has sparse weights; expected dense ones")
        for tensor in graph.initializer:
            try:
                value = unread.get(tensor.name)
                held = array_of(tensor) if value is None else np.asarray(value)
                self.constant(tensor.name, held)
            except (TypeError, ValueError) as error:
                raise ParseError(f"the weight {tensor.name!r} is broken: {error}") from error

    def constant(self, name: str, value: Array) -> None:
        """Remember a constant."""
        if value.dtype in (np.float16, np.float64) or value.dtype.name == "bfloat16":
            self.widened |= value.dtype != np.float64
            value = value.astype(np.float32)
        self.made.constants[name] = value
        kind = helper.np_dtype_to_tensor_dtype(value.dtype)
        self.types[name] = helper.make_tensor_type_proto(kind, value.shape)

    def inputs(self, graph: onnx.GraphProto, given: Mapping[str, Sequence[int]]) -> None:
        """The inputs that are no weights; every dimension must be known."""
        found = [value for value in graph.input if value.name not in self.made.constants]
        for name in given:
            if name not in {value.name for value in found}:
                has = ", ".join(repr(value.name) for value in found) or "none"
                raise ShapeError(f"the model has no input {name!r}; it has {has}")
        for value in found:
            if not value.type.HasField("tensor_type"):
                raise UnsupportedError(f"the input {value.name!r} is no tensor")
            tensor = value.type.tensor_type
            shape = tuple(given.get(value.name, ())) or self._declared(value.name, tensor)
            kind = TensorProto.FLOAT if tensor.elem_type in _FLOATS else tensor.elem_type
            self.made.inputs[value.name] = shape
            self.made.shapes[value.name] = shape
            self.types[value.name] = helper.make_tensor_type_proto(kind, shape)
            self._kind(value.name, kind)

    def _kind(self, name: str, kind: int) -> None:
        """Remember a type other than float32."""
        if kind not in (TensorProto.FLOAT, TensorProto.UNDEFINED):
            self.made.kinds[name] = helper.tensor_dtype_to_np_dtype(kind).name

    def _declared(self, name: str, tensor: onnx.TypeProto.Tensor) -> tuple[int, ...]:
        hint = f"give its shape with --input-shape {name}"
        if not tensor.HasField("shape"):
            raise ShapeError(f"the shape of the input {name!r} is not known; {hint}=N,C,H,W")
        dims = [d.dim_value if d.HasField("dim_value") else 0 for d in tensor.shape.dim]
        if dims and dims[0] <= 0:
            dims[0] = 1
            self.made.notes.append((name, "Input", "its batch is free in the model, and 1 here"))
        if any(dim <= 0 for dim in dims):
            own = [d.dim_param or str(d.dim_value or "?") for d in tensor.shape.dim]
            words = f"the input {name!r} is {'x'.join(own)}, not all numbers"
            raise ShapeError(f"{words}; {hint}={','.join(own)} with numbers alone")
        return tuple(dims)

    def node(self, node: onnx.NodeProto) -> None:
        """Fold a node, drop it, or append its operator."""
        inputs = [self.same.get(name, name) for name in node.input]
        if not self.lost.isdisjoint(inputs):
            self.lost.update(filter(None, node.output))
            return
        if node.op_type.startswith(_QUANTISED):
            raise UnsupportedError(
                "the model computes with quantised numbers; export it with QuantizeLinear and "
                "DequantizeLinear around float operators (the QDQ form), or in floats"
            )
        if node.domain not in _OURS:
            raise UnsupportedError(f"an operator of the domain {node.domain!r}, not of ONNX")
        if node.op_type == "If" and inputs[0] in self.made.constants:
            self._branch(node, bool(self.made.constants[inputs[0]]))
            return
        if any(
            a.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
            for a in node.attribute
        ):
            raise UnsupportedError("control flow; expected a graph without branches and loops")
        plain = onnx.NodeProto()
        plain.CopyFrom(node)
        plain.input[:] = inputs
        if node.op_type == "CastLike" and inputs[1] in self.types:
            kind = self.types[inputs[1]].tensor_type.elem_type
            plain = helper.make_node("Cast", inputs[:1], node.output, node.name, to=kind)
        if self._folded(plain):
            return
        if node.op_type == "Dropout" and drops(plain, self.made.constants):
            raise UnsupportedError("its training_mode is true; export the model for inference")
        if self._is_quantisation(plain):
            return
        if node.op_type in _NOTHING or self._changes_nothing(plain):
            self.same[node.output[0]] = inputs[0]
            self.lost.update(filter(None, node.output[1:]))
            return
        self._infer(plain)
        attributes = {a.name: attribute_of(a) for a in node.attribute}
        self.made.ops.append(
            Op(node.op_type, inputs, list(node.output), attributes, self.made, self._label(node))
        )

    def _branch(self, node: onnx.NodeProto, condition: bool) -> None:
        """The nodes of the branch of an If that is always taken."""
        wanted = "then_branch" if condition else "else_branch"
        (graph,) = (a.g for a in node.attribute if a.name == wanted)
        for tensor in graph.initializer:
            self.constant(tensor.name, array_of(tensor))
        for inner in graph.node:
            self.node(inner)
        for name, value in zip(node.output, graph.output, strict=True):
            if not name:
                continue
            if value.name in self.made.constants:
                self.constant(name, self.made.constants[value.name])
            elif value.name in self.lost:
                self.lost.add(name)
            else:
                self.same[name] = self.same.get(value.name, value.name)

    def _is_quantisation(self, node: onnx.NodeProto) -> bool:
        """Whether a node rounds a value, or gives it back; both go, and the value stays."""
        if node.op_type == "QuantizeLinear":
            self.rounded[node.output[0]] = node.input[0]
        elif node.op_type == "DequantizeLinear" and node.input[0] in self.rounded:
            self.same[node.output[0]] = self.rounded[node.input[0]]
        else:
            read = next((name for name in node.input if name in self.rounded), None)
            if read is not None:
                raise UnsupportedError(f"it reads {read!r}, a quantised value")
            return False
        return True

    def _label(self, node: onnx.NodeProto) -> str:
        """The name of a node; that of the layer where our own conversion made it."""
        own = self.made.producer == "resnet-proto"
        return re.sub(rf"/{node.op_type}(_\d+)?$", "", node.name) if own else node.name

    def _changes_nothing(self, node: onnx.NodeProto) -> bool:
        """Whether a cast goes from one floating-point type to another, or a pad adds nothing."""
        if node.op_type == "Pad":
            return pads_nothing(node, self.made.constants)
        if node.op_type != "Cast":
            return False
        to = next(a.i for a in node.attribute if a.name == "to")
        kind = self.types[node.input[0]].tensor_type.elem_type
        return kind == TensorProto.FLOAT and to in (*_FLOATS, TensorProto.FLOAT)

    def _folded(self, node: onnx.NodeProto) -> bool:
        """Whether the outputs of a node are constants, which are then known."""
        if node.op_type in RANDOM:
            raise UnsupportedError("its values are random")
        if node.op_type in ("Shape", "Size"):
            return self._shape(node)
        known = all(name in self.made.constants for name in node.input if name)
        if not known or self.made.opset < CHANGED.get(node.op_type, 0):
            return False
        self._infer(node)
        most = max([_LARGEST, *(self.made.constants[name].size for name in node.input if name)])
        for name in filter(None, node.output):
            shape = self.made.shapes.get(name)
            if shape is None or prod(d or 0 for d in shape) > most:
                if node.op_type in ("Constant", "Identity"):
                    continue
                return False
        found = computed(node, self.made.constants, self.types, self.opsets)
        for name, value in zip(node.output, found, strict=False):
            if name:
                self.constant(name, value)
        return True

    def _shape(self, node: onnx.NodeProto) -> bool:
        name = node.input[0]
        shape = self.made.shapes.get(name)
        if name in self.made.constants:
            shape = self.made.constants[name].shape
        if shape is None or None in shape:
            raise UnsupportedError(f"the shape of {name!r} is not known")
        self.constant(node.output[0], sizes(node, shape))
        return True

    def _infer(self, node: onnx.NodeProto) -> None:
        """The types and shapes of a node's outputs."""
        found = output_types(node, self.made.opset, self.types, self.made.constants, self.opsets)
        for name, kind in found.items():
            tensor = kind.tensor_type
            if tensor.elem_type in _FLOATS:
                tensor.elem_type = TensorProto.FLOAT
            self._kind(name, tensor.elem_type)
            if tensor.HasField("shape"):
                dims = [d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim]
                first = self.made.shapes.get(node.input[0] if node.input else "", ())
                found_dims = without_empty_windows(node, first, dims)
                if found_dims != dims:
                    kind = helper.make_tensor_type_proto(tensor.elem_type, found_dims)
                self.made.shapes[name] = tuple(found_dims)
            self.types[name] = kind

    def finish(self) -> None:
        """Outputs that are another value get an operator of their own."""
        made = self.made
        if self.rounded:
            number = plural(len(self.rounded), "value")
            what = f"left out: Caffe computes {number} in float32 that the model rounds"
            made.notes.append((made.name or "model", "QuantizeLinear", what))
        if self.widened:
            what = "its 16-bit floats become float32, the only ones that Caffe has"
            made.notes.append((made.name or "model", "", what))
        for name in made.outputs:
            if name in self.same or name in made.inputs or name in made.constants:
                source = self.same.get(name, name)
                if source in made.shapes:
                    made.shapes[name] = made.shapes[source]
                alone = [self.same.get(one) for one in made.outputs].count(source) == 1
                if not alone or not made.rename(source, name):
                    made.ops.append(Op("Identity", [source], [name], {}, made, name))
        made.drop_unread()
