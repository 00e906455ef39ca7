"""A net in a notebook: its picture, or the table of its layers where it cannot be drawn."""

from __future__ import annotations

from html import escape

from prototxt_gen._words import plural
from prototxt_gen.draw.forms import drawn
from prototxt_gen.draw.picture import Drawing, picture, short
from prototxt_gen.errors import PrototxtError
from prototxt_gen.graph.graph import Graph
from prototxt_gen.report.sketch import untitled
from prototxt_gen.summary import summarize

_MOST_LAYERS = 100  #: that are drawn one by one; of more, equal units are drawn once
_MOST_BOXES = 400  #: that are drawn at all
#: A ground of its own, since the page may be dark, and no more height than a screen has.
_STYLE = "background: #fff; color: #222; padding: 4px; overflow: auto; max-height: 42em"


def as_html(graph: Graph) -> str:
    """An element of HTML, with what the net costs above its picture or the table."""
    summary = summarize(graph)
    made = picture(graph, summary.shapes, Drawing(blocks=len(graph.nodes) > _MOST_LAYERS))
    boxes = sum(1 for _ in made.shown)
    try:
        if boxes > _MOST_BOXES:
            raise PrototxtError(f"{boxes:,} boxes are too many for a picture")
        shown = _svg(drawn(made, "svg").decode("utf-8", "replace"))
    except PrototxtError as error:
        return f"<p>{escape(error.message)}</p>\n{summary._repr_html_()}"
    words = f"{plural(len(graph.nodes), 'layer', ',')}, {short(summary.parameters)} parameters, "
    words += f"{short(summary.multiply_adds)} multiply-adds"
    if not summary.complete:
        words += " at least"
    title = f"<p><b>{escape(graph.name or 'net')}</b>: {words}</p>"
    return f'{title}\n<div style="{_STYLE}">\n{shown}\n</div>'


def _svg(text: str) -> str:
    """The element, no wider than its cell."""
    return untitled(text).replace("<svg ", '<svg style="max-width: 100%; height: auto" ', 1)
