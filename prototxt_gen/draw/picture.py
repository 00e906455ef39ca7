"""What a picture shows: boxes, in frames, with what is written in them and on the edges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prototxt_gen.draw import compact
from prototxt_gen.draw.boxes import Box, boxes
from prototxt_gen.draw.units import Unit, units
from prototxt_gen.graph.graph import Graph, Node
from prototxt_gen.graph.infer import Shapes
from prototxt_gen.layers.base import Cost
from prototxt_gen.layers.parts.shapes import Shape


@dataclass(frozen=True, slots=True)
class Drawing:
    """How a net is drawn."""

    expand: bool = False  #: each layer has a box of its own
    blocks: bool = False  #: units of one form in a row are drawn once
    compact: bool = False  #: the same, and each unit is a single box
    cost: bool = False  #: parameters and multiply-adds stand in the boxes
    direction: str = "TB"  #: or LR


@dataclass(frozen=True)
class Shown:
    """A box with its lines; the first one is its name."""

    key: str
    name: str
    lines: tuple[str, ...]
    kind: str
    mark: str = ""  #: one of MARKS


#: How layers differ from those of another net, with a sign for each: what weighs most first.
MARKS = {"added": "+", "removed": "-", "changed": "~", "rewired": "⇄", "renamed": "≈"}


@dataclass(frozen=True)
class Frame:
    """Boxes that are a unit; ``times`` is how many units in a row it stands for."""

    key: str
    name: str
    shown: tuple[Shown, ...]
    times: int = 1


@dataclass
class Picture:
    """Boxes in frames and outside of them, in the order of the net, and edges with labels."""

    title: str
    direction: str
    parts: list[Frame | Shown] = field(default_factory=list)
    edges: list[tuple[str, str, str]] = field(default_factory=list)
    #: The layers that a box stands for, by its key: its own, and those of units drawn once.
    layers: dict[str, list[Node]] = field(default_factory=dict)

    @property
    def shown(self) -> Iterator[Shown]:
        """All boxes."""
        for part in self.parts:
            if isinstance(part, Frame):
                yield from part.shown
            else:
                yield part


def picture(
    graph: Graph,
    shapes: Shapes,
    drawing: Drawing | None = None,
    marks: Mapping[int, str] | None = None,
) -> Picture:
    """The picture of a net whose shapes are known as far as can be.

    ``marks`` say by the identity of a node how its layer differs from that of another net.
    """
    asked = drawing or Drawing()
    every = boxes(graph, shapes, expand=asked.expand)
    if marks:
        for one in every:
            one.mark = _mark([marks.get(id(node), "") for node in one.nodes])
    frames = units(every)
    made = Picture(graph.name, asked.direction)
    drawn, like = every, dict[int, Box]()
    rows = dict[int, list[Unit]]()
    if asked.blocks or asked.compact:
        # A single box shows no shapes within.
        drawn, frames, rows, like = _once(every, frames, sized=not asked.compact)
    of_box = {box.number: unit for unit in frames for box in unit.boxes}
    keys = {box.number: _key(box) for box in drawn}
    if asked.compact:
        keys.update((number, _key(unit.boxes[0])) for number, unit in of_box.items())
    for box in every:
        key = keys[like.get(box.number, box).number]
        made.layers.setdefault(key, []).extend(box.nodes)
    done: set[int] = set()
    for box in drawn:
        unit = of_box.get(box.number)
        if unit is None:
            made.parts.append(_shown(box, asked))
        elif id(unit) not in done:
            done.add(id(unit))
            made.parts.append(_part(rows.get(id(unit), [unit]), asked))
        for one, shape in box.inputs:
            edge = keys[one.number], keys[box.number], size(shape)
            # Of a unit that is a box, what it reads several times is read once.
            if not asked.compact or (edge[0] != edge[1] and edge not in made.edges):
                made.edges.append(edge)
    return made


def _part(row: Sequence[Unit], asked: Drawing) -> Frame | Shown:
    """A row of units, of which the first is drawn, as a frame or as a box."""
    unit, times = row[0], len(row)
    first = unit.boxes[0]
    if not asked.compact:
        inside = tuple(_shown(one, asked) for one in unit.boxes)
        return Frame(f"cluster{first.number}", unit.name, inside, times)
    inner = [*compact.lines(unit), *(_cost_of(row) if asked.cost else ())]
    name = f"{unit.name} × {times}" if times > 1 else unit.name
    return Shown(_key(first), name, tuple(inner), compact.kind(unit))


def _cost_of(row: Sequence[Unit]) -> list[str]:
    """What each unit of a row costs or, where what they read grows, all of them; if known."""
    costs = [[box.cost for box in unit.boxes] for unit in row]
    if any(None in some for some in costs):
        return []
    each = [_sum(cost for cost in some if cost) for some in costs]
    if len(set(each)) == 1:
        return [f"{words} each" if len(row) > 1 else words for words in _cost(each[0])]
    return [f"{words} in all" for words in _cost(_sum(each))]


def _sum(costs: Iterable[Cost]) -> Cost:
    return Cost(*map(sum, zip(*costs, strict=True)))


def _mark(found: Sequence[str]) -> str:
    """The mark of a box: that of its first layer, whose name it has, or what weighs most."""
    if found[0] in ("added", "removed") or not any(found):
        return found[0]
    # A box to which a layer is added is not new itself.
    inner = {"changed" if one in ("added", "removed") else one for one in found}
    return next(mark for mark in MARKS if mark in inner)


def _once(
    every: Sequence[Box], frames: Sequence[Unit], *, sized: bool
) -> tuple[list[Box], list[Unit], dict[int, list[Unit]], dict[int, Box]]:
    """Boxes and units without those that are like the unit before them; which each stands for.

    What reads the last of a row reads the first, which stands for it. The last result is the
    box that is drawn for one that is not, by its number.
    """
    kept: list[Unit] = []
    rows: dict[int, list[Unit]] = {}
    stands: dict[int, Box] = {}
    like: dict[int, Box] = {}
    for unit in frames:
        before = kept[-1] if kept else None
        same = before is not None and unit.form(sized=sized) == before.form(sized=sized)
        if before is not None and same and _follows(unit, before, stands):
            rows[id(before)].append(unit)
            stands.update((box.number, before.boxes[-1]) for box in unit.boxes)
            like.update(zip((box.number for box in unit.boxes), before.boxes, strict=True))
            before.name = _joined(before.name, unit.name)
            continue
        kept.append(unit)
        rows[id(unit)] = [unit]
    left = [box for box in every if box.number not in stands]
    for box in left:
        box.inputs = [(stands.get(one.number, one), shape) for one, shape in box.inputs]
    return left, kept, rows, like


def _follows(unit: Unit, before: Unit, stands: dict[int, Box]) -> bool:
    """Whether all that a unit reads from outside is the end of another one."""
    inside = {box.number for box in unit.boxes}
    outer = {
        stands.get(one.number, one).number
        for box in unit.boxes
        for one, _ in box.inputs
        if one.number not in inside
    }
    return outer == {before.boxes[-1].number}


def _joined(first: str, last: str) -> str:
    start = first.partition(" … ")[0]
    return f"{start} … {last}" if start and last else first


def _shown(box: Box, asked: Drawing) -> Shown:
    lines = [box.title]
    if box.more:
        lines.append(" · ".join(box.more))
    if asked.cost and box.cost is not None:
        lines += _cost(box.cost)
    if box.kind == "input":
        lines = _given(box)
    return Shown(_key(box), box.name, tuple(lines), box.kind, box.mark)


def _cost(found: Cost) -> list[str]:
    """What a box costs, if anything, in a line."""
    if not found.parameters:
        return []
    words = f"{short(found.parameters)} parameters"
    adds = f", {short(found.multiply_adds)} multiply-adds" if found.multiply_adds else ""
    return [words + adds]


def _given(box: Box) -> list[str]:
    """What an input gives; of several blobs each by its name."""
    node, sizes = box.nodes[0], map(size, box.shapes)
    if len(node.tops) == 1:
        return [f"{node.type} {next(sizes)}".strip()]
    blobs = zip(node.tops, sizes, strict=True)
    return [node.type, *(f"{top.blob} {shown}".strip() for top, shown in blobs)]


def _key(box: Box) -> str:
    return f"n{box.number}"


def size(shape: Shape | None) -> str:
    """A shape without the batch: ``64×56×56``; nothing where it is not known."""
    if shape is None:
        return ""
    inner = shape[1:] if len(shape) > 1 else shape
    return "×".join("?" if dim is None else str(dim) for dim in inner)


def short(number: int) -> str:
    """A number as people say it: 25.6 M."""
    for unit, factor in (("k", 10**3), ("M", 10**6), ("G", 10**9), ("T", 10**12)):
        value = float(f"{number / factor:.3g}")
        if 1 <= value < 1000:
            return f"{value:g} {unit}"
    return str(number)
