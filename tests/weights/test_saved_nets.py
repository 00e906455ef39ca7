"""A caffemodel in the place of a net: every command that takes a net takes the one in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Source
from prototxt_gen.passes.splits import without_splits
from prototxt_gen.weights import make, save

NET = """
name: "n"
layer { name: "in" type: "Input" top: "data" input_param { shape { dim: [1, 3, 6, 6] } } }
layer { name: "c" type: "Convolution" bottom: "data" top: "c"
        convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "gaussian" } } }
layer { name: "bn" type: "BatchNorm" bottom: "c" top: "c" }
layer { name: "c_c_0_split" type: "Split" bottom: "c" top: "c_c_0_split_0" top: "c_c_0_split_1" }
layer { name: "r" type: "ReLU" bottom: "c_c_0_split_0" top: "r" }
layer { name: "e" type: "Eltwise" bottom: "r" bottom: "c_c_0_split_1" top: "e" }
"""


def split_of_bn(text: str) -> str:
    """Caffe names a Split after the blob and the layer that made it last."""
    return text.replace("c_c_0_split", "c_bn_0_split")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    graph = api.load(Source(split_of_bn(NET).encode()))
    save(graph, make(graph, "random"), tmp_path / "n.caffemodel")
    return tmp_path / "n.caffemodel"


COMMANDS = [
    "validate {model}",
    "summary {model}",
    "draw {model} -o {out}.dot",
    "deploy {model} -o {out}.prototxt",
    "fold {model} -o {out}.prototxt",
    "diff {model} {model}",
    "convert {model} -o {out}.onnx",
    "run {model} {npy}",
    "weights net {model} -o {out}.prototxt",
    "weights init {model} -o {out}.caffemodel",
    "weights copy {model} {model} -o {out}.caffemodel",
    "weights export {model} -o {out}.npz",
    "weights export {model} {model} -o {out}.npz",
]


@pytest.mark.parametrize("dialect", ["", " --dialect bvlc", " --dialect nvcaffe"])
@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_takes_it(model: Path, tmp_path: Path, line: str, dialect: str) -> None:
    np.save(tmp_path / "x.npy", np.ones((1, 3, 6, 6)))
    asked = line.format(model=model, out=tmp_path / "made", npy=tmp_path / "x.npy") + dialect
    assert run(asked.split()) == 0


def test_import_and_verify_take_it(model: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    npz, other, onnx = (str(tmp_path / name) for name in ("x.npz", "o.caffemodel", "x.onnx"))
    assert run(["weights", "export", str(model), "-o", npz]) == 0
    assert run(["weights", "import", npz, str(model), "-o", other]) == 0
    assert run(["weights", "diff", str(model), other]) == 0
    assert run(["convert", str(model), "-o", onnx]) == 0
    assert run(["verify", str(model), onnx]) == 0


def test_the_net_of_a_caffemodel(model: Path, tmp_path: Path) -> None:
    target = tmp_path / "n.prototxt"
    assert run(["weights", "net", str(model), "-o", str(target)]) == 0
    text = target.read_text()
    assert "Split" not in text and "blobs" not in text
    made = api.load(target)
    assert [node.name for node in made.nodes] == ["in", "c", "bn", "r", "e"]
    assert [ref.blob for ref in made.nodes[-1].bottoms] == ["r", "c"]
    assert api.diff(target, model).same
    x = np.random.default_rng(0).normal(size=(1, 3, 6, 6)).astype(np.float32)
    both = [
        api.run(api.read_caffe(*files), {"data": x})["e"] for files in ((target, model), (model,))
    ]
    assert np.array_equal(*both)


def test_a_split_that_keeps_an_old_value_stays() -> None:
    """After the blob was overwritten, a reader of the Split still has the old one."""
    text = """
    layer { name: "i" type: "Input" top: "x" input_param { shape { dim: [2] } } }
    layer { name: "x_i_0_split" type: "Split" bottom: "x"
            top: "x_i_0_split_0" top: "x_i_0_split_1" }
    layer { name: "p" type: "Power" bottom: "x_i_0_split_0" top: "x" power_param { scale: 2 } }
    layer { name: "e" type: "Eltwise" bottom: "x" bottom: "x_i_0_split_1" top: "e" }
    """
    graph = api.load(Source(text.encode()))
    assert without_splits(graph) is graph


@pytest.mark.parametrize("name", ["net.prototxt", "x.h5"])
def test_what_holds_no_net_is_told(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "x.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    assert run(["weights", "net", str(tmp_path / name)]) == 2
    err = capsys.readouterr().err
    assert name in err and "Traceback" not in err


def test_a_caffemodel_that_is_cut_off(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model.write_bytes(model.read_bytes()[:-20])
    for command in (["summary"], ["validate"], ["weights", "net"], ["run"]):
        more = [str(model)] if command == ["run"] else []
        assert run([*command, str(model), *more]) == 2, command
        assert "n.caffemodel" in capsys.readouterr().err


def test_a_net_with_a_data_layer_is_folded_at_a_given_size(tmp_path: Path) -> None:
    text = """
    layer { name: "d" type: "Data" top: "data" top: "label" data_param { batch_size: 2 } }
    layer { name: "c" type: "Convolution" bottom: "data" top: "c"
            convolution_param { num_output: 4 kernel_size: 3 } }
    layer { name: "bn" type: "BatchNorm" bottom: "c" top: "c" }
    layer { name: "l" type: "InnerProduct" bottom: "c" top: "l"
            inner_product_param { num_output: 2 } }
    layer { name: "s" type: "SoftmaxWithLoss" bottom: "l" bottom: "label" top: "s" }
    """
    graph = api.load(Source(text.encode()))
    size = {"data": (2, 3, 6, 6)}
    save(graph, make(graph, "random", 0, size), tmp_path / "n.caffemodel")
    files = [str(tmp_path / name) for name in ("n.caffemodel", "f.prototxt", "f.caffemodel")]
    more = ["--input-shape", "data=2,3,6,6"]
    assert run(["fold", files[0], "-o", files[1], *more]) == 0
    assert "BatchNorm" not in Path(files[1]).read_text()
    x = np.random.default_rng(0).normal(size=(2, 3, 6, 6)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    folded = api.run(api.read_caffe(*files[1:]), {"data": x})
    whole, _ = api.deploy(api.read_caffe(files[0]), size)
    assert np.allclose(folded["c"], api.run(whole, {"data": x})["c"], atol=1e-4)
    assert run(["run", files[0], str(tmp_path / "x.npy"), *more]) == 0
