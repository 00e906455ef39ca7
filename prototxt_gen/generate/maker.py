"""A graph that is extended at one blob, whose shape is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prototxt_gen.document import Block
from prototxt_gen.errors import ShapeError
from prototxt_gen.generate.naming import Naming, UnitNames, naming
from prototxt_gen.generate.spec import Spec
from prototxt_gen.graph.graph import Graph
from prototxt_gen.layers.activation import ReLU
from prototxt_gen.layers.affine import Scale
from prototxt_gen.layers.base import Layer, Weight
from prototxt_gen.layers.batch_norm import BatchNorm
from prototxt_gen.layers.convolution import Convolution
from prototxt_gen.layers.parts.shapes import Shape


@dataclass(frozen=True, slots=True)
class Section:
    """A group of layers: its title, and the index of its first node."""

    title: str
    start: int


class Maker:
    """Appends layers to a graph; ``blob`` is what the next one reads, ``shape`` its shape."""

    def __init__(self, spec: Spec, graph: Graph, blob: str, shape: Shape) -> None:
        self.spec = spec
        self.graph = graph
        self.names: Naming = naming(spec.naming)
        self.sections: list[Section] = []
        self.blob = blob
        self.shape = shape

    def start(self, title: str) -> None:
        """Begin a group of layers."""
        self.sections.append(Section(title, len(self.graph.nodes)))

    def layer(self, name: str, layer: Layer, top: str | None = None) -> None:
        """Append a layer that reads the current blob, and continue from its top.

        The top has the layer's name if no other is given.
        """
        try:
            weights = layer.weights(layer.blob_shapes((self.shape,)))
            (self.shape,) = layer.shapes((self.shape,), 1)
        except ShapeError as error:
            error.layer = name
            raise
        top = name if top is None else top
        self.graph.add(name, layer, (self.blob,), (top,), self._training(layer, weights))
        self.blob = top

    def join(self, name: str, layer: Layer, *others: str) -> None:
        """Append a layer that reads other blobs and then the current one; the shape stays."""
        self.graph.add(name, layer, (*others, self.blob), (name,))
        self.blob = name

    def conv(
        self,
        name: str,
        channels: int,
        kernel: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        group: int = 1,
        kind: str = "",
    ) -> None:
        """A convolution that keeps the size, apart from its stride.

        ``kind`` is its name in ``forms.BIASED``, by which a spec may give it a bias.
        """
        layer = Convolution(
            channels,
            (kernel,),
            (dilation * (kernel // 2),),
            (stride,),
            (dilation,),
            group,
            bias_term=self.spec.has_bias(kind),
        )
        self.layer(name, layer)

    def norm(self, names: UnitNames, *, relu: bool, top: str | None = None) -> None:
        """The normalization of the spec, in place or to a new top, and a ReLU."""
        spec, layers = self.spec, list[tuple[str, Layer]]()
        fused = spec.norm == "fused"
        if spec.batch_normalized:
            norm = BatchNorm(
                True if spec.phase == "deploy" else None,
                float(spec.moving_average_fraction),
                float(spec.eps),
                scale_bias=fused,
            )
            layers.append((names.norm, norm))
        if not (spec.folded or fused or spec.norm == "none"):
            layers.append((names.scale, Scale(bias_term=True)))
        if relu:
            layers.append((names.relu, ReLU()))
        for name, layer in layers:
            self.layer(name, layer, top or self.blob)

    def relu(self, name: str) -> None:
        """A ReLU in place on the current blob."""
        self.layer(name, ReLU(), self.blob)

    def _training(self, layer: Layer, weights: Sequence[Weight]) -> Block | None:
        """The fields that training adds to a layer; None for deployment.

        He et al. fill by the fan-in (msra). A bias has twice the learning rate and no weight
        decay, as in all of Caffe's models. BatchNorm's statistics are not learned, and Scale
        has its default fillers.
        """
        if self.spec.phase == "deploy":
            return None
        block = Block()
        fillers = Block()
        filled = any(weight.filler == "weight_filler" for weight in weights)
        for weight in weights:
            if weight.fixed:
                block.add("param", Block.of(lr_mult=0.0, decay_mult=0.0))
            elif filled and weight.filler == "weight_filler":
                block.add("param", Block.of(lr_mult=1.0, decay_mult=1.0))
                fillers.add("weight_filler", Block.of(type="msra"))
            elif filled and weight.filler == "bias_filler":
                block.add("param", Block.of(lr_mult=2.0, decay_mult=0.0))
                fillers.add("bias_filler", Block.of(type="constant", value=0.0))
        if layer.param is not None and fillers.fields:
            block.add(layer.param, fillers)
        return block
