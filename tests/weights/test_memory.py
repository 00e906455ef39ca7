"""Weights are float32: nothing that is made of them takes twice their size on the way."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from prototxt_gen import api, weights
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import WeightsError
from prototxt_gen.graph import fillers as initial_weights
from prototxt_gen.layers.base import Affine
from prototxt_gen.layers.convolution import Convolution
from prototxt_gen.layers.deconvolution import Deconvolution
from prototxt_gen.layers.dense import InnerProduct
from prototxt_gen.layers.parts import fillers

NET = """
layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ dim: [1, {inputs}] }} }} }}
layer {{ name: "a" type: "InnerProduct" bottom: "x" top: "a"
  inner_product_param {{ num_output: {outputs} bias_term: false weight_filler {{ {filler} }} }} }}
"""
BYTES = 4 << 20


def net(inputs: int = 1024, outputs: int = 1024, filler: str = 'type: "xavier"') -> Any:
    text = NET.format(inputs=inputs, outputs=outputs, filler=filler)
    return api.load(Source(text.encode()))


def peak(action: Callable[[], object]) -> int:
    """The most bytes that an action has at once, besides those that were there."""
    action()  # what is imported and made once
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fillers, "_PIECE", 1 << 12)
    monkeypatch.setattr(weights, "_PIECE", 1 << 12)


@pytest.mark.parametrize(
    "filler",
    [
        'type: "constant" value: 0.1',
        'type: "uniform"',
        'type: "gaussian"',
        'type: "positive_unitball"',
        'type: "xavier"',
        'type: "msra"',
    ],
)
def test_weights_are_made_in_the_memory_that_they_take(filler: str) -> None:
    graph = net(filler=filler)
    assert peak(lambda: weights.make(graph, "fillers")) < 1.2 * BYTES
    assert peak(lambda: weights.make(graph, "random")) < 1.2 * BYTES


def test_sparse_weights_take_their_places_besides() -> None:
    graph = net(filler='type: "gaussian" sparse: 5')
    assert peak(lambda: weights.make(graph, "fillers")) < 2.2 * BYTES


@pytest.mark.parametrize("size", [(1, 1 << 20), (1 << 20, 1), (1 << 10, 1 << 10)])
def test_a_unit_ball_of_any_form(size: tuple[int, int]) -> None:
    graph = net(size[1], size[0], 'type: "positive_unitball"')
    (made,) = weights.make(graph, "fillers")["a"]
    assert made.shape == size
    np.testing.assert_allclose(made.sum(axis=1, dtype=np.float64), 1, rtol=1e-5)
    assert peak(lambda: weights.make(graph, "fillers")) < 1.2 * BYTES


def test_pieces_are_drawn_as_the_whole_would_be(monkeypatch: pytest.MonkeyPatch) -> None:
    for filler in ('type: "gaussian" sparse: 5', 'type: "uniform"', 'type: "positive_unitball"'):
        graph = net(100, 90, filler)
        monkeypatch.setattr(fillers, "_PIECE", 7)
        pieces = weights.make(graph, "fillers")["a"][0]
        monkeypatch.setattr(fillers, "_PIECE", 1 << 20)
        assert np.array_equal(pieces, weights.make(graph, "fillers")["a"][0])


def test_more_than_the_machine_has_is_refused_before_anything_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    graph = net()
    monkeypatch.setattr(initial_weights, "_memory", lambda: BYTES - 1)

    def made(size: Any, *args: Any) -> None:
        raise AssertionError("something is made")

    monkeypatch.setattr(initial_weights, "_one", made)
    words = r"4,194,304 bytes, 4,194,304 of them for layer 'a'; this machine has 4,194,303 bytes"
    with pytest.raises(WeightsError, match=words):
        weights.make(graph, "fillers")
    monkeypatch.setattr(initial_weights, "_memory", lambda: BYTES)
    with pytest.raises(AssertionError, match="something is made"):
        weights.make(graph, "fillers")


def test_the_memory_of_this_machine_is_known_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (initial_weights._memory() or 0) > 64 << 20
    monkeypatch.delattr("os.sysconf")
    assert initial_weights._memory() is None


def test_a_net_of_many_large_layers_is_refused(tmp_path: Any, capsys: Any) -> None:
    path = tmp_path / "net.prototxt"
    layers = NET.format(inputs=192, outputs=11184810, filler="")
    for index in range(1000):
        layers += (
            f'layer {{ name: "b{index}" type: "InnerProduct" bottom: "x" top: "b{index}"'
            " inner_product_param { num_output: 11184810 } }\n"
        )
    path.write_text(layers)
    assert run(["weights", "init", str(path), "-o", str(tmp_path / "out.caffemodel")]) == 2
    assert "the net's weights need 8,6" in capsys.readouterr().err
    assert not (tmp_path / "out.caffemodel").exists()


def test_statistics_and_differences_take_little() -> None:
    values = np.random.default_rng(0).normal(3, 2, 1 << 20).astype(np.float32)
    other = values.copy()
    other[::2] += 1
    assert peak(lambda: weights.statistics({"a": [values]})) < 0.6 * BYTES
    assert peak(lambda: weights.difference({"a": [values]}, {"a": [other]})) < 0.5 * BYTES
    (found,) = weights.statistics({"a": [values]})
    assert found.deviation == pytest.approx(values.std(dtype=np.float64), rel=1e-12)
    other[-1] = np.nan
    other[0] = values[0] + 7
    ((_, words),) = weights.difference({"a": [values]}, {"a": [other]})
    assert words == f"{(1 << 19) + 1} of {1 << 20} differ, by 7, 1 of them NaN in one file"


@pytest.mark.parametrize("kind", ["Convolution", "Deconvolution", "InnerProduct"])
def test_weights_are_folded_in_the_memory_that_they_take(kind: str) -> None:
    outputs, kernel = 256, (4, 4)
    layer: Any = {
        "Convolution": Convolution(num_output=outputs, kernel=kernel, bias_term=False),
        "Deconvolution": Deconvolution(num_output=outputs, kernel=kernel, bias_term=False),
        "InnerProduct": InnerProduct(num_output=outputs, bias_term=False),
    }[kind]
    weight = np.ones((outputs, 4096) if kind == "InnerProduct" else (outputs, 256, 4, 4), "f4")
    factor = np.linspace(0.1, 0.3, outputs)
    affine = Affine(factor, np.zeros(outputs))
    made = layer.absorb([weight], affine)[1][0]
    assert made.dtype == np.float32
    axis = 1 if kind == "Deconvolution" else 0
    assert np.array_equal(
        np.moveaxis(made, axis, 0).reshape(outputs, -1)[:, 5], factor.astype("f4")
    )
    assert peak(lambda: layer.absorb([weight], affine)) < 1.3 * BYTES
