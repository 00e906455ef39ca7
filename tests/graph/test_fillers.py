"""What fillers make, by the statistics that filler.hpp says; a large weight has few surprises."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
import pytest

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import WeightsError
from prototxt_gen.weights import make

OUT, IN, SIDE = 40, 30, 5
FAN_IN, FAN_OUT = IN * SIDE * SIDE, OUT * SIDE * SIDE


def weight(filler: str) -> Any:
    """(40, 30, 5, 5), as a convolution's weight; its fan_out is its count by its channels."""
    text = (
        f'input: "x" input_shape {{ dim: [1, {IN}, 9, 9] }}\n'
        f'layer {{ name: "c" type: "Convolution" bottom: "x" top: "c" convolution_param {{'
        f" num_output: {OUT} kernel_size: {SIDE} weight_filler {{ {filler} }} }} }}"
    )
    return make(api.load(Source(text.encode())), "fillers")["c"][0]


def test_constant() -> None:
    assert set(weight("value: 3").flat) == {3}
    assert set(weight('type: "constant"').flat) == {0}


@pytest.mark.parametrize(("text", "low", "high"), [("", 0, 1), ("min: -2 max: 6", -2, 6)])
def test_uniform(text: str, low: float, high: float) -> None:
    found = weight(f'type: "uniform" {text}')
    assert low <= found.min() < low + 0.01 * (high - low)
    assert high >= found.max() > high - 0.01 * (high - low)
    assert found.mean() == pytest.approx((low + high) / 2, abs=0.02 * (high - low))


@pytest.mark.parametrize(("text", "mean", "std"), [("", 0, 1), ("mean: 4 std: 0.5", 4, 0.5)])
def test_gaussian(text: str, mean: float, std: float) -> None:
    found = weight(f'type: "gaussian" {text}')
    assert found.mean() == pytest.approx(mean, abs=0.05 * std)
    assert found.std() == pytest.approx(std, rel=0.05)


def test_a_sparse_gaussian_keeps_so_many_inputs_of_each_output() -> None:
    """non_zero_probability is sparse by num_outputs, the first axis."""
    found = weight('type: "gaussian" sparse: 10')
    assert (found != 0).mean() == pytest.approx(10 / OUT, rel=0.1)
    assert (weight('type: "gaussian" sparse: 0') == 0).all()
    assert (weight('type: "gaussian" sparse: -1') != 0).all()


def test_the_unit_ball_has_rows_of_sum_1() -> None:
    found = weight('type: "positive_unitball"')
    assert found.min() >= 0
    np.testing.assert_allclose(found.reshape(OUT, -1).sum(axis=1), 1, rtol=1e-5)


NORMS = [
    ("", FAN_IN),
    ("variance_norm: FAN_IN", FAN_IN),
    ("variance_norm: FAN_OUT", FAN_OUT),
    ("variance_norm: AVERAGE", (FAN_IN + FAN_OUT) / 2),
]


@pytest.mark.parametrize(("norm", "fan"), NORMS)
def test_xavier(norm: str, fan: float) -> None:
    """Uniform in sqrt(3 / n)."""
    found, bound = weight(f'type: "xavier" {norm}'), sqrt(3 / fan)
    assert 0.99 * bound < found.max() <= bound * (1 + 1e-6)
    assert -0.99 * bound > found.min() >= -bound * (1 + 1e-6)
    assert found.std() == pytest.approx(bound / sqrt(3), rel=0.02)


@pytest.mark.parametrize(("norm", "fan"), NORMS)
def test_msra(norm: str, fan: float) -> None:
    """Normal, of sqrt(2 / n)."""
    found = weight(f'type: "msra" {norm}')
    assert found.std() == pytest.approx(sqrt(2 / fan), rel=0.02)
    assert abs(found).max() > 3 * sqrt(2 / fan)


@pytest.mark.parametrize("side", [2, 3, 4, 5, 8])
def test_bilinear(side: int) -> None:
    """The loop of BilinearFiller, with f, c, x and y as there."""
    text = (
        'input: "x" input_shape { dim: [1, 2, 9, 9] }\n'
        'layer { name: "d" type: "Deconvolution" bottom: "x" top: "d" convolution_param {'
        f" num_output: 2 group: 2 kernel_size: {side}"
        ' weight_filler { type: "bilinear" } } }'
    )
    found = make(api.load(Source(text.encode())), "fillers")["d"][0]
    f = -(-side // 2)
    c = (2 * f - 1 - f % 2) / (2.0 * f)
    for i in range(found.size):
        x, y = i % side, (i // side) % side
        assert found.flat[i] == pytest.approx((1 - abs(x / f - c)) * (1 - abs(y / f - c)), abs=1e-6)


def test_a_bilinear_filler_needs_a_square() -> None:
    text = (
        'input: "x" input_shape { dim: [1, 2] }\n'
        'layer { name: "d" type: "InnerProduct" bottom: "x" top: "d"'
        ' inner_product_param { num_output: 2 weight_filler { type: "bilinear" } } }'
    )
    with pytest.raises(WeightsError, match="layer 'd'"):
        make(api.load(Source(text.encode())), "fillers")


def test_zeros_and_random_ones() -> None:
    text = (
        'input: "x" input_shape { dim: [1, 50, 4, 4] }\n'
        'layer { name: "c" type: "Convolution" bottom: "x" top: "c"'
        " convolution_param { num_output: 60 kernel_size: 3 } }\n"
        'layer { name: "n" type: "BatchNorm" bottom: "c" top: "n" }\n'
    )
    graph = api.load(Source(text.encode()))
    assert all(not blob.any() for blobs in make(graph, "zeros").values() for blob in blobs)
    found = make(graph, "random")
    assert found["c"][0].std() == pytest.approx(sqrt(2 / (50 * 9)), rel=0.02)
    assert 0.5 <= found["c"][1].min() < 0.55 < 0.95 < found["c"][1].max() <= 1
    assert [set(blob.flat) for blob in found["n"]] == [{0}, {1}, {1}]
    other = make(graph, "random", seed=1)
    assert not np.array_equal(found["c"][0], other["c"][0])
    assert np.array_equal(found["c"][0], make(graph, "random")["c"][0])


def test_layers_of_one_shape_get_numbers_of_their_own() -> None:
    conv = (
        'layer {{ name: "{0}" type: "Convolution" bottom: "x" top: "{0}" convolution_param {{'
        ' num_output: 3 kernel_size: 3 weight_filler {{ type: "msra" }} }} }}\n'
    )
    text = 'input: "x" input_shape { dim: [1, 3, 4, 4] }\n' + conv.format("a") + conv.format("b")
    found = make(api.load(Source(text.encode())), "fillers")
    assert not np.array_equal(found["a"][0], found["b"][0])
