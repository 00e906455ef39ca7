"""Generated nets with random weights: our models against OpenCV, which reads Caffe itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from to_onnx.recorded import Array, assert_close, run_onnx

from prototxt_gen import api
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.formats.binary.message import message_class
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


@pytest.mark.parametrize("name", NETS)
def test_opencv_gives_the_same(name: str, tmp_path: Path) -> None:
    text = api.generate(name, **NETS[name], input_shape=[2, 3, 64, 64])
    graph = api.load(Source(text.encode()))
    graph.stored = dict(initial(graph, check(graph, Sink()), "random"))
    (tmp_path / "net.prototxt").write_text(text)
    (tmp_path / "net.caffemodel").write_bytes(caffemodel(graph))
    x: Array = np.random.default_rng(0).normal(size=(2, 3, 64, 64)).astype(np.float32)

    theirs = cv2.dnn.readNetFromCaffe(
        str(tmp_path / "net.prototxt"), str(tmp_path / "net.caffemodel")
    )
    theirs.setInput(x, "data")
    wanted = {"prob": theirs.forward("prob"), "fc10": theirs.forward("fc10").reshape(2, 10)}

    ours = api.read_caffe(tmp_path / "net.prototxt", tmp_path / "net.caffemodel")
    model = api.to_onnx(ours, outputs=("prob", "fc10"), opset=13)
    assert_close(run_onnx(model.SerializeToString(), {"data": x}), wanted, 1e-4, 1e-3)
    assert_close(api.run(ours, {"data": x}), wanted, 1e-4, 1e-3)
