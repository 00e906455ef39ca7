"""Models of many operators in a row: no pattern goes as deep as the model."""

from itertools import pairwise

import numpy as np
import pytest
from lifting import model, types

from prototxt_gen.from_onnx.convert import lift
from prototxt_gen.from_onnx.model import Model, Op
from prototxt_gen.from_onnx.patterns import View

MANY = 1200
SHAPE = "float[2,3,4,5]"


def in_a_row(operator, first, last):
    """MANY operators that read a value, named by its number, and perhaps x."""
    return " ".join(
        f"{last if index == MANY - 1 else f'v{index}'} = "
        f"{operator.format(first if index == 0 else f'v{index - 1}')}"
        for index in range(MANY)
    )


@pytest.mark.parametrize("operator", ["Mul({}, x)", "Mul(x, {})", "Mul({}, c)"])
def test_products_in_a_row(operator):
    proto = model(in_a_row(operator, "z", "y"), f"{SHAPE} x, {SHAPE} z", f"{SHAPE} y", c=np.ones(1))
    made = lift(proto)
    assert types(made) == ["Power" if "c" in operator else "Eltwise"] * MANY


def test_operators_between_two_transpositions():
    body = "a = Transpose<perm=[0,2,3,1]>(x) " + in_a_row("Tanh({})", "a", "b")
    made = lift(model(body + " y = Transpose<perm=[0,3,1,2]>(b)", f"{SHAPE} x", f"{SHAPE} y"))
    assert types(made) == ["TanH"] * MANY


def test_what_nobody_reads_any_more_goes():
    made = Model(outputs=["y"])
    names = ["x", *(f"v{index}" for index in range(MANY)), "y"]
    made.ops = [Op("Tanh", [a], [b], {}, made) for a, b in pairwise(names)]
    view = View(made)
    view.replace(made.ops[-1], Op("Relu", ["x"], ["y"], {}, made))
    view.finish()
    assert [op.op_type for op in made.ops] == ["Relu"]
