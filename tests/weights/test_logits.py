"""Nets of torchvision's and their kin give the logits that PyTorch recorded (record_logits.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from to_onnx.recorded import run_onnx
from weights.seeding import image, parameter

from prototxt_gen import api, weights
from prototxt_gen import weights_torch as torch_nets
from prototxt_gen.generate.blocks import build
from prototxt_gen.generate.spec import Spec
from prototxt_gen.generate.zoo import PRESETS, preset
from prototxt_gen.graph.graph import Graph

RECORDED = json.loads(Path(__file__).with_name("logits.json").read_text())
LOGITS: dict[str, list[float]] = RECORDED["logits"]
#: One of each form; the others run with the marker ``nets``.
SMALL = (
    "resnet18-tv",
    "resnext50-32x4d",
    "resnet50-tv --output-stride 8",
    "resnet50d",
    "se-resnet50",
)
EVERY = [
    pytest.param(words, marks=() if words in SMALL else pytest.mark.nets, id=words)
    for words in LOGITS
    if words.split()[0] in PRESETS
]


def net(words: str) -> Graph:
    """The net that ``gen WORDS --naming torchvision`` makes."""
    name, *options = words.split()
    keys: dict[str, Any] = {**preset(name), "naming": "torchvision", "classes": 16}
    if options:
        keys["output_stride"] = int(options[1])
    return build(Spec.of({**keys, "input_shape": RECORDED["shape"]})).graph


def filled(graph: Graph) -> Graph:
    """With the weights of ``seeding``, by the names that torch has for them."""
    state = {
        torch_nets.torch_name(key): parameter(torch_nets.torch_name(key), shape)
        for key, (_, shape) in weights.entries(graph).items()
        if not key.endswith("/factor")
    }
    graph.stored = dict(torch_nets.fit(graph, state))
    return graph


@pytest.mark.parametrize("words", EVERY)
def test_logits_are_torchs(words: str) -> None:
    graph, wanted = filled(net(words)), np.array([LOGITS[words]])
    x = image(tuple(RECORDED["shape"]))
    (scores,) = graph.makers[graph.outputs[0]].bottoms  # of Softmax
    found = api.run(graph, {"data": x})[scores.blob]
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    model = api.to_onnx(graph, outputs=(scores.blob,))
    (theirs,) = run_onnx(model.SerializeToString(), {"data": x}).values()
    np.testing.assert_allclose(theirs, wanted, rtol=1e-4, atol=1e-5)


def test_every_architecture_is_recorded() -> None:
    assert {*torch_nets.ARCHITECTURES.values()} <= {*LOGITS}


def test_recorded_nets_differ_by_more_than_the_tolerance() -> None:
    every = np.array([*LOGITS.values()])
    apart = np.abs(every[:, None] - every[None]).max(2)[np.triu_indices(len(every), 1)]
    assert apart.min() > 1e-4
