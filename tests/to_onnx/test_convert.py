"""The command: outputs, losses, batches, folding, reports, files; and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from to_onnx.recorded import assert_close, run_onnx

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import GraphError, UnsupportedError
from prototxt_gen.to_onnx.convert import Conversion, convert
from prototxt_gen.to_onnx.export import Options

TRAIN = """name: "t"
layer { name: "d" type: "Data" top: "data" top: "label" data_param { batch_size: 4 }
  transform_param { crop_size: 6 } }
layer { name: "c" type: "Convolution" bottom: "data" top: "c"
  convolution_param { num_output: 5 kernel_size: 3 weight_filler { type: "msra" } } }
layer { name: "bn" type: "BatchNorm" bottom: "c" top: "c" }
layer { name: "sc" type: "Scale" bottom: "c" top: "c" scale_param { bias_term: true } }
layer { name: "r" type: "ReLU" bottom: "c" top: "c" }
layer { name: "drop" type: "Dropout" bottom: "c" top: "c" }
layer { name: "f" type: "InnerProduct" bottom: "c" top: "f" inner_product_param { num_output: 3 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "f" bottom: "label" top: "loss" }
layer { name: "acc" type: "Accuracy" bottom: "f" bottom: "label" top: "acc" }
"""
SHAPE = "data=2,3,6,6"


def write(tmp_path: Path, text: str = TRAIN) -> str:
    file = tmp_path / "net.prototxt"
    file.write_text(text)
    return str(file)


def graph(text: str = TRAIN) -> Any:
    return api.load(Source(text.encode(), "net.prototxt"))


def converted(text: str = TRAIN, **asked: Any) -> Any:
    asked = {"weights_init": "random", "input_shapes": {"data": (2, 3, 6, 6)}, **asked}
    return convert(graph(text), Conversion(**asked))


def test_a_training_net_becomes_one_for_inference(tmp_path: Path) -> None:
    target = tmp_path / "net.onnx"
    report = tmp_path / "report.json"
    arguments = ["convert", write(tmp_path), "-o", str(target), "--weights-init", "random"]
    assert run([*arguments, "--input-shape", SHAPE, "--report", str(report)]) == 0
    model = onnx.load(target)
    assert [value.name for value in model.graph.input] == ["data"]
    assert [value.name for value in model.graph.output] == ["prob"]
    assert {t.name for t in model.graph.initializer} >= {"c/weight", "c/bias", "f/weight", "f/bias"}
    found = json.loads(report.read_text())
    what = {(row["layer"], row["type"]): row["what"] for row in found["layers"]}
    assert what["loss", "SoftmaxWithLoss"] == "became its head: Softmax 'prob'"
    assert what["bn", "BatchNorm"] == what["sc", "Scale"] == "folded into 'c'"
    assert what["acc", "Accuracy"].startswith("left out")
    assert what["r", "ReLU"] == "converted"
    assert {row["layer"] for row in found["layers"]} >= {"d", "c", "drop", "f"}


def test_folding_changes_nothing_but_the_number_of_nodes() -> None:
    x = {"data": np.random.default_rng(0).normal(size=(2, 3, 6, 6)).astype(np.float32)}
    folded, whole = converted(), converted(fold=False)
    kinds = [node.op_type for node in folded.model.graph.node]
    assert "BatchNormalization" not in kinds
    assert "BatchNormalization" in [node.op_type for node in whole.model.graph.node]
    a, b = (run_onnx(m.model.SerializeToString(), x) for m in (folded, whole))
    assert_close(a, b)


@pytest.mark.parametrize(
    ("layer", "weight"),
    [
        ("Deconvolution", "convolution_param { num_output: 4 kernel_size: 3 group: 2 }"),
        ("Convolution", "convolution_param { num_output: 4 kernel_size: 3 group: 2 }"),
        ("InnerProduct", "inner_product_param { num_output: 4 transpose: true }"),
        ("InnerProduct", "inner_product_param { num_output: 4 bias_term: false }"),
    ],
)
def test_everything_that_folds_gives_the_same(layer: str, weight: str) -> None:
    text = (
        'input: "data" input_shape { dim: [2, 6, 5, 5] }\n'
        f'layer {{ name: "c" type: "{layer}" bottom: "data" top: "c" {weight} }}\n'
        'layer { name: "bn" type: "BatchNorm" bottom: "c" top: "b" }\n'
        'layer { name: "sc" type: "Scale" bottom: "b" top: "s" scale_param { bias_term: true } }\n'
    )
    x = {"data": np.random.default_rng(0).normal(size=(2, 6, 5, 5)).astype(np.float32)}
    made = [converted(text, input_shapes={}, fold=fold) for fold in (True, False)]
    assert len(made[0].model.graph.node) < len(made[1].model.graph.node)
    tops = [run_onnx(m.model.SerializeToString(), x) for m in made]
    assert list(tops[0]) == ["s"]
    assert_close(tops[0], tops[1])


@pytest.mark.parametrize("blob", ["c", "b"])
def test_what_is_read_in_between_is_not_folded(blob: str) -> None:
    text = (
        'input: "data" input_shape { dim: [2, 6, 5, 5] }\n'
        'layer { name: "c" type: "Convolution" bottom: "data" top: "c"'
        " convolution_param { num_output: 4 kernel_size: 3 } }\n"
        'layer { name: "bn" type: "BatchNorm" bottom: "c" top: "b" }\n'
        'layer { name: "sc" type: "Scale" bottom: "b" top: "s" }\n'
        f'layer {{ name: "e" type: "AbsVal" bottom: "{blob}" top: "e" }}\n'
    )
    kinds = [node.op_type for node in converted(text, input_shapes={}).model.graph.node]
    assert ("BatchNormalization" in kinds, "Mul" in kinds) == (blob == "c", True)


LABELLED = TRAIN.replace(
    'layer { name: "d" type: "Data" top: "data" top: "label" data_param { batch_size: 4 }\n'
    "  transform_param { crop_size: 6 } }\n",
    'input: "data" input_shape { dim: [2, 3, 6, 6] } input: "label" input_shape { dim: 2 }\n',
)


@pytest.mark.parametrize(
    ("text", "losses", "outputs"),
    [
        (TRAIN, "auto", ["prob"]),
        (TRAIN, "head", ["prob"]),
        (TRAIN, "drop", ["f"]),
        (LABELLED, "auto", ["loss", "acc"]),
        (LABELLED, "keep", ["loss", "acc"]),
        (LABELLED, "head", ["prob"]),
        (LABELLED, "drop", ["f"]),
    ],
)
def test_losses(text: str, losses: Any, outputs: list[str]) -> None:
    made = converted(text, losses=losses)
    assert [value.name for value in made.model.graph.output] == outputs


def test_outputs_leave_out_what_they_do_not_need() -> None:
    made = converted(options=Options(outputs=("c",)))
    assert [value.name for value in made.model.graph.output] == ["c"]
    assert "Gemm" not in [node.op_type for node in made.model.graph.node]
    unknown = TRAIN + 'layer { name: "u" type: "NoSuch" bottom: "f" top: "u" }\n'
    stopped = converted(unknown, options=Options(outputs=("f",)))
    assert [value.name for value in stopped.model.graph.output] == ["f"]


@pytest.mark.parametrize(
    ("name", "words"),
    [("Prob", "did you mean 'prob'?"), ("dat-a", "did you mean 'data'?"), ("x", "are 'prob'")],
)
def test_an_output_that_is_no_blob(name: str, words: str) -> None:
    with pytest.raises(GraphError, match=f"no blob '{name}' to use as an output; ") as caught:
        converted(options=Options(outputs=(name,)))
    assert caught.value.message.endswith(words)


@pytest.mark.parametrize("batch", [1, 7])
def test_another_batch(batch: int) -> None:
    made = converted(options=Options(batch=batch))
    (value,) = made.model.graph.input
    assert [dim.dim_value for dim in value.type.tensor_type.shape.dim] == [batch, 3, 6, 6]
    x = {"data": np.ones((batch, 3, 6, 6), np.float32)}
    assert run_onnx(made.model.SerializeToString(), x)["prob"].shape == (batch, 3)


def test_all_reasons_of_a_refusal_come_out_at_once() -> None:
    text = "".join(
        f'layer {{ name: "u{i}" type: "NoSuch{i}" bottom: "data" top: "u{i}" }}\n' for i in range(3)
    )
    with pytest.raises(UnsupportedError) as caught:
        converted(LABELLED + text)
    assert [d.layer for d in caught.value.diagnostics] == ["u0", "u1", "u2"]
    assert all(d.span for d in caught.value.diagnostics)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--opset", "10"], "opset 10: expected 11 to"),
        (["--opset", "99"], "opset 99: expected 11 to"),
        (["--outputs", "nope"], "no blob 'nope'"),
        (["--input-shape", "nope=1"], "no input 'nope'"),
        (["--batch", "0"], "expected 1 to 2147483647, or dynamic"),
        ([], "is not known; give it with --input-shape data=N,C,H,W"),
    ],
)
def test_wrong_arguments_are_refused_and_nothing_is_written(
    tmp_path: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "net.onnx"
    shape = [] if not arguments else ["--input-shape", SHAPE]
    command = ["convert", write(tmp_path), "-o", str(target), "--weights-init", "zeros"]
    assert run([*command, *shape, *arguments]) == 2
    assert words in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [tmp_path / "net.prototxt"]


def test_a_net_of_which_nothing_is_left_is_refused() -> None:
    text = (
        'layer { name: "d" type: "Data" top: "x" top: "l" data_param { batch_size: 1 } }\n'
        'layer { name: "s" type: "Silence" bottom: "x" bottom: "l" }\n'
    )
    with pytest.raises(UnsupportedError, match="nothing is left"):
        converted(text, input_shapes={"x": (1, 3, 6, 6)})


def test_weights_beside_the_model(tmp_path: Path) -> None:
    plain, beside = tmp_path / "a.onnx", tmp_path / "b.onnx"
    common = ["--weights-init", "random", "--input-shape", SHAPE]
    net = write(tmp_path)
    assert run(["convert", net, "-o", str(plain), *common]) == 0
    assert run(["convert", net, "-o", str(beside), *common, "--external-data"]) == 0
    assert (tmp_path / "b.onnx.data").stat().st_size > beside.stat().st_size / 10
    a, b = onnx.load(plain), onnx.load(beside)
    for one, other in zip(a.graph.initializer, b.graph.initializer, strict=True):
        assert (onnx.numpy_helper.to_array(one) == onnx.numpy_helper.to_array(other)).all()


def test_reasons_behind_a_refused_layer_come_out_too() -> None:
    # Of u1 and u2 nothing is known but their types, and c is no reason of its own.
    row = 'layer { name: "%s" type: "%s" bottom: "%s" top: "%s" %s }\n'
    text = LABELLED + "".join(
        row % item
        for item in (
            ("u0", "NoSuch", "f", "u0", ""),
            ("e", "ELU", "u0", "e", ""),
            ("u1", "NoSuch", "e", "u1", ""),
            ("u2", "Nothing", "u1", "u2", ""),
        )
    )
    with pytest.raises(UnsupportedError) as caught:
        converted(text)
    assert [d.layer for d in caught.value.diagnostics] == ["u0", "u1", "u2"]
    assert "the type is not known" in caught.value.diagnostics[2].message
    # Stopping in front of a layer helps where there is something in front of it.
    assert [bool(d.help) for d in caught.value.diagnostics] == [True, False, False]


def test_known_shapes_behind_a_refused_layer_are_looked_at() -> None:
    # Offsets of two classes, and scores of three.
    shapes = {"offsets": [3, 8], "scores": [3, 3], "rois": [3, 5]}
    inputs = "".join(f'input: "{n}" input_shape {{ dim: {s} }}\n' for n, s in shapes.items())
    decode = (
        'layer {{ name: "{0}" type: "DecodeBBox" bottom: "offsets" bottom: "scores" bottom: "{1}" '
        'top: "{0}" }}\n'
    )
    relu = 'layer { name: "a" type: "ReLU" bottom: "p" top: "p" }\n'
    drop = 'layer { name: "d" type: "Dropout" bottom: "p" top: "d" phase: TRAIN }\n'
    text = inputs + decode.format("p", "rois") + relu + decode.format("q", "p") + drop
    with pytest.raises(UnsupportedError) as caught:
        converted(text, input_shapes={})
    assert [d.layer for d in caught.value.diagnostics] == ["p", "q", "d"]
    assert "its own phase is TRAIN" in caught.value.diagnostics[2].message


def test_losses_that_cannot_be_kept_are_named() -> None:
    (change,) = [c for c in converted(losses="keep").changes if c.layer == "loss"]
    assert "became its head" in change.what
    assert "could not be kept: its label 'label' comes from the data layer 'd'" in change.what
    assert not any("kept" in c.what for c in converted(losses="auto").changes)
    assert not any("kept" in c.what for c in converted(LABELLED, losses="keep").changes)


def test_layers_beside_the_outputs_are_not_called_missing(tmp_path: Path) -> None:
    net, model = write(tmp_path), str(tmp_path / "net.caffemodel")
    assert run(["weights", "init", net, "--input-shape", SHAPE, "-o", model]) == 0
    source = api.read_caffe(net, model)
    asked = Conversion(Options(outputs=("c",)), {"data": (2, 3, 6, 6)})
    what = {c.layer: c.what for c in convert(source, asked).changes}
    assert what["f"] == "left out: the outputs asked for do not need it"
    assert not any("no such layer" in words for words in what.values())
    source.stored["old"] = source.stored["f"]
    what = {c.layer: c.what for c in convert(source, asked).changes}
    assert "no such layer" in what["old"]


def test_a_blob_may_have_the_name_that_an_overwritten_input_would_get() -> None:
    text = (
        'input: "x" input_shape { dim: [2, 3] }\n'
        'layer { name: "r" type: "ReLU" bottom: "x" top: "x" }\n'
        'layer { name: "a" type: "Power" bottom: "x" top: "x@1" power_param { shift: 1 } }\n'
    )
    model = converted(text, input_shapes={}).model
    x = np.array([[-1, 0, 2], [3, -4, 5]], np.float32)
    found = run_onnx(model.SerializeToString(), {"x": x})
    assert list(found) == ["x@1"]
    assert_close(found, {"x@1": np.maximum(x, 0) + 1})


def test_a_plain_relu_is_the_operator_of_that_name() -> None:
    """Runtimes compute Relu along with the convolution before it, but not LeakyRelu."""
    kinds = [node.op_type for node in converted().model.graph.node]
    assert kinds.count("Relu") == 1
    assert "LeakyRelu" not in kinds
