"""A graph that is extended at one blob, whose shape is known."""

from __future__ import annotations

from dataclasses import dataclass

from prototxt_gen.errors import ShapeError
from prototxt_gen.generate.naming import Naming, UnitNames, naming
from prototxt_gen.generate.rates import learning
from prototxt_gen.generate.spec import Spec
from prototxt_gen.graph.graph import Graph
from prototxt_gen.layers.activation import PReLU, ReLU
from prototxt_gen.layers.affine import Scale
from prototxt_gen.layers.base import Layer
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
        self.frozen = False  #: whether layers from here on do not learn

    def start(self, title: str) -> None:
        """Begin a group of layers."""
        self.sections.append(Section(title, len(self.graph.nodes)))

    def layer(self, name: str, layer: Layer, top: str | None = None, *, kind: str = "") -> None:
        """Append a layer that reads the current blob, and continue from its top.

        The top has the layer's name if no other is given; ``kind`` is as in ``learning``.
        """
        try:
            weights = layer.weights(layer.blob_shapes((self.shape,)))
            (self.shape,) = layer.shapes((self.shape,), 1)
        except ShapeError as error:
            error.layer = name
            raise
        top = name if top is None else top
        block = None
        if self.spec.phase != "deploy":
            block = learning(self.spec.training, layer, weights, kind, frozen=self.frozen)
        self.graph.add(name, layer, (self.blob,), (top,), block)
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
        self.layer(name, layer, kind=kind)

    def norm(self, names: UnitNames, *, relu: bool, top: str | None = None, kind: str = "") -> None:
        """The normalization of the spec, in place or to a new top, and the activation."""
        spec, layers = self.spec, list[tuple[str, Layer]]()
        fused = spec.norm == "fused"
        if spec.batch_normalized:
            norm = BatchNorm(
                True if spec.phase == "deploy" or self.frozen else None,
                float(spec.moving_average_fraction),
                float(spec.eps),
                scale_bias=fused,
            )
            layers.append((names.norm, norm))
        if not (spec.folded or fused or spec.norm == "none"):
            layers.append((names.scale, Scale(bias_term=True)))
        if relu:
            layers.append((names.relu, PReLU() if spec.form.prelu else ReLU()))
        for name, layer in layers:
            self.layer(name, layer, top or self.blob, kind=kind)

    def relu(self, name: str) -> None:
        """A ReLU in place on the current blob."""
        self.layer(name, ReLU(), self.blob)
