"""The command, and the rules of each target by the smallest models that they are about."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import onnx
import onnx.parser
import pytest

from prototxt_gen.cli import run
from prototxt_gen.targets import NAMES
from prototxt_gen.targets.facts import target
from prototxt_gen.targets.look import look

ROI = (
    'input: "x" input_shape { dim: [1, 3, 8, 8] } input: "r" input_shape { dim: [2, 5] }\n'
    'layer { name: "roi" type: "ROIPooling" bottom: "x" bottom: "r" top: "y"'
    " roi_pooling_param { pooled_w: 2 pooled_h: 2 spatial_scale: 0.5 } }\n"
)
MASK = (
    'input: "x" input_shape { dim: [1, 3, 8, 8] }\n'
    'layer { name: "p" type: "Pooling" bottom: "x" top: "y" top: "m"'
    " pooling_param { kernel_size: 2 stride: 2 } }\n"
)


def model(body: str, inputs: str, outputs: str, opset: int = 17) -> onnx.ModelProto:
    text = f'<ir_version: 8, opset_import: ["" : {opset}]> g ({inputs}) => ({outputs}) {{ {body} }}'
    return onnx.parser.parse_model(text)


K = "k = Constant<value=int64[1] {%s}>()"
NMS = "t = Constant<value=float {%s}>() y = NonMaxSuppression(x, s, m, t)"
#: A target, a model, and what is said of its last node.
RULES = [
    ("tensorrt-10", "y = Compress(x, c)", "float[4] x, bool[4] c", "float[k] y", "no"),
    ("tensorrt-10", "y, i = MaxPool<kernel_shape=[2,2]>(x)", "float[1,1,4,4] x", "A y, B i", "no"),
    ("tensorrt-10", "y, i = MaxPool<kernel_shape=[2,2]>(x)", "float[1,1,4,4] x", "A y", "yes"),
    ("tensorrt-10", "y = MaxPool<kernel_shape=[2]>(x)", "float[1,1,4] x", "A y", "no"),
    (
        "tensorrt-10",
        "y = MaxPool<kernel_shape=[2,2], dilations=[2,2]>(x)",
        "float[1,1,4,4] x",
        "A y",
        "no",
    ),
    ("tensorrt-10", "y = CumSum(x, a)", "float[4] x, int64 a", "A y", "no"),
    ("tensorrt-10", "y = Abs(x)", "double[4] x", "double[4] y", "may"),
    ("tensorrt-10", "y = Unique(x)", "float[4] x", "A y", "no"),
    (
        "tensorrt-10",
        "y = MaxPool<kernel_shape=[2,2], dilations=[1,1]>(x)",
        "float[1,1,4,4] x",
        "A y",
        "yes",
    ),
    ("tensorrt-10", "y = CumSum(x, a)", "int64[4] x, int64 a", "int64[?] y", "no"),
    ("tensorrt-10", f"{K % 3841} y, i = TopK(x, k)", "float[9999] x", "A y, B i", "no"),
    ("tensorrt-10", f"{K % 3840} y, i = TopK(x, k)", "float[9999] x", "A y, B i", "yes"),
    ("tensorrt-10", "y, i = TopK(x, k)", "float[9999] x, int64[1] k", "A y, B i", "may"),
    ("coreml", "y = Unique(x)", "float[4] x", "A y", "elsewhere"),
    ("coreml", "y = MaxPool<kernel_shape=[2]>(x)", "float[1,1,4] x", "A y", "elsewhere"),
    ("coreml", "y = Gemm(x, w)", "float[2,2] x, float[2,2] w", "A y", "elsewhere"),
    ("coreml", "y = MatMul(x, w)", "float[2,2] x, float[2,2] w", "A y", "yes"),
    ("opencv-5", "y = Unique(x)", "float[4] x", "A y", "may"),
    ("opencv-5", "y = ReduceMean<axes=[0,2,3]>(x)", "float[2,2,2,2] x", "A y", "differs"),
    ("opencv-5", "y = ReduceMean<axes=[0,2,3]>(x)", "float[1,2,2,2] x", "A y", "yes"),
    ("opencv-5", "y = ReduceMean<axes=[0,2]>(x)", "float[2,2,2,2] x", "A y", "yes"),
    ("opencv-5", "y = ReduceMean<axes=[-1,1,2]>(x)", "float[2,2,2,2] x", "A y", "yes"),
    ("opencv-5", "y = GatherND(x, i)", "double[2,2] x, int64[1,2] i", "double[1] y", "no"),
    ("opencv-5", "y = GatherND(x, i)", "float[2,2] x, int64[1,2] i", "A y", "yes"),
    ("openvino", "y = ReduceL1<axes=[1]>(x)", "float[2,2] x", "A y", "differs"),
    ("openvino", "y = ReduceL1(x)", "float[2,2] x", "A y", "yes"),
    ("openvino", "y, i = TopK(x, k)", "float[4] x, int64[1] k", "A y, B i", "may"),
    ("openvino", "y = Ceil(x)", "float[4] x", "A y", "yes"),
    ("openvino", NMS % "0.0", "float[1,9,4] x, float[1,1,9] s, int64 m", "int64[?,3] y", "differs"),
    ("openvino", NMS % "0.1", "float[1,9,4] x, float[1,1,9] s, int64 m", "int64[?,3] y", "yes"),
    ("opencv-5", "y = Size(x)", "float[4] x", "int64 y", "differs"),
    ("onnxruntime", "y = Abs(x)", "float[2] x", "A y", "yes"),
]


@pytest.mark.parametrize(("name", "body", "inputs", "outputs", "verdict"), RULES)
def test_what_is_said(name: str, body: str, inputs: str, outputs: str, verdict: str) -> None:
    outputs = outputs.replace("A ", "float[?] ").replace("B ", "int64[?] ").replace("[?]", "")
    report = look(model(body, inputs, outputs), target(name))
    assert [one.verdict for one in report.findings if one.op != "Constant"] == [verdict]
    assert report.loads == (verdict != "no")
    assert report.right == (verdict not in ("no", "differs"))
    assert report.sure == (verdict != "may")


def test_reductions_are_told_by_opset() -> None:
    body = "y = ReduceL1<axes=[1]>(x)"
    older = look(model(body, "float[2,2] x", "float y", 11), target("openvino"))
    assert older.right


@pytest.mark.parametrize(("opset", "verdict"), [(17, "yes"), (20, "yes"), (21, "elsewhere")])
def test_forms_of_ops_are_told_by_their_own_version(opset: int, verdict: str) -> None:
    """Of Reshape there is one of opset 21; of Tanh none since 13."""
    body = "y = Reshape(x, s)"
    made = model(body, "float[4] x, int64[2] s", "float[2,2] y", opset)
    assert [one.verdict for one in look(made, target("coreml")).findings] == [verdict]
    older = model("y = Tanh(x)", "float[4] x", "float[4] y", opset)
    assert [one.verdict for one in look(older, target("coreml")).findings] == ["yes"]


def test_an_opset_that_is_too_new_is_said() -> None:
    report = look(model("y = Abs(x)", "float[2] x", "float y", 30), target("tensorrt-10"))
    assert not report.loads
    assert report.findings[0].change == "convert with --opset 24"


def test_an_op_of_another_domain_is_not_taken() -> None:
    made = model("y = Abs(x)", "float[2] x", "float y")
    made.graph.node[0].domain = "com.example"
    made.opset_import.add(domain="com.example", version=1)
    report = look(made, target("tensorrt-10"))
    assert [(one.op, one.verdict) for one in report.findings] == [("com.example::Abs", "no")]


@pytest.mark.parametrize("name", NAMES)
def test_the_facts_of_a_target_can_be_read_and_have_a_source(name: str) -> None:
    told = target(name)
    assert told.source
    assert told.ops
    assert told.note == "" or name == "coreml"
    for rule in told.rules:
        assert set(rule.op) <= told.ops | {
            "*",
            "Compress",
            "MaxRoiPool",
            "Size",
            "If",
            "Loop",
            "Scan",
        }, rule
        assert rule.why
        assert rule.verdict in ("no", "differs", "may", "elsewhere")
    known = {schema.name for schema in onnx.defs.get_all_schemas()}
    ours = {op.removeprefix("ai.onnx.ml::") for op in told.ops}
    strange = {op for op in ours if op not in known and not op.startswith("com.microsoft::")}
    assert strange <= {"EfficientNMS_TRT", "TRT::EfficientNMS_TRT", "Scatter", "Upsample"}


def test_every_file_of_facts_is_listed() -> None:
    found = {path.name for path in files("prototxt_gen.targets").iterdir()}
    assert {name for name in found if name.endswith(".yml")} == {f"{one}.yml" for one in NAMES}


def test_a_net_that_will_not_load_is_a_no(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = tmp_path / "net.prototxt"
    net.write_text(MASK)
    assert run(["doctor", str(net), "--target", "tensorrt-10"]) == 1
    out, err = capsys.readouterr()
    assert "tensorrt-10  MaxPool      1  NO       p       it has no indices of a MaxPool" in out
    assert "with --outputs" in out
    assert err.startswith("TensorRT 10 will not load it (")


@pytest.mark.parametrize("opset", ["11", "17", "28"])
def test_regions_load_everywhere(opset: str, tmp_path: Path) -> None:
    net = tmp_path / "net.prototxt"
    net.write_text(ROI)
    targets = [name for name in NAMES if opset != "28" or name != "tensorrt-10"]
    asked = [word for name in targets for word in ("--target", name)]
    assert run(["doctor", str(net), "--opset", opset, *asked]) == 0


def test_json_has_each_op_with_its_source(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = tmp_path / "net.prototxt"
    net.write_text(MASK)
    assert run(["doctor", str(net), "--target", "tensorrt-10", "--format", "json"]) == 1
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["target"], told["tried"], told["loads"]) == ("tensorrt-10", None, False)
    pool = told["ops"][0]
    assert (pool["op"], pool["verdict"], pool["nodes"]) == ("MaxPool", "no", ["p/MaxPool"])
    assert pool["source"].startswith("https://github.com/onnx/onnx-tensorrt/")


def test_a_model_is_looked_at_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(model("y = Compress(x, c)", "float[4] x, bool[4] c", "float[k] y"), path)
    assert run(["doctor", str(path), "--target", "opencv-5"]) == 1
    assert run(["doctor", str(path), "--target", "onnxruntime"]) == 0
    assert run(["doctor", str(path), "--opset", "13"]) == 2
    assert "--opset is for a Caffe net" in capsys.readouterr().err


def test_a_net_that_cannot_be_converted_is_a_no(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = tmp_path / "net.prototxt"
    net.write_text(
        ROI.replace("ROIPooling", "ROIAlign").replace("roi_pooling_param", "roi_align_param")
    )
    assert run(["doctor", str(net), "--opset", "22"]) == 1
    assert "use --opset 21" in capsys.readouterr().err
    assert run(["doctor", str(net), "--opset", "99"]) == 2
    assert "opset 99: expected 11 to" in capsys.readouterr().err


#: Models of other makers: the text of ONNX's parser, and what each runtime was seen to do with it
#: (onnxruntime 1.32.0, OpenVINO 2026.4.1, OpenCV 5.0.0). ``may`` is that nobody had tried.
OTHERS = {
    "an op that ONNX has not": ("y = Frobnicate(x)", "no", "no", "no"),
    "an op of a later opset": ("y = Gelu(x)", "no", "may", "may"),
    "an op of an earlier opset": (
        "s = Constant<value_floats=[1.0]>() y = Upsample(x, s)",
        "no",
        "may",
        "may",
    ),
    "an op of onnxruntime's": ("y = com.microsoft.Gelu(x)", "yes", "may", "may"),
    "an op for tables": ("y = ai.onnx.ml.Normalizer(x)", "yes", "no", "no"),
    "an op of somebody's": ("y = com.acme.Foo(x)", "no", "no", "no"),
    "an op of OpenVINO's": ("y = org.openvinotoolkit.Swish(x)", "no", "may", "may"),
    "a function of its own": ("y = own.F(x)", "yes", "no", "no"),
    "what nothing makes": ("y = Relu(z)", "no", "no", "no"),
    "a graph inside": (
        "c = Constant<value_int=1>() d = Cast<to=9>(c) y = If<"
        "then_branch = t () => (float[2] a) { a = Abs(x) }, "
        "else_branch = e () => (float[2] b) { b = Abs(x) }>(d)",
        *("yes", "may", "no"),
    ),
    "an unknown op in a graph inside": (
        "c = Constant<value_int=1>() d = Cast<to=9>(c) y = If<"
        "then_branch = t () => (float[2] a) { a = Frobnicate(x) }, "
        "else_branch = e () => (float[2] b) { b = Abs(x) }>(d)",
        *("no", "no", "no"),
    ),
}
DOMAINS = '"": 17, "com.microsoft": 1, "ai.onnx.ml": 3, "com.acme": 1, "org.openvinotoolkit": 1'
FUNCTION = '<opset_import: ["": 17], domain: "own"> F (a) => (b) { b = Relu(a) }'


def foreign(body: str, kind: str = "float") -> onnx.ModelProto:
    function = FUNCTION if "own." in body else ""
    imports = DOMAINS + (', "own": 1' if function else "")
    return onnx.parser.parse_model(
        f"<ir_version: 8, opset_import: [{imports}]>"
        f"g ({kind}[2] x) => ({kind}[2] y) {{ {body} }} {function}"
    )


def told_of(made: onnx.ModelProto, name: str) -> str:
    report = look(made, target(name))
    return "no" if not report.loads else "yes" if report.tried else "may"


@pytest.mark.parametrize("kind", OTHERS)
def test_models_of_other_makers(kind: str) -> None:
    body, *deeds = OTHERS[kind]
    made = foreign(body)
    names = ("onnxruntime", "openvino", "opencv-5")
    assert [told_of(made, name) for name in names] == deeds
    # What Core ML has not, onnxruntime computes, or cannot.
    assert told_of(made, "coreml") == deeds[0]


@pytest.mark.parametrize("kind", OTHERS)
def test_onnxruntime_does_what_is_said_with_models_of_other_makers(kind: str) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    body, deed, *_ = OTHERS[kind]
    assert loaded(onnxruntime, foreign(body)) == (deed == "yes")


def loaded(onnxruntime: Any, made: onnx.ModelProto) -> bool:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        onnxruntime.InferenceSession(made.SerializeToString(), options)
    except Exception:
        return False
    return True


DOUBLES = [
    ("y = Elu(x)", 17, "no"),
    ("y = Abs(x)", 17, "yes"),
    ("y = LeakyRelu(x)", 15, "no"),
    ("y = LeakyRelu(x)", 17, "yes"),
    ("y = LeakyRelu(x)", 21, "no"),
    ("y = Softplus(x)", 21, "no"),
    ("y = Tanh(x)", 21, "yes"),
]


@pytest.mark.parametrize(("body", "opset", "verdict"), DOUBLES)
def test_doubles_in_onnxruntime(body: str, opset: int, verdict: str) -> None:
    made = foreign(body, "double")
    made.opset_import[0].version = opset
    assert told_of(made, "onnxruntime") == verdict
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    if onnxruntime.__version__ == target("onnxruntime").tried:  # others have other kernels
        assert loaded(onnxruntime, made) == (verdict == "yes")


def test_an_opset_that_is_too_old_is_said() -> None:
    made = foreign("y = Relu(x)")
    made.opset_import[0].version = 6
    (found, _) = look(made, target("onnxruntime")).findings
    assert (found.op, found.verdict, found.change) == ("opset", "may", "convert with --opset 11")


def test_what_is_said_where_nobody_has_tried(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(foreign("y = com.microsoft.Gelu(x)"), path)
    assert run(["doctor", str(path), "--target", "openvino"]) == 0
    assert "OpenVINO may load it: nobody has tried a part of it" in capsys.readouterr().err
    onnx.save(foreign("y = Relu(z)"), path)
    assert run(["doctor", str(path), "--target", "openvino"]) == 1
    assert "it is not valid ONNX: node 'y': nothing before it makes 'z'" in capsys.readouterr().out
