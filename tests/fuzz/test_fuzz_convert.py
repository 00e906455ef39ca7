"""What ``validate`` accepts is converted and run, or refused in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from fuzz.fuzzing import fuzz
from fuzz.mutations import edited
from hypothesis import strategies as st
from layers.cases import CASES
from layers.test_cases import net

from prototxt_gen import api
from prototxt_gen.diagnostics import Severity, Sink, Source
from prototxt_gen.errors import PrototxtError
from prototxt_gen.graph.check import check
from prototxt_gen.graph.fillers import initial
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.infer import total_cost
from prototxt_gen.layers.parts.shapes import count

GOLDEN = Path(__file__).parents[1] / "golden"
GOLDEN_NETS = [file.read_bytes() for file in sorted(GOLDEN.glob("*/*/net.prototxt"))]
LAYERS = [net(case).encode() for case in CASES]
#: Nets of more elements, or more to compute, are valid and not looked at: memory is finite.
MOST_ELEMENTS, MOST_OPERATIONS = 1 << 18, 1 << 24


def accepted(text: bytes) -> Graph | None:
    """The graph of a net that is valid and small; None for any other."""
    source = Source(text, "net.prototxt")
    if any(found.severity is Severity.ERROR for found in api.validate(source)):
        return None
    try:
        graph = api.load(source)
    except PrototxtError:
        return None  # a solver
    return graph if is_small(graph) else None


def is_small(graph: Graph) -> bool:
    """Whether the blobs and weights of a net, and what it computes, are within the bounds."""
    shapes = check(graph, Sink())
    every = [*shapes.blobs.values(), *(w for found in shapes.weights.values() for w in found)]
    if any((dim or 0) > MOST_ELEMENTS for shape in every for dim in shape):
        return False
    elements = sum(count(shape) or 0 for shape in every)
    return elements <= MOST_ELEMENTS and total_cost(graph, shapes).multiply_adds <= MOST_OPERATIONS


@fuzz(
    400,
    st.one_of(edited(LAYERS), edited(GOLDEN_NETS)),
    st.sampled_from([None, 1, 3, "dynamic"]),
    st.sampled_from([11, 17, 18]),
    st.sampled_from(["auto", "keep", "head", "drop"]),
    st.sampled_from(["fillers", "random"]),
)
def test_accepted_means_converted_or_refused_in_words(
    text: bytes, batch: Any, opset: int, losses: Any, init: Any
) -> None:
    graph = accepted(text)
    if graph is None:
        return
    try:
        made = api.convert(graph, batch=batch, opset=opset, losses=losses, weights_init=init)
    except PrototxtError as error:
        assert error.message
        return
    onnx.checker.check_model(made.model, full_check=True)


@fuzz(300, st.one_of(edited(LAYERS), edited(GOLDEN_NETS)), st.integers(0, 9))
def test_accepted_means_computed_or_refused_in_words(text: bytes, seed: int) -> None:
    graph = accepted(text)
    if graph is None:
        return
    random = np.random.default_rng(seed)
    try:
        shapes = check(graph, Sink())
        graph.stored = dict(initial(graph, shapes, "random"))
        inputs = {
            ref.blob: random.integers(0, 3, tuple(dim or 0 for dim in shapes.blobs[ref]))
            for ref in graph.inputs
            if ref in shapes.blobs
        }
        found = api.run(graph, inputs)
    except PrototxtError as error:
        assert error.message
        return
    for node in graph.nodes:
        for top in node.tops:
            shape = shapes.blobs.get(top)
            last = top == max(ref for n in graph.nodes for ref in n.tops if ref.blob == top.blob)
            if shape is not None and last:
                value = found[top.blob].shape
                assert len(value) == len(shape), (node.name, value, shape)
                assert all(a == b or b is None for a, b in zip(value, shape, strict=True)), node
