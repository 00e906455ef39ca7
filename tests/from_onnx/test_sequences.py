"""LSTM and its kin."""

import numpy as np
import pytest
from lifting import lifted, model, refusal, types

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.from_onnx.convert import lift

RANDOM = np.random.default_rng(7)
T, N, K, D = 5, 2, 3, 4


def weights(ways=1, gates=4, **more):
    shapes = {
        "w": (ways, gates * D, K), "r": (ways, gates * D, D), "b": (ways, 2 * gates * D),
        "h": (ways, N, D), "c": (ways, N, D), **more,
    }  # fmt: skip
    return {n: RANDOM.standard_normal(s).astype(np.float32) for n, s in shapes.items()}


def sequence(body, ways=1, opset=14, outputs=None, inputs="", gates=4, steps=T, **given):
    y = f"float[{steps},{ways},{N},{D}] y"
    found = weights(ways, gates) | given
    for name in "hc":
        if f" {name}" in inputs:
            del found[name]
    return model(body, f"float[{steps},{N},{K}] x{inputs}", outputs or y, opset, **found)


ALL = f"float[{T},1,{N},{D}] y, float[1,{N},{D}] p, float[1,{N},{D}] q"
LAST = f", float[1,{N},{D}] q"
H = f"<hidden_size={D}>"
CASES = [
    (f"y = LSTM{H}(x, w, r, b)", None),
    (f"y = LSTM{H}(x, w, r)", None),
    (f"y, p = LSTM{H}(x, w, r, b)", ALL.removesuffix(LAST)),
    (f"y, p, q = LSTM{H}(x, w, r, b)", ALL),
    (f"y, p, q = LSTM{H}(x, w, r, b, , h, c)", ALL),
    (f"y = LSTM{H}(x, w, r, b, , z, z)", None),
]


@pytest.mark.parametrize("opset", [7, 13, 14, 21])
@pytest.mark.parametrize(("body", "outputs"), CASES)
def test_lstm(body, outputs, opset):
    made = lifted(sequence(body, 1, opset, outputs, z=np.zeros((1, N, D), np.float32)))
    assert types(made).count("LSTM") == 1


def test_an_lstm_is_one_layer_and_keeps_its_name():
    body = f"s = LSTM{H}(x, w, r, b) y = Squeeze(s, o)"
    made = lifted(sequence(body, 1, 14, f"float[{T},{N},{D}] y", o=np.array([1])))
    assert types(made) == ["Parameter", "LSTM"]
    assert (made.graph.nodes[-1].name, made.graph.nodes[-1].tops[0].blob) == ("s", "y")
    (cont,) = made.graph.stored[made.graph.nodes[1].name]
    assert cont.tolist() == [[0] * N, *[[1] * N] * (T - 1)]


def test_the_last_state_alone():
    body = f"a, y = LSTM{H}(x, w, r, b)"
    made = lifted(sequence(body, outputs=f"float[1,{N},{D}] y"))
    assert types(made) == ["Parameter", "LSTM", "Slice", "Silence"]


def test_a_computed_state():
    inputs = f", float[1,{N},{D}] h, float[1,{N},{D}] c"
    made = lifted(sequence(f"y, p, q = LSTM{H}(x, w, r, b, , h, c)", outputs=ALL, inputs=inputs))
    (node,) = (one for one in made.graph.nodes if one.type == "LSTM")
    assert node.layer.expose_hidden
    assert len(node.bottoms) == 4


BOTH = f"float[{T},2,{N},{D}] y, float[2,{N},{D}] p, float[2,{N},{D}] q"


def test_backward():
    lifted(sequence(f'y = LSTM<hidden_size={D}, direction="reverse">(x, w, r, b)'))
    lifted(
        sequence(f'y, p, q = LSTM<hidden_size={D}, direction="reverse">(x, w, r, b)', outputs=ALL)
    )


@pytest.mark.parametrize("state", ["", ", , h, c"])
def test_both_directions(state):
    body = f'y, p, q = LSTM<hidden_size={D}, direction="bidirectional">(x, w, r, b{state})'
    made = lifted(sequence(body, 2, outputs=BOTH))
    assert types(made).count("LSTM") == 2


def test_both_directions_as_pytorch_joins_them():
    body = (
        f'a = LSTM<hidden_size={D}, direction="bidirectional">(x, w, r, b) '
        "t = Transpose<perm=[0,2,1,3]>(a) y = Reshape(t, s)"
    )
    shape = np.array([0, 0, -1])
    lifted(sequence(body, 2, outputs=f"float[{T},{N},{2 * D}] y", s=shape))


def test_rnn():
    body = f"a, y = RNN{H}(x, w, r, b)"
    made = lifted(sequence(body, outputs=f"float[1,{N},{D}] y", gates=1))
    assert types(made).count("RNN") == 1
    body = f'a, y = RNN<hidden_size={D}, direction="bidirectional">(x, w, r, b, , h)'
    lifted(sequence(body, 2, outputs=f"float[2,{N},{D}] y", gates=1))


REFUSED = [
    (f"y = GRU{H}(x, w, r)", 3, {}, "Caffe has no GRU"),
    (f"y = RNN{H}(x, w, r, b)", 1, {}, "puts another tanh behind"),
    (f'y = RNN<hidden_size={D}, activations=["Relu"]>(x, w, r)', 1, {}, "activations are Relu"),
    (f"y = LSTM<hidden_size={D}, clip=1.0>(x, w, r)", 4, {}, "clips what enters its gates to 1"),
    (f"y = LSTM<hidden_size={D}, input_forget=1>(x, w, r)", 4, {}, "couples the input"),
    (f"y = LSTM{H}(x, w, r, b, l)", 4, {"l": np.array([5, 3], np.int32)}, "lengths of their own"),
    (f"y = LSTM{H}(x, w, r, b, , , , k)", 4, {"k": np.zeros((1, 3 * D), np.float32)}, "peepholes"),
    (f"y = LSTM{H}(x, w, v, b)", 4, {}, "recurrent weights are computed"),
]


@pytest.mark.parametrize(("body", "gates", "given", "words"), REFUSED)
def test_refusals(body, gates, given, words):
    inputs = f", float[1,{gates * D},{D}] v" if " v" in body else ""
    assert words in refusal(sequence(body, gates=gates, inputs=inputs, **given))


def test_too_long_a_way_back_is_refused():
    body = f'y = LSTM<hidden_size={D}, direction="reverse">(x, w, r)'
    assert "goes back through 65 steps; expected at most 64" in refusal(sequence(body, steps=65))


def test_whole_lengths_are_all_steps():
    lengths = np.full(N, T, np.int32)
    lifted(sequence(f"y = LSTM{H}(x, w, r, b, l)", l=lengths))


def without(proto, output):
    """The model without an output of its first node."""
    names = list(proto.graph.node[0].output)
    proto.graph.node[0].output[:] = ["" if name == output else name for name in names]
    return proto


def test_an_output_that_is_not_given_is_no_input_that_is_not_given():
    body = f"q, p, e = LSTM{H}(x, w, r, b) s = Squeeze(q, o) y, i, j = LSTM{H}(s, v, r, b, , , )"
    square = RANDOM.standard_normal((1, 4 * D, D)).astype(np.float32)
    outputs = f"float[{T},1,{N},{D}] y, float[1,{N},{D}] e"
    made = sequence(body, outputs=outputs, v=square, o=np.array([1]))
    assert types(lifted(without(made, "p"))).count("LSTM") == 2


@pytest.mark.parametrize("wrong", [f"hidden_size={D}, clip=1.0", "hidden_size=0"])
def test_what_reads_no_state_does_not_read_one_that_is_refused(wrong):
    """Neither where an operator is refused at once, nor where what reads it is left out."""
    one = f"LSTM<{wrong}>"
    body = f"q, p, n = {one}(x, w, r, b) y, i, j = LSTM{H}(x, w, r, b, , n)"
    body += f" z = {one}(x, w, r, b, , )"
    outputs = f"float[{T},1,{N},{D}] q, float[1,{N},{D}] j, float[{T},1,{N},{D}] z"
    made = sequence(body, outputs=outputs)
    made.graph.node[0].output[1] = made.graph.node[1].output[1] = ""
    with pytest.raises(UnsupportedError) as caught:
        lift(made)
    assert [one.layer for one in caught.value.diagnostics if one.layer] == ["q", "z"]


def test_what_nobody_reads_goes_where_an_output_is_not_given():
    body = f"q, p = GRU{H}(x, w, r) y = LSTM{H}(x, v, u, b, , , )"
    more = {"v": RANDOM.standard_normal((1, 4 * D, K)).astype(np.float32)}
    more["u"] = RANDOM.standard_normal((1, 4 * D, D)).astype(np.float32)
    made = sequence(body, gates=3, **more, b=np.zeros((1, 8 * D), np.float32))
    assert types(lifted(without(made, "p"))).count("LSTM") == 1


def test_constants_are_computed_where_an_output_is_not_given():
    proto = model(
        "p, q = MaxPool<kernel_shape=[2]>(k) y = Add(x, p)",
        "float[1,1,2] x",
        "float[1,1,2] y",
        k=np.array([[[3, 5, 1]]], np.float32),
    )
    assert types(lifted(without(proto, "q"))) == ["Bias"]


def test_an_output_of_a_branch_that_is_not_given_is_no_input_that_is_not_given():
    branch = "() => (float[{0}] {1}, float[{0}] {2}) {{{1} = Relu(x) {2} = Neg(x)}}"
    size = f"{T},{N},{K}"
    taken, other = branch.format(size, "i", "j"), branch.format(size, "m", "n")
    body = f"s, p = If (on) <then_branch = one {taken}, else_branch = two {other}>"
    made = sequence(f"{body} y = LSTM{H}(s, w, r, b, , , )", on=np.array(True))
    # This version of onnxruntime dies of such an If.
    assert types(lift(without(made, "p"))) == ["ReLU", "Parameter", "LSTM", "Reshape"]
