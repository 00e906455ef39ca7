"""A model that nobody changed gives the very net that it was made from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from roundtrip.trips import assert_equal_blobs, assert_the_same, net, nets, small
from to_onnx.recorded import GOLDEN, graph
from to_onnx.test_published import RECORDINGS, params
from to_onnx.test_published import net as published
from to_onnx.test_recorded import FIXED

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.from_onnx import TARGETS
from prototxt_gen.from_onnx.target import Target
from prototxt_gen.graph.check import checked
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.write import write
from prototxt_gen.passes.deploy import deploy
from prototxt_gen.restore import net as restoring
from prototxt_gen.to_onnx.write import write_model
from prototxt_gen.weights import make, save

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of weights that overflow
NETS = dict(nets())


def without_folding(source: Graph) -> None:
    made = api.convert(source, fold=False)
    found = api.from_onnx(made.model)
    assert_the_same(made, found)
    wanted, _ = deploy(source, checked(source))
    assert write(found.graph).root == write(wanted).root
    assert found.graph.dialect == source.dialect


@pytest.mark.parametrize("name", NETS)
def test_a_net_comes_back_message_for_message(name: str) -> None:
    without_folding(net(NETS[name]))


@pytest.mark.parametrize("name", [n for n in [*NETS][::5] if Path(n).name not in FIXED])
@pytest.mark.parametrize("options", [{}, {"opset": 11}, {"batch": 3}, {"batch": "dynamic"}])
def test_it_does_so_with_any_options(name: str, options: dict[str, object]) -> None:
    made = api.convert(net(NETS[name]), **options)
    assert_the_same(made, api.from_onnx(made.model))


@pytest.mark.skipif(not RECORDINGS, reason="no recordings: set PROTOTXT_CORPUS")
@pytest.mark.parametrize("recording", params())
def test_a_published_net_comes_back(recording: Path) -> None:
    with np.load(recording) as found:
        source, _ = published(recording, found)
    without_folding(source)


def test_the_command_gives_back_files(tmp_path: Path) -> None:
    case = GOLDEN / "layers" / "lstm"
    files = [str(case / "net.prototxt"), str(case / "net.caffemodel")]
    model, back = tmp_path / "net.onnx", tmp_path / "net.prototxt"
    assert run(["convert", *files, "-o", str(model), "--no-fold"]) == 0
    assert run(["convert", str(model), "-o", str(back)]) == 0
    source, found = graph(case), api.read_caffe(back, back.with_suffix(".caffemodel"))
    assert back.read_text() == api.dump(deploy(source, checked(source))[0])
    for name, blobs in source.stored.items():
        assert_equal_blobs(tuple(blobs), tuple(found.stored[name]))


def test_weights_beside_the_model_are_read(tmp_path: Path) -> None:
    made = api.convert(small("resnet18"))
    write_model(made, tmp_path / "net.onnx", external_data=True)
    assert_the_same(made, api.from_onnx(tmp_path / "net.onnx"))


def test_equal_nets_give_equal_metadata() -> None:
    one, other = (api.convert(graph(GOLDEN / "layers" / "lstm")).model for _ in range(2))
    assert [(e.key, e.value) for e in one.metadata_props] == [
        (e.key, e.value) for e in other.metadata_props
    ]


def test_the_files_are_told_by_their_hashes(tmp_path: Path) -> None:
    import hashlib
    import json

    case = GOLDEN / "layers" / "lstm"
    model = api.to_onnx(graph(case))
    entries = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(entries["resnet-proto.files"]) == {
        "net": hashlib.sha256((case / "net.prototxt").read_bytes()).hexdigest(),
        "weights": hashlib.sha256((case / "net.caffemodel").read_bytes()).hexdigest(),
    }


def test_a_model_need_not_keep_its_source() -> None:
    made = api.convert(small("resnet18"), metadata=False)
    assert not made.model.metadata_props


def test_a_net_of_one_stage_comes_back_with_its_rules() -> None:
    """Its layers have rules that the phase TEST without a stage would not meet."""
    text = """
    layer { name: "x" type: "Input" top: "x" input_param { shape { dim: [1, 3] } }
            include { phase: TEST stage: "deploy" } }
    layer { name: "y" type: "ReLU" bottom: "x" top: "x" include { stage: "deploy" } }
    """
    from prototxt_gen.graph.phase import State

    source = api.load(Source(text.encode()), State("TEST", frozenset({"deploy"})))
    without_folding(source)


def test_names_comments_and_bytes_of_any_kind(tmp_path: Path) -> None:
    text = """
    # ein Kommentar
    name: "n\\"et"
    input: "bild/ä" input_shape { dim: 1 dim: 3 }
    layer { name: "c.1" type: "InnerProduct" bottom: "bild/ä" top: "y" # am Ende
            inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
    """
    source = api.load(Source(text.encode()))
    source.stored = make(source, "random")
    without_folding(source)
    latin = api.load(Source(text.encode("latin-1").replace(b"bild/\xe4", b"b")))
    latin.stored = make(latin, "random")
    without_folding(latin)
    odd = api.load(Source(text.encode().replace(b"Kommentar", b"\xff")))
    odd.stored = make(odd, "random")
    made = api.convert(odd)
    assert not made.model.metadata_props or api.from_onnx(made.model).stored


def test_a_target_that_lacks_a_layer_gets_a_net_of_its_own() -> None:
    text = """
    layer { name: "x" type: "Input" top: "x" input_param { shape { dim: [1, 3, 4, 4] } } }
    layer { name: "y" type: "Pooling" bottom: "x" top: "y"
            pooling_param { kernel_size: 2 %s } }
    """
    model = api.to_onnx(api.load(Source((text % "round_mode: FLOOR").encode())))
    assert api.from_onnx(model).stored
    assert api.from_onnx(model, target="bvlc").stored
    with pytest.raises(UnsupportedError, match=r"bvlc-1\.0 has no pooling_param\.round_mode"):
        net_of(model, "bvlc-1.0")
    plain = api.to_onnx(api.load(Source((text % "").encode())))
    for target in TARGETS:
        assert api.from_onnx(plain, target=target).stored


def net_of(model: onnx.ModelProto, target: str) -> None:
    """Raise what speaks against the stored net."""
    restoring._stored_net(model, {}, Target(target), {})


def test_another_shape_of_an_input_is_written_into_the_net() -> None:
    model = api.to_onnx(small("resnet18"))
    found = api.from_onnx(model, input_shapes={"data": (2, 3, 224, 224)})
    assert found.stored
    assert checked(found.graph).blobs[found.graph.inputs[0]] == (2, 3, 224, 224)


def test_a_saved_net_is_the_same(tmp_path: Path) -> None:
    made = api.convert(small("resnet18-tv"))
    found = api.from_onnx(made.model)
    save(found.graph, found.graph.stored, tmp_path / "net.caffemodel")
    assert api.dump(api.read_caffe(tmp_path / "net.caffemodel")) != ""
    onnx.save(made.model, tmp_path / "net.onnx")
    assert_the_same(made, api.from_onnx(tmp_path / "net.onnx"))
