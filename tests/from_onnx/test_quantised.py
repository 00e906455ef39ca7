"""Numbers of other kinds than float32: sixteen bits, and whole numbers that stand for floats."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from lifting import lifted, model, types
from onnx import numpy_helper

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.from_onnx.convert import lift

SCALE = {"s": np.float32(2**-4), "z": np.int8(0)}
SHAPES = ("float[1,2,3,3] x", "float[1,2,3,3] y")


def test_rounding_goes_and_is_told() -> None:
    body = (
        "q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z) w = DequantizeLinear(v, s, z) "
        "y = Conv(d, w)"
    )
    weights = np.arange(-2, 2, dtype=np.int8).reshape(2, 2, 1, 1)
    # Numbers that the model's rounding does not change: multiples of its scale.
    x = np.arange(18).reshape(1, 2, 3, 3) / 16
    made = lifted(model(body, *SHAPES, v=weights, **SCALE), x=x)
    assert types(made) == ["Convolution"]
    (stored,) = made.graph.stored.values()
    assert np.array_equal(stored[0], weights * np.float32(2**-4))
    (told,) = [change for change in made.changes if change.type == "QuantizeLinear"]
    assert told.what == "left out: Caffe computes 1 value in float32 that the model rounds"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("q = QuantizeLinear(x, s, z) y = Cast<to=1>(q)", "reads 'q', a quantised value"),
        (
            "q, t, u = DynamicQuantizeLinear(x) y = DequantizeLinear(q, t, u)",
            "computes with quantised numbers",
        ),
    ],
)
def test_computing_with_whole_numbers_is_refused(body: str, words: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        lift(model(body, *SHAPES, **SCALE))
    assert words in caught.value.diagnostics[-1].message


@pytest.mark.parametrize("kind", ["FLOAT16", "BFLOAT16"])
def test_weights_of_sixteen_bits_become_float32(kind: str) -> None:
    number = getattr(onnx.TensorProto, kind)
    weights = np.array([0.5, -2, 3, 0.25], np.float32).reshape(2, 2, 1, 1)
    proto = model("c = Cast<to=1>(w) y = Conv(x, c)", *SHAPES)
    tensor = onnx.helper.make_tensor("w", number, weights.shape, weights.reshape(-1))
    proto.graph.initializer.append(tensor)
    made = lifted(proto)
    (stored,) = made.graph.stored.values()
    assert stored[0].dtype == np.float32
    assert np.array_equal(stored[0], weights)
    assert "its 16-bit floats become float32" in made.changes[0].what


def test_a_model_in_float16_is_a_net_in_float32() -> None:
    proto = model(
        "h = Conv(x, w) y = Relu(h)", *(shape.replace("float", "float16") for shape in SHAPES)
    )
    weights = np.array([0.5, -2, 3, 0.25], np.float16).reshape(2, 2, 1, 1)
    proto.graph.initializer.append(numpy_helper.from_array(weights, "w"))
    made = lift(proto)
    assert types(made) == ["Convolution", "ReLU"]
    assert "its 16-bit floats become float32" in made.changes[0].what
