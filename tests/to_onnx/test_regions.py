"""Layers of regions against loops, as the C++ has them: numpy, and onnxruntime at all opsets."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given as drawing
from hypothesis import settings
from hypothesis import strategies as st
from to_onnx.recorded import Array
from to_onnx.regions import HEIGHT, WIDTH, agree, boxes, c_round, layer

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.layers.parts.regions import round_half_away
from prototxt_gen.to_onnx.convert import Conversion, convert, newest_opset

f32 = np.float32
Loops = Callable[[Array, Array, float], Array]
D, G = 2, 3


def psroi_pooling(x: Array, rois: Array, scale: float) -> Array:
    found = np.zeros((len(rois), D, G, G), f32)
    for n, roi in enumerate(rois):
        x1, y1 = (f32(c_round(v)) * f32(scale) for v in roi[1:3])
        x2, y2 = (f32(c_round(v) + 1) * f32(scale) for v in roi[3:5])
        w, h = (max(v, f32(0.1)) / f32(G) for v in (x2 - x1, y2 - y1))
        for d in range(D):
            for i in range(G):
                for j in range(G):
                    top, bottom = math.floor(f32(i) * h + y1), math.ceil(f32(i + 1) * h + y1)
                    left, right = math.floor(f32(j) * w + x1), math.ceil(f32(j + 1) * w + x1)
                    rows = [y for y in range(top, bottom) if 0 <= y < HEIGHT]
                    columns = [z for z in range(left, right) if 0 <= z < WIDTH]
                    plane = x[int(roi[0]), (d * G + i) * G + j]
                    values = [float(plane[y, z]) for y in rows for z in columns]
                    found[n, d, i, j] = sum(values) / len(values) if values else 0
    return found


def psroi_align(x: Array, rois: Array, scale: float) -> Array:
    found = np.zeros((len(rois), D, G, G), f32)
    for n, roi in enumerate(rois):
        x1, y1 = (v * f32(scale) for v in roi[1:3])
        x2, y2 = ((v + f32(1)) * f32(scale) for v in roi[3:5])
        w, h = (max(v, f32(0.1)) / f32(G) for v in (x2 - x1, y2 - y1))
        for d in range(D):
            for i in range(G):
                for j in range(G):
                    top, bottom = limits(f32(i) * h + y1, f32(i + 1) * h + y1, HEIGHT)
                    left, right = limits(f32(j) * w + x1, f32(j + 1) * w + x1, WIDTH)
                    plane, total = x[int(roi[0]), (d * G + i) * G + j], 0.0
                    for s in (1, 2):
                        for t in (1, 2):
                            y, z = top + f32(s) * (h / f32(3)), left + f32(t) * (w / f32(3))
                            if y < bottom and z < right:
                                total += between(plane, y, z)
                    found[n, d, i, j] = total / 4
    return found


def limits(low: Any, high: Any, size: int) -> tuple[Any, Any]:
    return tuple(min(max(v, f32(0)), f32(size - 1)) for v in (low, high))  # type: ignore[return-value]


def between(plane: Array, y: Any, x: Any) -> float:
    i, j = int(y), int(x)
    v, u = float(y - f32(i)), float(x - f32(j))
    above = plane[i, j] * (1 - u) + plane[i, j + 1] * u
    below = plane[i + 1, j] * (1 - u) + plane[i + 1, j + 1] * u
    return float(above * (1 - v) + below * v)


@pytest.mark.parametrize(
    ("type", "loops"), [("PSROIPooling", psroi_pooling), ("PSROIAlign", psroi_align)]
)
@settings(max_examples=25)
@drawing(rois=boxes, scale=st.sampled_from([0.25, 0.0625, 1.0, 0.3]), seed=st.integers(0, 99))
def test_cells_with_channels_of_their_own(
    type: str, loops: Loops, rois: Any, scale: float, seed: int
) -> None:
    x = np.random.default_rng(seed).normal(size=(2, D * G * G, HEIGHT, WIDTH)).astype(f32)
    values = {"x": x, "rois": np.array(rois, f32)}
    param = {"PSROIPooling": "psroi_pooling_param", "PSROIAlign": "psroi_align_param"}[type]
    params = f"{param} {{ spatial_scale: {scale} output_dim: {D} group_size: {G} }}"
    graph = layer(type, params, x=x.shape, rois=values["rois"].shape)
    agree(graph, values, loops(x, values["rois"], scale), (11, newest_opset()))


def test_the_mean_of_small_values_beside_large_ones() -> None:
    """Sums in float32 over the whole map would lose them."""
    x = np.full((1, 1, 40, 40), 1e7, f32)
    x[0, 0, 20:, 20:] = np.random.default_rng(0).normal(size=(20, 20))
    rois = np.array([[0, 22, 22, 30, 30]], f32)
    params = "psroi_pooling_param { spatial_scale: 1 output_dim: 1 group_size: 1 }"
    graph = layer("PSROIPooling", params, x=x.shape, rois=rois.shape)
    wanted = x[0, 0, 22:31, 22:31].mean(dtype=np.float64).reshape(1, 1, 1, 1)
    agree(graph, {"x": x, "rois": rois}, wanted, (11, 17))


def test_rounding_is_that_of_c() -> None:
    below = np.nextafter(f32(0.5), f32(0))
    values = np.array([0.5, 1.5, 2.5, -0.5, -2.5, below, -below, 8388609.0, 0.0], f32)
    assert round_half_away(values).tolist() == [1, 2, 3, -1, -3, 0, 0, 8388609.0, 0]


@pytest.mark.parametrize("means", [(), (0.1, 0.2, -0.3, 0.4)])
@pytest.mark.parametrize("classes", [2, 4])
def test_boxes_of_the_last_class_that_beats_the_first(means: Any, classes: int) -> None:
    random = np.random.default_rng(classes)
    low = random.uniform(0, 50, (40, 2))
    rois = np.concatenate([np.zeros((40, 1)), low, low + random.uniform(0, 30, (40, 2))], axis=1)
    values = {
        "offsets": random.normal(size=(40, 4 * classes)).astype(f32),
        "scores": random.integers(0, 4, (40, classes)).astype(f32),
        "rois": rois.astype(f32),
    }
    stds = [0.5, 1.0, 0.25, 2.0] if means else [1.0] * 4
    wanted = np.zeros((40, 5, 1, 1), f32)
    for n, (_, x1, y1, x2, y2) in enumerate(values["rois"]):
        best = 1
        for c in range(1, classes):
            if values["scores"][n, c] > values["scores"][n, 1]:
                best = c
        t = [
            values["offsets"][n, 4 * best + k] * f32(stds[k]) + f32(means[k] if means else 0)
            for k in range(4)
        ]
        w, h = x2 - x1 + 1, y2 - y1 + 1
        x, y = t[0] * w + x1 + w / 2, t[1] * h + y1 + h / 2
        w, h = np.exp(t[2]) * w, np.exp(t[3]) * h
        wanted[n, 1:, 0, 0] = x - w / 2, y - h / 2, x + w / 2, y + h / 2
    params = "".join(
        f" bbox_mean: {m} bbox_std: {s}" for m, s in zip(means, stds[: len(means)], strict=True)
    )
    shapes = {name: value.shape for name, value in values.items()}
    graph = layer("DecodeBBox", f"bbox_reg_param {{ {params} }}", **shapes)
    agree(graph, values, wanted, (11, 13, 17, newest_opset()))


def test_deviations_without_means_are_ignored() -> None:
    values = {
        "offsets": np.full((1, 8), 0.5, f32),
        "scores": np.zeros((1, 2), f32),
        "rois": np.array([[0, 0, 0, 9, 9]], f32),
    }
    shapes = {name: value.shape for name, value in values.items()}
    plain = api.run(layer("DecodeBBox", "", **shapes), values)["y"]
    graph = layer("DecodeBBox", "bbox_reg_param { bbox_std: [9, 9, 9, 9] }", **shapes)
    agree(graph, values, plain, (11, 17))


@pytest.mark.parametrize("shapes", [((3, 8), (3, 3)), ((3, 4), (3, 1))])
def test_offsets_that_the_layer_would_read_past_are_refused(shapes: Any) -> None:
    graph = layer("DecodeBBox", "", offsets=shapes[0], scores=shapes[1], rois=(3, 5))
    with pytest.raises(UnsupportedError, match="four offsets for each of two or more classes"):
        convert(graph, Conversion())


@settings(max_examples=25)
@drawing(rois=boxes, scale=st.sampled_from([0.25, 1.0, 0.3]))
def test_samples_are_those_of_the_operator(rois: Any, scale: float) -> None:
    """Also outside of the map, and where regions are thin or inverted."""
    x = np.random.default_rng(1).normal(size=(2, 3, HEIGHT, WIDTH)).astype(f32)
    values = {"x": x, "rois": np.array(rois, f32)}
    params = f"roi_align_param {{ spatial_scale: {scale} pooled_h: 2 pooled_w: 3 }}"
    graph = layer("ROIAlign", params, x=x.shape, rois=values["rois"].shape)
    agree(graph, values, api.run(graph, values)["y"], (11, 17))


POOLING = {
    "ROIPooling": "roi_pooling_param { pooled_h: 2 pooled_w: 2 }",
    "ROIAlign": "roi_align_param { pooled_h: 2 pooled_w: 2 }",
    "PSROIPooling": "psroi_pooling_param { spatial_scale: 1 output_dim: 1 group_size: 2 }",
    "PSROIAlign": "psroi_align_param { spatial_scale: 1 output_dim: 1 group_size: 2 }",
}


@pytest.mark.parametrize("type", POOLING)
def test_regions_in_a_shape_that_says_nothing_of_their_number_are_not_computed(type: str) -> None:
    """They pass the check of shapes, which takes the first dimension for their number."""
    values = {"x": np.ones((1, 4, HEIGHT, WIDTH), f32), "rois": np.zeros((1, 1, 3, 5), f32)}
    graph = layer(type, POOLING[type], **{name: value.shape for name, value in values.items()})
    words = "its regions are 1x1x3x5; expected rows of 5"
    with pytest.raises(UnsupportedError, match=words):
        api.run(graph, values)
    with pytest.raises(UnsupportedError, match=words):
        convert(graph, Conversion())


@pytest.mark.parametrize("type", POOLING)
@pytest.mark.parametrize("number", [0, 3])
@pytest.mark.parametrize("shape", [(5,), (5, 1, 1), (1, 1, 5)])
def test_as_many_cells_as_regions(type: str, number: int, shape: tuple[int, ...]) -> None:
    x, rois = np.ones((1, 4, HEIGHT, WIDTH), f32), np.zeros((number, *shape), f32)
    pooling = layer(type, POOLING[type], x=x.shape, rois=(1, 5)).nodes[-1].layer
    (top,) = pooling.run([x, rois], [], 1)
    assert top.shape[0] == number and top.shape[2:] == (2, 2)


def test_a_new_shape_of_a_number_of_rows_that_the_data_decide() -> None:
    """Two of them need not be equal: five regions of four values are ten rows of two."""
    text = """
    input: "x" input_shape { dim: [6, 4] } input: "which" input_shape { dim: [6] }
    layer { name: "f" type: "Filter" bottom: "x" bottom: "which" top: "f" }
    layer { name: "r" type: "Reshape" bottom: "f" top: "y"
            reshape_param { shape { dim: [-1, 2] } } }"""
    x = np.arange(24, dtype=f32).reshape(6, 4)
    values = {"x": x, "which": np.array([1, 1, 0, 1, 1, 1], f32)}
    graph = api.load(Source(text.encode()))
    agree(graph, values, x[[0, 1, 3, 4, 5]].reshape(10, 2), (11, 17))
