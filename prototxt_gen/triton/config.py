"""A model as Triton describes it, and the text of that (config.pbtxt)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Optional, Union

import onnx

from prototxt_gen._pages import environment
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.document import Block, Number, Symbol, Value
from prototxt_gen.errors import TemplateError, UnsupportedError
from prototxt_gen.formats.prototxt import EMPTY_LIST, format_scalar, parse

TEMPLATE = "config.pbtxt.j2"
LABELS = "labels.txt"  #: beside config.pbtxt
Kind = Literal["KIND_AUTO", "KIND_GPU", "KIND_CPU"]

_P = onnx.TensorProto
#: The types of tensors that the ONNX Runtime backend serves (onnxruntime_utils.cc).
_TYPES: dict[int, str] = {
    _P.BOOL: "TYPE_BOOL",
    _P.UINT8: "TYPE_UINT8",
    _P.UINT16: "TYPE_UINT16",
    _P.UINT32: "TYPE_UINT32",
    _P.UINT64: "TYPE_UINT64",
    _P.INT8: "TYPE_INT8",
    _P.INT16: "TYPE_INT16",
    _P.INT32: "TYPE_INT32",
    _P.INT64: "TYPE_INT64",
    _P.FLOAT16: "TYPE_FP16",
    _P.FLOAT: "TYPE_FP32",
    _P.DOUBLE: "TYPE_FP64",
    _P.STRING: "TYPE_STRING",
}


@dataclass(frozen=True)
class Tensor:
    """An input or an output, without the axis of the batch if Triton makes batches.

    ``reshaped`` if it has no axis at all: Triton wants one, which is then taken away.
    """

    name: str
    type: str
    dims: tuple[int, ...]
    reshaped: bool = False
    labels: str = ""


@dataclass(frozen=True)
class Batching:
    """How requests are gathered: sizes that do not wait, and how long others do, in µs."""

    preferred: tuple[int, ...] = ()
    delay: int = 0


@dataclass(frozen=True)
class Instances:
    """How many instances there are, on what, and on which GPUs each."""

    count: int = 1
    kind: Optional[Kind] = None
    gpus: tuple[int, ...] = ()


@dataclass(frozen=True)
class Model:
    """What the template sees."""

    name: str
    max_batch: int
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    batching: Optional[Batching] = None
    instances: Optional[Instances] = None
    accelerator: tuple[tuple[str, str], ...] = ()
    #: Why Triton makes no batches; empty if it does.
    alone: str = field(default="", compare=False)


@dataclass(frozen=True)
class Options:
    """What is wanted; ``classes`` is the number of labels, 0 without any."""

    max_batch: int = 8
    batching: Optional[Batching] = field(default_factory=Batching)
    instances: Optional[Instances] = None
    accelerator: tuple[tuple[str, str], ...] = ()
    classes: int = 0


def describe(model: onnx.ModelProto, name: str, options: Options) -> Model:
    """A model as Triton is to see it; raises UnsupportedError for what it cannot serve."""
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [_Shaped.of(value) for value in model.graph.input if value.name not in weights]
    outputs = [_Shaped.of(value) for value in model.graph.output]
    if not inputs or not outputs:
        what = "input" if not inputs else "output"
        raise UnsupportedError(f"the model has no {what}; Triton serves what has both")
    alone = _why_alone([*inputs, *outputs])
    skip = 0 if alone else 1
    return Model(
        name,
        0 if alone else options.max_batch,
        tuple(value.tensor(skip, 0) for value in inputs),
        tuple(value.tensor(skip, options.classes) for value in outputs),
        None if alone else options.batching,
        options.instances,
        options.accelerator,
        alone,
    )


@dataclass(frozen=True)
class _Shaped:
    """A value of a model; a free dimension is its symbol, which may be empty."""

    name: str
    type: str
    dims: tuple[Union[int, str], ...]

    @classmethod
    def of(cls, value: onnx.ValueInfoProto) -> _Shaped:
        type = value.type.tensor_type
        known = _TYPES.get(type.elem_type)
        if known is None or not value.type.HasField("tensor_type"):
            raise UnsupportedError(f"{value.name!r} is no tensor of a type that Triton serves")
        if not type.HasField("shape"):
            raise UnsupportedError(f"{value.name!r} has no shape, which Triton has to be told")
        dims = tuple(
            dim.dim_value if dim.HasField("dim_value") else dim.dim_param for dim in type.shape.dim
        )
        return cls(value.name, known, dims)

    def tensor(self, skip: int, classes: int) -> Tensor:
        dims = tuple(-1 if isinstance(dim, str) else dim for dim in self.dims[skip:])
        of_classes = [dim for dim in self.dims[1:] if dim != 1] == [classes] and classes > 1
        return Tensor(self.name, self.type, dims or (1,), not dims, LABELS if of_classes else "")


def _why_alone(values: Sequence[_Shaped]) -> str:
    """Why these values have no batch in common as their first axis; empty if they have one."""
    symbols: dict[str, str] = {}
    for value in values:
        if not value.dims:
            return f"{value.name!r} is a scalar, without a batch"
        if not isinstance(value.dims[0], str):
            return f"the first axis of {value.name!r} is {value.dims[0]} and not free"
        symbols.setdefault(value.dims[0], value.name)
    named = [symbol for symbol in symbols if symbol]
    if len(named) > 1:
        one, other = (symbols[symbol] for symbol in named[:2])
        return f"{one!r} and {other!r} begin with different axes, {named[0]} and {named[1]}"
    return ""


def render(model: Model) -> str:
    """The text of a description, read back; raises TemplateError if it is not the same."""
    # It is no HTML; the filter quotes what comes from a model.
    env = environment(autoescape=False, scalar=format_scalar)
    text = env.get_template(TEMPLATE).render(model=model)
    _need_same(read(text), model)
    return text


#: The fields that are written, by message (model_config.proto): scalars by what they are.
FIELDS: dict[str, dict[str, str]] = {
    "ModelConfig": {
        "name": "string",
        "backend": "string",
        "max_batch_size": "int",
        "input": "ModelInput",
        "output": "ModelOutput",
        "dynamic_batching": "ModelDynamicBatching",
        "instance_group": "ModelInstanceGroup",
        "optimization": "ModelOptimizationPolicy",
    },
    "ModelInput": {
        "name": "string",
        "data_type": "enum",
        "dims": "int",
        "reshape": "ModelTensorReshape",
    },
    "ModelOutput": {
        "name": "string",
        "data_type": "enum",
        "dims": "int",
        "reshape": "ModelTensorReshape",
        "label_filename": "string",
    },
    "ModelTensorReshape": {"shape": "int"},
    "ModelDynamicBatching": {"preferred_batch_size": "int", "max_queue_delay_microseconds": "int"},
    "ModelInstanceGroup": {"kind": "enum", "count": "int", "gpus": "int"},
    "ModelOptimizationPolicy": {"execution_accelerators": "ExecutionAccelerators"},
    "ExecutionAccelerators": {"gpu_execution_accelerator": "Accelerator"},
    "Accelerator": {"name": "string", "parameters": "ParametersEntry"},
    "ParametersEntry": {"key": "string", "value": "string"},
}

Tree = Mapping[str, list[object]]


def read(text: str, message: str = "ModelConfig") -> Tree:
    """The values of a description by field; raises TemplateError for what none has."""
    sink = Sink(Source(text.encode("utf-8", "surrogateescape"), TEMPLATE))
    root = parse(sink.source, sink) if sink.source else Block()
    sink.raise_errors(TemplateError)
    return _typed(root, message)


def _typed(block: Block, message: str) -> dict[str, list[object]]:
    found: dict[str, list[object]] = {}
    for entry in block:
        kind = FIELDS[message].get(entry.name)
        if kind is None:
            raise TemplateError(f"{TEMPLATE}: {message} has no field {entry.name!r}")
        values = found.setdefault(entry.name, [])
        if entry.value is not EMPTY_LIST:
            values.append(_value(entry.name, entry.value, kind))
    return found


def _value(name: str, value: Value, kind: str) -> object:
    if isinstance(value, Block) and kind in FIELDS:
        return _typed(value, kind)
    if kind == "int" and isinstance(value, Number):
        return int(value)
    if kind == "enum" and isinstance(value, Symbol):
        return str(value)
    if kind == "string" and isinstance(value, (str, bytes)) and not isinstance(value, Symbol):
        return value if isinstance(value, str) else value.decode("utf-8", "surrogateescape")
    raise TemplateError(f"{TEMPLATE}: {name} is {value!r}; expected {kind}")


def _need_same(found: Tree, model: Model) -> None:
    """Raise TemplateError if what was read back is not the model."""
    wanted: dict[str, list[object]] = {
        "name": [model.name],
        "max_batch_size": [model.max_batch],
        "input": [(v.name, v.type, list(v.dims)) for v in model.inputs],
        "output": [(v.name, v.type, list(v.dims)) for v in model.outputs],
    }
    for name, values in wanted.items():
        read = [
            (*value["name"], *value["data_type"], value["dims"])
            if isinstance(value, dict)
            else value
            for value in found.get(name, [])
        ]
        if read != values:
            raise TemplateError(f"{TEMPLATE}: {name} reads back as {read}; expected {values}")
