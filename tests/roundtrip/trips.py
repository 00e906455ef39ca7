"""Nets for the round trip, and what must come back."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
from to_onnx.recorded import cases, graph

from prototxt_gen import api
from prototxt_gen.diagnostics import Severity, Source
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.generate.zoo import PRESETS, preset
from prototxt_gen.graph.graph import Graph
from prototxt_gen.passes.canonical import canonical
from prototxt_gen.restore.net import Restored
from prototxt_gen.to_onnx.export import Exported
from prototxt_gen.weights import make

_SHOWN = 12  #: of the layers of a net


def small(name: str) -> Graph:
    """A preset of the same layers with few channels, and random weights.

    Of the many blocks of a dense net, which are all alike, there are two in each stage.
    """
    own = preset(name)
    few: dict[str, object] = {"width": 4, "width_factor": 1}
    if own.get("cardinality"):
        few = {"cardinality": 2, "base_width": 2, "width": 64}
    if own["block"] == "dense":
        few["stages"] = [2] * len(own["stages"])
    made = api.load(Source(api.generate(name, **few).encode()))
    made.stored = make(made, "random")
    return made


def nets() -> Iterator[tuple[str, Path | str]]:
    """Every recorded case and every preset, by a name; the deepest are no other nets."""
    for case in cases():
        yield f"{case.parent.name}/{case.name}", case
    for name in PRESETS:
        if sum(PRESETS[name]["stages"]) > 200:
            continue
        yield f"presets/{name}", name


def net(of: Path | str) -> Graph:
    """The net of an entry of ``nets``."""
    return small(of) if isinstance(of, str) else graph(of)


def stripped(model: onnx.ModelProto) -> onnx.ModelProto:
    """A model that does not say where it is from."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    del made.metadata_props[:]
    return made


class Outcome(NamedTuple):
    """What becomes of a net whose model does not say where it is from.

    ``canonical``: its normal form. ``form``: another one; the words are the types of both.
    ``refused``: the words are the reasons.
    """

    kind: str
    words: tuple[str, ...] = ()


def back(of: Path | str) -> tuple[Outcome, Exported, Restored | None]:
    """A net, there and back by structure alone."""
    made = api.convert(net(of), fold=False)
    try:
        found = api.from_onnx(stripped(made.model))
    except UnsupportedError as error:
        errors = [d.message for d in error.diagnostics if d.severity is Severity.ERROR]
        reasons = dict.fromkeys(errors or [error.message])
        return Outcome("refused", ("; ".join(reasons),)), made, None
    source = made.graph
    source.stored = {n.name: made.weights.get(i) for i, n in enumerate(source.nodes)}
    if unlike(canonical(source), found.graph) is None:
        return Outcome("canonical"), made, found
    return Outcome("form", (types(source), types(found.graph))), made, found


def types(graph: Graph) -> str:
    """The layer types of a net, in order, without its inputs."""
    names = [node.type for node in graph.nodes if node.type != "Input"]
    counts = [(name, len(list(group))) for name, group in groupby(names)]
    shown = [name if number == 1 else f"{number} {name}" for name, number in counts]
    return ", ".join(shown[:_SHOWN]) + (" ..." if len(shown) > _SHOWN else "")


def assert_the_same(made: Exported, found: Restored) -> None:
    """Equal text, and weights that are equal to the last bit."""
    assert found.stored, found.changes
    assert api.dump(found.graph) == api.dump(made.graph)
    for index, node in enumerate(made.graph.nodes):
        assert_equal_blobs(made.weights.get(index), found.graph.stored.get(node.name, ()))


def assert_equal_blobs(wanted: tuple[np.ndarray, ...], found: tuple[np.ndarray, ...]) -> None:
    assert [blob.shape for blob in found] == [blob.shape for blob in wanted]
    assert all(a.tobytes() == b.tobytes() for a, b in zip(wanted, found, strict=True))


def unlike(wanted: Graph, found: Graph) -> str | None:
    """The first difference of two nets, whatever they call their inner values and layers."""
    if len(wanted.nodes) != len(found.nodes):
        types = [" ".join(node.type for node in net.nodes) for net in (found, wanted)]
        return f"{types[0]}; expected {types[1]}"
    names: dict[str, str] = {}
    for ours, theirs in zip(wanted.nodes, found.nodes, strict=True):
        if ours.layer != theirs.layer:
            return f"{theirs.layer}; expected {ours.layer}"
        read = [names.get(ref.blob) for ref in ours.bottoms]
        if read != [ref.blob for ref in theirs.bottoms]:
            return f"{theirs.name} reads {theirs.bottoms}; expected {read}"
        if any(top.version for top in theirs.tops):
            return f"{theirs.name} writes in place"
        names |= {a.blob: b.blob for a, b in zip(ours.tops, theirs.tops, strict=True)}
        blobs = [net.stored.get(n.name, ()) for net, n in ((wanted, ours), (found, theirs))]
        if not all(np.array_equal(a, b, equal_nan=True) for a, b in zip(*blobs, strict=True)):
            return f"{theirs.name} has other weights"
    outputs = [[ref.blob for ref in net.outputs] for net in (wanted, found)]
    return None if outputs[0] == outputs[1] else f"{outputs[1]} come out; expected {outputs[0]}"
