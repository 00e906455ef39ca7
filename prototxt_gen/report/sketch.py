"""The picture in a report: an SVG whose boxes can be found, or why there is none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from prototxt_gen._words import plural
from prototxt_gen.draw.forms import drawn
from prototxt_gen.draw.picture import Drawing, Frame, picture
from prototxt_gen.errors import PrototxtError
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.infer import Shapes

MOST_LAYERS = 400  #: that are drawn one by one
_MOST_BOXES = 2000  #: that a browser still moves without effort
_ONCE = (
    "{} units that follow each other are drawn once. A layer that is not drawn is found in the "
    "unit that stands for it."
)
_TITLE = re.compile(r"<title>[^<]*</title>\n?|<!--.*?-->\n?", re.S)
_GROUND = re.compile(r'<polygon fill="white" stroke="none"[^>]*/>\n?')
_ID = re.compile(r'(?<=[\w"]) id="')  #: of an element; in a text a quote is escaped
_OUTER = re.compile(r'<svg width="[^"]*" height="[^"]*"')


@dataclass(frozen=True, slots=True)
class Sketch:
    """An SVG element, in which the id of a box is ``box-`` and its key.

    ``why`` says in words what is missing of the picture, or all of it where ``svg`` is empty.
    """

    svg: str
    why: str
    boxes: int
    blocks: bool  #: whether equal units are drawn once
    keys: Mapping[int, str] = field(default_factory=dict)  #: of the boxes of layers
    marks: tuple[str, ...] = ()  #: those that boxes have

    def of(self, layer: int) -> str | None:
        """The box of a layer."""
        return self.keys.get(layer)


def sketch(
    graph: Graph,
    shapes: Shapes,
    blocks: bool | None = None,
    marks: Mapping[int, str] | None = None,
    side: str = "",
) -> Sketch:
    """The picture of a net; ``marks`` say by the index of a layer how it differs from another's.

    Of two pictures in one page each has a ``side``, with which its ids begin.
    """
    once = len(graph.nodes) > MOST_LAYERS if blocks is None else blocks
    numbers = {id(node): index for index, node in enumerate(graph.nodes)}
    of_nodes = {id(graph.nodes[index]): mark for index, mark in (marks or {}).items()}
    made = picture(graph, shapes, Drawing(blocks=once), of_nodes)
    boxes = sum(1 for _ in made.shown)
    if boxes > _MOST_BOXES:
        return Sketch("", f"{boxes:,} boxes are more than a page can show.", boxes, once)
    try:
        svg = drawn(made, "svg").decode("utf-8", "replace")
    except PrototxtError as error:
        return Sketch("", f"There is no picture: {error.message}.", boxes, once)
    keys = {numbers[id(node)]: key for key, nodes in made.layers.items() for node in nodes}
    merged = any(isinstance(part, Frame) and part.times > 1 for part in made.parts)
    why = _ONCE.format(f"The net has {plural(len(graph.nodes), 'layer')}: equal") if merged else ""
    if merged and blocks:
        why = _ONCE.format("Equal")
    used = tuple(sorted({one.mark for one in made.shown} - {""}))
    return Sketch(_cleaned(svg, side), why, boxes, once, keys, used)


def _cleaned(svg: str, side: str) -> str:
    """The element alone, without titles and without a ground."""
    inner = _GROUND.sub("", untitled(svg), count=1)
    inner = _ID.sub(f' id="{side}', inner) if side else inner
    return _OUTER.sub('<svg class="net" role="img" aria-label="The net as boxes"', inner, count=1)


def untitled(svg: str) -> str:
    """The element of an SVG file, without the titles that browsers show as hints."""
    return _TITLE.sub("", svg[svg.index("<svg") :])
