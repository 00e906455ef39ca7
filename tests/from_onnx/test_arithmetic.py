"""Arithmetic of any two operands: the layers, and the values."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifting import lifted, model, types

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.from_onnx.convert import lift


def dims(shape):
    return ",".join(map(str, shape))


def one(formula, shapes, out, opset=17, target="bvlc", positive=False, **weights):
    """A node lifted and compared; inputs are a, b, ... by their shapes."""
    names = "abcde"[: len(shapes)]
    inputs = ", ".join(f"float[{dims(s)}] {n}" for n, s in zip(names, shapes, strict=True))
    floats = {name: np.asarray(value, np.float32) for name, value in weights.items()}
    proto = model(f"y = {formula}", inputs, f"float[{dims(out)}] y", opset, **floats)
    generator = np.random.default_rng(5)
    given = {n: generator.uniform(0.5, 3, s) for n, s in zip(names, shapes, strict=True)}
    return lifted(proto, target, **given if positive else {})


def layers(made):
    return [node.layer for node in made.graph.nodes if node.type != "Input"]


X = (2, 3, 4, 5)
NUMBERS = [
    ("Neg(a)", {"scale": -1.0}),
    ("Reciprocal(a)", {"power": -1.0}),
    ("Sqrt(a)", {"power": 0.5}),
    ("Mul(a, a)", {"power": 2.0}),
    ("Add(a, c)", {"shift": 0.3}),
    ("Add(c, a)", {"shift": 0.3}),
    ("Sub(a, c)", {"shift": -0.3}),
    ("Sub(c, a)", {"scale": -1.0, "shift": 0.3}),
    ("Mul(a, c)", {"scale": 0.3}),
    ("Mul(c, a)", {"scale": 0.3}),
    ("Div(a, c)", {"scale": 3.3333333}),
    ("Div(c, a)", {"scale": 3.3333333, "power": -1.0}),
    ("Pow(a, c)", {"power": 0.3}),
]


@pytest.mark.parametrize(("formula", "fields"), NUMBERS)
@pytest.mark.parametrize("opset", [7, 11, 13, 17, 21])
@pytest.mark.parametrize("shape", [(), (1,), (1, 1, 1)])
def test_a_number_makes_a_power(formula, fields, opset, shape):
    constants = {"c": np.full(shape, 0.3)} if "c" in formula.replace("Reciprocal", "") else {}
    made = one(formula, [X], X, opset, positive=True, **constants)
    assert types(made) == ["Power"]
    (layer,) = layers(made)
    wanted = {"power": 1.0, "scale": 1.0, "shift": 0.0, **fields}
    assert {name: getattr(layer, name) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("formula", "fields"),
    [("Exp(a)", {}), ("Pow(c, a)", {"base": 2.5}), ("Pow(e, a)", {}), ("Log(a)", {})],
)
def test_exponentials(formula, fields):
    constants = {n: v for n, v in (("c", 2.5), ("e", np.e)) if f"({n}" in formula}
    made = one(formula, [X], X, positive=True, **constants)
    assert types(made) == ["Log" if "Log" in formula else "Exp"]
    assert {"base": layers(made)[0].base} == {"base": -1.0, **fields}


def test_a_constant_cast_to_the_kind_of_a_value_is_one():
    proto = model(
        "t = CastLike(c, a) u = CastLike(a, t) y = Add(u, t)",
        "float[2,3] a",
        "float[2,3] y",
        15,
        c=np.float64(2),
    )
    assert types(lifted(proto)) == ["Power"]


def test_integers_are_numbers():
    proto = model("y = Pow(a, c)", "float[2,3] a", "float[2,3] y", 12, c=np.int64(2))
    assert types(lifted(proto)) == ["Power"]


C = (3, 1, 1)
#: An operator with a constant: the shapes of x, c and the result, and what it becomes.
CONSTANTS = [
    ("Mul(a, c)", X, C, X, ["Scale"], (1, 1)),
    ("Mul(c, a)", X, (1, *C), X, ["Scale"], (1, 1)),
    ("Div(a, c)", X, C, X, ["Scale"], (1, 1)),
    ("Add(a, c)", X, C, X, ["Bias"], (1, 1)),
    ("Add(c, a)", X, (1, *C), X, ["Bias"], (1, 1)),
    ("Sub(a, c)", X, C, X, ["Bias"], (1, 1)),
    ("Sub(c, a)", X, C, X, ["Power", "Bias"], (1, 1)),
    ("Div(c, a)", X, C, X, ["Power", "Scale"], (1, 1)),
    ("Mul(a, c)", (2, 3), (3,), (2, 3), ["Scale"], (1, 1)),
    ("Mul(a, c)", X, (5,), X, ["Scale"], (3, 1)),
    ("Mul(a, c)", X, (4, 5), X, ["Scale"], (2, 2)),
    ("Add(a, c)", X, (3, 4, 5), X, ["Bias"], (1, 3)),
    ("Add(a, c)", X, X, X, ["Bias"], (0, 4)),
    ("Add(a, c)", (1, 3, 4, 5), (1, 3, 4, 5), (1, 3, 4, 5), ["Bias"], (1, 3)),
    ("Mul(a, c)", X, (3, 1, 5), X, ["Scale"], (1, 3)),
    ("Mul(a, c)", X, (2, 1, 1, 1), X, ["Scale"], (0, 1)),
    ("Mul(a, c)", (2, 3, 1, 1), (3, 4, 5), X, ["Tile", "Tile", "Scale"], (1, 3)),
    ("Add(a, c)", (5,), C, (3, 1, 5), ["Reshape", "Tile", "Bias"], (0, 1)),
    ("Add(a, c)", (3,), (1, 1, 1), (1, 1, 3), ["Reshape", "Power"], None),
    ("Pow(c, a)", X, C, X, ["Scale", "Exp"], (1, 1)),
    ("Pow(a, c)", X, C, X, ["Power"], None),
    ("Max(a, c)", X, C, X, ["Parameter", "Eltwise"], None),
    ("Min(a, c)", X, C, X, ["Power", "Parameter", "Eltwise", "Power"], None),
]


@pytest.mark.parametrize(("formula", "shape", "constant", "out", "wanted", "axes"), CONSTANTS)
def test_a_constant_along_axes(formula, shape, constant, out, wanted, axes):
    values = np.random.default_rng(3).uniform(0.5, 2, constant)
    if formula == "Pow(a, c)":
        values = np.full(constant, 1.5)
    made = one(formula, [shape], out, positive=True, c=values)
    assert types(made) == wanted
    if axes:
        (layer,) = [one for one in layers(made) if one.type in ("Scale", "Bias")]
        assert (layer.axis, layer.num_axes) == axes


#: An operator of computed operands: their shapes, and the layers.
PAIRS = [
    ("Add(a, b)", [X, X], ["Eltwise"]),
    ("Sub(a, b)", [X, X], ["Eltwise"]),
    ("Mul(a, b)", [X, X], ["Eltwise"]),
    ("Max(a, b)", [X, X], ["Eltwise"]),
    ("Min(a, b)", [X, X], ["Power", "Power", "Eltwise", "Power"]),
    ("Div(a, b)", [X, X], ["Power", "Eltwise"]),
    ("Add(a, a)", [X], ["Eltwise"]),
    ("Div(a, a)", [X], ["Power", "Eltwise"]),
    ("Sum(a, b, c)", [X, X, X], ["Eltwise"]),
    ("Mean(a, b, c)", [X, X, X], ["Eltwise"]),
    ("Max(a, b, c)", [X, X, X], ["Eltwise"]),
    ("Sum(a)", [X], ["Power"]),
    ("Max(a)", [X], ["Power"]),
    ("Min(a)", [X], ["Power"]),
    ("Mean(a)", [X], ["Power"]),
    ("Mul(a, b)", [X, (2, 3, 1, 1)], ["Flatten", "Scale"]),
    ("Mul(b, a)", [X, (2, 3, 1, 1)], ["Flatten", "Scale"]),
    ("Mul(a, b)", [(1, 3, 4, 5), (1, 3, 1, 1)], ["Flatten", "Scale"]),
    ("Add(a, b)", [X, (2, 3, 1, 1)], ["Flatten", "Bias"]),
    ("Sub(a, b)", [X, (2, 3, 1, 1)], ["Power", "Flatten", "Bias"]),
    ("Sub(b, a)", [X, (2, 3, 1, 1)], ["Power", "Flatten", "Bias"]),
    ("Div(a, b)", [X, (2, 3, 1, 1)], ["Power", "Flatten", "Scale"]),
    ("Div(b, a)", [X, (2, 3, 1, 1)], ["Power", "Flatten", "Scale"]),
    ("Mul(a, b)", [X, (3, 1, 1)], ["Flatten", "Scale"]),
    ("Mul(a, b)", [X, (4, 5)], ["Scale"]),
    ("Mul(a, b)", [X, (5,)], ["Scale"]),
    ("Mul(a, b)", [X, (2, 1, 4, 5)], ["Tile", "Eltwise"]),
    ("Mul(a, b)", [X, (2, 1, 1, 1)], ["Flatten", "Scale"]),
    ("Mul(a, b)", [X, (2, 1, 4, 1)], ["Tile", "Flatten", "Scale"]),
    ("Mul(a, b)", [X, (1,)], ["Reshape", "Tile", "Tile", "Tile", "Tile", "Eltwise"]),
    ("Mul(a, b)", [(2, 3, 1, 5), (2, 3, 4, 1)], ["Tile", "Flatten", "Scale"]),
    ("Add(a, b)", [(2, 1), (1, 3)], ["Tile", "Flatten", "Bias"]),
    ("Add(a, b)", [(3,), (2, 1)], ["Reshape", "Tile", "Flatten", "Bias"]),
    ("Max(a, b)", [X, (2, 3, 1, 1)], ["Tile", "Tile", "Eltwise"]),
    ("Min(a, b)", [X, (3, 1, 1)],
     ["Power", "Power", "Reshape", "Tile", "Tile", "Tile", "Eltwise", "Power"]),
    ("Sum(a, b, c)", [X, (2, 3, 1, 1), X], ["Flatten", "Bias", "Eltwise"]),
    ("Mean(a, b)", [X, (5,)], ["Bias", "Power"]),
]  # fmt: skip


@pytest.mark.parametrize(("formula", "shapes", "wanted"), PAIRS)
@pytest.mark.parametrize("opset", [8, 13])
def test_computed_operands(formula, shapes, wanted, opset):
    out = np.broadcast_shapes(*shapes)
    made = one(formula, shapes, out, opset, positive=True)
    assert sorted(types(made)) == sorted(wanted)


@pytest.mark.parametrize("kind", ["Mul", "Add"])
def test_a_gate_for_one_image_keeps_its_batch(kind):
    made = one(f"{kind}(a, b)", [(1, 3, 4, 5), (1, 3, 1, 1)], (1, 3, 4, 5))
    assert [layer.axis for layer in layers(made)] == [1, 0]


@pytest.mark.parametrize(
    ("formula", "wanted", "old"),
    [
        ("Max(a, zero)", ["ReLU"], ["ReLU"]),
        ("Max(zero, a)", ["ReLU"], ["ReLU"]),
        ("Min(a, half)", ["Clip"], ["Power", "ReLU", "Power"]),
        ("Max(a, half)", ["Clip"], ["Power", "ReLU", "Power"]),
        ("Min(a, many)", ["Clip"], ["Power", "DummyData", "Eltwise", "Power"]),
        ("Max(a, many)", ["Clip"], ["DummyData", "Eltwise"]),
        ("Max(a, least)", ["Power"], ["Power"]),
        ("Max(a, zero, half)", ["Clip"], ["Power", "ReLU", "Power"]),
        ("Max(a, b, half)", ["Eltwise", "Clip"], ["Eltwise", "Power", "ReLU", "Power"]),
    ],
)
def test_bounds(formula, wanted, old):
    values = {"zero": 0.0, "half": 0.5, "many": 100.0, "least": -np.inf}
    used = {name: value for name, value in values.items() if name in formula}
    shapes = [X, X] if "b" in formula else [X]
    assert types(one(formula, shapes, X, **used)) == wanted
    assert types(one(formula, shapes, X, target="bvlc-1.0", **used)) == old


ROW = np.array([0.25, 0, 1], np.float32)


@pytest.mark.parametrize(
    ("formula", "wanted"),
    [
        ("Greater(a, c)", ["Threshold"]),
        ("Less(c, a)", ["Threshold"]),
        ("Less(a, c)", ["Power", "Threshold"]),
        ("Greater(c, a)", ["Power", "Threshold"]),
        ("GreaterOrEqual(a, c)", ["Power", "Threshold", "Power"]),
        ("LessOrEqual(a, c)", ["Threshold", "Power"]),
        ("Equal(a, c)", ["Power", "AbsVal", "Threshold", "Power"]),
        ("Equal(c, a)", ["Power", "Power", "AbsVal", "Threshold", "Power"]),
        ("Equal(a, b)", ["Power", "Eltwise", "AbsVal", "Threshold", "Power"]),
        ("Greater(a, row)", ["Bias", "Threshold"]),
        ("Less(a, row)", ["Power", "Bias", "Threshold"]),
        ("Greater(a, b)", ["Power", "Eltwise", "Threshold"]),
        ("LessOrEqual(a, b)", ["Power", "Eltwise", "Threshold", "Power"]),
    ],
)
def test_comparisons_are_thresholds(formula, wanted):
    body = f"g = {formula} y = Where(g, a, b)"
    proto = model(body, "float[2,3] a, float[2,3] b", "float[2,3] y", c=np.float32(0.25), row=ROW)
    given = {"a": [[0.25, 0, 1], [-1, 0.5, 0.25]], "b": [[0.25, 3, -1], [-1, 0.25, 2]]}
    made = lifted(proto, **given)
    chosen = ["Power", "Eltwise", "Eltwise", "Eltwise"]
    assert sorted(types(made)) == sorted([*wanted, *chosen])


def test_logic_of_comparisons():
    body = """
        p = Greater(a, c) q = Less(b, c) n = Not(p) u = And(n, q) v = Or(u, p)
        w = Where(v, a, d)
        y = Where(q, w, c)
    """
    proto = model(
        body,
        "float[2,3] a, float[2,3] b",
        "float[2,3] y",
        c=np.float32(0.25),
        d=np.array([1, 2, 3], np.float32),
    )
    lifted(proto)


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("Pow(a, b)", "its exponent is computed"),
        ("Pow(a, many)", "its exponents differ"),
        ("Pow(minus, a)", "its base is -2; expected more than 0"),
        ("Pow(zeros, a)", "a base of 0 or less"),
        ("Div(a, zero)", "it divides by 0"),
        ("Div(a, zeros)", "a constant that has zeros"),
        ("Add(a, infinite)", "its constant is -inf; expected a finite number"),
        ("Mod<fmod=1>(a, b)", "no layer of Caffe computes it, alone or with others"),
    ],
)
def test_what_has_no_layer_is_refused(formula, words):
    values = {
        "many": [1, 2, 3],
        "minus": -2,
        "zero": 0,
        "zeros": [0, 1, 2],
        "infinite": -np.inf,
    }
    used = {n: np.array(v, np.float32) for n, v in values.items() if f"{n})" in formula + ")"}
    used |= {n: np.array(v, np.float32) for n, v in values.items() if f"{n}," in formula}
    proto = model(f"y = {formula}", "float[2,3] a, float[2,3] b", "float[2,3] y", **used)
    with pytest.raises(UnsupportedError) as caught:
        lift(proto)
    assert any(words in found.message for found in caught.value.diagnostics)


@pytest.mark.parametrize("divisor", ["b", "c", "d"])
def test_integers_are_not_divided(divisor):
    given = {"c": np.int64(2), "d": np.array([2, 3, 4])}
    proto = model(f"y = Div(a, {divisor})", "int64[3] a, int64[3] b", "int64[3] y", **given)
    with pytest.raises(UnsupportedError) as caught:
        lift(proto)
    assert "it divides integers" in caught.value.diagnostics[1].message


#: Groups of operators, with constants by name, and what they become.
GROUPS = [
    ("m = Mul(x, w) y = Add(m, v)", ["Scale"]),
    ("m = Mul(w, x) y = Add(v, m)", ["Scale"]),
    ("m = Mul(x, w) y = Sub(m, v)", ["Scale"]),
    ("m = Mul(x, w) y = Add(m, two)", ["Scale"]),
    ("m = Mul(x, two) y = Add(m, v)", ["Scale"]),
    ("m = Mul(x, w) y = Add(m, row)", ["Scale"]),
    ("m = Mul(x, w) y = Sub(v, m)", ["Scale", "Power", "Bias"]),
    ("m = Mul(x, two) y = Add(m, half)", ["Power"]),
    ("m = Mul(x, two) y = Sub(m, half)", ["Power"]),
    ("m = Mul(x, two) y = Sub(half, m)", ["Power"]),
    ("m = Div(x, two) y = Add(m, half)", ["Power"]),
    ("m = Div(two, x) y = Add(m, half)", ["Power", "Power"]),
    ("m = Add(x, two) y = Mul(m, half)", ["Power", "Power"]),
    ("m = Add(x, two) y = Sqrt(m)", ["Power"]),
    ("m = Add(x, two) y = Reciprocal(m)", ["Power"]),
    ("m = Neg(x) a = Add(m, many) y = Pow(a, half)", ["Power"]),
    ("m = Add(x, two) y = Pow(two, m)", ["Power", "Exp"]),
    ("m = Sqrt(x) y = Reciprocal(m)", ["Power", "Power"]),
    ("m = Mul(x, two) y = Exp(m)", ["Exp"]),
    ("m = Mul(x, half) a = Add(m, two) y = Log(a)", ["Log"]),
    ("l = Log(x) y = Div(l, ln10)", ["Log"]),
    ("l = Log(x) y = Mul(l, half)", ["Log", "Power"]),
    ("m = Mul(x, half) y = Add(m, z)", ["Eltwise"]),
    ("m = Mul(half, z) y = Sub(x, m)", ["Eltwise"]),
    ("m = Neg(z) y = Add(x, m)", ["Eltwise"]),
    ("m = Mul(z, w) y = Add(x, m)", ["Scale", "Eltwise"]),
    ("m = Mul(x, half) n = Div(z, two) y = Sum(m, x, n)", ["Eltwise"]),
    ("m = Mul(x, half) a = Add(m, z) y = Mul(a, m)", ["Power", "Eltwise", "Eltwise"]),
    ("u = Unsqueeze(s, axes) y = Mul(x, u)", ["Scale"]),
    ("u = Unsqueeze(s, axes) y = Mul(u, x)", ["Scale"]),
    ("u = Unsqueeze(s, axes) y = Add(u, x)", ["Bias"]),
    ("u = Reshape(s, shape) y = Mul(x, u)", ["Scale"]),
    ("u = Unsqueeze(s, axes) m = Mul(x, u) y = Add(m, z)", ["Scale", "Eltwise"]),
    ("m = Mul(x, g) y = Add(m, z)", ["Flatten", "Scale", "Eltwise"]),
    ("m = Mul(g, x) y = Add(z, m)", ["Flatten", "Scale", "Eltwise"]),
]


@pytest.mark.parametrize(("body", "wanted"), GROUPS)
def test_groups(body, wanted):
    generator = np.random.default_rng(8)
    constants = {
        "w": generator.uniform(0.5, 2, C).astype(np.float32),
        "v": generator.uniform(0.5, 2, (1, *C)).astype(np.float32),
        "row": generator.uniform(0.5, 2, 5).astype(np.float32),
        "two": np.float32(2),
        "half": np.float32([0.5]),
        "many": np.float32(9),
        "ln10": np.float32(np.log(10)),
        "axes": np.array([2, 3]),
        "shape": np.array([0, -1, 1, 1]),
    }
    shapes = {"x": X, "z": X, "s": (2, 3), "g": (2, 3, 1, 1)}
    inputs = ", ".join(f"float[{dims(shape)}] {name}" for name, shape in shapes.items())
    proto = model(body, inputs, f"float[{dims(X)}] y", 13, **constants)
    given = {name: generator.uniform(0.5, 3, shape) for name, shape in shapes.items()}
    found = [one for one in types(lifted(proto, **given)) if one != "Silence"]
    assert sorted(found) == sorted(wanted)


@st.composite
def bodies(draw):
    """Operators on earlier values and constants whose shapes fit, all of positive values."""
    shapes = {"x": X, "z": draw(st.sampled_from([X, C, (2, 3, 1, 1), (5,), (2, 1, 4, 1)]))}
    constants, body = {}, ""
    for index in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["Add", "Mul", "Div", "Max", "Min", "Sum"]))
        given = [draw(st.sampled_from(sorted(shapes)))]
        if draw(st.booleans()):
            given.append(draw(st.sampled_from(sorted(shapes))))
        else:
            keep = draw(st.lists(st.booleans(), min_size=4, max_size=4))
            shape = tuple(d if k else 1 for d, k in zip(X, keep, strict=True))
            shape = shape[draw(st.integers(0, 4)) :]
            values = np.random.default_rng(index).uniform(0.5, 2, shape)
            constants[f"c{index}"] = np.asarray(values, np.float32)
            given.append(f"c{index}")
        given = given[:: draw(st.sampled_from([1, -1]))]
        both = [shapes[n] if n in shapes else constants[n].shape for n in given]
        name = f"v{index}"
        shapes[name] = np.broadcast_shapes(*both)
        body += f" {name} = {kind}({', '.join(given)})"
    return shapes, constants, body, name


@given(bodies(), st.sampled_from(["bvlc", "bvlc-1.0"]))
@settings(max_examples=60)
def test_any_operators_of_any_shapes(made, target):
    shapes, constants, body, last = made
    inputs = f"float[{dims(X)}] x, float[{dims(shapes['z'])}] z"
    proto = model(body, inputs, f"float[{dims(shapes[last])}] {last}", 13, **constants)
    generator = np.random.default_rng(9)
    lifted(proto, target, **{n: generator.uniform(0.5, 2, shapes[n]) for n in ("x", "z")})
