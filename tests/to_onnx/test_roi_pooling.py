"""ROIPooling against loops, as the C++ has them, for maps of one size and of any."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given as drawing
from hypothesis import settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from to_onnx.recorded import Array, run_onnx
from to_onnx.regions import HEIGHT, WIDTH, agree, boxes, c_round, layer

from prototxt_gen.layers.parts.regions import quotient
from prototxt_gen.to_onnx.builder import Builder
from prototxt_gen.to_onnx.convert import Conversion, convert, newest_opset
from prototxt_gen.to_onnx.export import Options

f32 = np.float32


def roi_pooling(x: Array, rois: Array, scale: float, pooled: tuple[int, int]) -> Array:
    found = np.zeros((len(rois), x.shape[1], *pooled), f32)
    for n, roi in enumerate(rois):
        x1, y1, x2, y2 = (int(c_round(v * f32(scale))) for v in roi[1:])
        h, w = (
            f32(max(v, 1)) / f32(p) for v, p in zip((y2 - y1 + 1, x2 - x1 + 1), pooled, strict=True)
        )
        for i in range(pooled[0]):
            for j in range(pooled[1]):
                top, bottom = math.floor(f32(i) * h) + y1, math.ceil(f32(i + 1) * h) + y1
                left, right = math.floor(f32(j) * w) + x1, math.ceil(f32(j + 1) * w) + x1
                for y in range(max(top, 0), min(bottom, x.shape[2])):
                    for z in range(max(left, 0), min(right, x.shape[3])):
                        pixel = x[int(roi[0]), :, y, z]
                        first = (y, z) == (max(top, 0), max(left, 0))
                        cell = found[n, :, i, j]
                        found[n, :, i, j] = pixel if first else np.maximum(cell, pixel)
    return found


@settings(max_examples=20)
@drawing(rois=boxes, scale=st.sampled_from([0.25, 0.0625, 1.0, 0.3, -0.5]))
def test_the_greatest_of_cells(rois: Any, scale: float) -> None:
    """All values are below 0, so that nothing but an empty cell is 0."""
    x = -np.random.default_rng(2).uniform(1, 2, (2, 2, HEIGHT, WIDTH)).astype(f32)
    values = {"x": x, "rois": np.array(rois, f32)}
    params = f"roi_pooling_param {{ spatial_scale: {scale} pooled_h: 3 pooled_w: 2 }}"
    graph = layer("ROIPooling", params, x=x.shape, rois=values["rois"].shape)
    wanted = roi_pooling(x, values["rois"], scale, (3, 2))
    agree(graph, values, wanted, (11, newest_opset()))


def test_a_table_of_many_channels_is_made_in_parts() -> None:
    x = np.random.default_rng(4).normal(size=(2, 517, 3, 5)).astype(f32)
    values = {"x": x, "rois": np.array([[0, 0, 0, 4, 2], [1, 1, 0, 3, 1], [1, 9, 9, 9, 9]], f32)}
    params = "roi_pooling_param { spatial_scale: 1 pooled_h: 2 pooled_w: 2 }"
    graph = layer("ROIPooling", params, x=x.shape, rois=(3, 5))
    agree(graph, values, roi_pooling(x, values["rois"], 1, (2, 2)), (17,))
    model = convert(graph, Conversion()).model
    table_of = {node.input[0] for node in model.graph.node if node.op_type == "Gather"}
    made = [node for node in model.graph.node if node.op_type == "Reshape"]
    assert len([node for node in made if node.output[0] in table_of]) == 3


@pytest.mark.parametrize("opset", [11, newest_opset()])
def test_the_greatest_of_cells_of_any_map(opset: int) -> None:
    """One model for maps from one pixel to cells of a hundred, with regions beyond the map."""
    params = "roi_pooling_param { spatial_scale: 1 pooled_h: 2 pooled_w: 1 }"
    graph = layer("ROIPooling", params, x=(2, 3, 5, 7), rois=(6, 5))
    options = Options(opset, dynamic={"x": ("N", 3, "H", "W")})
    data = convert(graph, Conversion(options)).model.SerializeToString()
    random = np.random.default_rng(3)
    for images, height, width in ((1, 1, 1), (2, 5, 7), (3, 2, 130), (1, 131, 3), (2, 33, 32)):
        x = random.normal(size=(images, 3, height, width)).astype(f32)
        corners = random.uniform(-0.3, 1.3, (6, 4)) * [width, height, width, height]
        rois = np.insert(corners, 0, random.integers(0, images, 6), axis=1).astype(f32)
        rois[0] = [0, 0, 0, width - 1, height - 1]
        (found,) = run_onnx(data, {"x": x, "rois": rois}).values()
        np.testing.assert_array_equal(found, roi_pooling(x, rois, 1, (2, 1)))


def test_cells_of_a_free_map_that_are_too_large_are_an_error() -> None:
    """The table of a free map ends at rectangles of 1024 pixels; nothing is wrong in silence."""
    params = "roi_pooling_param { spatial_scale: 1 pooled_h: 1 pooled_w: 1 }"
    graph = layer("ROIPooling", params, x=(1, 1, 5, 7), rois=(1, 5))
    options = Options(dynamic={"x": (1, 1, "H", "W")})
    data = convert(graph, Conversion(options)).model.SerializeToString()
    x = np.arange(2100, dtype=f32).reshape(1, 1, 1, 2100)
    (found,) = run_onnx(data, {"x": x, "rois": np.array([[0, 20, 0, 2066, 0]], f32)}).values()
    assert found.ravel().tolist() == [2066]
    with pytest.raises(Exception, match="indices element out of data bounds"):
        run_onnx(data, {"x": x, "rois": np.array([[0, 19, 0, 2066, 0]], f32)})


@pytest.mark.parametrize("by", [3, 6, 7, 14, 49, 4095])
def test_quotients_to_the_last_bit_without_a_division(by: int) -> None:
    random = np.random.default_rng(by)
    whole = np.arange(1, 1 << 14, dtype=f32)
    x = np.concatenate([whole, np.exp(random.uniform(-9, 20, 4096)).astype(f32)])
    b = Builder(11)
    b.begin("q")
    b.identity(quotient(b, "x", by), "y")
    graph = helper.make_graph(
        b.nodes,
        "q",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None])],
        [numpy_helper.from_array(value, name) for name, value in b.initializers.items()],
    )
    assert "Div" not in {node.op_type for node in graph.node}
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)
    np.testing.assert_array_equal(run_onnx(model.SerializeToString(), {"x": x})["y"], x / f32(by))
