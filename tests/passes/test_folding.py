"""What folds, what does not, and that nothing that is computed changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from prototxt_gen import api
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.graph.check import check
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.run import run
from prototxt_gen.graph.weights import bind
from prototxt_gen.passes.fold import fold

INPUT = 'input: "x" input_shape { dim: [2, 3, 6, 6] }\n'
CONV = (
    'layer {{ name: "{0}" type: "Convolution" bottom: "{1}" top: "{0}" {2}'
    " convolution_param {{ num_output: 3 kernel_size: 3 pad: 1 {3} }} }}\n"
)
NORM = (
    'layer {{ name: "{0}" type: "BatchNorm" bottom: "{1}" top: "{2}"'
    " batch_norm_param {{ {3} }} }}\n"
)
SCALE = (
    'layer {{ name: "{0}" type: "Scale" bottom: "{1}" top: "{2}" {3}'
    " scale_param {{ bias_term: true }} }}\n"
)
W = 'param { name: "w" } param { name: "b" }'


def folded(text: str, kept: tuple[str, ...] = ()) -> tuple[list[str], list[str]]:
    """The layers that are left and those that were folded; every blob that is left is the same."""
    graph = api.load(Source((INPUT + text).encode()))
    shapes = check(graph, Sink())
    random = np.random.default_rng(0)
    stored = {}
    for index, node in enumerate(graph.nodes):
        if shapes.weights.get(index):
            stored[node.name] = [
                random.uniform(0.5, 2, tuple(d or 1 for d in shape)).astype(np.float32)
                for shape in shapes.weights[index]
            ]
    weights = bind(graph, shapes, stored, Sink())
    made, bound, changes = fold(graph, weights, kept)
    given = {"x": random.normal(size=(2, 3, 6, 6)).astype(np.float32)}
    before, after = _last(run(graph, weights, given)), _last(run(made, bound, given))
    assert _outputs(made) == _outputs(graph)
    for name in set(after) & set(before):
        np.testing.assert_allclose(after[name], before[name], rtol=1e-3, atol=1e-4, err_msg=name)
    return [node.name for node in made.nodes if node.bottoms], [change.layer for change in changes]


def _last(blobs: Any) -> dict[str, Any]:
    return {ref.blob: value for ref, value in blobs.items()}


def _outputs(graph: Graph) -> list[str]:
    return [ref.blob for ref in graph.outputs]


def test_nvidias_batch_norm_folds_with_its_scale_and_bias() -> None:
    text = CONV.format("c", "x", "", "") + NORM.format("n", "c", "n", "scale_bias: true eps: 0.1")
    assert folded(text) == (["c"], ["n"])


@pytest.mark.parametrize("bias", ["", "bias_term: false"])
def test_a_chain_folds_whole(bias: str) -> None:
    text = CONV.format("c", "x", "", bias) + NORM.format("n", "c", "n", "")
    assert folded(text + SCALE.format("s", "n", "s", "")) == (["c"], ["n", "s"])
    in_place = CONV.format("c", "x", "", bias) + NORM.format("n", "c", "c", "")
    assert folded(in_place + SCALE.format("s", "c", "c", "")) == (["c"], ["n", "s"])


def test_by_the_batch_or_behind_a_relu_nothing_folds() -> None:
    conv = CONV.format("c", "x", "", "")
    assert folded(conv + NORM.format("n", "c", "n", "use_global_stats: false"))[1] == []
    assert folded(conv + NORM.format("n", "c", "n", "relu: true"))[1] == []
    relu = 'layer { name: "r" type: "ReLU" bottom: "c" top: "r" }\n'
    assert folded(conv + relu + NORM.format("n", "r", "n", ""))[1] == []


def test_weights_that_layers_share_stay_as_they_are() -> None:
    """The other layer would get them too."""
    both = CONV.format("c", "x", W, "") + CONV.format("d", "x", W, "")
    assert folded(both + NORM.format("n", "c", "n", "")) == (["c", "d", "n"], [])
    shared = 'param { name: "f" } param { name: "g" }'
    chain = CONV.format("c", "x", "", "") + SCALE.format("s", "c", "s", shared)
    assert folded(chain + SCALE.format("t", "x", "t", shared))[1] == []


def test_what_two_layers_read_stays() -> None:
    conv = CONV.format("c", "x", "", "")
    more = 'layer { name: "r" type: "Power" bottom: "c" top: "r" power_param { scale: 2 } }\n'
    assert folded(conv + NORM.format("n", "c", "n", "") + more)[1] == []


def test_blobs_that_are_to_be_kept_stay() -> None:
    text = CONV.format("c", "x", "", "") + NORM.format("n", "c", "n", "")
    text += SCALE.format("s", "n", "s", "")
    assert folded(text, ("c",)) == (["c", "n", "s"], [])
    assert folded(text, ("n",)) == (["c", "s"], ["n"])
    assert folded(text, ("s",)) == (["c"], ["n", "s"])
    in_place = CONV.format("c", "x", "", "") + NORM.format("n", "c", "c", "")
    assert folded(in_place, ("c",)) == (["c"], ["n"])


def test_a_factor_that_is_a_blob_does_not_fold() -> None:
    text = CONV.format("c", "x", "", "") + (
        'layer { name: "g" type: "Reduction" bottom: "x" top: "g" }\n'
        'layer { name: "s" type: "Scale" bottom: "c" bottom: "g" top: "s"'
        " scale_param { axis: 0 num_axes: 0 bias_term: true } }\n"
    )
    assert folded(text)[1] == []


def test_a_convolution_of_two_tops_does_not_fold() -> None:
    conv = (
        'layer { name: "c" type: "Convolution" bottom: "x" bottom: "x" top: "a" top: "b"'
        " convolution_param { num_output: 3 kernel_size: 1 } }\n"
    )
    assert folded(conv + NORM.format("n", "a", "n", ""))[1] == []


def test_layers_behind_one_another_fold_each_into_its_own() -> None:
    text = CONV.format("c", "x", "", "") + NORM.format("n", "c", "n", "")
    text += CONV.format("d", "n", "", "") + NORM.format("o", "d", "o", "")
    assert folded(text) == (["c", "d"], ["n", "o"])
