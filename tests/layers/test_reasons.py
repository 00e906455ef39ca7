"""Tops that nobody can know without the data or the fork's code, and why."""

from __future__ import annotations

import pytest
from layers.test_formulas import net

from prototxt_gen.diagnostics import Sink
from prototxt_gen.graph.check import check


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
