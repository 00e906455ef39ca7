"""The table of layer cases: shapes, the numpy reference and onnxruntime agree on each."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest
from layers.cases import CASES, Case
from layers.test_cases import net
from to_onnx.recorded import assert_close, run_onnx

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import GraphError, UnsupportedError
from prototxt_gen.layers import MODULES
from prototxt_gen.to_onnx.convert import Conversion, convert
from prototxt_gen.to_onnx.export import Options
from prototxt_gen.to_onnx.write import check

#: Layers whose tops a database or code of its own makes, or that have none; training alone.
NOT_COMPUTED = {
    "Data",
    "ImageData",
    "WindowData",
    "MemoryData",
    "HDF5Data",
    "HDF5Output",
    "Silence",
    "AnnotatedData",
    "VideoData",
    "BoxData",
    "BoxAnnotatorOHEM",
    "EvalDetection",
    "DetectNetTransformation",
    "TRT",
    "DetectionEvaluate",
    "FrcnnProposal",
    "MultiBoxLoss",
    "SmoothL1Loss",
    "SmoothL1LossOHEM",
    "SoftmaxWithLossOHEM",
    "L1Loss",
    "RegionLoss",
    "Input",
}
#: What Caffe makes inside of another layer.
INSIDE = {"LSTMUnit"}
TAKEN = [c for c in CASES if c.rule is None and c.type not in NOT_COMPUTED | INSIDE]
#: Bottoms that are indices or labels: how many there are to choose from.
INDICES = {
    "Embed": {0: 9},
    "BatchReindex": {1: 2},
    "Accuracy": {1: 7},
    "SoftmaxWithLoss": {1: 5},
    "HingeLoss": {1: 10},
    "MultinomialLogisticLoss": {1: 10},
    "InfogainLoss": {1: 10},
    "Filter": {1: 2, 2: 2},
    "LSTM": {1: 2},
    "RNN": {1: 2},
    "ContrastiveLoss": {2: 2},
}
#: The bottom that has regions.
ROIS = {"ROIPooling": 1, "ROIAlign": 1, "PSROIPooling": 1, "PSROIAlign": 1, "DecodeBBox": 2}


def inputs(case: Case) -> dict[str, Any]:
    random = np.random.default_rng(zlib.crc32(str(case).encode()))
    found = {}
    for index, shape in enumerate(case.bottoms):
        size = tuple(dim or 1 for dim in shape)
        limit = INDICES.get(case.type, {}).get(index)
        if limit:
            values = random.integers(0, limit, size).astype(np.float32)
        elif case.type == "Upsample" and index == 1:
            # Where a pooling found the values: different places in a plane.
            places = np.argsort(random.random((*size[:2], size[2] * size[3])), axis=-1)
            values = places.reshape(size).astype(np.float32)
        elif index == ROIS.get(case.type):
            corners = np.sort(random.uniform(0, 5, (size[0], 2, 2)), axis=1).reshape(-1, 4)
            values = np.insert(corners, 0, random.integers(0, 2, size[0]), axis=1).reshape(size)
        elif case.type in ("Log", "MultinomialLogisticLoss"):
            values = random.uniform(0.1, 2, size)
        else:
            values = random.normal(size=size)
        found[f"b{index}"] = values.astype(np.float32)
    return found


def graph(case: Case) -> Any:
    graph = api.load(Source(net(case).encode()))
    random = np.random.default_rng(1)
    if case.weights:
        graph.stored = {
            "l": [
                # Positive, since some are variances.
                random.uniform(0.5, 1.5, tuple(dim or 1 for dim in w)).astype(np.float32)
                for w in case.weights
            ]
        }
    return graph


@pytest.mark.parametrize("opset", [11, 17])
@pytest.mark.parametrize("case", TAKEN, ids=str)
def test_all_of_them_agree(case: Case, opset: int) -> None:
    given = inputs(case)
    try:
        made = convert(graph(case), Conversion(Options(opset), losses="keep"))
    except UnsupportedError as error:
        # The matrix of a file is not read, and of a Python layer only the user knows what it
        # computes.
        assert case.type in ("InfogainLoss", "Python"), error.diagnostics
        return
    data = made.model.SerializeToString()
    check(made.model, data)
    found = run_onnx(data, given)
    for index, shape in enumerate(case.tops):
        top = found[f"t{index}"]
        assert len(top.shape) == len(shape)
        assert all(a == b or b is None for a, b in zip(top.shape, shape, strict=True))
    wanted = api.run(graph(case), given)
    assert_close(found, {k: v for k, v in wanted.items() if k.startswith("t")})


def test_every_type_is_computed_or_has_a_reason() -> None:
    assert {case.type for case in TAKEN} | NOT_COMPUTED | INSIDE == set(MODULES)


def test_dynamic_batches_are_refused_in_words_where_they_cannot_be() -> None:
    case = next(c for c in TAKEN if c.type == "Slice" and "slice_dim" in c.params)
    with pytest.raises((GraphError, UnsupportedError), match="--batch N"):
        convert(graph(case), Conversion(Options(batch="dynamic")))
