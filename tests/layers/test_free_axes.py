"""A free axis anywhere in a layer's first bottom: computed as numpy does it, or refused.

Permute puts the batch of an input at each axis but the first, of every case of the table.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
from layers.cases import Case
from layers.test_cases import TAKEN

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import PrototxtError
from prototxt_gen.graph.sample import seeded
from prototxt_gen.weights import make

CASES = [
    pytest.param(case, axis, id=f"{case}-{axis}")
    for case in TAKEN
    if case.bottoms and not any(None in bottom for bottom in case.bottoms)
    for axis in range(1, len(case.bottoms[0]))
]


def net(case: Case, axis: int) -> str:
    """Inputs that are permuted so that their axis 0 is the layer's ``axis``."""
    lines = []
    rank = len(case.bottoms[0])
    order = [axis, *(other for other in range(rank) if other != axis)]
    for index, shape in enumerate(case.bottoms):
        moved = len(shape) == rank and shape[axis] == case.bottoms[0][axis]
        name = f"i{index}" if moved else f"b{index}"
        dims = [shape[other] for other in order] if moved else list(shape)
        lines.append(
            f'layer {{ name: "{name}" type: "Input" top: "{name}" '
            f"input_param {{ shape {{ dim: {dims} }} }} }}"
        )
        if moved:
            back = " ".join(f"order: {order.index(other)}" for other in range(rank))
            lines.append(
                f'layer {{ name: "p{index}" type: "Permute" bottom: "{name}" top: "b{index}" '
                f"permute_param {{ {back} }} }}"
            )
    bottoms = " ".join(f'bottom: "b{index}"' for index in range(len(case.bottoms)))
    tops = " ".join(f'top: "t{index}"' for index in range(case.top_count))
    return "\n".join(
        [*lines, f'layer {{ name: "x" type: "{case.type}" {bottoms} {tops} {case.params} }}']
    )


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("case", "axis"), CASES)
def test_a_free_axis_is_computed_or_refused(case: Case, axis: int) -> None:
    try:
        graph = api.load(Source(net(case, axis).encode()))
        graph.stored = make(graph, "random")
        model = api.to_onnx(graph, batch="dynamic")
    except PrototxtError:
        return
    sizes: dict[str, list[Any]] = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in model.graph.input
    }
    own = {
        ref.blob: node.layer.shapes((), 1)[0]
        for node in graph.nodes
        for ref in node.tops[:1]
        if not node.bottoms
    }
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    for more in (0, 1, 5):
        given = {
            name: tuple(
                own[name][at] + more if isinstance(size, str) and name[0] == "i" else own[name][at]
                for at, size in enumerate(shape)
            )
            for name, shape in sizes.items()
        }
        try:
            values = seeded(graph, given)
            reference = api.run(graph, values)
        except PrototxtError:
            continue
        for output, found in zip(session.get_outputs(), session.run(None, values), strict=True):
            wanted = reference[output.name]
            assert found.shape == wanted.shape, (more, output.name)
            np.testing.assert_allclose(found, wanted, rtol=1e-2, atol=1e-3, equal_nan=True)
