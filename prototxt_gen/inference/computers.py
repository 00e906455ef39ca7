"""What computes: a Caffe net with numpy, or an ONNX model with onnxruntime."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Optional, Protocol

import numpy as np

from prototxt_gen.diagnostics import Sink
from prototxt_gen.errors import GraphError, VerificationError, WeightsError
from prototxt_gen.graph.check import check, checked
from prototxt_gen.graph.fillers import Init
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.run import run
from prototxt_gen.graph.weights import bind
from prototxt_gen.inference.images import Order
from prototxt_gen.layers.parts.shapes import Shape, show
from prototxt_gen.passes.completed import completed
from prototxt_gen.passes.deploy import Change
from prototxt_gen.passes.inference import for_inference

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]


class Computer(Protocol):
    """A net or a model: its inputs, and what it computes of them."""

    inputs: dict[str, Shape]
    outputs: list[str]
    detectors: Optional[Collection[str]]  #: the outputs with boxes; None if that is not known
    numbers: dict[str, np.dtype[Any]]  #: those that inputs of a model take
    labels: dict[str, str]  #: the metadata of a model
    changes: list[Change]  #: what became of data layers
    order: Order  #: of the channels of images
    prepares: bool  #: whether it subtracts a mean or scales by itself

    def batch_of(self, name: str) -> int | None:
        """How many images an input takes; None if that is free."""

    def taken(self, name: str, sizes: Mapping[int, int]) -> dict[int, int]:
        """The sizes of axes of an input, as they are or made larger to be such as it takes."""

    def compute(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs, or all blobs if they are wanted, by their names."""


class NetComputer:
    """A Caffe net, for inference; ``every`` keeps all blobs."""

    def __init__(self, graph: Graph, shapes: Mapping[str, Shape], *, every: bool = False) -> None:
        self._given, self._every, self._source = dict(shapes), every, graph
        self._nets: dict[int | None, Graph] = {}
        self._stored: Mapping[str, Sequence[Array]] = graph.stored
        self.order: Order = "bgr"
        self.prepares = False
        self.changes: list[Change] = []  #: to the layers that inputs are made of
        net = self._net(None)
        sizes = checked(net).blobs
        self.inputs = {ref.blob: sizes[ref] for ref in net.inputs}
        self.outputs = [ref.blob for ref in net.outputs if ref not in net.inputs]
        if not self.outputs:
            raise GraphError("the net has no output that a layer makes")
        makers = net.makers
        self.detectors: Collection[str] | None = frozenset(
            ref.blob for ref in net.outputs if makers[ref].layer.detects
        )
        self.numbers: dict[str, np.dtype[Any]] = {}
        self.labels: dict[str, str] = {}

    def complete(self, init: Init, seed: int) -> None:
        """Make the weights that the file does not have; raises WeightsError."""
        net = self._net(None)
        self._stored, made = completed(net, checked(net), init, seed)
        self.changes += made

    def batch_of(self, name: str) -> int | None:
        """None if the net computes the same for another number of images."""
        return None if name in self._free else _first(self.inputs[name])

    def taken(self, name: str, sizes: Mapping[int, int]) -> dict[int, int]:
        """As they are: all its sizes are known."""
        return dict(sizes)

    @cached_property
    def _free(self) -> frozenset[str]:
        """The inputs whose batch may be another one."""
        try:
            net, other = self._net(None), self._net(_OTHER)
        except GraphError:
            return frozenset()
        sizes, others = checked(net).blobs, checked(other).blobs
        if not all(
            others[theirs][:1] == (_OTHER,) or others[theirs] == sizes[ours]
            for ours, theirs in zip(net.outputs, other.outputs, strict=True)
        ):
            return frozenset()
        return frozenset(ref.blob for ref in other.inputs if others[ref][:1] == (_OTHER,))

    def _net(self, batch: int | None) -> Graph:
        if batch not in self._nets:
            net, changes = for_inference(self._source, self._given, batch, "auto")
            self._nets[batch] = net
            sources = {node.name for node in self._source.nodes if not node.bottoms}
            if batch is None:
                self.changes += [change for change in changes if change.layer in sources]
        return self._nets[batch]

    def compute(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The blobs; raises WeightsError, GraphError and UnsupportedError."""
        size = next((len(inputs[name]) for name in self.inputs if name in self._free), None)
        net = self._net(size)
        sink = Sink(net.source)
        given = {name: value.shape for name, value in inputs.items()}
        stored = self._stored
        if not stored and not all(node.layer.parameter_free() for node in net.nodes):
            words = "the net has weights; give a caffemodel, or --weights-init to make some"
            raise WeightsError(words)
        weights = bind(net, check(net, sink, given), stored, sink)
        sink.raise_errors(WeightsError)
        blobs = {ref.blob: v for ref, v in run(net, weights, inputs, keep=self._every).items()}
        return blobs if self._every else {name: blobs[name] for name in self.outputs}


_OTHER = 3  #: a batch that a net is tried with


class ModelComputer:
    """An ONNX model; ``every`` computes all its values, without optimizations."""

    def __init__(self, path: str, provider: str, *, every: bool = False) -> None:
        from onnx.helper import tensor_dtype_to_np_dtype

        from prototxt_gen.engines import load, open_session, with_outputs
        from prototxt_gen.to_onnx.free import read_ranges
        from prototxt_gen.to_onnx.sizes import input_shapes
        from prototxt_gen.verify_model import pictures_of

        model = load(path)
        self._ranges = read_ranges(model)
        self.labels = {entry.key: entry.value for entry in model.metadata_props}
        self.detectors: Collection[str] | None = None
        self.changes: list[Change] = []
        done = list(pictures_of(model).done.values())
        self.prepares = bool(done)
        self.order: Order = done[0].order if done else "bgr"
        weights = {tensor.name for tensor in model.graph.initializer}
        self.inputs = {
            name: shape for name, shape in input_shapes(model).items() if name not in weights
        }
        self._symbols = {
            value.name: [dim.dim_param for dim in value.type.tensor_type.shape.dim]
            for value in model.graph.input
        }
        self.numbers = {
            value.name: tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
            for value in model.graph.input
            if value.name in self.inputs
        }
        self.outputs = [value.name for value in model.graph.output]
        self._names = list(self.outputs)
        if every:
            made = (name for node in model.graph.node for name in node.output if name)
            self._names = list(dict.fromkeys([*self.outputs, *made]))
            with_outputs(model, self._names)
        self._session = open_session(model, provider, plain=every)

    def batch_of(self, name: str) -> int | None:
        """What the model says."""
        return _first(self.inputs[name])

    def taken(self, name: str, sizes: Mapping[int, int]) -> dict[int, int]:
        """What the model's metadata say of its free sizes; one symbol has one size."""
        symbols = self._symbols[name]
        largest: dict[str, int] = {}
        for axis, size in sizes.items():
            largest[symbols[axis]] = max(size, largest.get(symbols[axis], 0))
        found = {s: self._ranges[s].after(n - 1) for s, n in largest.items() if s in self._ranges}
        return {axis: found.get(symbols[axis], size) for axis, size in sizes.items()}

    def compute(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The values that are arrays of numbers, float16 as float32; raises VerificationError."""
        from prototxt_gen.engines import session_values

        found = session_values(self._session, self._names, inputs)
        return {
            name: value.astype(np.float32) if value.dtype == np.float16 else value
            for name, value in found.items()
            if isinstance(value, np.ndarray) and value.dtype.kind in "fiub"
        }


def _first(shape: Shape) -> int | None:
    """The size of the first axis; 1 for a scalar."""
    return shape[0] if shape else 1


def image_input(computer: Computer, given: Collection[str]) -> str:
    """The input that takes the images, the only one that is not given."""
    left = [name for name in computer.inputs if name not in given]
    if len(left) == 1:
        return left[0]
    if not left:
        what = "every input is given" if given else "there is no input"
        raise VerificationError(f"{what}; there is none for the images")
    shown = ", ".join(f"{name} {show(computer.inputs[name])}" for name in left)
    words = f"there are several inputs ({shown})"
    raise VerificationError(f"{words}; give all but one with --input NAME=FILE")


def fitted(values: Array, name: str, shape: Sequence[int | None]) -> Array:
    """Values of an npy file with a batch axis; raises VerificationError if they do not fit."""
    if values.ndim == len(shape) - 1:
        values = values[None]
    rest = values.shape[1:]
    fits = values.ndim == len(shape) and all(
        want is None or want == dim for want, dim in zip(shape[1:], rest, strict=True)
    )
    if not fits or not len(values):
        raise VerificationError(f"is {show(values.shape)}; the input {name!r} is {show(shape)}")
    return values
