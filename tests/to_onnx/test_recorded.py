"""Every recorded case of real Caffe: the numpy reference, and onnxruntime at several opsets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from to_onnx.recorded import GOLDEN, assert_close, blobs, cases, graph, run_onnx

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.errors import GraphError, UnsupportedError
from prototxt_gen.to_onnx.convert import Conversion, convert, newest_opset
from prototxt_gen.to_onnx.export import Options
from prototxt_gen.to_onnx.write import check, write_model

CASES = cases()
OPSETS = sorted({11, 13, 17, 21, newest_opset()})
#: A batch that cannot be free: Slice cuts along it, weights have its size, constants have it.
FIXED = {
    "slice_axis0",
    "slice_dim",
    "conv_axis0",
    "scale_two_bias_axis0",
    "scale_two_bias_full",
    "ctpnlstm_cont",
    "pyproposal_post300",  # as all proposals, those of one image
    "pyproposal_pre6000",
    "pyproposal_scaled",
    "pyproposal_scales",
    "pyproposal_small",
}

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NaN is what Caffe gives


def name(case: Path) -> str:
    return f"{case.parent.name}/{case.name}"


@pytest.mark.parametrize("case", CASES, ids=name)
def test_the_reference_gives_what_caffe_gave(case: Path) -> None:
    inputs, wanted = blobs(case)
    assert_close(api.run(graph(case), inputs), wanted)


@pytest.mark.parametrize("case", CASES, ids=name)
def test_weights_beside_the_model_are_read(case: Path, tmp_path: Path) -> None:
    inputs, wanted = blobs(case)
    write_model(convert(graph(case), Conversion()), tmp_path / "m.onnx", external_data=True)
    assert_close(run_onnx(str(tmp_path / "m.onnx"), inputs), wanted)


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("case", CASES, ids=name)
def test_onnxruntime_gives_what_caffe_gave(case: Path, opset: int) -> None:
    inputs, wanted = blobs(case)
    made = convert(graph(case), Conversion(Options(opset)))
    data = made.model.SerializeToString(deterministic=True)
    check(made.model, data)
    found = run_onnx(data, inputs)
    assert_close(found, wanted)
    assert set(found) == set(wanted)
    assert {i.name for i in made.model.graph.input} == set(inputs)


@pytest.mark.parametrize("case", CASES, ids=name)
def test_the_command_gives_what_caffe_gave(case: Path, tmp_path: Path) -> None:
    inputs, wanted = blobs(case)
    weights = [str(case / "net.caffemodel")] if (case / "net.caffemodel").exists() else []
    target = tmp_path / "net.onnx"
    stage = ["--stage", "deploy"] if case.name == "phase_stage" else []
    assert run(["convert", str(case / "net.prototxt"), *weights, "-o", str(target), *stage]) == 0
    assert_close(run_onnx(target.read_bytes(), inputs), wanted)


@pytest.mark.parametrize("case", CASES, ids=name)
def test_a_free_batch_runs_at_two_sizes(case: Path) -> None:
    inputs, wanted = blobs(case)
    asked = Conversion(Options(batch="dynamic"))
    if case.name in FIXED:
        with pytest.raises((GraphError, UnsupportedError), match="--batch N"):
            convert(graph(case), asked)
        return
    made = convert(graph(case), asked)
    data = made.model.SerializeToString(deterministic=True)
    assert_close(run_onnx(data, inputs), wanted)
    larger = dict(inputs)
    for value in made.model.graph.input:
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if dim.dim_param:
                own = larger[value.name]
                larger[value.name] = np.concatenate([own, np.flip(own, axis)], axis)
    made.graph.stored = {
        node.name: made.weights.get(index) for index, node in enumerate(made.graph.nodes)
    }
    for node in made.graph.nodes:
        if node.type == "DummyData":  # follows the batch
            (value,) = node.layer.run((), (), 1)
            larger[node.tops[0].blob] = np.concatenate([value, value])
    reference = api.run(made.graph, larger)
    assert_close(run_onnx(data, larger), {k: reference[k] for k in wanted if k in reference})


def test_equal_input_gives_equal_bytes() -> None:
    case = GOLDEN / "layers" / "lstm"
    models = [api.to_onnx(graph(case)).SerializeToString(deterministic=True) for _ in range(2)]
    assert models[0] == models[1]
