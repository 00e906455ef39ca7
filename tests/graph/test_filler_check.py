"""What fillers refuse, by the CHECKs of filler.hpp and math_functions.cpp."""

from __future__ import annotations

import pytest

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.graph.validation import validate

INPUT = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: [1, %s] } } }\n'
CONV = (
    'layer { name: "c" type: "Convolution" bottom: "x" top: "y"'
    " convolution_param { num_output: 6 kernel_size: 3 %s } }\n"
)
WEIGHT, BIAS = "weight_filler { type: '%s' %s }", "bias_filler { type: '%s' %s }"


def rules(text: str, sizes: str = "4, 8, 8") -> list[str]:
    return [d.rule for d in validate(Source((INPUT % sizes + text).encode())).errors]


@pytest.mark.parametrize(
    "filler",
    [
        WEIGHT % ("constant", "value: 2"),
        WEIGHT % ("uniform", "min: 0.5 max: 0.5"),
        WEIGHT % ("uniform", "min: -1"),
        WEIGHT % ("gaussian", "std: 0.01 sparse: 6"),
        WEIGHT % ("gaussian", "sparse: 0"),
        WEIGHT % ("positive_unitball", ""),
        WEIGHT % ("xavier", "variance_norm: FAN_OUT"),
        WEIGHT % ("msra", ""),
        WEIGHT % ("bilinear", ""),
        BIAS % ("xavier", ""),
        BIAS % ("uniform", "max: 0"),
        # Nobody looks at the filler of a bias that there is not.
        BIAS % ("foo", "") + " bias_term: false",
        "",
    ],
)
def test_what_caffe_fills(filler: str) -> None:
    assert rules(CONV % filler) == []


@pytest.mark.parametrize(
    ("filler", "rule"),
    [
        (WEIGHT % ("foo", ""), "filler-type"),
        (WEIGHT % ("Xavier", ""), "filler-type"),
        (BIAS % ("", ""), "filler-type"),
        (WEIGHT % ("uniform", "min: 2"), "filler-bounds"),
        (WEIGHT % ("uniform", "max: -1"), "filler-bounds"),
        (WEIGHT % ("gaussian", "std: 0"), "filler-bounds"),
        (WEIGHT % ("gaussian", "std: -1"), "filler-bounds"),
        (WEIGHT % ("gaussian", "sparse: 7"), "filler-bounds"),
        (WEIGHT % ("gaussian", "sparse: -2"), "filler-bounds"),
        (WEIGHT % ("xavier", "sparse: 1"), "filler-bounds"),
        (WEIGHT % ("constant", "sparse: 1"), "filler-bounds"),
        (BIAS % ("bilinear", ""), "filler-bounds"),
        (BIAS % ("uniform", "min: 3"), "filler-bounds"),
    ],
)
def test_what_caffe_does_not_fill(filler: str, rule: str) -> None:
    assert rules(CONV % filler) == [rule]


def test_a_bilinear_kernel_is_square_and_has_four_axes() -> None:
    text = CONV % WEIGHT % ("bilinear", "")
    assert rules(text.replace("kernel_size: 3", "kernel_h: 3 kernel_w: 2")) == ["filler-bounds"]
    assert rules(text, "4, 8") == ["filler-bounds"]


def test_what_is_empty_cannot_be_filled() -> None:
    assert rules(CONV % "", "0, 8, 8") == ["filler-bounds"]
    assert rules(CONV % "bias_term: false", "0, 8, 8") == ["filler-bounds"]


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        ('"Scale" bottom: "x" scale_param { filler { type: "foo" } }', ["filler-type"]),
        ('"Scale" bottom: "x" scale_param { bias_filler { type: "foo" } }', []),
        (
            '"Scale" bottom: "x" scale_param { bias_term: true bias_filler { type: "foo" } }',
            ["filler-type"],
        ),
        (
            '"Scale" bottom: "x" bottom: "x" scale_param { bias_term: true axis: 0 '
            'filler { type: "foo" } bias_filler { type: "constant" } }',
            [],
        ),
        ('"Bias" bottom: "x" bias_param { filler { type: "foo" } }', ["filler-type"]),
        ('"PReLU" bottom: "x" prelu_param { filler { type: "foo" } }', ["filler-type"]),
        (
            '"PReLU" bottom: "x" prelu_param { channel_shared: true filler { type: "msra" } }',
            ["filler-bounds"],
        ),
        ('"PReLU" bottom: "x"', []),
        (
            '"DummyData" dummy_data_param { shape { dim: 2 } data_filler { type: "foo" } }',
            ["filler-type"],
        ),
        # Caffe draws no number before the first forward.
        ('"DummyData" dummy_data_param { shape { } data_filler { type: "uniform" min: 2 } }', []),
        ('"DummyData" dummy_data_param { shape { dim: 0 } }', ["filler-bounds"]),
        ('"DummyData" dummy_data_param { shape { dim: 0 } data_filler { type: "msra" } }', []),
        (
            '"InnerProduct" bottom: "x" inner_product_param { num_output: 2 bias_filler '
            '{ type: "uniform" min: 2 } }',
            ["filler-bounds"],
        ),
        ('"BatchNorm" bottom: "x"', []),
    ],
)
def test_each_type_has_fillers_of_its_own(layer: str, expected: list[str]) -> None:
    assert rules(f'layer {{ name: "l" top: "y" type: {layer} }}\n') == expected


def test_weights_take_the_place_of_what_was_not_filled() -> None:
    text = INPUT % "4, 8, 8" + CONV % WEIGHT % ("foo", "")
    assert api.summarize(Source(text.encode())).diagnostics == ()
