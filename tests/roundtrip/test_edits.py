"""A model that somebody changed: which way it goes, and what is said."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.version_converter
import onnxruntime
import onnxslim
import pytest
from onnx import helper, numpy_helper
from to_onnx.recorded import assert_close, run_onnx

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import ParseError
from prototxt_gen.graph.graph import Graph
from prototxt_gen.restore import net as restoring
from prototxt_gen.to_onnx import source as writing
from prototxt_gen.weights import make

TEXT = """
name: "net"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [1, 3, 8, 8] } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        convolution_param { num_output: 4 kernel_size: 3 stride: 2 } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "fc" type: "InnerProduct" bottom: "conv1" top: "fc"
        inner_product_param { num_output: 5 transpose: true axis: -1 } }
"""
BATCH_NORM = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [1, 3, 8, 8] } } }
layer { name: "bn" type: "BatchNorm" bottom: "data" top: "bn" }
"""
Edit = Callable[[onnx.ModelProto], None]


def source(text: str = TEXT) -> Graph:
    made = api.load(Source(text.encode()))
    made.stored = make(made, "random")
    return made


@pytest.fixture
def model() -> onnx.ModelProto:
    return api.to_onnx(source(), fold=False)


@pytest.fixture(autouse=True)
def structure(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Lifting from structure, stood in for: these tests are about which way is taken."""
    lifted: list[str] = []

    def lift(proto: onnx.ModelProto, *asked: object) -> Graph:
        lifted.append(proto.graph.name)
        made = source()
        made.changes = []  # type: ignore[attr-defined]
        made.graph = made  # type: ignore[attr-defined]
        return made

    monkeypatch.setattr(restoring, "lift", lift)
    return lifted


def node(model: onnx.ModelProto, name: str) -> onnx.NodeProto:
    return next(node for node in model.graph.node if node.name == name)


def initializer(model: onnx.ModelProto, name: str) -> onnx.TensorProto:
    return next(tensor for tensor in model.graph.initializer if tensor.name == name)


def changed_attribute(model: onnx.ModelProto) -> None:
    (strides,) = (a for a in node(model, "conv1/Conv").attribute if a.name == "strides")
    strides.ints[:] = [1, 1]


def removed_attribute(model: onnx.ModelProto) -> None:
    attributes = node(model, "conv1/Conv").attribute
    (index,) = (i for i, a in enumerate(attributes) if a.name == "strides")
    del attributes[index]


def removed_node(model: onnx.ModelProto) -> None:
    relu = node(model, "relu1/Relu")
    for other in model.graph.node:
        other.input[:] = [relu.input[0] if n == relu.output[0] else n for n in other.input]
    model.graph.node.remove(relu)


def new_node(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Relu", ["fc"], ["more"], "more"))


def other_operator(model: onnx.ModelProto) -> None:
    node(model, "relu1/Relu").op_type = "Sigmoid"


def other_wire(model: onnx.ModelProto) -> None:
    node(model, "relu1/Relu").output[0] = "other"
    for reader in model.graph.node:
        reader.input[:] = ["other" if name == "conv1" else name for name in reader.input]


def other_output(model: onnx.ModelProto) -> None:
    model.graph.output.append(helper.make_tensor_value_info("conv1", 1, [1, 4, 3, 3]))


def other_shape(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2


def other_name(model: onnx.ModelProto) -> None:
    model.graph.input[0].name = "x"
    node(model, "conv1/Conv").input[0] = "x"


def new_initializer(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(1, np.float32), "more"))


def half_weights(model: onnx.ModelProto) -> None:
    tensor = initializer(model, "conv1/weight")
    half = numpy_helper.to_array(tensor).astype(np.float16)
    tensor.CopyFrom(numpy_helper.from_array(half, tensor.name))


def lost_weights(model: onnx.ModelProto) -> None:
    model.graph.initializer.remove(initializer(model, "conv1/bias"))


def constant(model: onnx.ModelProto) -> None:
    found = next(t for t in model.graph.initializer if t.data_type == onnx.TensorProto.INT64)
    value = numpy_helper.to_array(found).copy()
    value.flat[0] += 1
    found.CopyFrom(numpy_helper.from_array(value, found.name))


def other_opset(model: onnx.ModelProto) -> None:
    model.CopyFrom(kept(model, onnx.version_converter.convert_version(model, 18)))


def extended(model: onnx.ModelProto) -> None:
    """What onnxruntime saves after its extended optimisation, with the metadata of before."""
    options = onnxruntime.SessionOptions()
    level = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_EXTENDED
    options.log_severity_level = 4
    path = Path(model.doc_string)
    options.optimized_model_filepath = str(path)
    onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    model.CopyFrom(kept(model, onnx.load(path)))


def slimmed(model: onnx.ModelProto) -> None:
    model.CopyFrom(kept(model, onnxslim.slim(model)))


def kept(old: onnx.ModelProto, new: onnx.ModelProto) -> onnx.ModelProto:
    """A model with the metadata of another, which not every tool keeps."""
    del new.metadata_props[:]
    new.metadata_props.extend(old.metadata_props)
    return new


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (changed_attribute, "node conv1/Conv: attribute strides is [1, 1], stored [2, 2]"),
        (removed_attribute, "node conv1/Conv: attribute strides is absent, stored [2, 2]"),
        (removed_node, "node relu1/Relu: gone"),
        (new_node, "node more: new"),
        (other_operator, "node relu1/Relu: it is Sigmoid, stored Relu"),
        (other_wire, "node relu1/Relu: its outputs are [other], stored [conv1]"),
        (other_output, "output conv1: new"),
        (other_shape, "input data: it is 2x3x8x8, stored 1x3x8x8"),
        (other_name, "input data: gone"),
        (new_initializer, "initializer more: new"),
        (half_weights, "initializer conv1/weight: it is not float32 any more"),
        (other_opset, "the opset is 18, stored 17"),
    ],
)
def test_an_edited_model_is_lifted_from_its_structure(
    model: onnx.ModelProto, edit: Edit, words: str, structure: list[str]
) -> None:
    edit(model)
    found = api.from_onnx(model)
    assert not found.stored
    assert found.changes[0].what == (
        f"the net that the model was made from is in its metadata and not used: {words}"
    )
    assert structure == ["net"]


def test_an_edited_model_that_is_none_any_more_is_refused(model: onnx.ModelProto) -> None:
    lost_weights(model)
    with pytest.raises(ParseError, match="'conv1/bias' of node"):
        api.from_onnx(model)


@pytest.mark.parametrize("edit", [extended, slimmed])
def test_an_optimised_model_is_lifted_from_its_structure(
    tmp_path: Path, edit: Edit, structure: list[str]
) -> None:
    text = TEXT + 'layer { name: "b" type: "BatchNorm" bottom: "conv1" top: "b" }'
    model = api.to_onnx(source(text), fold=False)
    model.doc_string = str(tmp_path / "saved.onnx")
    edit(model)
    found = api.from_onnx(model)
    assert not found.stored
    assert "not used: " in found.changes[0].what
    assert structure


def test_a_model_that_an_optimiser_left_as_it_was_is_restored(structure: list[str]) -> None:
    text = TEXT[: TEXT.index('layer { name: "fc"')]
    model = api.to_onnx(source(text), fold=False)
    assert api.from_onnx(kept(model, onnxslim.slim(model))).stored
    assert structure == []


def test_an_optimiser_that_drops_the_metadata_says_nothing(
    model: onnx.ModelProto, structure: list[str]
) -> None:
    del model.metadata_props[:]
    assert api.from_onnx(model).changes == []
    assert structure == ["net"]


def test_a_constant_that_is_no_weight_counts(structure: list[str]) -> None:
    text = TEXT.replace("axis: -1", "axis: 2")
    model = api.to_onnx(source(text), fold=False)
    assert api.from_onnx(model).stored
    constant(model)
    assert "initializer constant/" in api.from_onnx(model).changes[0].what


@pytest.mark.parametrize("name", ["conv1/weight", "conv1/bias", "fc/weight"])
def test_new_weights_come_back_in_the_old_net(
    model: onnx.ModelProto, name: str, structure: list[str]
) -> None:
    tensor = initializer(model, name)
    new = np.random.default_rng(1).standard_normal(tuple(tensor.dims)).astype(np.float32)
    tensor.CopyFrom(numpy_helper.from_array(new, name))
    found = api.from_onnx(model)
    assert found.stored
    inputs = {"data": np.random.default_rng(2).random((1, 3, 8, 8), np.float32)}
    assert_close(api.run(found.graph, inputs), run_onnx(model.SerializeToString(), inputs))
    again = api.to_onnx(found.graph, fold=False)
    assert sorted(t.SerializeToString() for t in again.graph.initializer) == sorted(
        t.SerializeToString() for t in model.graph.initializer
    )
    assert structure == []


def test_a_statistic_that_is_not_what_the_net_gives_counts(structure: list[str]) -> None:
    """Caffe divides both by a factor, so that no new blobs follow from other values."""
    net = source(BATCH_NORM)
    net.stored["bn"] = [*net.stored["bn"][:2], np.array([999.5], np.float32)]
    model = api.to_onnx(net, fold=False)
    found = api.from_onnx(model)
    assert [blob.tobytes() for blob in found.graph.stored["bn"]] == [
        blob.tobytes() for blob in net.stored["bn"]
    ]
    tensor = initializer(model, "bn/variance")
    tensor.CopyFrom(numpy_helper.from_array(np.ones(3, np.float32), tensor.name))
    words = "initializer bn/variance: its values are others than the net would give it"
    assert words in api.from_onnx(model).changes[0].what


def test_shared_weights_that_differ_are_no_longer_shared(structure: list[str]) -> None:
    layer = """layer { name: "%s" type: "InnerProduct" bottom: "data" top: "%s"
        param { name: "w" } param { name: "b" } inner_product_param { num_output: 2 } }"""
    text = BATCH_NORM.splitlines()[1] + layer % ("a", "a") + layer % ("b", "b")
    model = api.to_onnx(source(text), fold=False)
    assert api.from_onnx(model).stored
    tensor = initializer(model, "b/weight")
    tensor.CopyFrom(numpy_helper.from_array(np.ones((2, 192), np.float32), tensor.name))
    found = api.from_onnx(model)
    assert not found.stored
    assert "initializer a/weight: its values are others" in found.changes[0].what


def test_another_version_is_named_where_its_model_is_another(
    model: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restoring._version, "__version__", "9.9")
    assert api.from_onnx(model).stored, "it can be reproduced"
    changed_attribute(model)
    assert "(by version " in api.from_onnx(model).changes[0].what


def test_weights_that_are_too_large_to_be_stored_are_said(
    monkeypatch: pytest.MonkeyPatch, structure: list[str]
) -> None:
    monkeypatch.setattr(writing, "LARGEST_RAW", 4)
    net = source(BATCH_NORM)
    net.stored["bn"] = [np.arange(3, dtype=np.float32) + n for n in (1, 2)]
    net.stored["bn"].append(np.array([999.5], np.float32))
    found = api.from_onnx(api.to_onnx(net, fold=False))
    assert "layer 'bn': its weights were too large to be stored" in found.changes[0].what


def entry(key: str, value: str | None) -> Edit:
    def edit(model: onnx.ModelProto) -> None:
        props = model.metadata_props
        (place,) = (i for i, e in enumerate(props) if e.key == f"resnet-proto.{key}")
        if value is None:
            del props[place]
        else:
            props[place].value = value

    return edit


def packed(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data)).decode()


def blobs(*ways: object) -> str:
    return json.dumps({"1": list(ways)})


OPTIONS = {"batch": None, "hidden": [], "input_shapes": {}, "opset": 17, "outputs": []}


def options(**other: object) -> str:
    return json.dumps({**OPTIONS, **other})


RAW = {"raw": packed(bytes(16)), "shape": [4]}
WEIGHT = {"name": "conv1/weight"}


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("format", "2", "its format is '2'; expected '1'"),
        ("net", None, "it lacks resnet-proto.net"),
        ("net", "layer { name: ", "the file ends"),
        ("net", "name: 'x'", "nothing is left"),
        ("net", TEXT.replace("kernel_size: 3", "kernel_size: 99"), "layer 'conv1'"),
        ("net", TEXT.replace("dim: [1,", "dim: [1000000,"), "input data: it is"),
        ("net", TEXT.replace("num_output: 4", "num_output: 5"), "conv1"),
        ("net", TEXT.replace('"relu1"', '"relu2"'), "node relu2/Relu: gone"),
        ("options", "{", "no JSON"),
        ("options", "[" * 100_000, "no JSON"),
        ("options", "[]", "no object"),
        ("options", options(opset=99), "opset 99"),
        ("options", options(opset="17"), "opset is '17'"),
        ("options", options(batch=0), "batch is 0"),
        ("options", options(outputs="fc"), "outputs is 'fc'"),
        ("options", options(outputs=["gone"]), "gone"),
        ("options", options(input_shapes={"data": [-1]}), "input_shapes has"),
        ("options", options(batch=10**12), "batch is 1000000000000"),
        ("weights", "7", "no object"),
        ("weights", '{"1": 3}', "no lists"),
        ("weights", blobs(WEIGHT), "has 2 weights, stored 1"),
        ("weights", blobs(WEIGHT, {"name": "gone"}), "initializer gone: gone"),
        ("weights", blobs(WEIGHT, {"name": "conv1/weight"}), "a weight is 4x3x3x3"),
        ("weights", blobs(WEIGHT, {**RAW, "raw": "?"}), "cannot be unpacked"),
        ("weights", blobs(WEIGHT, {**RAW, "raw": "AAAA"}), "cannot be unpacked"),
        ("weights", blobs(WEIGHT, {**RAW, "raw": "\u00e4"}), "cannot be unpacked"),
        ("weights", blobs(WEIGHT, {**RAW, "raw": packed(bytes(10**7))}), "expected 16"),
        ("weights", blobs(WEIGHT, {**RAW, "raw": packed(bytes(3))}), "expected 16"),
        ("weights", blobs(WEIGHT, {**RAW, "shape": [10**12]}), "a weight has the shape"),
        ("weights", blobs(WEIGHT, {**RAW, "shape": "x"}), "a weight has the shape"),
        ("weights", blobs(WEIGHT, {"fill": 1e300, "shape": [4]}), "too large to be stored"),
        ("weights", blobs(WEIGHT, {"fill": 0.5, "shape": [4]}), "initializer conv1/bias"),
        ("weights", blobs(WEIGHT, RAW), "initializer conv1/bias"),
        ("weights", blobs(WEIGHT, {"name": 7}), "too large to be stored"),
        ("weights", blobs(WEIGHT, {}), "too large to be stored"),
    ],
)
def test_metadata_that_cannot_be_right_is_not_used(
    model: onnx.ModelProto, key: str, value: str | None, words: str, structure: list[str]
) -> None:
    entry(key, value)(model)
    found = api.from_onnx(model)
    assert not found.stored
    assert words in found.changes[0].what
    assert "\n" not in found.changes[0].what
    assert structure == ["net"]


def test_an_unknown_dialect_is_read_as_any(model: onnx.ModelProto) -> None:
    entry("dialect", "none")(model)
    assert api.from_onnx(model).stored
