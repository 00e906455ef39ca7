"""Making, showing, comparing, copying weights; folding and deploying nets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.formats.binary.caffemodel import read_caffemodel

NET = """name: "n"
layer { name: "in" type: "Input" top: "data" input_param { shape { dim: [1, 3, 8, 8] } } }
layer { name: "c" type: "Convolution" bottom: "data" top: "c"
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "msra" } } }
layer { name: "bn" type: "BatchNorm" bottom: "c" top: "c" }
layer { name: "sc" type: "Scale" bottom: "c" top: "c" scale_param { bias_term: true } }
layer { name: "f" type: "InnerProduct" bottom: "c" top: "f"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
"""


@pytest.fixture
def net(tmp_path: Path) -> Path:
    file = tmp_path / "net.prototxt"
    file.write_text(NET)
    return file


def made(net: Path, name: str = "net.caffemodel", *more: str) -> Path:
    target = net.with_name(name)
    assert run(["weights", "init", str(net), "-o", str(target), *more]) == 0
    return target


def test_init_is_seeded_and_reads_back(net: Path) -> None:
    a, b = made(net, "a"), made(net, "b")
    other = made(net, "c", "--seed", "1")
    assert a.read_bytes() == b.read_bytes() != other.read_bytes()
    stored = read_caffemodel(a).weights()
    assert {name: [blob.shape for blob in blobs] for name, blobs in stored.items()} == {
        "c": [(4, 3, 3, 3), (4,)],
        "bn": [(4,), (4,), (1,)],
        "sc": [(4,), (4,)],
        "f": [(2, 144), (2,)],
    }
    assert [node.name for node in api.read_caffe(a).nodes] == ["in", "c", "bn", "sc", "f"]
    assert run(["weights", "diff", str(a), str(b)]) == 0
    assert run(["weights", "diff", str(a), str(other)]) == 1


def test_a_caffemodel_is_what_protobuf_writes(net: Path) -> None:
    from prototxt_gen.formats.binary.message import message_class

    read = message_class("NetParameter").FromString(made(net).read_bytes())
    stored = read_caffemodel(net.with_name("net.caffemodel")).weights()
    assert [layer.name for layer in read.layer] == ["in", "c", "bn", "sc", "f"]
    assert list(read.layer[1].blobs[0].shape.dim) == [4, 3, 3, 3]
    assert np.allclose(read.layer[1].blobs[0].data, stored["c"][0].ravel())


def test_show(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = made(net, "m", "--how", "random")
    assert run(["weights", "show", str(model), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 9
    assert rows[0]["layer"] == "c"
    assert rows[0]["shape"] == [4, 3, 3, 3]
    graph = api.read_caffe(net, model)
    graph.stored["c"] = [np.full((4, 3, 3, 3), np.nan, np.float32), graph.stored["c"][1]]
    from prototxt_gen.weights import save

    save(graph, graph.stored, net.with_name("bad"))
    assert run(["weights", "show", str(net.with_name("bad"))]) == 1
    assert "108 NaN, 0 infinite" in capsys.readouterr().out


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_export_and_import_are_inverse(net: Path, suffix: str) -> None:
    model = made(net, "m", "--how", "random")
    arrays, again = net.with_name(f"w{suffix}"), net.with_name("again")
    assert run(["weights", "export", str(model), str(net), "-o", str(arrays)]) == 0
    assert run(["weights", "import", str(arrays), str(net), "-o", str(again)]) == 0
    assert again.read_bytes() == model.read_bytes()
    if suffix == ".npz":
        with np.load(arrays) as found:
            assert {"c/weight", "c/bias", "bn/mean", "bn/factor", "sc/weight"} <= set(found.files)


def test_safetensors_is_read_by_its_own_library(net: Path) -> None:
    safetensors = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    model = made(net, "m", "--how", "random")
    target = net.with_name("w.safetensors")
    assert run(["weights", "export", str(model), str(net), "-o", str(target)]) == 0
    found = safetensors.load_file(target)
    stored = read_caffemodel(model).weights()
    assert np.array_equal(found["f/weight"], stored["f"][0])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a.pop("c/weight"), "'c/weight' is missing"),
        (lambda a: a.update({"x/weight": a["c/bias"]}), "'x/weight' belongs to no layer"),
        (lambda a: a.update({"c/bias": a["bn/factor"]}), "'c/bias' is 1; expected 4"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    net: Path, change: object, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arrays = net.with_name("w.npz")
    assert run(["weights", "export", str(made(net)), str(net), "-o", str(arrays)]) == 0
    with np.load(arrays) as file:
        found = dict(file)
    change(found)  # type: ignore[operator]
    np.savez(arrays, **found)
    assert run(["weights", "import", str(arrays), str(net), "-o", str(net.with_name("n"))]) == 2
    assert words in capsys.readouterr().err
    assert not net.with_name("n").exists()


def test_copy_by_name_and_shape(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = made(net, "m", "--how", "random")
    other = net.with_name("other.prototxt")
    text = NET.replace('"f"', '"score"').replace('name: "c"', 'name: "conv"')
    other.write_text(text.replace('name: "sc"', 'name: "scale"'))
    target = net.with_name("copied")
    arguments = ["weights", "copy", str(model), str(other), "-o", str(target)]
    assert run([*arguments, "--map", "c=conv", "--map", "f=score"]) == 0
    out, err = capsys.readouterr()
    assert "3 of 5 layers matched" in err
    assert "no layer of this name" in out
    assert "not in the net" in out
    copied, stored = read_caffemodel(target).weights(), read_caffemodel(model).weights()
    assert np.array_equal(copied["conv"][0], stored["c"][0])
    assert set(copied) == {"conv", "bn", "score"}
    assert run([*arguments, "--map", "nope=conv"]) == 2


def test_fold_gives_the_same_net_with_fewer_layers(net: Path) -> None:
    model = made(net, "m.caffemodel", "--how", "random")
    target = net.with_name("folded.prototxt")
    assert run(["fold", str(net), str(model), "-o", str(target)]) == 0
    folded = api.read_caffe(target, net.with_name("folded.caffemodel"))
    assert [node.type for node in folded.nodes] == ["Input", "Convolution", "InnerProduct"]
    assert api.validate(target) == []
    x = {"data": np.random.default_rng(0).normal(size=(1, 3, 8, 8)).astype(np.float32)}
    a, b = api.run(api.read_caffe(net, model), x), api.run(folded, x)
    np.testing.assert_allclose(a["f"], b["f"], rtol=1e-3, atol=1e-4)


def test_deploy_leaves_nothing_of_training(tmp_path: Path) -> None:
    train, target = tmp_path / "train.prototxt", tmp_path / "deploy.prototxt"
    train.write_text(api.generate("resnet18", phase="train_val"))
    assert run(["deploy", str(train), "-o", str(target), "--batch", "1"]) == 0
    assert api.validate(target) == []
    made = api.load(target)
    kinds = {node.type for node in made.nodes}
    assert not kinds & {"Data", "SoftmaxWithLoss", "Accuracy"}
    text = target.read_text()
    assert not any(w in text for w in ("filler", "lr_mult", "include", "transform_param"))
    plain = api.load(_source(api.generate("resnet18")))
    assert [n.type for n in made.nodes] == [n.type for n in plain.nodes]
    assert api.summarize(made).parameters == api.summarize(plain).parameters


def _source(text: str) -> object:
    from prototxt_gen.diagnostics import Source

    return Source(text.encode())
