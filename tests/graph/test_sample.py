"""Values that are made up for inputs: such as their readers can work with."""

from __future__ import annotations

import numpy as np
import pytest

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.graph.sample import seeded
from prototxt_gen.layers.parts.shapes import Shape

MAP: Shape = (3, 2, 8, 6)


def drawn(layers: str, **shapes: Shape) -> dict[str, np.ndarray]:
    inputs = "".join(
        f'input: "{name}" input_shape {{ dim: {list(shape)} }}\n' for name, shape in shapes.items()
    )
    made = seeded(api.load(Source((inputs + layers).encode())), shapes)
    assert {name: value.shape for name, value in made.items()} == shapes
    assert all(value.dtype == np.float32 for value in made.values())
    return made


@pytest.mark.parametrize("rows", [(50, 5), (50, 5, 1, 1)])
def test_regions_are_inside_of_their_images(rows: Shape) -> None:
    """A region is an image and two corners, x before y, in pixels of the image (Fast R-CNN)."""
    layer = (
        'layer { name: "p" type: "ROIPooling" bottom: "x" bottom: "r" top: "p"'
        " roi_pooling_param { pooled_h: 2 pooled_w: 2 spatial_scale: 0.5 } }"
    )
    image, left, top, right, bottom = drawn(layer, x=MAP, r=rows)["r"].reshape(50, 5).T
    assert set(image) == {0, 1, 2}
    assert ((left >= 0) & (left <= right) & (right <= 6 / 0.5)).all()
    assert ((top >= 0) & (top <= bottom) & (bottom <= 8 / 0.5)).all()
    assert right.max() > 6 and bottom.max() > 8  # in pixels of the image, not of the map


def test_labels_are_classes() -> None:
    layer = 'layer { name: "l" type: "SoftmaxWithLoss" bottom: "x" bottom: "y" top: "l" }'
    assert set(drawn(layer, x=(90, 3), y=(90,))["y"]) == {0, 1, 2}
    same = 'layer { name: "s" type: "Split" bottom: "y" top: "z" }' + layer.replace('"y"', '"z"')
    assert set(drawn(same, x=(90, 3), y=(90,))["y"]) == {0, 1, 2}


def test_other_values_are_of_both_signs_and_the_same_each_time() -> None:
    layer = 'layer { name: "r" type: "ReLU" bottom: "x" top: "y" }'
    x = drawn(layer, x=MAP)["x"]
    assert x.min() < -1 and x.max() > 1
    assert (x == drawn(layer, x=MAP)["x"]).all()
