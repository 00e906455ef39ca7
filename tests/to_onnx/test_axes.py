"""Which axis of an input is free where the batch is, and which is not."""

from __future__ import annotations

from typing import Any

import pytest
from to_onnx.recorded import run_onnx

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.graph.sample import seeded


def net(*layers: str, **inputs: list[int]) -> Any:
    given = "".join(
        f'layer {{ name: "{name}" type: "Input" top: "{name}" '
        f"input_param {{ shape {{ dim: {shape} }} }} }}\n"
        for name, shape in inputs.items()
    )
    return api.load(Source((given + "\n".join(layers)).encode()))


LSTM = 'layer { name: "l" type: "LSTM" %s top: "l" recurrent_param { num_output: 4 } }'
RESHAPE = 'layer {{ name: "{0}r" type: "Reshape" bottom: "{0}" top: "{0}r" %s }}'.replace(
    "%s", "reshape_param {{ shape {{ dim: {1} }} }}"
)
RELU = 'layer { name: "xr" type: "ReLU" bottom: "x" top: "xr" }'
ROIS = (
    'layer { name: "p" type: "ROIPooling" bottom: "x" bottom: "rois" top: "p" '
    "roi_pooling_param { pooled_h: 2 pooled_w: 2 } }"
)
FREE = {
    "an LSTM that reads the inputs": (
        net(LSTM % 'bottom: "x" bottom: "c"', x=[10, 2, 8], c=[10, 2]),
        {"x": [10, "batch", 8], "c": [10, "batch"], "l": [10, "batch", 4]},
    ),
    "an LSTM behind other layers": (
        net(
            RELU,
            RESHAPE.format("c", [10, 2]),
            LSTM % 'bottom: "xr" bottom: "cr"',
            x=[10, 2, 8],
            c=[10, 2],
        ),
        {"x": [10, "batch", 8], "c": [10, "batch"], "l": [10, "batch", 4]},
    ),
    "an LSTM with the batch in front": (
        net(
            'layer { name: "t" type: "Permute" bottom: "x" top: "t" '
            "permute_param { order: 1 order: 0 } }",
            LSTM % 'bottom: "t" bottom: "c"',
            x=[2, 10, 8],
            c=[10, 2],
        ),
        {"x": ["batch", 10, 8], "c": [10, "batch"], "l": [10, "batch", 4]},
    ),
    "an LSTM with a static input": (
        net(LSTM % 'bottom: "x" bottom: "c" bottom: "s"', x=[10, 2, 8], c=[10, 2], s=[2, 3]),
        {"x": [10, "batch", 8], "c": [10, "batch"], "s": ["batch", 3], "l": [10, "batch", 4]},
    ),
    "regions": (
        net(ROIS, x=[1, 3, 8, 8], rois=[4, 5]),
        {"x": ["batch", 3, 8, 8], "rois": ["rois_rows", 5], "p": ["rois_rows", 3, 2, 2]},
    ),
    "factors of channels": (
        net(
            'layer { name: "k" type: "Scale" bottom: "x" bottom: "s" top: "k" }',
            x=[2, 3, 4],
            s=[3],
        ),
        {"x": ["batch", 3, 4], "s": [3], "k": ["batch", 3, 4]},
    ),
    "factors of images": (
        net(
            'layer { name: "k" type: "Scale" bottom: "x" bottom: "s" top: "k" '
            "scale_param { axis: 0 } }",
            x=[2, 3, 4],
            s=[2],
        ),
        {"x": ["batch", 3, 4], "s": ["batch"], "k": ["batch", 3, 4]},
    ),
    "two inputs that have nothing to do with each other": (
        net(
            RELU,
            'layer { name: "yr" type: "ReLU" bottom: "y" top: "yr" }',
            x=[2, 3],
            y=[5, 3],
        ),
        {"x": ["batch", 3], "y": ["y_batch", 3], "xr": ["batch", 3], "yr": ["y_batch", 3]},
    ),
}


@pytest.mark.parametrize("what", FREE)
def test_what_is_free(what: str) -> None:
    graph, expected = FREE[what]
    model = api.to_onnx(graph, weights_init="random", batch="dynamic")
    found = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    assert found == expected


@pytest.mark.parametrize("what", FREE)
@pytest.mark.parametrize("size", [1, 3])
def test_what_is_free_may_have_another_size(what: str, size: int) -> None:
    graph, expected = FREE[what]
    sizes = {
        name: tuple(size if isinstance(dim, str) else dim for dim in dims)
        for name, dims in expected.items()
    }
    given = seeded(graph, {ref.blob: sizes[ref.blob] for ref in graph.inputs})
    model = api.to_onnx(graph, weights_init="random", batch="dynamic")
    found = run_onnx(model.SerializeToString(), given)
    assert {name: value.shape for name, value in found.items()} == {n: sizes[n] for n in found}


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (
            net(
                RESHAPE.format("c", [10, 1]),
                LSTM % 'bottom: "x" bottom: "cr"',
                x=[10, 1, 8],
                c=[10],
            ),
            "layer 'l': LSTM: it fits only where batch is 1",
        ),
        (
            net(
                'layer { name: "t" type: "Permute" bottom: "x" top: "t" '
                "permute_param { order: 1 order: 0 } }",
                'layer { name: "i" type: "InnerProduct" bottom: "t" top: "i" '
                "inner_product_param { num_output: 2 } }",
                x=[6, 3],
            ),
            "layer 'i': InnerProduct: its weight has one size, and its bottom would be 3xbatch",
        ),
        (
            net(
                RESHAPE.format("x", [-1, 13, 8]),
                LSTM % 'bottom: "xr" bottom: "c"',
                x=[26, 8],
                c=[2, 13],
            ),
            "layer 'l': LSTM: it fits only where floor(batch / 13) is 2",
        ),
        (
            net(
                RESHAPE.format("x", [-1, 13, 8]),
                'layer { name: "f" type: "Lstm" bottom: "xr" top: "f" '
                "lstm_param { num_output: 4 } }",
                x=[26, 8],
            ),
            "axis 0 of blob 'xr', which layer 'f' needs for time, would change with it",
        ),
        (
            net(
                RESHAPE.format("x", [-1, 1, 8]),
                'layer { name: "f" type: "Lstm" bottom: "xr" top: "f" '
                "lstm_param { num_output: 4 } }",
                x=[20, 8],
            ),
            "no axis of an input may change",
        ),
    ],
)
def test_what_cannot_be_free(graph: Any, message: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        api.to_onnx(graph, weights_init="random", batch="dynamic")
    assert str(caught.value) == (
        f"the net cannot have a free batch: {message}; give a batch with --batch N"
    )


def test_another_batch_goes_where_the_batch_is() -> None:
    graph = FREE["an LSTM behind other layers"][0]
    made = api.convert(graph, weights_init="random", batch=3)
    assert any("its literal batch size" in change.what for change in made.changes)
    graph, _ = FREE["an LSTM with a static input"]
    model = api.to_onnx(graph, weights_init="random", batch=3)
    found = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in model.graph.input
    }
    assert found == {"x": [10, 3, 8], "c": [10, 3], "s": [3, 3]}
