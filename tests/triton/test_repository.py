"""``triton``: the files of a repository, read by protobuf's own text format."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from onnx import TensorProto, helper, numpy_helper

from prototxt_gen import _pages
from prototxt_gen.cli import run
from prototxt_gen.errors import TemplateError, UnsupportedError
from prototxt_gen.triton import config
from prototxt_gen.triton.config import Batching, Instances, Model, Options, Tensor, describe, render

#: What is used of Triton's model_config.proto, with its numbers.
SCHEMA = """
syntax = "proto3";
package inference;
enum DataType {
  TYPE_INVALID = 0; TYPE_BOOL = 1; TYPE_UINT8 = 2; TYPE_UINT16 = 3; TYPE_UINT32 = 4;
  TYPE_UINT64 = 5; TYPE_INT8 = 6; TYPE_INT16 = 7; TYPE_INT32 = 8; TYPE_INT64 = 9; TYPE_FP16 = 10;
  TYPE_FP32 = 11; TYPE_FP64 = 12; TYPE_STRING = 13; TYPE_BF16 = 14;
}
message ModelTensorReshape { repeated int64 shape = 1; }
message ModelInput {
  string name = 1; DataType data_type = 2; repeated int64 dims = 4; ModelTensorReshape reshape = 5;
}
message ModelOutput {
  string name = 1; DataType data_type = 2; repeated int64 dims = 3; string label_filename = 4;
  ModelTensorReshape reshape = 5;
}
message ModelInstanceGroup {
  enum Kind { KIND_AUTO = 0; KIND_GPU = 1; KIND_CPU = 2; KIND_MODEL = 3; }
  Kind kind = 4; int32 count = 2; repeated int32 gpus = 3;
}
message ModelDynamicBatching {
  repeated int32 preferred_batch_size = 1; uint64 max_queue_delay_microseconds = 2;
}
message ModelOptimizationPolicy {
  message ExecutionAccelerators {
    message Accelerator { string name = 1; map<string, string> parameters = 2; }
    repeated Accelerator gpu_execution_accelerator = 1;
  }
  ExecutionAccelerators execution_accelerators = 4;
}
message ModelConfig {
  string name = 1; string backend = 17; int32 max_batch_size = 4; repeated ModelInput input = 5;
  repeated ModelOutput output = 6; ModelOptimizationPolicy optimization = 12;
  oneof scheduling_choice { ModelDynamicBatching dynamic_batching = 11; }
  repeated ModelInstanceGroup instance_group = 7;
}
"""


@pytest.fixture(scope="module")
def message(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The class ModelConfig."""
    pytest.importorskip("grpc_tools", reason="grpcio-tools is not installed")
    folder = tmp_path_factory.mktemp("schema")
    (folder / "c.proto").write_text(SCHEMA)
    protoc = [sys.executable, "-m", "grpc_tools.protoc", f"-I{folder}"]
    subprocess.run([*protoc, f"--descriptor_set_out={folder / 'c.pb'}", "c.proto"], check=True)
    files = descriptor_pb2.FileDescriptorSet.FromString((folder / "c.pb").read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("inference.ModelConfig"))


def model(
    path: Path,
    inputs: dict[str, Any],
    outputs: dict[str, Any],
    kind: int = TensorProto.FLOAT,
    **metadata: str,
) -> Path:
    """A model whose outputs are all weights and inputs, made so as to have these shapes."""
    ins = [helper.make_tensor_value_info(name, kind, shape) for name, shape in inputs.items()]
    outs = [helper.make_tensor_value_info(name, kind, shape) for name, shape in outputs.items()]
    nodes = [helper.make_node("Identity", [next(iter(inputs))], [name]) for name in outputs]
    weight = numpy_helper.from_array(np.arange(4, dtype=np.float32), "w")
    made = helper.make_model(helper.make_graph(nodes, "g", ins, outs, [weight]))
    helper.set_model_props(made, metadata)
    onnx.save(made, path)
    return path


def read(path: Path, message: Any) -> Any:
    return text_format.Parse(path.read_text(), message())


def test_a_free_batch(tmp_path: Path, message: Any, capsys: Any) -> None:
    source = model(
        tmp_path / "net.onnx",
        {"data": ["batch", 3, 8, "width"], "im": ["batch"]},
        {"prob": ["batch", 3], "map": ["batch", 3, 8, 8]},
        labels=json.dumps(["a", "b\nc", ""]),
    )
    assert run(["triton", str(source), str(tmp_path / "repo")]) == 0
    folder = tmp_path / "repo" / "net"
    found = read(folder / "config.pbtxt", message)
    assert (found.name, found.backend, found.max_batch_size) == ("net", "onnxruntime", 8)
    assert [(v.name, v.data_type, list(v.dims)) for v in found.input] == [
        ("data", 11, [3, 8, -1]),
        ("im", 11, [1]),
    ]
    assert [v.HasField("reshape") for v in found.input] == [False, True]
    assert list(found.input[1].reshape.shape) == []
    assert [(v.name, list(v.dims), v.label_filename) for v in found.output] == [
        ("prob", [3], "labels.txt"),
        ("map", [3, 8, 8], ""),
    ]
    assert found.HasField("dynamic_batching") and not found.instance_group
    assert not found.HasField("optimization")
    assert (folder / "labels.txt").read_text() == "a\nb c\n\n"
    assert (folder / "1" / "model.onnx").read_bytes() == source.read_bytes()
    files = {path for path in (tmp_path / "repo").rglob("*") if path.is_file()}
    assert len(files) == 3


def test_every_option(tmp_path: Path, message: Any) -> None:
    source = model(tmp_path / "x.onnx", {"x": ["n", 2]}, {"y": ["n", 2]}, TensorProto.UINT8)
    (tmp_path / "labels.txt").write_text("n01440764 tench\nshark\n")
    options = "--name r-1.x --model-version 7 --max-batch 32 --preferred-batch 4,8 --delay 100"
    more = "--instances 2 --on gpu --gpus 0,3 --tensorrt fp16 --workspace 1000 --labels"
    asked = [*options.split(), *more.split(), str(tmp_path / "labels.txt")]
    assert run(["triton", str(source), str(tmp_path / "repo"), *asked]) == 0
    found = read(tmp_path / "repo/r-1.x/config.pbtxt", message)
    assert (found.max_batch_size, found.input[0].data_type) == (32, 2)
    assert list(found.dynamic_batching.preferred_batch_size) == [4, 8]
    assert found.dynamic_batching.max_queue_delay_microseconds == 100
    (group,) = found.instance_group
    assert (group.kind, group.count, list(group.gpus)) == (1, 2, [0, 3])
    (accelerator,) = found.optimization.execution_accelerators.gpu_execution_accelerator
    assert accelerator.name == "tensorrt"
    assert dict(accelerator.parameters) == {
        "precision_mode": "FP16",
        "max_workspace_size_bytes": "1000",
    }
    assert (tmp_path / "repo/r-1.x/7/model.onnx").exists()
    assert (tmp_path / "repo/r-1.x/labels.txt").read_text() == "tench\nshark\n"


@pytest.mark.parametrize(
    ("shapes", "why"),
    [
        (({"x": [1, 3]}, {"y": [1, 3]}), "the first axis of 'x' is 1 and not free"),
        (({"x": ["n", 3]}, {"y": [1, 1, "m", 7]}), "the first axis of 'y' is 1"),
        (({"x": ["n", 3]}, {"y": ["m", 7]}), "'x' and 'y' begin with different axes, n and m"),
        (({"x": ["n", 3], "s": []}, {"y": ["n", 7]}), "'s' is a scalar"),
    ],
)
def test_a_model_without_a_batch(
    tmp_path: Path, message: Any, capsys: Any, shapes: Any, why: str
) -> None:
    source = model(tmp_path / "x.onnx", *shapes)
    assert run(["triton", str(source), str(tmp_path)]) == 0
    found = read(tmp_path / "x/config.pbtxt", message)
    assert found.max_batch_size == 0 and not found.HasField("dynamic_batching")
    dims = [list(value.dims) for value in (*found.input, *found.output)]
    wanted = [shape or [1] for values in shapes for shape in values.values()]
    assert dims == [[dim if isinstance(dim, int) else -1 for dim in shape] for shape in wanted]
    assert [v.HasField("reshape") for v in found.input] == [not s for s in shapes[0].values()]
    assert why in capsys.readouterr().err


def test_weights_beside_the_model_go_with_it(tmp_path: Path) -> None:
    source = model(tmp_path / "x.onnx", {"x": ["n", 2]}, {"y": ["n", 2]})
    proto = onnx.load(source)
    onnx.save(
        proto,
        source,
        save_as_external_data=True,
        location="x.weights",
        size_threshold=0,
    )
    assert run(["triton", str(source), str(tmp_path / "repo"), "--name", "other"]) == 0
    copied = onnx.load(tmp_path / "repo/other/1/model.onnx")
    assert numpy_helper.to_array(copied.graph.initializer[0]).tolist() == [0, 1, 2, 3]
    assert (tmp_path / "repo/other/1/x.weights").exists()


def test_a_hostile_name_is_quoted(tmp_path: Path, message: Any) -> None:
    name = 'a" }\nbackend: "python'
    source = model(tmp_path / "x.onnx", {name: ["n", 2]}, {"y\\": ["n", 2]})
    assert run(["triton", str(source), str(tmp_path)]) == 0
    found = read(tmp_path / "x/config.pbtxt", message)
    assert (found.input[0].name, found.output[0].name) == (name, "y\\")
    assert found.backend == "onnxruntime"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--name", "../x"], "expected letters"),
        (["--name", ".x"], "expected letters"),
        (["--name", ""], "expected letters"),
        (["--preferred-batch", "9"], "--preferred-batch 9: expected 1 to 8"),
        (["--no-dynamic-batching", "--delay", "1"], "go with --dynamic-batching"),
        (["--workspace", "1"], "--workspace goes with --tensorrt"),
        (["--tensorrt", "fp16", "--on", "cpu"], "runs on GPUs"),
        (["--gpus", "0", "--on", "cpu"], "--gpus goes with --on gpu"),
        (["--gpus", "0,0"], "different numbers"),
        (["--labels", "{labels}"], "has 3 labels, and no output has that many classes"),
        (["--labels", "/nowhere/x"], "/nowhere/x: No such file"),
    ],
)
def test_what_is_refused_writes_nothing(
    tmp_path: Path, capsys: Any, more: list[str], words: str
) -> None:
    (tmp_path / "l.txt").write_text("a\nb\nc\n")
    source = model(tmp_path / "x.onnx", {"x": ["n", 2]}, {"y": ["n", 2]})
    before = set(tmp_path.rglob("*"))
    asked = [item.format(labels=tmp_path / "l.txt") for item in more]
    assert run(["triton", str(source), str(tmp_path / "repo"), *asked]) == 2
    assert words in capsys.readouterr().err
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("y = Relu(z)", "Relu: nothing before it makes 'z'"),
        ("y = Frobnicate(x)", "ONNX has no Frobnicate"),
        ("y = com.acme.Foo(x)", "Foo: it imports no opset of com.acme"),
    ],
)
def test_a_model_that_no_server_loads_is_refused(
    tmp_path: Path, capsys: Any, body: str, words: str
) -> None:
    source = tmp_path / "x.onnx"
    text = '<ir_version: 8, opset_import: ["": 17]> g (float[1,2] x) => (float[1,2] y) {{ {} }}'
    onnx.save(onnx.parser.parse_model(text.format(body)), source)
    assert run(["triton", str(source), str(tmp_path / "repo")]) == 2
    assert f"x.onnx: is not valid ONNX: {words}" in capsys.readouterr().err
    assert not (tmp_path / "repo").exists()


def test_what_is_no_model_is_refused(tmp_path: Path, capsys: Any) -> None:
    text = tmp_path / "net.prototxt"
    text.write_text("layer {}")
    assert run(["triton", str(text), str(tmp_path)]) == 2
    assert "is no ONNX model; make one with convert" in capsys.readouterr().err
    odd = model(tmp_path / "x.onnx", {"x": ["n"]}, {"y": ["n"]}, TensorProto.COMPLEX64)
    assert run(["triton", str(odd), str(tmp_path / "repo")]) == 2
    assert "no tensor of a type that Triton serves" in capsys.readouterr().err


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    source = model(tmp_path / "x.onnx", {"x": ["n", 2]}, {"y": ["n", 2]})
    before = set(tmp_path.rglob("*"))

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", fail)
    assert run(["triton", str(source), str(tmp_path / "repo" / "deep")]) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert set(tmp_path.rglob("*")) == before


def test_the_model_of_the_repository_is_not_overwritten(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "x/1").mkdir(parents=True)
    source = model(tmp_path / "x/1/model.onnx", {"x": ["n", 2]}, {"y": ["n", 2]})
    assert run(["triton", str(source), str(tmp_path), "--name", "x"]) == 2
    assert "would overwrite an input" in capsys.readouterr().err


def test_what_a_template_makes_is_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    x = Tensor("x", "TYPE_FP32", (3,))
    made = Model("n", 4, (x,), (x,), Batching(), Instances(3))
    text = render(made)
    assert config.read(text)["max_batch_size"] == [4]
    for old, new in (
        ("dims: [3]", "dims: [4]"),
        ("name: ", "nome: "),
        ("n", "{"),
        ("_size: 4", "_size: x"),
    ):
        with monkeypatch.context() as patch:
            changed = _pages.shipped_text(config.TEMPLATE).replace("{{ model.max_batch }}", "x")
            patch.setattr(_pages, "shipped_text", lambda name, text=changed: text)
            with pytest.raises(TemplateError):
                render(made)
        with pytest.raises(TemplateError):
            config._need_same(config.read(text.replace(old, new, 1)), made)


def test_a_model_without_inputs_is_refused() -> None:
    graph = helper.make_graph([], "g", [], [helper.make_tensor_value_info("y", 1, [2])])
    with pytest.raises(UnsupportedError, match="no input"):
        describe(helper.make_model(graph), "n", Options())
    value = helper.make_tensor_value_info("x", 1, None)
    with pytest.raises(UnsupportedError, match="no shape"):
        describe(helper.make_model(helper.make_graph([], "g", [value], [value])), "n", Options())


def test_the_table_of_fields_is_that_of_the_schema(message: Any) -> None:
    def check(descriptor: Any, table: str) -> None:
        for name, kind in config.FIELDS[table].items():
            field = descriptor.fields_by_name[name]
            if kind in config.FIELDS:
                check(field.message_type, kind)
                continue
            kinds = {field.TYPE_STRING: "string", field.TYPE_ENUM: "enum"}
            assert kinds.get(field.type, "int") == kind, name

    check(message.DESCRIPTOR, "ModelConfig")
