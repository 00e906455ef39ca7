"""From a spec to a graph, block by block, in the form of MSRA's deploy files.

Of a block of other channels or of half the size, the shortcut is a projection, and the
stride is that of its first convolution. The sum takes the shortcut first. Statistics are
those of the training set (``use_global_stats``), since the net is for inference.
"""

from __future__ import annotations

from dataclasses import dataclass

from prototxt_gen.diagnostics import Sink
from prototxt_gen.errors import GraphError, ShapeError, SpecError
from prototxt_gen.generate import naming
from prototxt_gen.generate.naming import UnitNames
from prototxt_gen.generate.spec import Spec
from prototxt_gen.graph.check import check
from prototxt_gen.graph.graph import Graph
from prototxt_gen.layers.activation import ReLU, Softmax
from prototxt_gen.layers.affine import Scale
from prototxt_gen.layers.base import Layer
from prototxt_gen.layers.combine import Eltwise
from prototxt_gen.layers.convolution import Convolution
from prototxt_gen.layers.dense import InnerProduct
from prototxt_gen.layers.inputs import Input
from prototxt_gen.layers.normalization import BatchNorm
from prototxt_gen.layers.pooling import AVE, MAX, Pooling
from prototxt_gen.layers.shapes import Shape, show


@dataclass(frozen=True, slots=True)
class Section:
    """A group of layers that belong together: what it is, and its first node's index."""

    title: str
    start: int


@dataclass(frozen=True, slots=True)
class Net:
    """A generated net: the spec it was made from, its graph, and the groups of its layers."""

    spec: Spec
    graph: Graph
    sections: tuple[Section, ...]


def build(spec: Spec) -> Net:
    """The net of a spec, checked as Caffe would.

    Raises SpecError where the input is too small for the net, and GraphError where Caffe
    would refuse a layer.
    """
    maker = _Maker(spec)
    try:
        maker.stem()
        for stage, names in enumerate(naming.block_names(spec.stages)):
            maker.stage(stage, names)
        maker.classifier()
    except ShapeError as error:
        message = f"{show(spec.input_shape)} is too small: {error.layer}: {error.message}"
        raise SpecError(message, path="input_shape") from error
    sink = Sink()
    check(maker.graph, sink)
    sink.raise_errors(GraphError)
    return Net(spec, maker.graph, tuple(maker.sections))


class _Maker:
    """A graph that grows at one blob, whose shape is known."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.graph = Graph(spec.name, input_form="input_dim")
        self.sections: list[Section] = []
        self.blob = "data"
        self.shape: Shape = spec.input_shape
        self.graph.add("input", Input((spec.input_shape,)), (), ("data",))

    def stem(self) -> None:
        """A convolution and a pooling, each of which halves the size."""
        self.start("conv1")
        conv = Convolution(
            self.spec.width, (7,), pad=(3,), stride=(2,), bias_term=self.spec.conv1_bias
        )
        self.unit(naming.CONV1, conv, relu=True)
        self.layer("pool1", Pooling(MAX, (3,), (2,)), "pool1")

    def stage(self, stage: int, names: list[str]) -> None:
        """The blocks of a stage, counted from 0."""
        form = self.spec.form
        width = self.spec.width << stage
        out = width * form.expansion
        plural = "" if len(names) == 1 else "s"
        self.start(f"res{stage + 2}: {len(names)} {self.spec.block} block{plural}, {out} channels")
        for index, name in enumerate(names):
            self.block(name, width, stride=2 if stage and not index else 1)

    def block(self, name: str, width: int, stride: int) -> None:
        """One residual block: the shortcut, the branch, their sum."""
        form = self.spec.form
        out = width * form.expansion
        blob, shape = self.blob, self.shape
        if stride != 1 or shape[1] != out:
            self.unit(naming.shortcut(name), _conv(out, 1, stride), relu=False)
        shortcut = self.blob
        self.blob, self.shape = blob, shape
        last = len(form.convs) - 1
        for index, (kernel, factor) in enumerate(form.convs):
            conv = _conv(width * factor, kernel, 1 if index else stride)
            self.unit(naming.branch(name, index), conv, relu=index < last)
        total, relu = naming.total(name)
        self.graph.add(total, Eltwise(), (shortcut, self.blob), (total,))
        self.blob = total
        self.layer(relu, ReLU(), total)

    def classifier(self) -> None:
        """The mean of each channel, and a score for each class."""
        self.start("classifier")
        height, width = self.shape[2:]
        kernel = (height,) if height == width else (height, width)
        self.layer("pool5", Pooling(AVE, kernel), "pool5")  # type: ignore[arg-type]
        name = f"fc{self.spec.classes}"
        self.layer(name, InnerProduct(self.spec.classes), name)
        self.layer("prob", Softmax(), "prob")

    def start(self, title: str) -> None:
        """Begin a group of layers."""
        self.sections.append(Section(title, len(self.graph.nodes)))

    def unit(self, names: UnitNames, conv: Convolution, *, relu: bool) -> None:
        """A convolution, and in its place BatchNorm, Scale and if asked for ReLU."""
        self.layer(names.conv, conv, names.conv)
        self.layer(names.norm, BatchNorm(use_global_stats=True), names.conv)
        self.layer(names.scale, Scale(bias_term=True), names.conv)
        if relu:
            self.layer(names.relu, ReLU(), names.conv)

    def layer(self, name: str, layer: Layer, top: str) -> None:
        """Append a layer that reads the present blob, and go on from its top."""
        try:
            (self.shape,) = layer.shapes((self.shape,), 1)
        except ShapeError as error:
            error.layer = name
            raise
        self.graph.add(name, layer, (self.blob,), (top,))
        self.blob = top


def _conv(channels: int, kernel: int, stride: int) -> Convolution:
    return Convolution(channels, (kernel,), (kernel // 2,), (stride,), bias_term=False)
