"""Nets of one layer of regions, and regions to try."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st
from to_onnx.recorded import Array, run_onnx

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.to_onnx.convert import Conversion, convert
from prototxt_gen.to_onnx.export import Options

HEIGHT, WIDTH = 6, 7


def layer(type: str, params: str, **shapes: tuple[int, ...]) -> Any:
    inputs = "".join(f'input: "{n}" input_shape {{ dim: {list(s)} }}\n' for n, s in shapes.items())
    bottoms = " ".join(f'bottom: "{name}"' for name in shapes)
    text = f'layer {{ name: "l" type: "{type}" {bottoms} top: "y" {params} }}'
    return api.load(Source((inputs + text).encode()))


def agree(graph: Any, values: dict[str, Array], wanted: Array, opsets: tuple[int, ...]) -> None:
    found = [api.run(graph, values)["y"]]
    for opset in opsets:
        data = convert(graph, Conversion(Options(opset))).model.SerializeToString()
        found.append(run_onnx(data, values)["y"])
    for value in found:
        np.testing.assert_allclose(value, wanted, 1e-4, 1e-5)


def c_round(value: float) -> float:
    return math.copysign(math.floor(abs(float(value)) + 0.5), value)


corner = st.integers(-40, 140).map(lambda v: v / 4)  # quarters: halves are among them
boxes = st.lists(st.tuples(st.integers(0, 1), corner, corner, corner, corner), min_size=1)
