"""What of a net only training reads, and that nothing else is taken away."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.document import Block, Symbol
from prototxt_gen.graph.graph import Graph
from prototxt_gen.layers import layer_class
from prototxt_gen.passes.strip import strip

FACTS = json.loads(
    (Path(__file__).parents[1] / "formats" / "facts" / "bvlc.json").read_text("utf-8")
)["messages"]
#: Of LayerParameter: what the solver, the phases or the reading of data look at.
TRAINING = {"include", "exclude", "loss_weight", "propagate_down", "transform_param"}
#: Of NetParameter: what makes no difference to one pass forward.
NET = {"force_backward", "state", "debug_info"}
VALUES = {
    "include": "{ phase: TEST }",
    "exclude": "{ phase: TRAIN }",
    "loss_weight": "1",
    "propagate_down": "true",
    "transform_param": "{ scale: 2 }",
    "phase": "TEST",
    "blobs": "{ }",
    "clip_param": "{ min: 0 max: 1 }",
}
INPUT = 'input: "x" input_shape { dim: [1, 2, 4, 4] }\n'


def stripped(layer: str, net: str = "") -> str:
    return api.dump(strip(api.load(Source(f"{net}{INPUT}{layer}".encode()))))


@pytest.mark.parametrize("name", sorted(FACTS["LayerParameter"]["fields"]))
def test_every_field_of_a_layer(name: str) -> None:
    if name in ("name", "type", "bottom", "top", "param"):
        return
    value = VALUES.get(name, "{ }")
    text = stripped(f'layer {{ name: "l" type: "Split" bottom: "x" top: "y" {name}: {value} }}')
    assert (name in text) == (name not in TRAINING)


@pytest.mark.parametrize("name", sorted(FACTS["NetParameter"]["fields"]))
def test_every_field_of_a_net(name: str) -> None:
    values = {"force_backward": "true", "state": "{ level: 1 }", "debug_info": "true"}
    if name in values:
        assert name not in stripped("", f"{name}: {values[name]}\n")
        assert name in NET
    elif name == "name":
        assert 'name: "n"' in stripped("", 'name: "n"\n')
    else:
        assert name not in NET


CONV = """layer { name: "c" type: "Convolution" bottom: "x" top: "y" %s
  convolution_param { num_output: 2 kernel_size: 1 weight_filler { type: "msra" }
    bias_filler { value: 1 } engine: CAFFE } }
"""


def test_fillers_and_rates_go_and_names_of_shared_weights_stay() -> None:
    text = stripped(CONV % 'param { name: "w" lr_mult: 3 decay_mult: 0 share_mode: PERMISSIVE }')
    (param,) = api.load(Source(text.encode())).nodes[-1].source.blocks("param")
    assert param == Block.of(name="w", share_mode=Symbol("PERMISSIVE"))
    assert not any(word in text for word in ("lr_mult", "decay_mult", "filler", "msra"))
    assert "engine: CAFFE" in text and "num_output: 2" in text
    assert "param {" not in stripped(CONV % "param { lr_mult: 3 }").replace("convolution_param", "")


def test_a_filler_that_makes_a_blob_stays() -> None:
    dummy = (
        'layer { name: "d" type: "DummyData" top: "d"'
        " dummy_data_param { shape { dim: 2 } data_filler { value: 3 } } }"
    )
    assert "data_filler" in stripped(dummy)


def test_comments_stay() -> None:
    text = stripped("# about c\n" + CONV % "param { lr_mult: 3 }")
    assert "# about c" in text


def test_a_net_that_was_never_text_is_stripped_too() -> None:
    graph = Graph("n")
    graph.add("x", layer_class("Input")(), (), ["x"])
    rates = Block.of(param=Block.of(lr_mult=3.0), loss_weight=2.0)
    graph.add("r", layer_class("ReLU")(), ["x"], ["r"], rates)
    made = strip(graph)
    assert [(node.name, node.type) for node in made.nodes] == [("x", "Input"), ("r", "ReLU")]
    assert made.nodes[1].source == Block()
