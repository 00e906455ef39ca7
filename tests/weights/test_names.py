"""The names of weights, as ONNX's own operators call their inputs where they have one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from layers.test_cases import TAKEN, net

from prototxt_gen import api
from prototxt_gen import weights as tools
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Source

INPUT = 'input: "x" input_shape { dim: [1, 4, 5, 5] }\n'


def inputs(operator: str) -> list[str]:
    return [value.name for value in onnx.defs.get_schema(operator, 17).inputs]


def names(type: str, count: int, params: str = "") -> list[str]:
    text = INPUT + f'layer {{ name: "l" type: "{type}" bottom: "x" top: "y" {params} }}'
    graph = api.load(Source(text.encode()))
    blobs = [np.full((4,) * (count - i), i, np.float32) for i in range(count)]
    found = tools.flat(graph, {"l": blobs})
    assert [value.flat[0] for value in found.values()] == list(range(count))
    return [name.removeprefix("l/") for name in found]


def test_a_prelu_has_a_slope() -> None:
    assert names("PReLU", 1) == inputs("PRelu")[1:]


def test_a_batch_norm_has_statistics_and_what_it_learns() -> None:
    """BatchNormalization: X, scale, B, input_mean, input_var; Caffe's factor has no name there."""
    _, scale, _, mean, variance = inputs("BatchNormalization")
    found = names("BatchNorm", 5, "batch_norm_param { scale_bias: true }")
    assert found[0] == mean.removeprefix("input_")
    assert variance.removeprefix("input_") in found[1]
    assert found == ["mean", "variance", "factor", scale, "bias"]


@pytest.mark.parametrize("type", ["Convolution", "InnerProduct", "Deconvolution", "Embed"])
def test_what_multiplies_has_weight_and_bias(type: str) -> None:
    """As torch.nn's modules call them, and safetensors' users expect."""
    assert names(type, 2) == ["weight", "bias"]


def test_more_blobs_than_a_layer_has_get_numbers() -> None:
    assert names("PReLU", 2) == ["slope", "1"]
    assert list(tools.flat(None, {"z": [np.ones((2, 2)), np.ones(2), np.ones(1)]})) == [
        "z/weight",
        "z/bias",
        "z/2",
    ]


@pytest.mark.parametrize("case", [case for case in TAKEN if case.weights], ids=str)
def test_names_lead_back_to_the_weights(case: Any) -> None:
    graph = api.load(Source(net(case).encode()))
    stored = tools.make(graph, "random")
    again = tools.nested(graph, tools.flat(graph, stored))
    assert set(again) == set(stored)
    for name, blobs in stored.items():
        for one, other in zip(blobs, again[name], strict=True):
            assert np.array_equal(one, other)


def test_the_command_exports_by_these_names(tmp_path: Path) -> None:
    text = INPUT + 'layer { name: "p" type: "PReLU" bottom: "x" top: "y" }'
    prototxt, model, arrays = (tmp_path / name for name in ("n.prototxt", "m", "w.npz"))
    prototxt.write_text(text)
    assert run(["weights", "init", str(prototxt), "-o", str(model)]) == 0
    assert run(["weights", "export", str(model), str(prototxt), "-o", str(arrays)]) == 0
    with np.load(arrays) as found:
        assert {name: found[name].tolist() for name in found.files} == {"p/slope": [0.25] * 4}
