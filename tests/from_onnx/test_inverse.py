"""Layers of numbers, exported and lifted again: the same layers, names and weights."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifting import lifted

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.from_onnx.convert import Lift, lift
from prototxt_gen.from_onnx.target import Target
from prototxt_gen.weights import make

X = (2, 6, 5, 7)


class Every(Target):
    """A Caffe with the layer types of all forks."""

    def has(self, type):
        return True


def exported(bottoms, layers, opset=17):
    """A net of layers (type, parameters, bottoms), its model, and its weights."""
    text = "".join(
        f'layer {{ name: "b{i}" type: "Input" top: "b{i}" '
        f"input_param {{ shape {{ dim: [{', '.join(map(str, shape))}] }} }} }}\n"
        for i, shape in enumerate(bottoms)
    )
    for i, (kind, params, names) in enumerate(layers):
        reads = " ".join(f'bottom: "{name}"' for name in names)
        text += f'layer {{ name: "l{i}" type: "{kind}" {reads} top: "t{i}" {params} }}\n'
    graph = api.load(Source(text.encode()))
    graph.stored = make(graph, "random")
    return graph, api.convert(graph, fold=False, opset=opset).model


def said(graph):
    return [
        (node.name, node.layer, [ref.blob for ref in node.bottoms], [ref.blob for ref in node.tops])
        for node in graph.nodes
    ]


SAME = [
    ("AbsVal", "", [X]),
    ("BNLL", "", [X]),
    ("ELU", "elu_param { alpha: 0.3 }", [X]),
    ("Exp", "", [X]),
    ("Exp", "exp_param { scale: 0.5 shift: 0.25 }", [X]),
    ("Exp", "exp_param { shift: -1 }", [X]),
    ("Log", "", [X]),
    ("Log", "log_param { base: 10 }", [X]),
    ("Log", "log_param { base: 2 scale: 0.5 shift: 3 }", [X]),
    ("Log", "log_param { scale: 0.1 shift: 3 }", [X]),
    ("Power", "power_param { scale: 0.3 }", [X]),
    ("Power", "power_param { shift: 0.3 }", [X]),
    ("Power", "power_param { power: 0.3 }", [X]),
    ("Power", "power_param { scale: 0.3 shift: 2 }", [X]),
    ("Power", "power_param { scale: 0.3 power: 2 }", [X]),
    ("Power", "power_param { shift: 0.3 power: 2 }", [X]),
    ("Power", "power_param { scale: -0.1 shift: 7 power: -0.5 }", [X]),
    ("ReLU", "", [X]),
    ("ReLU", "relu_param { negative_slope: 0.1 }", [X]),
    ("PReLU", "", [X]),
    ("PReLU", "", [(2, 6)]),
    ("PReLU", "prelu_param { channel_shared: true }", [X]),
    ("Sigmoid", "", [X]),
    ("TanH", "", [X]),
    ("Softmax", "", [X]),
    ("Softmax", "softmax_param { axis: 3 }", [X]),
    ("Softmax", "softmax_param { axis: 0 }", [(3,)]),
    ("Swish", "", [X]),
    ("Swish", "swish_param { beta: 1.5 }", [X]),
    ("Clip", "clip_param { min: -0.5 max: 0.25 }", [X]),
    ("Threshold", "", [X]),
    ("Threshold", "threshold_param { threshold: 0.3 }", [X]),
    ("Eltwise", "", [X, X]),
    ("Eltwise", "", [X, X, X]),
    ("Eltwise", "eltwise_param { coeff: 1 coeff: -1 }", [X, X]),
    ("Eltwise", "eltwise_param { coeff: 0.1 coeff: 1 }", [X, X]),
    ("Eltwise", "eltwise_param { coeff: 0.1 coeff: 1 coeff: -2 }", [X, X, X]),
    ("Eltwise", "eltwise_param { operation: PROD }", [X, X]),
    ("Eltwise", "eltwise_param { operation: PROD }", [X, X, X, X]),
    ("Eltwise", "eltwise_param { operation: MAX }", [X, X, X]),
    ("Scale", "", [X]),
    ("Scale", "", [(2, 6)]),
    ("Scale", "scale_param { bias_term: true }", [X]),
    ("Scale", "scale_param { bias_term: true axis: 2 num_axes: 2 }", [X]),
    ("Scale", "scale_param { axis: 0 num_axes: 4 }", [X]),
    ("Scale", "scale_param { axis: 0 }", [X, (2, 6)]),
    ("Scale", "", [X, (6,)]),
    ("Scale", "scale_param { axis: 2 }", [X, (5, 7)]),
    ("Scale", "scale_param { axis: 0 bias_term: true }", [X, (2, 6)]),
    ("Scale", "scale_param { axis: 2 bias_term: true }", [X, (5, 7)]),
    ("Bias", "", [X]),
    ("Bias", "bias_param { axis: 2 num_axes: 2 }", [X]),
    ("Bias", "bias_param { axis: 0 }", [X, (2, 6)]),
    ("Bias", "bias_param { axis: 3 }", [X, (7,)]),
]
#: Types that no target has: those of forks whose schema we do not write.
FORKS = [
    ("CReLU", "", [X]),
    ("GELU", "", [X]),
    ("HSwish", "", [X]),
    ("HardSigmoid", "", [X]),
    ("Mish", "", [X]),
    ("SELU", "", [X]),
    ("Axpy", "", [(2, 6), X, X]),
    ("Axpy", "", [(2, 6, 1, 1), X, X]),
]


def names(bottoms):
    return [f"b{i}" for i in range(len(bottoms))]


@pytest.mark.parametrize(("kind", "params", "bottoms"), SAME)
@pytest.mark.parametrize("opset", [11, 13, 17])
def test_a_layer_comes_back(kind, params, bottoms, opset):
    graph, model = exported(bottoms, [(kind, params, names(bottoms))], opset)
    generator = np.random.default_rng(4)
    given = {n: generator.uniform(0.5, 2, s) for n, s in zip(names(bottoms), bottoms, strict=True)}
    made = lifted(model, **given).graph
    assert said(made) == said(graph)
    assert _weights(made) == _weights(graph)


@pytest.mark.parametrize(("kind", "params", "bottoms"), FORKS)
def test_a_layer_of_a_fork_comes_back_where_there_is_one(kind, params, bottoms):
    graph, model = exported(bottoms, [(kind, params, names(bottoms))])
    made = lift(model, Lift(Every())).graph
    assert said(made) == said(graph)


@pytest.mark.parametrize(
    ("kind", "params", "bottoms"), [case for case in FORKS if case[0] != "GELU"]
)
def test_a_layer_of_a_fork_is_composed_elsewhere(kind, params, bottoms):
    _, model = exported(bottoms, [(kind, params, names(bottoms))])
    lifted(model)
    lifted(model, "bvlc-1.0")


def test_relu6_where_there_is_no_clip():
    class Old(Target):
        def has(self, type):
            return type != "Clip"

    graph, model = exported([X], [("ReLU6", "", ["b0"])])
    assert said(lift(model, Lift(Old())).graph) == said(graph)


def _weights(graph):
    return {name: [(b.shape, b.tobytes()) for b in blobs] for name, blobs in graph.stored.items()}


ONE = [case for case in SAME if len(case[2]) == 1 and case[2][0] == X and "Softmax" not in case]
TWO = [case for case in SAME if case[2] == [X, X]]


@st.composite
def chains(draw):
    """Layers of which each reads earlier blobs of the same shape."""
    made, blobs = [], ["b0"]
    for _ in range(draw(st.integers(2, 6))):
        kind, params, _ = case = draw(st.sampled_from([*ONE, *TWO]))
        count = 2 if case in TWO else 1
        read = (
            draw(st.lists(st.sampled_from(blobs), min_size=count, max_size=count, unique=True))
            if len(blobs) >= count
            else None
        )
        if read is not None:
            made.append((kind, params, read))
            blobs.append(f"t{len(made) - 1}")
    return made


@given(chains())
@settings(max_examples=60)
def test_any_chain_of_layers_comes_back(layers):
    if not layers:
        return
    graph, model = exported([X], layers)
    made = lift(model).graph
    assert said(made) == said(graph)
    assert _weights(made) == _weights(graph)
