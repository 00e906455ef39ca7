"""Published detectors with random weights: converted, proved, and run by onnxruntime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from to_onnx.recorded import Array

from prototxt_gen import api
from prototxt_gen.graph.sample import seeded
from prototxt_gen.to_onnx.export import Exported
from prototxt_gen.verify import verify_export

Levels = onnxruntime.GraphOptimizationLevel
#: The nets with an input on which each fits into a test, and the images of it.
SSD = {
    "NVIDIA+caffe/examples/faceboxes/SSD.prototxt": (2, 3, 96, 128),
    "NVIDIA+caffe/models/VGGNet/coco/SSD_300x300/deploy.prototxt": (1, 3, 300, 300),
    "NVIDIA+caffe/models/VGGNet/coco/SSD_300x300/test.prototxt": (1, 3, 300, 300),
    "intel+caffe/models/intel_optimized_models/ssd/VGGNet/VOC0712/SSD_300x300/test.prototxt": (
        (1, 3, 300, 300)
    ),
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.nets] if name.endswith("test.prototxt") else [])
        for name in SSD
    ],
)
def test_ssd_is_proved_and_runs_with_and_without_optimization(corpus: Path, name: str) -> None:
    graph = api.load(corpus / name)
    made = api.convert(graph, weights_init="random", input_shapes={"data": SSD[name]})
    (output,) = made.skeleton.graph.output
    dims = [dim.dim_param or dim.dim_value for dim in output.type.tensor_type.shape.dim]
    assert dims == [1, 1, f"{output.name}_2", 7]
    verdict = verify_export(made)
    assert verdict.agrees, verdict.text
    found = {
        level: run_at(made, level, SSD[name])
        for level in (Levels.ORT_DISABLE_ALL, Levels.ORT_ENABLE_ALL)
    }
    for rows in found.values():
        assert rows.shape[:2] + rows.shape[3:] == (1, 1, 7)
        assert (rows[..., 1] >= 1).all()
        for image in range(SSD[name][0]):
            own = rows[0, 0, rows[0, 0, :, 0] == image]
            assert own.size
            assert (np.diff(own[:, 1]) >= 0).all(), "by class"
            same = np.diff(own[:, 1]) == 0
            assert (np.diff(own[:, 2])[same] <= 0).all(), "and by falling score"
    # An optimized convolution rounds otherwise, which may change a choice of close scores.
    sums = [np.sort(rows[..., 2].ravel())[::-1][:50] for rows in found.values()]
    np.testing.assert_allclose(*sums, rtol=1e-3)


def run_at(made: Exported, level: object, shape: tuple[int, ...]) -> Array:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    options.log_severity_level = 4
    model = made.model.SerializeToString()
    session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
    (found,) = session.run(None, seeded(made.graph, {"data": shape}))
    return np.asarray(found)
