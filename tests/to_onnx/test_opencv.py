"""Generated nets with random weights: our models against OpenCV, which reads Caffe itself.

OpenCV 4 reads each preset. It does not know `round_mode`, which rounds down in BVLC's Caffe, but
`ceil_mode`, which `--dialect caffe_priv` writes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from to_onnx.recorded import Array, assert_close, run_onnx

from prototxt_gen import api
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.formats.binary.message import message_class
from prototxt_gen.generate.spec import Spec
from prototxt_gen.generate.zoo import PRESETS, preset
from prototxt_gen.graph.check import check
from prototxt_gen.graph.fillers import initial
from prototxt_gen.graph.graph import Graph

cv2 = pytest.importorskip("cv2", reason="opencv-python-headless is not installed")

NETS: dict[str, dict[str, Any]] = {
    "resnet18": {"width": 8, "classes": 10},
    "resnet50": {"width": 8, "classes": 10},
    "preresnet50": {"width": 8, "classes": 10},
    "resnext50-32x4d": {"width": 32, "base_width": 4, "classes": 10, "pool": "ceil"},
    "plain18": {"width": 8, "classes": 10},
    "mobilenet-v2": {"last_width": 24, "classes": 10},
    "densenet121": {"stages": [2, 2, 1, 1], "width": 4, "classes": 10, "pool": "ceil"},
}


def caffemodel(graph: Graph) -> bytes:
    """The weights of a graph as a file of Caffe's."""
    net: Any = message_class("NetParameter")()
    for name, blobs in graph.stored.items():
        layer = net.layer.add(name=name)
        for values in blobs:
            blob = layer.blobs.add()
            blob.shape.dim.extend(values.shape)
            blob.data.extend(np.asarray(values).ravel())
    data: bytes = net.SerializeToString()
    return data


def filled(text: str, folder: Path) -> tuple[Graph, tuple[str, str]]:
    """The net with random weights, and the two files of it."""
    graph = api.load(Source(text.encode()))
    graph.stored = dict(initial(graph, check(graph, Sink()), "random"))
    (folder / "net.prototxt").write_text(text)
    (folder / "net.caffemodel").write_bytes(caffemodel(graph))
    return graph, (str(folder / "net.prototxt"), str(folder / "net.caffemodel"))


@pytest.mark.parametrize("name", NETS)
def test_opencv_gives_the_same(name: str, tmp_path: Path) -> None:
    _, files = filled(api.generate(name, **NETS[name], input_shape=[2, 3, 64, 64]), tmp_path)
    x: Array = np.random.default_rng(0).normal(size=(2, 3, 64, 64)).astype(np.float32)
    theirs = cv2.dnn.readNetFromCaffe(*files)
    theirs.setInput(x, "data")
    wanted = {"prob": theirs.forward("prob"), "fc10": theirs.forward("fc10").reshape(2, 10)}

    ours = api.read_caffe(*files)
    model = api.to_onnx(ours, outputs=("prob", "fc10"), opset=13)
    assert_close(run_onnx(model.SerializeToString(), {"data": x}), wanted, 1e-4, 1e-3)
    assert_close(api.run(ours, {"data": x}), wanted, 1e-4, 1e-3)


def thin(name: str) -> dict[str, Any]:
    """A preset with fewer blocks and channels, which are layers of the same types."""
    keys = {**preset(name), "classes": 10}
    keys["dialect"] = "caffe_priv" if Spec.of(keys).floors else "bvlc"
    first, *rest = keys["stages"]
    keys.update(stages=[min(first, 2), *(1 for _ in rest)], width=8)
    if keys.pop("width_factor", 1) > 1:
        keys["width_factor"] = 2
    if keys.get("base_width"):
        keys["base_width"] = 8 if keys.get("cardinality", 1) > 1 else 16
    if keys.get("cardinality", 1) > 1:
        keys.update(cardinality=4, width=16)
    if "stem_width" in keys:
        keys["stem_width"] = 8
    if "input_shape" not in keys:
        keys["input_shape"] = [1, 3, *[32 if keys.get("stem") == "cifar" else 64] * 2]
    return {**keys, "name": "thin"}


#: Layers that OpenCV 4 does not have: a preset with one of them is refused.
UNKNOWN = {"Clip"}
#: One preset for each form that they have when they are thin.
FORMS = {str(thin(name)): name for name in reversed(PRESETS)}


@pytest.mark.parametrize("name", FORMS.values())
def test_opencv_reads_every_preset(name: str, tmp_path: Path) -> None:
    graph, files = filled(api.generate(thin(name)), tmp_path)
    (output,) = graph.outputs
    x: Array = np.random.default_rng(0).normal(size=thin(name)["input_shape"]).astype(np.float32)
    theirs = cv2.dnn.readNetFromCaffe(*files)
    theirs.setInput(x, "data")
    if unknown := UNKNOWN & {node.type for node in graph.nodes}:
        with pytest.raises(cv2.error, match=f"of type .{min(unknown)}"):
            theirs.forward()
        return
    last = [node.name for node in graph.nodes if output in node.tops]
    wanted = {output.blob: theirs.forward(last[-1])}
    found = api.run(graph, {"data": x})[output.blob]
    assert_close({output.blob: found}, wanted, 1e-4, 1e-3)


@pytest.mark.parametrize("name", ["resnet18-tv", "resnet20"])
def test_opencv_cannot_round_down_as_bvlc_writes_it(name: str, tmp_path: Path) -> None:
    assert Spec.of(preset(name)).floors
    _, files = filled(api.generate({**thin(name), "dialect": "bvlc"}), tmp_path)
    theirs = cv2.dnn.readNetFromCaffe(*files)
    theirs.setInput(np.zeros(thin(name)["input_shape"], np.float32), "data")
    with pytest.raises(cv2.error, match="getKernelSize"):
        theirs.forward()
