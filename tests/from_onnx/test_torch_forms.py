"""What PyTorch's exporters write in ways of their own, and constants by the opset's own rules."""

import numpy as np
import onnx
import pytest
from lifting import lifted, model, types

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.from_onnx.convert import lift

IMAGE = ("float[2,3,4,5] x", "float[2,3,4,5] y")


def turned(inner: str, first: str = "0,3,2,1", last: str = "0,3,2,1", opset: int = 11):
    body = f"a = Transpose<perm=[{first}]>(x) b = {inner}(a) y = Transpose<perm=[{last}]>(b)"
    return model(body, *IMAGE, opset=opset)


@pytest.mark.parametrize("opset", [9, 11, 13])
@pytest.mark.parametrize(("name", "wanted"), [("Softmax", 1), ("LogSoftmax", 2)])
def test_an_axis_turned_to_the_end(name: str, wanted: int, opset: int) -> None:
    made = lifted(turned(f"{name}<axis=3>", opset=opset))
    assert types(made) == ["Softmax", "Log"][:wanted]
    assert made.graph.nodes[1].layer.axis == 1


def test_another_order_of_axes() -> None:
    assert types(lifted(turned("Softmax<axis=-1>", "0,2,3,1", "0,3,1,2"))) == ["Softmax"]


@pytest.mark.parametrize(
    "made",
    [
        turned("Softmax<axis=3>", "0,2,3,1", "0,2,1,3"),
        turned("Softmax<axis=1>"),
        turned("Softmax"),
    ],
)
def test_a_softmax_of_another_kind_stays(made: onnx.ModelProto) -> None:
    made.graph.output[0].type.tensor_type.ClearField("shape")
    assert "Permute" in types(lifted(made, "ssd"))


LIMITED = "s = Softplus(x) g = Greater(x, limit) y = Where(g, x, s)"


def test_a_softplus_with_a_limit() -> None:
    made = model(LIMITED, *IMAGE, limit=np.float32(20))
    x = np.linspace(-60, 60, 120).reshape(2, 3, 4, 5)
    assert types(lifted(made, x=x)) == ["BNLL"]


def test_a_softplus_whose_limit_shows_stays_a_choice() -> None:
    made = lifted(model(LIMITED, *IMAGE, limit=np.float32(4)))
    assert {"BNLL", "Threshold"} < set(types(made))


@pytest.mark.parametrize("opset", [7, 11, 13, 17])
def test_constants_are_computed_by_the_models_opset(opset: int) -> None:
    """Unsqueeze has its axes as an attribute until opset 13, and a Softmax means another."""
    attribute = opset < 13
    body = "c = Softmax<axis=0>(w) d = Unsqueeze<axes=[0]>(c) y = Add(x, d)"
    if not attribute:
        body = "c = Softmax<axis=0>(w) d = Unsqueeze(c, axes) y = Add(x, d)"
    weights = {"w": np.arange(6, dtype=np.float32).reshape(2, 3)}
    if not attribute:
        weights["axes"] = np.array([0])
    lifted(model(body, "float[1,2,3] x", "float[1,2,3] y", opset, **weights))


BRANCHES = """
s = Shape(x) i = Constant<value_int=1>() n = Gather(s, i) c = Equal(n, one)
y = If(c) <then_branch = a () => (float[2,3,4,5] p) { p = Abs(x) },
           else_branch = b () => (float[2,3,4,5] q) { h = Relu(x) q = Neg(h) }>
"""


@pytest.mark.parametrize(("size", "wanted"), [(3, "AbsVal"), (7, "ReLU")])
def test_a_decided_if_is_its_branch(size: int, wanted: str) -> None:
    made = model(BRANCHES, *IMAGE, one=np.int64(size))
    assert types(lifted(made))[0] == wanted


@pytest.mark.parametrize("branch", ["p = Identity(k)", "p = Identity(x)"])
def test_a_branch_that_computes_nothing(branch: str) -> None:
    made = model(
        f"z = If(c) <then_branch = a () => (float[2,3,4,5] p) {{ {branch} }}, "
        "else_branch = b () => (float[2,3,4,5] q) { q = Relu(x) }> y = Add(z, x)",
        *IMAGE,
        c=np.bool_(True),
        k=np.full((2, 3, 4, 5), 2, np.float32),
    )
    lifted(made)


def test_an_if_that_is_open_is_refused() -> None:
    made = model(
        "m = ReduceMax<keepdims=0>(x) c = Greater(m, k) y = If(c) "
        "<then_branch = a () => (float[2,3,4,5] p) { p = Relu(x) }, "
        "else_branch = b () => (float[2,3,4,5] q) { q = Abs(x) }>",
        *IMAGE,
        k=np.float32(0),
    )
    with pytest.raises(UnsupportedError, match="control flow"):
        lift(made)
