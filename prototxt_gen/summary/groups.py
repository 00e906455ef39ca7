"""Stages and units of a net: what the names of its layers and its branches say."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from prototxt_gen.draw.boxes import boxes
from prototxt_gen.draw.units import units
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.infer import Shapes

#: "res2a" of res2a_branch1, "conv1_1", "layer1.0" of layer1.0.conv1: up to the second number,
#: or a letter behind the first.
_UNIT = re.compile(r"\D*\d+(?:[a-z]\d*(?![a-zA-Z\d])|[._]\d+(?![a-zA-Z\d]))?")
_STAGE = re.compile(r"\D*\d+")
DEPTHS = (1, 2)  #: of stages and of units; any other is that of layers


def groups(graph: Graph, shapes: Shapes, depth: int) -> dict[str, list[int]]:
    """The nodes of each stage (``depth`` 1) or unit (2), by index, in the order of the net.

    A layer is with the one whose values it changes, and the layers of a residual unit or of
    another one whose branches meet are together, under the name that most of them have.
    """
    places = {id(node): index for index, node in enumerate(graph.nodes)}
    found = boxes(graph, shapes)
    names = {box.number: unit_name(box.name) for box in found}
    for unit in units(found):
        common = Counter(names[box.number] for box in unit.boxes).most_common(1)[0][0]
        names.update((box.number, common) for box in unit.boxes)
    made: dict[str, list[int]] = {}
    for box in found:
        name = names[box.number]
        members = made.setdefault(stage_name(name) if depth == 1 else name, [])
        members.extend(places[id(node)] for node in box.nodes)
    return dict(sorted(((n, sorted(m)) for n, m in made.items()), key=lambda item: item[1]))


def unit_name(layer: str) -> str:
    """What the names of the layers of a unit begin with."""
    path = _path(layer)
    if len(path) > 1:
        # Exporters of ONNX repeat the outer names: /layer1/layer1.0/conv1/Conv.
        return path[1] if path[1].startswith(path[0]) else _unit(path[0])
    return _unit(layer)


def stage_name(unit: str) -> str:
    """What the names of the units of a stage begin with."""
    first = _path(unit)[0]
    match = _STAGE.match(first)
    return match[0] if match else first


def _unit(name: str) -> str:
    match = _UNIT.match(name)
    return match[0] if match else name


def _path(name: str) -> Sequence[str]:
    return [part for part in name.split("/") if part] or [name]
