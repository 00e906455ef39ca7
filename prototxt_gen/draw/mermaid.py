"""A picture in Mermaid's language, which GitHub and GitLab draw in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from prototxt_gen.draw.dot import COLOURS, printable
from prototxt_gen.draw.picture import Frame, Picture, Shown


def as_mermaid(made: Picture) -> str:
    """The text of a flowchart."""
    return "\n".join(_lines(made)) + "\n"


def _lines(made: Picture) -> Iterator[str]:
    yield f"flowchart {made.direction}"
    kinds = []
    for part in made.parts:
        if isinstance(part, Frame):
            times = f" × {part.times}" if part.times > 1 else ""
            yield f'  subgraph {part.key}["{_text(part.name + times)}"]'
            for one in part.shown:
                yield f"    {_node(one)}"
            yield "  end"
        else:
            yield f"  {_node(part)}"
    for one in made.shown:
        if one.kind not in kinds:
            kinds.append(one.kind)
    for start, end, label in made.edges:
        shown = f'|"{_text(label)}"|' if label else ""
        yield f"  {start} -->{shown} {end}"
    for kind in kinds:
        fill, line = COLOURS[kind]
        yield f"  classDef {kind} fill:{fill},stroke:{line},color:#222"


def _node(one: Shown) -> str:
    lines = "<br/>".join(_text(text) for text in (one.name, *one.lines))
    return f'{one.key}("{lines}"):::{one.kind}'


def _text(text: str) -> str:
    """A text within quotes: what Mermaid would read is written by its code."""
    return "".join(f"#{ord(c)};" if c in '"#&<>`\\' else c for c in printable(text)) or " "
