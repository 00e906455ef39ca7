"""What a layer says that it sees, held against what changes when a bottom does."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import Any

import numpy as np
import pytest
from layers.cases import Case
from layers.test_cases import TAKEN, net

from prototxt_gen import api
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.graph.check import check
from prototxt_gen.graph.sample import seeded
from prototxt_gen.layers.base import Sight

_MOST = 12  #: places of a bottom that are changed, one after the other


def blobs_of(layer: Any, weights: Any) -> list[Any]:
    random = np.random.default_rng(3)
    return [random.uniform(0.5, 1.5, shape).astype(np.float32) for shape in weights]


@pytest.mark.parametrize("case", TAKEN, ids=str)
def test_only_what_sees_a_place_changes_with_it(case: Case) -> None:
    graph = api.load(Source(net(case).encode()))
    shapes = check(graph, Sink())
    node, index = graph.nodes[-1], len(graph.nodes) - 1
    bottoms, tops = shapes.of(node.bottoms), shapes.of(node.tops)
    if bottoms is None or tops is None or any(None in s for s in (*bottoms, *tops)):
        return
    sizes = {ref.blob: tuple(size or 1 for size in shapes.blobs[ref]) for ref in node.bottoms}
    given = seeded(graph, sizes)
    values = [given[ref.blob] for ref in node.bottoms]
    blobs = blobs_of(node.layer, shapes.weights[index])

    def computed(changed: list[Any]) -> Any:
        with np.errstate(all="ignore"):
            return node.layer.run(changed, blobs, len(tops))

    try:
        before = computed(values)
    except UnsupportedError:
        return
    for at, bottom in enumerate(bottoms):
        seen = node.layer.sees(at, bottoms, tops)
        if isinstance(seen, Sight) or len(bottom) < 3:
            continue
        assert len(seen) == len(bottom) - 2, "a step for each axis of places"
        places = list(np.ndindex(*values[at].shape[2:]))
        for place in places[:: 1 + len(places) // _MOST]:
            changed = [value.copy() for value in values]
            changed[at][(slice(None), slice(None), *place)] += 1000
            after = computed(changed)
            for one, other in zip(before, after, strict=True):
                moved = ~np.equal(one, other) & ~(np.isnan(one) & np.isnan(other))
                for axis, step in enumerate(seen):
                    for position in np.unique(np.argwhere(moved)[:, axis + 2]):
                        low = step.stride * int(position) + step.center - Fraction(step.size - 1, 2)
                        # Between pixels, those on either side.
                        inside = floor(low) <= place[axis] <= ceil(low + step.size - 1)
                        assert inside, (seen, place, position)
