"""A net computed by numpy: what is kept of it, and what is not given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import GraphError, UnsupportedError
from prototxt_gen.graph.graph import Ref
from prototxt_gen.graph.run import run
from prototxt_gen.graph.sample import seeded
from prototxt_gen.graph.weights import Weights

TEXT = 'input: "x" input_shape { dim: [1, 2] } input: "z" input_shape { dim: [1, 2] }\n' + "".join(
    f'layer {{ name: "{name}" type: "Power" bottom: "{bottom}" top: "{top}"'
    f" power_param {{ scale: {scale} }} }}\n"
    for name, bottom, top, scale in (
        ("a", "x", "a", 2),
        ("b", "a", "b", 3),
        ("c", "a", "c", 5),
        ("d", "b", "b", 7),
    )
)
GIVEN: dict[str, Any] = {name: np.ones((1, 2), np.float32) for name in "xz"}


def graph(text: str = TEXT) -> Any:
    return api.load(Source(text.encode()))


def test_every_version_is_kept_or_the_outputs_alone() -> None:
    every = {key: value.flat[0] for key, value in run(graph(), Weights(), GIVEN).items()}
    assert every == {
        Ref("x", 0): 1,
        Ref("z", 0): 1,
        Ref("a", 0): 2,
        Ref("b", 0): 6,
        Ref("c", 0): 10,
        Ref("b", 1): 42,
    }
    few = {key: value.flat[0] for key, value in run(graph(), Weights(), GIVEN, keep=False).items()}
    assert few == {Ref("z", 0): 1, Ref("c", 0): 10, Ref("b", 1): 42}


def test_what_is_not_given_is_named() -> None:
    with pytest.raises(GraphError, match="'z' is not given"):
        run(graph(), Weights(), {"x": GIVEN["x"]})


def test_a_layer_without_a_reference_is_named() -> None:
    more = 'layer { name: "p" type: "BoxAnnotatorOHEM" bottom: "a" top: "p" }\n'
    with pytest.raises(UnsupportedError) as caught:
        run(graph(TEXT + more), Weights(), GIVEN)
    assert caught.value.layer == "p"


def test_values_may_be_given_for_what_a_data_layer_reads() -> None:
    data = (
        'layer { name: "d" type: "Data" top: "x" data_param { batch_size: 1 } }\n'
        'layer { name: "a" type: "Power" bottom: "x" top: "a" power_param { scale: 2 } }\n'
    )
    found = run(graph(data), Weights(), {"x": np.full((1, 3), 4.0)})
    assert set(found[Ref("a", 0)].flat) == {8}
    assert found[Ref("x", 0)].dtype == np.float32


def test_made_up_regions_lie_in_an_image() -> None:
    text = """input: "x" input_shape { dim: [3, 2, 10, 20] }
    input: "rois" input_shape { dim: [40, 5] }
    layer { name: "p" type: "ROIPooling" bottom: "x" bottom: "rois" top: "p"
      roi_pooling_param { pooled_h: 2 pooled_w: 2 spatial_scale: 0.5 } }
    """
    graph = api.load(Source(text.encode()))
    made = seeded(graph, {"x": (3, 2, 10, 20), "rois": (40, 5)}, 0)["rois"]
    image, x1, y1, x2, y2 = made.T
    assert set(image) == {0, 1, 2}
    assert ((x1 >= 0) & (x1 <= x2) & (x2 <= 40)).all()
    assert ((y1 >= 0) & (y1 <= y2) & (y2 <= 20)).all()
