"""Tops that nobody can know without the data or the fork's code, and why."""

from __future__ import annotations

import pytest
from layers.test_formulas import net

from prototxt_gen.diagnostics import Sink
from prototxt_gen.errors import ShapeError
from prototxt_gen.graph.check import check
from prototxt_gen.layers.base import Regions
from prototxt_gen.layers.parts.shapes import need_rank
from prototxt_gen.layers.rois import ROIPooling


@pytest.mark.parametrize(
    ("type", "bottoms", "tops"),
    [
        ("SmoothL1LossOHEM", 2, 2),
        ("SoftmaxWithLossOHEM", 2, 2),
        ("SoftmaxWithLossOHEM", 3, 3),
    ],
)
def test_the_further_tops_of_an_ohem_are_not_known(type: str, bottoms: int, tops: int) -> None:
    """That of each region has the shape of regions, which the fork's code makes."""
    weights = "loss_weight: 1 " + "loss_weight: 0 " * (tops - 1)
    graph = net(type, weights, *[(4, 3)] * bottoms, tops=tops)
    shapes = check(graph, Sink())
    assert shapes.of(graph.nodes[-1].tops) is None
    assert "further tops" in shapes.reasons[len(graph.nodes) - 1]
    one = net(type, "", *[(4, 3)] * bottoms)
    assert check(one, Sink()).of(one.nodes[-1].tops) == ((),)


def test_one_possible_number_of_axes_is_told_as_one() -> None:
    with pytest.raises(ShapeError, match=r"^X needs a bottom of 4 axes, found 2x3$"):
        need_rank((2, 3), 4, 4, "X")
    with pytest.raises(ShapeError, match=r"^X needs a bottom of 1 to 2 axes, found 2x3x4$"):
        need_rank((2, 3, 4), 1, 2, "X")


def test_regions_are_made_up_in_pixels_of_the_image() -> None:
    """Caffe multiplies them by the scale (roi_pooling_layer.cpp); one of 0 says nothing."""
    shapes = ((2, 8, 10, 20), (3, 5))
    quarter = ROIPooling(pooled_h=1, pooled_w=1, spatial_scale=0.25)
    assert quarter.sample(1, shapes) == Regions(2, 40, 80)
    assert ROIPooling(pooled_h=1, pooled_w=1, spatial_scale=0.0).sample(1, shapes) == Regions(
        2, 10, 20
    )
