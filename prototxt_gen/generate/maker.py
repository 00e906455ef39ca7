"""A graph that is extended at one blob, whose shape is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from prototxt_gen.document import Symbol
from prototxt_gen.errors import ShapeError
from prototxt_gen.generate.naming import Naming, UnitNames
from prototxt_gen.generate.namings import naming
from prototxt_gen.generate.rates import learning
from prototxt_gen.generate.spec import Spec
from prototxt_gen.graph.graph import Graph
from prototxt_gen.layers.activation import Clip, Dropout, PReLU, ReLU
from prototxt_gen.layers.affine import Scale
from prototxt_gen.layers.base import Layer
from prototxt_gen.layers.batch_norm import BatchNorm
from prototxt_gen.layers.combine import Concat, Eltwise
from prototxt_gen.layers.convolution import Convolution
from prototxt_gen.layers.parts.shapes import Shape


class Section(NamedTuple):
    """A group of layers: its title, and the index of its first node."""

    title: str
    start: int


class Maker:
    """Appends layers to a graph; ``blob`` is what the next one reads, ``shape`` its shape."""

    def __init__(self, spec: Spec, graph: Graph, blob: str, shape: Shape) -> None:
        self.spec = spec
        self.graph = graph
        self.names: Naming = naming(spec)
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

    def add_up(self, name: str, shortcut: str) -> None:
        """The sum of the shortcut and the current blob, or how else the spec joins them."""
        coeff = tuple(map(float, self.spec.coeff))
        self.join(name, Eltwise(Symbol(self.spec.eltwise), coeff), shortcut)

    def concat(self, name: str, blobs: Sequence[str], channels: int) -> None:
        """The channels of several blobs that differ from the current one only in their number."""
        self.graph.add(name, Concat(), tuple(blobs), (name,))
        self.blob, self.shape = name, (self.shape[0], channels, *self.shape[2:])

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
        for name, layer in layers:
            self.layer(name, layer, top or self.blob, kind=kind)
        if relu and spec.form.prelu:
            self.layer(names.relu, PReLU(), top or self.blob)
        elif relu:
            self.relu(names.relu, top)

    def activated(self, names: UnitNames) -> None:
        """The normalization and the activation of a convolution that comes after them.

        Their blob has the name of the first of these layers.
        """
        first = names.norm if self.spec.batch_normalized else names.scale
        self.norm(names, relu=True, top=first if self.spec.norm != "none" else names.relu)

    def relu(self, name: str, top: str | None = None) -> None:
        """A ReLU in place, or to a top; one that ends at 6 has always a top of its own.

        The gradient of Clip is computed of what it reads (clip_layer.cpp).
        """
        if self.spec.relu6:
            self.layer(name, Clip(0.0, 6.0))
        else:
            self.layer(name, ReLU(), top or self.blob)

    def drop_out(self, block: str) -> None:
        """The dropout of a block, if the spec has any."""
        if self.spec.dropout:
            name = self.names.part(block, "dropout")
            self.layer(name, Dropout(float(self.spec.dropout)), self.blob)
