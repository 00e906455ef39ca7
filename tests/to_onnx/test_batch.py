"""Which axes of a model are free, and by what name; set to a number, and refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from to_onnx.recorded import run_onnx

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.graph.graph import Graph

IMAGE = 'input: "x" input_shape { dim: [2, 3, 8, 8] }\n'
ROIS = (
    'input: "rois" input_shape { dim: [7, 5] }\n'
    'layer { name: "p" type: "ROIPooling" bottom: "x" bottom: "rois" top: "p"'
    " roi_pooling_param { pooled_h: 2 pooled_w: 2 spatial_scale: 1 } }\n"
)


def load(text: str) -> Graph:
    return api.load(Source(text.encode()))


def dims(text: str) -> dict[str, list[int | str]]:
    """Inputs and outputs of a model with a free batch, each dimension by number or symbol."""
    model = api.to_onnx(load(text), batch="dynamic")
    return {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }


def test_rows_of_regions_are_free_and_no_batch() -> None:
    """As many regions as there are, whatever the number of images; what is made of them too."""
    found = dims(IMAGE + ROIS)
    assert found["x"][0] == "batch"
    rows = found["rois"][0]
    assert rows == "rois_rows"
    assert found["p"] == [rows, 3, 2, 2]


def test_two_inputs_of_one_batch_have_one_symbol_and_others_their_own() -> None:
    two = 'input: "{0}" input_shape {{ dim: [{1}, 3] }}\n'
    same = two.format("a", 4) + two.format("b", 4)
    add = 'layer { name: "s" type: "Eltwise" bottom: "a" bottom: "b" top: "s" }\n'
    assert {tuple(found) for found in dims(same + add).values()} == {("batch", 3)}
    other = two.format("a", 4) + two.format("b", 5)
    each = "".join(
        f'layer {{ name: "r{n}" type: "Power" bottom: "{n}" top: "r{n}" }}\n' for n in "ab"
    )
    found = dims(other + each)
    assert found["a"] == found["ra"] == ["batch", 3]
    assert found["b"] == found["rb"] == ["b_batch", 3]


RESHAPE = (
    'layer { name: "r" type: "Reshape" bottom: "x" top: "r"'
    " reshape_param { shape { dim: [%s] } } }\n"
)


def test_a_literal_batch_becomes_that_of_the_bottom_and_is_told() -> None:
    assert dims(IMAGE + RESHAPE % "2, 192")["r"] == ["batch", 192]
    made = api.convert(load(IMAGE + RESHAPE % "2, 192"), batch="dynamic")
    (change,) = [change for change in made.changes if change.layer == "r"]
    assert change.what == "its literal batch size 2 became that of its bottom"
    plain = api.convert(load(IMAGE + RESHAPE % "0, 192"), batch="dynamic")
    assert [change for change in plain.changes if change.layer == "r"] == []


def test_a_size_that_is_several_times_the_batch_has_a_symbol_of_its_own() -> None:
    assert dims(IMAGE + RESHAPE % "-1, 64")["r"] == ["r_0", 64]


def test_a_weight_that_has_the_size_of_the_batch_refuses_it() -> None:
    text = (
        'input: "x" input_shape { dim: [2, 3] }\n'
        'layer { name: "t" type: "InnerProduct" bottom: "x" top: "t"'
        " inner_product_param { num_output: 2 axis: 0 } }\n"
    )
    with pytest.raises(UnsupportedError, match=r"free batch.*layer 't'"):
        api.convert(load(text), batch="dynamic", weights_init="random")


@pytest.mark.parametrize("batch", [1, 5])
def test_a_batch_that_is_set_is_that_of_the_images_alone(batch: int) -> None:
    model = api.to_onnx(load(IMAGE + ROIS), batch=batch)
    found: dict[str, Any] = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    assert found == {"x": [batch, 3, 8, 8], "rois": [7, 5], "p": [7, 3, 2, 2]}


CONSTANT = (
    'layer { name: "k" type: "DummyData" top: "k"'
    " dummy_data_param { shape { dim: [%s] } data_filler { value: 2 } } }\n"
)


def test_a_constant_of_the_batch_follows_it_and_another_input_does_not() -> None:
    """DummyData of as many rows as there are images is one for each of them."""
    add = 'layer { name: "s" type: "Eltwise" bottom: "x" bottom: "k" top: "s" }\n'
    found = dims(IMAGE + CONSTANT % "2, 3, 8, 8" + add)
    assert found == {"x": ["batch", 3, 8, 8], "s": ["batch", 3, 8, 8]}
    model = api.to_onnx(load(IMAGE + CONSTANT % "2, 3, 8, 8" + add), batch="dynamic")
    for batch in (1, 5):
        x = np.full((batch, 3, 8, 8), 4, np.float32)
        top = run_onnx(model.SerializeToString(), {"x": x})["s"]
        assert top.shape == x.shape
        assert set(top.flat) == {6}
    more = 'input: "z" input_shape { dim: [2, 5] }\n'
    power = 'layer { name: "p" type: "Power" bottom: "z" top: "p" }\n'
    found = dims(IMAGE + more + CONSTANT % "2, 3, 8, 8" + add + power)
    assert found["z"] == found["p"] == ["batch", 5]
    assert found["s"] == ["batch", 3, 8, 8]


def test_regions_keep_their_number_where_a_constant_has_the_batch() -> None:
    add = 'layer { name: "s" type: "Eltwise" bottom: "x" bottom: "k" top: "s" }\n'
    text = IMAGE + ROIS + CONSTANT % "2, 3, 8, 8" + add
    rows = dims(text)["rois"][0]
    assert rows != "batch"
    assert dims(text) == {
        "x": ["batch", 3, 8, 8],
        "rois": [rows, 5],
        "p": [rows, 3, 2, 2],
        "s": ["batch", 3, 8, 8],
    }
    model = api.to_onnx(load(text), batch="dynamic").SerializeToString()
    given = {"x": np.ones((3, 3, 8, 8), np.float32), "rois": np.ones((5, 5), np.float32)}
    found = run_onnx(model, given)
    assert found["p"].shape == (5, 3, 2, 2)
    assert found["s"].shape == (3, 3, 8, 8) and set(found["s"].flat) == {3}


def test_what_a_layer_reads_beside_a_sequence_is_of_its_batch() -> None:
    """LSTM: (T, N, I) and (T, N), and (N, K) that each step sees; here made by another layer."""
    text = (
        'input: "x" input_shape { dim: [4, 2, 3] } input: "cont" input_shape { dim: [4, 2] }\n'
        'input: "z" input_shape { dim: [2, 5] }\n'
        'layer { name: "s" type: "Power" bottom: "z" top: "s" power_param { scale: 2 } }\n'
        'layer { name: "h" type: "LSTM" bottom: "x" bottom: "cont" bottom: "s" top: "h"'
        " recurrent_param { num_output: 6 } }\n"
    )
    model = api.to_onnx(load(text), batch="dynamic", weights_init="random")
    found = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    assert found == {
        "x": [4, "batch", 3],
        "cont": [4, "batch"],
        "z": ["batch", 5],
        "h": [4, "batch", 6],
    }


def test_a_constant_of_the_batch_follows_an_input_whose_first_axis_is_the_batch() -> None:
    """The first input here is a sequence, whose first axis is time."""
    text = """input: "seq" input_shape { dim: [4, 2, 3] } input: "cont" input_shape { dim: [4, 2] }
    input: "x" input_shape { dim: [2, 3] }
    layer { name: "l" type: "LSTM" bottom: "seq" bottom: "cont" top: "l"
      recurrent_param { num_output: 2 weight_filler { type: "xavier" } } }
    layer { name: "c" type: "DummyData" top: "c" dummy_data_param {
      shape { dim: [2, 3] } data_filler { type: "constant" value: 2 } } }
    layer { name: "e" type: "Eltwise" bottom: "x" bottom: "c" top: "e" }
    """
    graph = api.load(Source(text.encode()))
    model = api.to_onnx(graph, weights_init="random", batch="dynamic").SerializeToString()
    shapes = {"seq": (4, 5, 3), "cont": (4, 5), "x": (5, 3)}
    inputs = {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
    assert np.array_equal(run_onnx(model, inputs)["e"], np.full((5, 3), 3, np.float32))
