"""What becomes of each layer in a conversion, and what stands in its way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prototxt_gen._numpy import np
from prototxt_gen._words import plural
from prototxt_gen.diagnostics import Severity
from prototxt_gen.errors import PrototxtError, UnsupportedError, WeightsError
from prototxt_gen.graph.graph import Graph, Ref
from prototxt_gen.graph.infer import Shapes
from prototxt_gen.layers.parts.shapes import Shape
from prototxt_gen.passes.deploy import Change, deploy

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

#: What happens to a layer: as it is, changed, refused, or not looked at behind a refused one.
KEPT, CHANGED, REFUSED, BEHIND = "kept", "changed", "refused", "behind"


@dataclass(frozen=True, slots=True)
class Fate:
    """What happens to a layer, and the words for it."""

    what: str
    words: str = ""


@dataclass(frozen=True, slots=True)
class Remark:
    """A sentence about the net, or about a layer that is not in it."""

    layer: str
    words: str


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a conversion gives: the answer in a sentence, and the fate of each layer."""

    model: bool  #: whether the net was made of an ONNX model; else one would be made of it
    converts: bool | None  #: None where it cannot be said
    answer: str
    fates: tuple[Fate, ...]
    remarks: tuple[Remark, ...]

    def count(self, what: str) -> int:
        """How many layers have a fate."""
        return sum(one.what == what for one in self.fates)


def to_model(graph: Graph, shapes: Shapes, given: Mapping[str, tuple[int, ...]]) -> Outlook:
    """The outlook for ``convert`` to ONNX, with the options that it has by itself.

    Without weights, ones in their place show what would become of the layers.
    """
    from prototxt_gen.to_onnx.convert import Conversion, convert

    asked = Conversion(input_shapes=given, metadata=False)
    needs = not graph.stored and any(shapes.weights.values())
    found = _with(graph, _ones(graph, shapes)) if needs else graph
    unfit: WeightsError | None = None
    try:
        try:
            changes = convert(found, asked).changes
        except WeightsError as error:
            unfit = error
            changes = convert(_with(graph, _ones(graph, shapes)), asked).changes
    except UnsupportedError as error:
        return _refused(graph, shapes, error)
    except PrototxtError as error:
        fates = tuple(Fate(BEHIND) for _ in graph.nodes)
        answer = f"It cannot be converted as it is: {error.message}."
        return Outlook(False, False, answer, fates, _said(error))
    fates, remarks = _fates(graph, changes)
    if unfit is not None:
        answer = f"The layers convert to ONNX, but the weights do not fit: {unfit.message}."
        return Outlook(False, False, answer, fates, (*_said(unfit), *remarks))
    answer = "Every layer converts to ONNX."
    if needs:
        answer += " It needs a caffemodel, or weights made by --weights-init."
    return Outlook(False, True, answer, fates, remarks)


def _with(graph: Graph, stored: Mapping[str, Sequence[Array]]) -> Graph:
    """The same net with other weights."""
    made = copy(graph)
    made.stored = dict(stored)
    return made


def _refused(graph: Graph, shapes: Shapes, error: UnsupportedError) -> Outlook:
    """The outlook of a net of which layers are refused; what is left out is known all the same."""
    fates, more = _fates(graph, deploy(graph, shapes)[1])
    found = list(fates)
    why = {one.layer: one for one in error.diagnostics if one.severity is Severity.ERROR}
    lost: set[Ref] = set()
    for index, node in enumerate(graph.nodes):
        said = why.get(node.name)
        if said is not None:
            reason = said.message.removeprefix(f"{node.type}: ")
            found[index] = Fate(REFUSED, f"{reason}; {said.help}" if said.help else reason)
            lost.update(node.tops)
        elif not lost.isdisjoint(node.bottoms):
            lost.update(node.tops)
            if shapes.of(node.bottoms) is None and found[index].what == KEPT:
                found[index] = Fate(BEHIND, "stands behind a layer that is refused")
    count = sum(one.what == REFUSED for one in found)
    if not count:
        more = (*more, Remark("", error.message))
    answer = f"It does not convert to ONNX: {count or 'some'} of {plural(len(found), 'layer')} "
    answer += "is refused." if count == 1 else "are refused."
    return Outlook(False, False, answer, tuple(found), more)


def from_model(graph: Graph, changes: Sequence[Change]) -> Outlook:
    """What was done to an ONNX model to make the net of it."""
    fates, remarks = _fates(graph, changes)
    return Outlook(True, True, "The net was made of an ONNX model.", fates, remarks)


def _fates(graph: Graph, changes: Sequence[Change]) -> tuple[tuple[Fate, ...], tuple[Remark, ...]]:
    said: dict[str, list[str]] = {}
    for change in changes:
        said.setdefault(change.layer, []).append(change.what)
    names = {node.name for node in graph.nodes}
    fates = tuple(
        Fate(CHANGED, "; ".join(said[node.name])) if node.name in said else Fate(KEPT)
        for node in graph.nodes
    )
    others = [Remark(one.layer, one.what) for one in changes if one.layer not in names]
    return fates, tuple(others)


def _said(error: PrototxtError) -> tuple[Remark, ...]:
    """The errors that an error carries, and its notes."""
    return tuple(Remark(one.layer or "", one.message) for one in error.diagnostics)


def _ones(graph: Graph, shapes: Shapes) -> dict[str, list[Array]]:
    """Weights that take no memory, for each layer whose weights have known shapes."""
    return {
        graph.nodes[index].name: [_one(shape) for shape in found]
        for index, found in shapes.weights.items()
        if found and all(None not in shape for shape in found)
    }


def _one(shape: Shape) -> Array:
    return np.broadcast_to(np.ones((), np.float32), tuple(dim or 0 for dim in shape))
