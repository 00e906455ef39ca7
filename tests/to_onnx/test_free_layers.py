"""Layers whose windows, places or shapes depend on a free size, at several sizes of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from to_onnx.free_nets import computed
from to_onnx.test_dynamic import FULL, PICTURE, layer, load

from prototxt_gen import api
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.sample import seeded
from prototxt_gen.to_onnx.free import read_ranges
from prototxt_gen.verify import verify_export

Array = np.ndarray[Any, np.dtype[Any]]
POOLED = layer("Pooling", "pooling_param { kernel_size: 2 stride: 2 }", tops="p m")
ROIS = 'input: "r" input_shape { dim: [4, 5] }\n'
FRCNN = (
    "roi_pooling_param { pooled_h: 2 pooled_w: 3 pad_ratio: 0.2 spatial_scale: 0.3 bi_type: %d }"
)
LABELS = 'input: "t" input_shape { dim: [1, 16, 16] }\n'
#: Those of the net, and two more.
SIZES = (
    {"N": 1, "H": 16, "W": 16},
    {"N": 3, "H": 19, "W": 37},
    {"N": 8, "H": 37, "W": 9},
)
#: What is behind an input of 1x3x16x16, and what is free; the second input, if any, follows.
LAYERS: dict[str, tuple[str, dict[str, str]]] = {
    **{
        f"pyramid of {height}, {pool}": (
            layer("SPP", f"spp_param {{ pyramid_height: {height} pool: {pool} }}"),
            {"x": "1,3,H,W"},
        )
        for height in (1, 2, 4)
        for pool in ("MAX", "AVE", "STOCHASTIC")
    },
    "pyramid of a free width": (
        layer("SPP", "spp_param { pyramid_height: 3 }"),
        {"x": "N,3,16,W"},
    ),
    "regions, linear": (
        ROIS + layer("ROIAlign", FRCNN % 0, "x r"),
        {"x": "1,3,H,W"},
    ),
    "regions, cubic": (ROIS + layer("ROIAlign", FRCNN % 1, "x r"), {"x": "1,3,H,W"}),
    "the greatest, and its place": (
        layer("Pooling", "pooling_param { global_pooling: true }", tops="p m"),
        {"x": "1,3,H,W"},
    ),
    "the mean weighted by itself": (
        layer("Pooling", "pooling_param { pool: STOCHASTIC global_pooling: true }"),
        {"x": "N,3,H,W"},
    ),
    "places along the width": (layer("ArgMax", "argmax_param { axis: 3 }"), {"x": "1,3,H,W"}),
    "values along the height": (
        layer("ArgMax", "argmax_param { axis: 2 top_k: 3 out_max_val: true }"),
        {"x": "1,3,H,W"},
    ),
    "repeated to a size": (
        layer("Upsample", "upsample_param { upsample_h: 21 upsample_w: 7 }"),
        {"x": "1,3,H,W"},
    ),
    "repeated less one": (
        layer("Upsample", "upsample_param { scale: 2 pad_out_h: true }"),
        {"x": "1,3,H,W"},
    ),
    "put back where the greatest were": (
        POOLED + layer("Upsample", "upsample_param { scale: 2 }", "p m"),
        {"x": "1,3,H,W"},
    ),
    "a mean over rows of a loss": (
        LABELS + layer("SoftmaxWithLoss", "loss_param { normalization: BATCH_SIZE }", "x t"),
        {"x": "1,3,H,W", "t": "1,H,W"},
    ),
}


@pytest.mark.parametrize(("layers", "dynamic"), LAYERS.values(), ids=LAYERS)
def test_a_layer_at_a_free_size_is_the_one_of_that_size(
    layers: str, dynamic: dict[str, str]
) -> None:
    graph = load(FULL + layers)
    free = api.to_onnx(graph, dynamic=dynamic)
    ranges, model = read_ranges(free), free.SerializeToString()
    for sizes in SIZES:
        taken = {symbol: one.after(sizes[symbol] - 1) for symbol, one in ranges.items()}
        given = values(graph, dynamic, taken)
        shapes = {name: value.shape for name, value in given.items()}
        wanted = api.run(graph, given)
        fixed = api.to_onnx(graph, input_shapes=shapes).SerializeToString()
        for name, found in computed(model, given).items():
            assert found.shape == wanted[name].shape, (taken, name)
            np.testing.assert_allclose(found, wanted[name], rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(found, computed(fixed, given)[name], rtol=1e-4, atol=1e-6)


def values(graph: Graph, dynamic: dict[str, str], sizes: dict[str, int]) -> dict[str, Array]:
    """Inputs with these sizes of symbols."""
    shapes: dict[str, tuple[int, ...]] = {"r": (4, 5)}
    for name, dims in dynamic.items():
        shapes[name] = tuple(sizes.get(dim) or int(dim) for dim in dims.split(","))
    names = {ref.blob for ref in graph.inputs}
    return seeded(graph, {name: shape for name, shape in shapes.items() if name in names})


@pytest.mark.parametrize("pool", ["MAX", "AVE", "STOCHASTIC"])
def test_a_pyramid_says_which_sizes_caffe_takes(pool: str) -> None:
    """Of all sizes to 40; one that is alone below the others is left out (4, for 4 cells)."""
    params = f"spp_param {{ pyramid_height: 3 pool: {pool} }}"
    graph = load(FULL + layer("SPP", params))
    ranges = read_ranges(api.to_onnx(graph, dynamic={"x": "1,3,H,W"}))
    spp = graph.nodes[-1].layer
    for size in range(5, 41):
        try:
            spp.shapes([(1, 3, size, 16)], 1)
            taken = True
        except Exception:
            taken = False
        assert (size in ranges["H"]) == taken, size


def test_a_mask_says_for_which_sizes_what_it_fills_is_large_enough() -> None:
    """With pad_out the top is one less than twice the pool: what was pooled has to be odd."""
    up = layer("Upsample", "upsample_param { scale: 2 pad_out_h: true pad_out_w: true }", "p m")
    odd = load(FULL.replace("16, 16", "15, 17") + POOLED + up)
    made = api.convert(odd, dynamic={"x": "1,3,H,W"})
    assert made.changes[-1].what == (
        "takes any H of 1 or more with H - 1 divisible by 2 (by 'l'); "
        "W of 1 or more with W - 1 divisible by 2 (by 'l')"
    )
    assert verify_export(made).agrees
    with pytest.raises(UnsupportedError, match=r"of a map of HxW, and its top would be \(2\*floor"):
        api.convert(load(FULL + POOLED + up), dynamic={"x": "1,3,H,W"})


#: A literal shape of a bottom of 1x18x7x9, and the same without sizes of the height and width.
LITERALS = [
    ([1, 2, 63, 9], [1, 2, -1, 0]),
    ([1, 18, 7, 9], [1, 18, 0, 0]),
    ([1, 18, 63], [1, 18, -1]),
    ([1, 1134], [1, -1]),
    ([18, 63], [18, -1]),
]


@pytest.mark.parametrize(("literal", "general"), LITERALS)
def test_a_literal_shape_follows_where_there_is_no_choice(
    literal: list[int], general: list[int]
) -> None:
    form = PICTURE % "1, 18, 7, 9" + layer("Reshape", "reshape_param { shape { dim: %s } }")
    dynamic = {"x": "1,18,H,W"}
    made = api.convert(load(form % literal), dynamic=dynamic)
    assert any(change.what.startswith("its literal size follows") for change in made.changes)
    assert verify_export(made).agrees
    model, other = made.model.SerializeToString(), load(form % general)
    for shape in ((1, 18, 7, 9), (1, 18, 3, 4), (1, 18, 11, 2)):
        x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
        assert np.array_equal(computed(model, {"x": x})["l"], api.run(other, {"x": x})["l"])


@pytest.mark.parametrize("dims", [[1, 3, 4, 4, 16], [1, 16, 3, 16], [1, 16, 48], [2, 384]])
def test_a_literal_shape_with_a_choice_pins_the_size(dims: list[int]) -> None:
    graph = load(FULL + layer("Reshape", f"reshape_param {{ shape {{ dim: {dims} }} }}"))
    with pytest.raises(UnsupportedError):
        api.convert(graph, dynamic={"x": "1,3,H,W"})


def test_a_literal_that_could_be_a_multiple_of_the_height_is_a_choice() -> None:
    """Of 6x5, made 5x6, either number could be the one with the height."""
    form = PICTURE % "1, 6, 5, 7" + layer(
        "Reshape", "reshape_param { shape { dim: [1, 5, 6, 7] } }"
    )
    with pytest.raises(UnsupportedError, match="its shape is 1x5x6x7"):
        api.convert(load(form), dynamic={"x": "1,6,H,7"})


def test_values_are_repeated_to_a_size_that_is_no_multiple() -> None:
    """From 3 to 5, where the quotient of both, as a float, would give 4."""
    text = FULL.replace("16, 16", "3, 7") + layer(
        "Upsample", "upsample_param { upsample_h: 5 upsample_w: 7 }"
    )
    x = np.arange(63, dtype=np.float32).reshape(1, 3, 3, 7)
    found = computed(api.to_onnx(load(text)).SerializeToString(), {"x": x})["l"]
    assert np.array_equal(found, x[:, :, [0, 0, 1, 1, 2]])
