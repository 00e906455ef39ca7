"""Nets for the round trip, and what must come back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from to_onnx.recorded import cases, graph

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.generate.zoo import PRESETS, preset
from prototxt_gen.graph.graph import Graph
from prototxt_gen.restore.net import Restored
from prototxt_gen.to_onnx.export import Exported
from prototxt_gen.weights import make


def small(name: str) -> Graph:
    """A preset of the same layers with few channels, and random weights."""
    few = {"width": 4, "width_factor": 1}
    if preset(name).get("cardinality"):
        few = {"cardinality": 2, "base_width": 2, "width": 64}
    made = api.load(Source(api.generate(name, **few).encode()))
    made.stored = make(made, "random")
    return made


def nets() -> Iterator[tuple[str, Path | str]]:
    """Every recorded case and every preset, by a name."""
    for case in cases():
        yield f"{case.parent.name}/{case.name}", case
    for name in PRESETS:
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


def assert_the_same(made: Exported, found: Restored) -> None:
    """Equal text, and weights that are equal to the last bit."""
    assert found.stored, found.changes
    assert api.dump(found.graph) == api.dump(made.graph)
    for index, node in enumerate(made.graph.nodes):
        assert_equal_blobs(made.weights.get(index), found.graph.stored.get(node.name, ()))


def assert_equal_blobs(wanted: tuple[np.ndarray, ...], found: tuple[np.ndarray, ...]) -> None:
    assert [blob.shape for blob in found] == [blob.shape for blob in wanted]
    assert all(a.tobytes() == b.tobytes() for a, b in zip(wanted, found, strict=True))
