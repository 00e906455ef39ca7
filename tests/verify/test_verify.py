"""The proof says yes where a model is right, and no, at the right layer, where it is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from to_onnx.recorded import blobs, cases, graph

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.errors import GraphError, UnsupportedError, VerificationError
from prototxt_gen.graph.check import check
from prototxt_gen.graph.comparison import Verdict
from prototxt_gen.graph.fillers import initial
from prototxt_gen.graph.graph import Graph
from prototxt_gen.layers.base import Affine
from prototxt_gen.layers.batch_norm import BatchNorm
from prototxt_gen.layers.inputs import DummyData
from prototxt_gen.to_onnx.convert import Conversion, convert
from prototxt_gen.to_onnx.export import Options
from prototxt_gen.verify import compare, verify, verify_export

NET = """name: "sabotage"
input: "data" input_shape { dim: [2, 3, 12, 12] }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 8 kernel_size: 3 pad: 1 bias_term: false } }
layer { name: "bn1" type: "BatchNorm" bottom: "conv1" top: "conv1" }
layer { name: "scale1" type: "Scale" bottom: "conv1" top: "conv1" scale_param { bias_term: true } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
  pooling_param { kernel_size: 3 stride: 2 } }
layer { name: "left" type: "Convolution" bottom: "pool1" top: "left"
  convolution_param { num_output: 4 kernel_size: 1 } }
layer { name: "right" type: "Convolution" bottom: "pool1" top: "right"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 } }
layer { name: "both" type: "Concat" bottom: "left" bottom: "right" top: "both" }
layer { name: "fc" type: "InnerProduct" bottom: "both" top: "fc"
  inner_product_param { num_output: 5 } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
"""
RECURRENT = """input: "x" input_shape { dim: [4, 2, 3] } input: "cont" input_shape { dim: [4, 2] }
layer { name: "lstm" type: "LSTM" bottom: "x" bottom: "cont" top: "h"
  recurrent_param { num_output: 5 } }
layer { name: "fc" type: "InnerProduct" bottom: "h" top: "fc"
  inner_product_param { num_output: 2 axis: 2 } }
"""


def made(text: str = NET) -> Graph:
    found = api.load(Source(text.encode()))
    found.stored = dict(initial(found, check(found, Sink()), "random"))
    for name in ("bn1",):
        if name in found.stored:
            mean, variance, factor = found.stored[name]
            found.stored[name] = [mean + 0.1, variance * 0.02, factor]
    return found


def weight(layer: str, change: Callable[[Any], Any], index: int = 0) -> Callable[[], Graph]:
    def broken() -> Graph:
        found = made(RECURRENT if layer == "lstm" else NET)
        stored = [blob.copy() for blob in found.stored[layer]]
        stored[index] = change(stored[index])
        found.stored[layer] = stored
        return found

    return broken


def text(old: str, new: str) -> Callable[[], Graph]:
    def broken() -> Graph:
        assert old in NET
        changed = api.load(Source(NET.replace(old, new).encode()))
        changed.stored = made().stored
        return changed

    return broken


def one_more(values: Any) -> Any:
    values.flat[7] += 1
    return values


def swap_gates(values: Any) -> Any:
    i, f, o, g = np.split(values, 4)
    return np.concatenate([i, o, f, g])


SABOTAGED: dict[str, tuple[Callable[[], Graph], str, str]] = {
    # what is broken: the net that is converted, the layer with folding, and without
    "one weight changed": (weight("right", one_more), "right", "right"),
    "one bias changed": (weight("fc", one_more, 0), "fc", "fc"),
    "a swapped Concat": (
        text(
            'bottom: "left" bottom: "right" top: "both"',
            'bottom: "right" bottom: "left" top: "both"',
        ),
        "both",
        "both",
    ),
    "floor for ceil": (
        text("kernel_size: 3 stride: 2", "kernel_size: 3 stride: 2 round_mode: FLOOR"),
        "pool1",
        "pool1",
    ),
    "a wrong epsilon": (
        text(
            'top: "conv1" }\nlayer { name: "scale1"',
            'top: "conv1" batch_norm_param { eps: 0.01 } }\nlayer { name: "scale1"',
        ),
        "conv1",
        "bn1",
    ),
    "a missing ReLU": (
        text('layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }\n', ""),
        "relu1",
        "relu1",
    ),
    "blue for red": (weight("conv1", lambda w: w[:, ::-1].copy()), "conv1", "conv1"),
    "a permuted gate": (weight("lstm", swap_gates), "lstm", "lstm"),
}


@pytest.mark.parametrize("opset", [11, 17])
@pytest.mark.parametrize("fold", [True, False], ids=["folded", "not-folded"])
@pytest.mark.parametrize("what", SABOTAGED)
def test_a_sabotaged_model_is_found_out_at_its_layer(what: str, fold: bool, opset: int) -> None:
    broken, folded, whole = SABOTAGED[what]
    # The size of the classifier changes with the rounding: there the model ends before it.
    outputs = ("both",) if "floor" in what else ()
    model = convert(broken(), Conversion(Options(opset, outputs=outputs), fold=fold)).model
    verdict = verify(made(RECURRENT if "gate" in what else NET), model, outputs=outputs)
    assert not verdict.agrees
    assert verdict.first is not None
    assert verdict.first.layer == (folded if fold else whole)


@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.parametrize("source", [NET, RECURRENT])
def test_a_sound_model_agrees(source: str, fold: bool) -> None:
    model = convert(made(source), Conversion(fold=fold)).model
    verdict = verify(made(source), model)
    assert verdict.agrees
    assert len(verdict.comparisons) >= (2 if source == RECURRENT else 7)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NaN is what Caffe gives
@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case.parent.name}/{case.name}")
def test_every_recorded_case_agrees(case: Path) -> None:
    source = graph(case)
    model = convert(source, Conversion()).model
    assert verify(source, model, blobs(case)[0]).agrees


def write(tmp_path: Path, found: Graph, name: str = "net") -> list[str]:
    from prototxt_gen.weights import save

    (tmp_path / f"{name}.prototxt").write_text(api.dump(found))
    save(found, found.stored, tmp_path / f"{name}.caffemodel")
    return [str(tmp_path / f"{name}.prototxt"), str(tmp_path / f"{name}.caffemodel")]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = write(tmp_path, made())
    target = str(tmp_path / "net.onnx")
    assert run(["convert", *net, "-o", target, "--verify"]) == 0
    assert run(["verify", *net, target]) == 0
    capsys.readouterr()
    np.save(tmp_path / "x.npy", np.ones((2, 3, 12, 12), np.float32))
    given = ["--input", str(tmp_path / "x.npy")]
    assert run(["verify", *net, target, "--json", *given]) == 0
    assert json.loads(capsys.readouterr().out)["agrees"] is True

    other = write(tmp_path, SABOTAGED["blue for red"][0](), "other")
    assert run(["verify", *other, target]) == 1
    out, err = capsys.readouterr()
    assert "made by layer 'conv1'" in err
    assert "differs" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--provider", "NoSuchProvider"], "has no NoSuchProvider"),
        (["--input", "data=nowhere.npy"], "nowhere.npy"),
    ],
)
def test_what_cannot_be_compared_exits_with_2(
    tmp_path: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    net = write(tmp_path, made())
    target = str(tmp_path / "net.onnx")
    assert run(["convert", *net, "-o", target]) == 0
    assert run(["verify", *net, target, *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_model_of_another_net_is_refused() -> None:
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            [onnx.helper.make_node("Relu", ["data"], ["q"])],
            "other",
            [onnx.helper.make_tensor_value_info("data", 1, [2, 3, 12, 12])],
            [onnx.helper.make_tensor_value_info("q", 1, [2, 3, 12, 12])],
        )
    )
    with pytest.raises(VerificationError, match="a blob of the net"):
        verify(made(), model)


def test_a_model_of_a_part_of_a_net_has_to_be_called_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = write(tmp_path, made())
    target = str(tmp_path / "net.onnx")
    blob = made().nodes[1].tops[0].blob
    assert run(["convert", *net, "-o", target, "--until", blob]) == 0
    assert run(["verify", *net, target]) == 2
    assert "the model does not output" in capsys.readouterr().err
    assert run(["verify", *net, target, "--outputs", blob]) == 0


def test_an_output_of_another_name_is_refused() -> None:
    source = made()
    model = convert(source, Conversion()).model
    extra = onnx.helper.make_node("Neg", [model.graph.output[0].name], ["more"], name="more")
    model.graph.node.append(extra)
    model.graph.output.append(onnx.helper.make_tensor_value_info("more", 1, None))
    with pytest.raises(VerificationError, match="'more', which is not a blob"):
        verify(source, model)


def test_agreement_of_zeros_is_called_little(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net, weights, model = (str(tmp_path / f"net.{x}") for x in ("prototxt", "caffemodel", "onnx"))
    assert run(["gen", "resnet18", "--input-shape", "1,3,32,32", "-o", net]) == 0
    assert run(["weights", "init", net, "-o", weights]) == 0
    assert "no filler, so zeros" in capsys.readouterr().err
    assert run(["convert", net, weights, "-o", model, "--verify"]) == 0
    assert "which proves little" in capsys.readouterr().err
    assert run(["weights", "init", net, "--how", "random", "-o", weights]) == 0
    assert run(["convert", net, weights, "-o", model, "--verify"]) == 0
    assert "which proves little" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("ours", "theirs", "agrees"),
    [
        ([1.0, np.inf], [1.0, np.inf], True),
        ([1.0, np.inf], [7.0, np.inf], False),
        ([1.0, np.inf], [1.0, 5.0], False),
        ([1.0, -np.inf], [1.0, np.inf], False),
        ([1.0, np.nan], [1.0, np.nan], True),
        ([1.0, np.nan], [1.0, 1.0], False),
        ([np.nan, np.nan], [np.nan, np.nan], False),
    ],
)
def test_numbers_that_are_not_finite(ours: Any, theirs: Any, agrees: bool) -> None:
    sides = (np.array(side, np.float32) for side in (ours, theirs))
    assert compare("x", "l", *sides).agrees is agrees


def test_nothing_to_compare_is_no_agreement() -> None:
    assert not Verdict(()).agrees


def test_a_constant_of_the_net_is_compared() -> None:
    source = api.load(
        Source(
            b'layer { name: "d" type: "DummyData" top: "d" dummy_data_param {'
            b" shape { dim: 2 dim: 3 } data_filler { value: 3 } } }"
            b'layer { name: "n" type: "Power" bottom: "d" top: "n" power_param { scale: 2 } }'
        )
    )
    model = convert(source, Conversion()).model
    assert verify(source, model).agrees
    for tensor in model.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.shape == (2, 3):
            tensor.CopyFrom(onnx.numpy_helper.from_array(values * 7, tensor.name))
    assert not verify(source, model).agrees


FOLLOWING = """input: "x" input_shape { dim: [4, 6] }
layer { name: "d" type: "DummyData" top: "d"
  dummy_data_param { shape { dim: [4, 6] } data_filler { value: 3 } } }
layer { name: "n" type: "Power" bottom: "d" top: "n" power_param { scale: 2 } }
layer { name: "s" type: "Eltwise" bottom: "x" bottom: "d" top: "s" }
layer { name: "r" type: "Reshape" bottom: "s" top: "r" reshape_param { shape { dim: [4, 2, 3] } } }
"""


def test_the_size_of_a_constant_is_that_of_the_net(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model whose constant does not follow the batch differs, though it is right at one size."""
    net = FOLLOWING[: FOLLOWING.index('layer { name: "s"')] + (
        'layer { name: "r" type: "Power" bottom: "x" top: "r" power_param { scale: 3 } }'
    )
    source = api.load(Source(net.encode()))
    dynamic = Conversion(Options(batch="dynamic"))
    assert verify_export(convert(source, dynamic)).agrees
    assert verify(source, convert(source, dynamic).model).sizes == ("batch 4", "batch 5")
    monkeypatch.setattr(
        DummyData, "lower", lambda self, b, *_: (b.const(self.run((), (), 1)[0], "k"),)
    )
    wrong = convert(source, dynamic)
    for verdict in (verify_export(wrong), verify(source, wrong.model)):
        assert not verdict.agrees
        assert verdict.first is not None and verdict.first.blob == "n"
        assert verdict.sizes == ("batch 5",)


@pytest.mark.parametrize("batch", [1, 4, 7, "dynamic"])
def test_a_model_of_another_batch_is_compared_with_the_net_of_that_batch(batch: Any) -> None:
    source = api.load(Source(FOLLOWING.encode()))
    made = convert(source, Conversion(Options(batch=batch)))
    assert verify_export(made).agrees
    verdict = verify(source, made.model)
    assert verdict.agrees and len(verdict.comparisons) >= 3
    assert verdict.sizes == (("batch 4", "batch 5") if batch == "dynamic" else ())


def test_a_wrong_fold_is_found_by_the_net_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    right = BatchNorm.affine
    monkeypatch.setattr(
        BatchNorm, "affine", lambda self, blobs: Affine(*(3 * v for v in right(self, blobs)))
    )
    exported = convert(made(), Conversion())
    assert not verify_export(exported).agrees
    assert not verify(made(), exported.model).agrees


def test_an_input_that_is_overwritten_has_another_name() -> None:
    source = api.load(
        Source(
            b'input: "data" input_shape { dim: [2, 3] }'
            b'layer { name: "r" type: "ReLU" bottom: "data" top: "data" }'
        )
    )
    assert verify(source, convert(source, Conversion()).model).agrees


def test_a_free_batch_has_the_size_of_the_net() -> None:
    source = api.load(
        Source(
            b'input: "data" input_shape { dim: [2, 3, 4, 4] }'
            b'layer { name: "r" type: "Reshape" bottom: "data" top: "r"'
            b" reshape_param { shape { dim: [2, 48] } } }"
        )
    )
    made_ = convert(source, Conversion(Options(batch="dynamic")))
    assert verify(source, made_.model).agrees
    assert verify_export(made_).agrees


@pytest.mark.parametrize("content", [b"", b"name: 'x'", b"\x08\x07\x12\xff\xff\x01"])
def test_a_file_that_is_no_model_exits_with_2(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.onnx").write_bytes(content)
    assert run(["verify", *write(tmp_path, made()), str(tmp_path / "x.onnx")]) == 2
    assert "ONNX model" in capsys.readouterr().err


def test_a_model_with_other_inputs_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    value = onnx.helper.make_tensor_value_info
    small = onnx.helper.make_graph(
        [onnx.helper.make_node("Relu", ["data"], ["prob"])],
        "small",
        [value("data", 1, [2, 3, 1, 1])],
        [value("prob", 1, [2, 3, 1, 1])],
    )
    onnx.save(onnx.helper.make_model(small), tmp_path / "small.onnx")
    assert run(["verify", *write(tmp_path, made()), str(tmp_path / "small.onnx")]) == 2
    assert "cannot take the inputs of the model" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content"),
    [("x.npy", b""), ("x.npy", b"\x93NUMPY"), ("x.npz", b"PK"), ("x.png", b"no"), ("x.npz", b"")],
)
def test_values_that_cannot_be_read_exit_with_2(
    tmp_path: Path, name: str, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    net, target = write(tmp_path, made()), str(tmp_path / "net.onnx")
    assert run(["convert", *net, "-o", target]) == 0
    (tmp_path / name).write_bytes(content)
    assert run(["verify", *net, target, "--input", str(tmp_path / name)]) == 2
    err = capsys.readouterr().err
    assert name in err or "Pillow" in err
    assert run(["verify", *net, target, "--input", f"foo={tmp_path / name}"]) == 2
    assert "no input 'foo'" in capsys.readouterr().err


def test_blobs_that_are_asked_for_are_not_folded_away() -> None:
    source = api.load(
        Source(
            b'input: "data" input_shape { dim: [2, 3, 4, 4] }'
            b'layer { name: "c" type: "Convolution" bottom: "data" top: "c"'
            b" convolution_param { num_output: 2 kernel_size: 1 } }"
            b'layer { name: "b" type: "BatchNorm" bottom: "c" top: "b" }'
        )
    )
    source.stored = dict(initial(source, check(source, Sink()), "random"))
    model = convert(source, Conversion(Options(outputs=("c", "b")))).model
    assert [value.name for value in model.graph.output] == ["c", "b"]
    assert verify(source, model, outputs=("c", "b")).agrees


def test_figures_that_are_no_numbers_are_null_in_json() -> None:
    a, b = np.ones(3, np.float32), np.array([1, np.nan, 1], np.float32)
    found = json.loads(json.dumps(compare("x", "l", a, b).to_dict(), allow_nan=False))
    assert found["agrees"] is False
    assert found["absolute"] is None


def test_against_opencv(tmp_path: Path) -> None:
    pytest.importorskip("cv2", reason="opencv-python-headless is not installed")
    assert run(["verify", *write(tmp_path, made()), "--against", "opencv"]) == 0


BATCHED = Conversion(Options(batch="dynamic"))


def tied_to(size: int, model: onnx.ModelProto) -> onnx.ModelProto:
    """The model, right for one size of its batch alone: its inputs are cut and padded to it."""
    (value,) = model.graph.input
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            if name == value.name:
                node.input[index] = "tied"
    count, rest = np.array([size], np.int64), np.array([-1, 1, 1, 1], np.int64)
    more = {"first": np.zeros(1, np.int64), "count": count, "axis": np.zeros(1, np.int64)}
    for name, array in {**more, "rest": rest}.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    nodes = [
        onnx.helper.make_node("Slice", [value.name, "first", "count", "axis"], ["some"]),
        onnx.helper.make_node("ReduceSum", [value.name], ["all"], keepdims=1),
        onnx.helper.make_node("ReduceSum", ["some"], ["part"], keepdims=1),
        onnx.helper.make_node("Sub", ["all", "part"], ["none"]),
        onnx.helper.make_node("Add", [value.name, "none"], ["tied"]),
    ]
    own = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*nodes, *own])
    return model


def test_a_model_of_a_free_batch_is_proved_at_two_sizes() -> None:
    exported = convert(made(), BATCHED)
    verdict = verify_export(exported)
    assert verdict.agrees
    assert verdict.sizes == ("batch 2", "batch 3")
    assert verdict.text.endswith("agree, with batch 2 and with batch 3")
    assert verify(made(), exported.model).sizes == ("batch 2", "batch 3")
    assert verify_export(convert(made(), Conversion())).sizes == ()


def test_a_model_that_is_right_at_the_declared_batch_alone_is_found_out() -> None:
    exported = convert(made(), BATCHED)
    exported.model = tied_to(2, exported.model)
    verdict = verify_export(exported)
    assert not verdict.agrees
    assert verdict.sizes == ("batch 3",)
    assert verdict.text.endswith("made by layer 'conv1', with batch 3")
    again = verify(made(), exported.model)
    assert (again.agrees, again.sizes) == (False, ("batch 3",))
    exported.model = tied_to(1, convert(made(), BATCHED).model)
    assert verify_export(exported).sizes == ("batch 2",)


def test_a_model_that_fails_at_another_batch_is_found_out() -> None:
    exported = convert(made(), BATCHED)
    softmax = exported.model.graph.node[-1]
    assert softmax.op_type == "Softmax"
    exported.model.graph.initializer.append(
        onnx.numpy_helper.from_array(np.array([2, 5], np.int64), "literal")
    )
    softmax.input[0], flat = "flat", softmax.input[0]
    reshape = onnx.helper.make_node("Reshape", [flat, "literal"], ["flat"], name="fc/literal")
    exported.model.graph.node.insert(len(exported.model.graph.node) - 1, reshape)
    with pytest.raises(VerificationError, match="with batch 3: onnxruntime cannot run"):
        verify_export(exported)


def test_inputs_of_one_symbol_have_one_size() -> None:
    exported = convert(made(RECURRENT), BATCHED)
    assert verify_export(exported).sizes == ("batch 2", "batch 3")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NaN is what Caffe gives
@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case.parent.name}/{case.name}")
def test_every_recorded_case_agrees_at_two_sizes(case: Path) -> None:
    try:
        exported = convert(graph(case), BATCHED)
    except (GraphError, UnsupportedError):
        return  # its batch cannot be free
    verdict = verify_export(exported)
    if verdict.agrees:
        dims = [d for v in exported.skeleton.graph.input for d in v.type.tensor_type.shape.dim]
        assert len(verdict.sizes) == 2 * any(dim.dim_param for dim in dims)
    else:
        assert verdict.first is not None
        assert verdict.first.blank


def test_the_command_says_at_which_sizes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net, target = write(tmp_path, made()), str(tmp_path / "net.onnx")
    assert run(["convert", *net, "-o", target, "--batch", "dynamic", "--verify"]) == 0
    assert "with batch 2 and with batch 3" in capsys.readouterr().err
    assert run(["verify", *net, target, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sizes"] == ["batch 2", "batch 3"]
