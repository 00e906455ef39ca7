"""A picture in Graphviz's language.

In the SVG that is made of it each box has an id with its key, a class with its kind, and each
edge the classes of its ends, for pages that pick them out.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from prototxt_gen.draw.picture import MARKS, Frame, Picture, Shown

#: The fill and the line of each kind of box.
COLOURS = {
    "input": ("#e8f3ea", "#3d7d4c"),
    "convolution": ("#dfeaf8", "#2b5f9e"),
    "dense": ("#e7e3f5", "#5b4a9c"),
    "pooling": ("#fbe3df", "#b0483a"),
    "pointwise": ("#fdf3d6", "#a67c12"),
    "normalization": ("#eef0f3", "#5c6773"),
    "combine": ("#dcf1f0", "#1f7a76"),
    "detection": ("#fbe6f1", "#a2397a"),
    "loss": ("#fde7d3", "#b5651d"),
    "other": ("#f4f4f4", "#666666"),
    "unknown": ("#ffffff", "#999999"),
}
#: The line around a box that differs from another net's.
MARKED = {
    "added": "#1f7a35",
    "removed": "#b3261e",
    "changed": "#b36b00",
    "rewired": "#6a3fb5",
    "renamed": "#5c6773",
}
_AIR = '<FONT POINT-SIZE="12"> </FONT>'  #: keeps a line off the name above it
_STRAIGHT = 200  #: more than Graphviz's own wish for narrow frames weighs
FONT = "Arial"  #: whose widths Graphviz knows, and every system has in some form


def as_dot(made: Picture) -> str:
    """The text for dot, the same for equal pictures."""
    return "\n".join(_lines(made)) + "\n"


def _lines(made: Picture) -> Iterator[str]:
    yield f"digraph {quoted(made.title or 'net')} {{"
    yield f"  graph [rankdir={made.direction}, fontname={quoted(FONT)}, fontsize=11, ranksep=0.3,"
    yield '         nodesep=0.35, pad=0.2, labeljust=l, fontcolor="#555555"];'
    yield f"  node [shape=box, style={quoted('rounded,filled')}, fontname={quoted(FONT)},"
    yield '        fontsize=11, margin="0.2,0.07", penwidth=1.1];'
    yield f"  edge [fontname={quoted(FONT)}, fontsize=9, arrowsize=0.6, penwidth=0.9,"
    yield '        color="#777777", fontcolor="#666666"];'
    for part in made.parts:
        if isinstance(part, Shown):
            yield from _node(part, "  ")
        else:
            yield from _frame(part)
    main = _main(made)
    for start, end, label in made.edges:
        options = [f"label={quoted(' ' + label)}"] if label else []
        options.append(f'class="from-{start} to-{end}"')
        # The longest way goes straight: a short cut bends.
        options += [f"weight={_STRAIGHT}"] if (start, end) in main else []
        yield f"  {start} -> {end} [{', '.join(options)}];"
    yield "}"


def _main(made: Picture) -> set[tuple[str, str]]:
    """The edges of which no way round is longer; of several at a box that in the middle.

    Those into a box stand before those out of it.
    """
    above: dict[str, int] = {}
    below: dict[str, int] = {}
    for start, end, _ in made.edges:
        above[end] = max(above.get(end, 0), above.get(start, 0) + 1)
    for start, end, _ in reversed(made.edges):
        below[start] = max(below.get(start, 0), below.get(end, 0) + 1)
    leaving: dict[str, list[str]] = {}
    entering: dict[str, list[str]] = {}
    for start, end, _ in made.edges:
        if above[end] == above.get(start, 0) + 1 and below[start] == below.get(end, 0) + 1:
            leaving.setdefault(start, []).append(end)
            entering.setdefault(end, []).append(start)
    out = {(start, ends[len(ends) // 2]) for start, ends in leaving.items()}
    return out & {(starts[len(starts) // 2], end) for end, starts in entering.items()}


def _frame(frame: Frame) -> Iterator[str]:
    label = quoted(frame.name)
    if frame.times > 1:
        # In two lines, or the edge into the first box would run through it.
        rows = f"{frame.name}  × {frame.times}".replace(" … ", " …\n").split("\n")
        label = '"' + "".join(quoted(row)[1:-1] + r"\l" for row in rows) + '"'
    heavy = ', penwidth=1.6, color="#8a94a0"' if frame.times > 1 else ', color="#c3c9d0"'
    heavy += ', class="row"' if frame.times > 1 else ""
    yield f"  subgraph {frame.key} {{"
    yield f"    graph [label={label}, style={quoted('rounded')}{heavy}];"
    for one in frame.shown:
        yield from _node(one, "    ")
    yield "  }"


def _node(one: Shown, indent: str) -> Iterator[str]:
    fill, line = COLOURS[one.kind]
    style = ', style="rounded,dashed"' if one.kind == "unknown" else ""
    mark = f'id="box-{one.key}", class="{one.kind}{f" is-{one.mark}" if one.mark else ""}"'
    if one.mark:
        line = MARKED[one.mark]
        style += ", penwidth=2.6"
    sign = f"{MARKS[one.mark]} " if one.mark else ""
    rows = [f"<B>{sign}{_html(one.name)}</B>"]
    rows += [f'<FONT POINT-SIZE="9">{_html(text)}</FONT>' for text in one.lines]
    if one.lines:
        rows[1] = f"{_AIR}{rows[1]}{_AIR}"
    label = "<BR/>".join(rows)
    yield f'{indent}{one.key} [label=<{label}>, fillcolor="{fill}", color="{line}", {mark}{style}];'


def _html(text: str) -> str:
    return escape(printable(text)) or " "


def quoted(text: str) -> str:
    """A text as a string of dot."""
    inner = printable(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{inner}"'


def printable(text: str) -> str:
    """A text without control characters, which SVG cannot hold."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
