"""A net as boxes: a layer with what only changes its values, and the edges between boxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from prototxt_gen.graph.graph import Graph, Node, Ref
from prototxt_gen.graph.infer import Shapes, costs
from prototxt_gen.layers import family
from prototxt_gen.layers.base import Cost, Role
from prototxt_gen.layers.parts.shapes import Shape

#: Families of layers that join the box of the layer before them, if nothing else reads that.
_JOIN = {"activation", "fork_activation", "affine", "batch_norm", "elementwise"}


@dataclass(eq=False)
class Box:
    """One or more layers in a row; ``kind`` is what a colour stands for."""

    nodes: list[Node]
    kind: str
    number: int
    shapes: list[Shape | None]  #: of the tops of the last layer
    cost: Cost | None = None
    inputs: list[tuple[Box, Shape | None]] = field(default_factory=list)
    mark: str = ""  #: how it differs from another net that it is drawn beside

    @property
    def name(self) -> str:
        """The name of the first layer."""
        return self.nodes[0].name

    @property
    def title(self) -> str:
        """What the first layer does, in a few words."""
        return described(self.nodes[0])

    @property
    def brief(self) -> str:
        """The same without pads, for a box that stands for many."""
        return described(self.nodes[0], padded=False)

    @property
    def more(self) -> list[str]:
        """The types of the layers behind the first."""
        return [node.type for node in self.nodes[1:]]


def boxes(graph: Graph, shapes: Shapes, *, expand: bool = False) -> list[Box]:
    """The boxes of a net in the order of its layers; with ``expand`` each layer is one."""
    readers = Counter(ref for node in graph.nodes for ref in node.bottoms)
    outputs = set(graph.outputs)
    cost = {id(node): found for node, found in costs(graph, shapes)}
    made: dict[Ref, Box] = {}
    found: list[Box] = []
    for node in graph.nodes:
        before = made.get(node.bottoms[0]) if len(node.bottoms) == 1 else None
        joins = (
            not expand
            and before is not None
            and len(node.tops) == 1
            and family(node.layer) in _JOIN
            and readers[node.bottoms[0]] == 1
            and node.bottoms[0] not in outputs
            and len(before.nodes[-1].tops) == 1
            and before.nodes[0].layer.role is Role.PLAIN
        )
        if joins and before is not None:
            box = before
            box.nodes.append(node)
            box.cost = _sum(box.cost, cost.get(id(node)))
        else:
            box = Box([node], kind(node), len(found), [], cost.get(id(node)))
            found.append(box)
            box.inputs = [(made[ref], shapes.blobs.get(ref)) for ref in node.bottoms if ref in made]
        box.shapes = [shapes.blobs.get(top) for top in node.tops]
        made.update(dict.fromkeys(node.tops, box))
    return found


def kind(node: Node) -> str:
    """What the colour of a layer's box stands for."""
    role = node.layer.role
    if not node.layer.known:
        return "unknown"
    if role in (Role.INPUT, Role.SOURCE):
        return "input"
    if role in (Role.LOSS, Role.MEASURE):
        return "loss"
    return _KINDS.get(family(node.layer), "other")


_KINDS: Mapping[str, str] = {
    "convolution": "convolution",
    "deconvolution": "convolution",
    "dense": "dense",
    "recurrent": "dense",
    "ctpn_lstm": "dense",
    "pooling": "pooling",
    "spp": "pooling",
    "rois": "pooling",
    "roi_align": "pooling",
    "position_rois": "pooling",
    "activation": "pointwise",
    "fork_activation": "pointwise",
    "elementwise": "pointwise",
    "affine": "normalization",
    "batch_norm": "normalization",
    "normalization": "normalization",
    "fork_normalization": "normalization",
    "combine": "combine",
    "detection": "detection",
    "detection_output": "detection",
    "decode_bbox": "detection",
    "proposals": "detection",
    "yolo": "detection",
}


def described(node: Node, *, padded: bool = True) -> str:
    """The type of a layer with its window and channels: ``Convolution 3×3, 64, /2, pad 1``."""
    layer = node.layer
    words = node.type or "?"
    kernel = getattr(layer, "kernel", ())
    if kernel and not getattr(layer, "global_pooling", False):
        words += f" {window(kernel)}"
    details = []
    if getattr(layer, "global_pooling", False):
        details.append("global")
    channels = getattr(layer, "num_output", 0)
    if channels:
        details.append(str(channels))
    stride = getattr(layer, "stride", ())
    if isinstance(stride, tuple) and any(step != 1 for step in stride):
        details.append(f"/{window(stride) if len(set(stride)) > 1 else stride[0]}")
    pad = getattr(layer, "pad", ())
    if padded and isinstance(pad, tuple) and any(pad):
        details.append(f"pad {window(pad) if len(set(pad)) > 1 else pad[0]}")
    for name, shown in (("group", "groups"), ("dilation", "dilation")):
        value = getattr(layer, name, 1)
        value = window(value) if isinstance(value, tuple) and len(set(value)) > 1 else value
        value = value[0] if isinstance(value, tuple) and value else value
        if value not in (1, (), "1"):
            details.append(f"{value} {shown}" if name == "group" else f"{shown} {value}")
    method = getattr(layer, "pool", None) or getattr(layer, "operation", None)
    if isinstance(method, str):
        details.insert(0, str(method).lower())
    return f"{words}, {', '.join(details)}" if details else words


def window(sizes: tuple[int, ...]) -> str:
    """A window of one or several sizes; one stands for both axes of a plane."""
    both = sizes * 2 if len(sizes) == 1 else sizes
    return "×".join(map(str, both))


def _sum(one: Cost | None, other: Cost | None) -> Cost | None:
    if one is None or other is None:
        return None
    return Cost(*(a + b for a, b in zip(one, other, strict=True)))
