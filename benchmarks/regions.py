"""What ROIPooling costs as a table of maxima, beside the operator MaxRoiPool in onnxruntime."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from measuring import Figure, Run, call, compare
from onnx import helper

from prototxt_gen import api
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.graph.check import check
from prototxt_gen.graph.fillers import initial
from prototxt_gen.to_onnx.convert import Conversion, convert

Array = np.ndarray[Any, np.dtype[Any]]
ONE = (
    'input: "x" input_shape { dim: [1, 512, 38, 50] } input: "r" input_shape { dim: [300, 5] }\n'
    'layer { name: "p" type: "ROIPooling" bottom: "x" bottom: "r" top: "y" roi_pooling_param'
    " { pooled_h: 7 pooled_w: 7 spatial_scale: 0.0625 } }"
)
NETS = "intel+caffe/models/intel_optimized_models/faster-rcnn/pascal_voc"
WHOLE = {
    "ZF": f"{NETS}/ZF/faster_rcnn_end2end/test.prototxt",
    "VGG16": f"{NETS}/VGG16/faster_rcnn_end2end/faster_rcnn_int8_full_conv.prototxt",
}
SIZE = (600, 800)


def regions(folder: Path) -> Iterator[Figure]:
    """The layer alone, and detectors of ``PROTOTXT_CORPUS`` with it, in one thread."""
    random = np.random.default_rng(0)
    corners = random.uniform(0, 500, (300, 2))
    ends = corners + random.uniform(16, 300, (300, 2))
    boxes = np.concatenate([np.zeros((300, 1)), corners, ends], axis=1).astype(np.float32)
    x = random.normal(size=(1, 512, 38, 50)).astype(np.float32)
    runs = _runs(api.load(Source(ONE.encode())), {"x": x, "r": boxes})
    yield compare("ROIPooling of 300 regions", "MaxRoiPool", runs, 1.5, 9)
    corpus = os.environ.get("PROTOTXT_CORPUS")
    for name, path in WHOLE.items() if corpus else ():
        graph = api.load(Path(corpus or "", path))
        graph.stored = dict(initial(graph, check(graph, Sink()), "random"))
        for layer in ("rpn_cls_score", "rpn_bbox_pred"):  # so that hundreds of boxes remain
            graph.stored[layer] = [blob * np.float32(0.01) for blob in graph.stored[layer]]
        image = random.normal(size=(1, 3, *SIZE), scale=60).astype(np.float32)
        given = {"data": image, "im_info": np.array([[*SIZE, 1]], np.float32)}
        yield compare(f"Faster R-CNN of {name}", "with MaxRoiPool", _runs(graph, given), 1.3, 5)


def _runs(graph: Any, given: dict[str, Array]) -> tuple[Run, Run]:
    shapes = {name: value.shape for name, value in given.items()}
    model = convert(graph, Conversion(input_shapes=shapes)).model
    node = next(node for node in graph.nodes if node.type == "ROIPooling")
    sessions = [_session(one) for one in (model, _with_operator(model, node))]
    alike = [session.run(None, given) for session in sessions]
    for own, other in zip(*alike, strict=True):
        np.testing.assert_allclose(own, other, 1e-4, 1e-4)
    ours, theirs = (lambda s=s: call(lambda: s.run(None, given)) for s in sessions)
    return ours, theirs


def _with_operator(model: onnx.ModelProto, node: Any) -> onnx.ModelProto:
    """The same model with MaxRoiPool in place of the nodes of a layer."""
    found = onnx.ModelProto()
    found.CopyFrom(model)
    own = [n for n in found.graph.node if n.name.startswith(f"{node.name}/")]
    place = list(found.graph.node).index(own[0])
    pool = helper.make_node(
        "MaxRoiPool",
        [bottom.blob for bottom in node.bottoms],
        [node.tops[0].blob],
        pooled_shape=[node.layer.pooled_h, node.layer.pooled_w],
        spatial_scale=node.layer.spatial_scale,
    )
    for old in own:
        found.graph.node.remove(old)
    found.graph.node.insert(place, pool)
    return found


def _session(model: onnx.ModelProto) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # a removed node leaves constants behind
    data = model.SerializeToString()
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
