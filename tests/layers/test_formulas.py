"""Formulas of Caffe's C++, written out window by window, against the reference and ONNX."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from to_onnx.recorded import run_onnx

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.graph.graph import Graph
from prototxt_gen.to_onnx.convert import Conversion, convert

Array = Any


def net(type: str, params: str, *shapes: tuple[int, ...], tops: int = 1) -> Graph:
    inputs = "".join(
        f'input: "x{i}" input_shape {{ dim: [{", ".join(map(str, shape))}] }}\n'
        for i, shape in enumerate(shapes)
    )
    bottoms = " ".join(f'bottom: "x{i}"' for i in range(len(shapes)))
    names = " ".join(f'top: "y{i}"' for i in range(tops))
    text = f'{inputs}layer {{ name: "l" type: "{type}" {bottoms} {names} {params} }}\n'
    return api.load(Source(text.encode()))


def both(graph: Graph, *bottoms: Array) -> list[Array]:
    """What the reference gives, and what onnxruntime does."""
    given = {f"x{i}": value for i, value in enumerate(bottoms)}
    model = convert(graph, Conversion()).model.SerializeToString()
    return [api.run(graph, given)["y0"], run_onnx(model, given)["y0"]]


def stochastic(x: Array, kernel: int, stride: int) -> Array:
    """StoPoolForwardTest of pooling_layer.cu, pixel by pixel; without a pad sizes round up."""
    height, width = (-(-(size - kernel) // stride) + 1 for size in x.shape[2:])
    y = np.zeros((*x.shape[:2], height, width), np.float32)
    for n, c, h, w in product(*map(range, y.shape)):
        window = x[n, c, h * stride : h * stride + kernel, w * stride : w * stride + kernel]
        total = squares = 0.0
        for value in window.reshape(-1):
            total += float(value)
            squares += float(value) * float(value)
        y[n, c, h, w] = squares / total if total > 0 else 0
    return y


@pytest.mark.parametrize(("kernel", "stride"), [(2, 2), (3, 2), (3, 1)])
def test_stochastic_pooling_weighs_each_value_by_itself(kernel: int, stride: int) -> None:
    x = np.random.default_rng(0).uniform(0, 4, (2, 3, 6, 8)).astype(np.float32)
    x[0, 0] = 0  # windows without anything
    x[1, 1] = -1  # and of less than that
    params = f"pooling_param {{ pool: STOCHASTIC kernel_size: {kernel} stride: {stride} }}"
    graph = net("Pooling", params, x.shape)
    for y in both(graph, x):
        np.testing.assert_allclose(y, stochastic(x, kernel, stride), rtol=1e-5)


def test_global_stochastic_pooling_is_one_window() -> None:
    x = np.random.default_rng(1).uniform(0, 4, (2, 3, 5, 5)).astype(np.float32)
    graph = net("Pooling", "pooling_param { pool: STOCHASTIC global_pooling: true }", x.shape)
    for y in both(graph, x):
        np.testing.assert_allclose(y, stochastic(x, 5, 1), rtol=1e-5)


@pytest.mark.parametrize("shape", [(3, 4, 5, 2), (6, 4)])
@pytest.mark.parametrize("learned", [True, False])
def test_batch_norm_by_the_batch_with_what_it_has_learned(
    shape: tuple[int, ...], learned: bool
) -> None:
    """Each channel alone: less its mean, by the root of its variance, times scale, plus bias."""
    params = "batch_norm_param { use_global_stats: false eps: 0.5 %s }"
    graph = net("BatchNorm", params % ("scale_bias: true" if learned else ""), shape)
    random = np.random.default_rng(2)
    x = random.normal(3, 2, shape).astype(np.float32)
    scale, bias = (random.normal(size=4).astype(np.float32) for _ in range(2))
    wrong = np.full(4, 100, np.float32)  # statistics, which have no say
    graph.stored = {"l": [wrong, wrong, np.ones(1, np.float32), *((scale, bias) * learned)]}
    wanted = np.empty_like(x)
    for channel in range(4):
        values = x[:, channel].astype(np.float64)
        mean = values.sum() / values.size
        variance = ((values - mean) ** 2).sum() / values.size
        wanted[:, channel] = (values - mean) / (variance + 0.5) ** 0.5
        if learned:
            wanted[:, channel] = wanted[:, channel] * scale[channel] + bias[channel]
    for y in both(graph, x):
        np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=1e-5)


def problems(type: str, params: str, bottoms: int = 1) -> list[str]:
    graph = net(type, params, *[(1, 3, 4, 4)] * bottoms)
    return [problem.rule for problem in graph.nodes[-1].layer.problems()]


@pytest.mark.parametrize(
    ("eta", "refused"), [("0", True), ("-0.5", True), ("1.01", True), ("1", False), ("0.4", False)]
)
def test_the_eta_of_a_suppression_is_more_than_0_and_at_most_1(eta: str, refused: bool) -> None:
    """CHECK_GT(eta, 0) and CHECK_LE(eta, 1) of detection_output_layer.cpp."""
    text = "detection_output_param { num_classes: 2 nms_param { eta: %s nms_threshold: 0.45 } }"
    assert problems("DetectionOutput", text % eta, 3) == ["nms"] * refused
    node = net("DetectionOutput", text % eta, *[(1, 3, 4, 4)] * 3).nodes[-1]
    layer: Any = node.layer
    assert layer.nms_eta == float(eta)
    written = layer.write().block("nms_param")
    assert written.get("eta", float, 1.0) == float(eta)
    assert written.get("nms_threshold", float, 0.3) == 0.45


@pytest.mark.parametrize(
    ("transform", "channels"),
    [
        ("", None),
        ("mean_value: 128", None),  # one for all channels, however many there are
        ("mean_value: 104 mean_value: 117 mean_value: 123", 3),
        ("mean_value: 1 mean_value: 2", 2),
        ("force_color: true", 3),
        ("force_gray: true", 1),
    ],
)
def test_the_channels_of_a_database_by_what_transforms_them(
    transform: str, channels: int | None
) -> None:
    text = f"data_param {{ batch_size: 4 }} transform_param {{ crop_size: 8 {transform} }}"
    layer = net("Data", text, tops=2).nodes[-1].layer
    assert layer.shapes((), 2) == ((4, channels, 8, 8), (4,))


def sequence(type: str, count: int, hidden: int) -> tuple[Graph, list[Array], list[Array]]:
    """A net of (T, N, I) = (3, count, 2); its values, with cont 1 from the first step; weights."""
    text = (
        f'input: "x0" input_shape {{ dim: [3, {count}, 2] }} '
        f'input: "x1" input_shape {{ dim: [3, {count}] }}\n'
        f'layer {{ name: "l" type: "{type}" bottom: "x0" bottom: "x1" top: "y0"'
        f" recurrent_param {{ num_output: {hidden} }} }}\n"
    )
    graph = api.load(Source(text.encode()))
    random = np.random.default_rng(3)
    x = random.normal(size=(3, count, 2)).astype(np.float32)
    cont = np.ones((3, count), np.float32)
    cont[2, 0] = 0
    rows = hidden * (4 if type == "LSTM" else 1)
    sizes: list[tuple[int, ...]] = [(rows, 2), (rows,), (rows, hidden)]
    if type == "RNN":
        sizes += [(hidden, hidden), (hidden,)]
    blobs = [random.normal(size=size).astype(np.float32) for size in sizes]
    graph.stored = {"l": blobs}
    return graph, [x, cont], blobs


@pytest.mark.parametrize(("count", "hidden"), [(1, 1), (1, 4), (2, 2), (2, 3)])
def test_an_rnn_begins_with_zeros_whatever_cont_says(count: int, hidden: int) -> None:
    """rnn_layer.cpp: h = tanh(W_hh (cont h) + W_xh x + b_h), o = tanh(W_ho h + b_o)."""
    graph, (x, cont), (w, b, r, out, bias) = sequence("RNN", count, hidden)
    wanted = np.zeros((3, count, hidden))
    for n in range(count):
        h = np.zeros(hidden)
        for t in range(3):
            h = np.tanh(r @ (cont[t, n] * h) + w @ x[t, n] + b)
            wanted[t, n] = np.tanh(out @ h + bias)
    for y in both(graph, x, cont):
        np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("count", "hidden"), [(1, 1), (1, 4), (2, 2), (2, 3)])
def test_an_lstm_begins_with_zeros_whatever_cont_says(count: int, hidden: int) -> None:
    """lstm_unit_layer.cpp: gates i, f, o, g; cont is a factor of h and of what f forgets."""
    graph, (x, cont), (w, b, r) = sequence("LSTM", count, hidden)

    def sigmoid(value: Array) -> Array:
        return 1 / (1 + np.exp(-value))

    wanted = np.zeros((3, count, hidden))
    for n in range(count):
        h = c = np.zeros(hidden)
        for t in range(3):
            i, f, o, g = np.split(r @ (cont[t, n] * h) + w @ x[t, n] + b, 4)
            c = cont[t, n] * sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            wanted[t, n] = h
    for y in both(graph, x, cont):
        np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("axis", [0, 1, 2, 3, -1])
def test_which_axes_a_crop_takes_from_which_bottom(axis: int) -> None:
    """crop_layer.cpp: in front of the axis the first bottom's sizes, from there on the second's."""
    large, small = (6, 7, 8, 9), (2, 3, 4, 5)
    layer = net("Crop", f"crop_param {{ axis: {axis} }}", large, small).nodes[-1].layer
    (top,) = layer.shapes((large, small), 1)
    first = axis % 4
    assert top == (*large[:first], *small[first:])
    said = layer.axes((large, small), (top,))
    for index, label in enumerate(said.tops[0]):
        own, other = (said.bottoms[i][index] for i in ((0, 1) if index < first else (1, 0)))
        assert label is not None and own == label
        assert other is None
