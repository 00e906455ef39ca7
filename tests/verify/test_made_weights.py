"""``verify`` and others with weights of other names, and with such as ``--weights-init`` makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.weights import save, stored

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

NET = """
layer { name: "in" type: "Input" top: "data" input_param { shape { dim: [2, 3, 6, 6] } } }
layer { name: "one" type: "Convolution" bottom: "data" top: "one"
        convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "msra" } } }
layer { name: "scale" type: "Scale" bottom: "one" top: "one" scale_param { bias_term: true } }
layer { name: "relu" type: "ReLU" bottom: "one" top: "one" }
layer { name: "two" type: "Convolution" bottom: "one" top: "two"
        convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "three" type: "InnerProduct" bottom: "two" top: "three"
        inner_product_param { num_output: 5 weight_filler { type: "gaussian" std: 0.5 } } }
"""
RANDOM = ["--weights-init", "random", "--seed", "3"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A net, its weights by RANDOM, and a file where ``two`` is ``second``, without three."""
    found = tmp_path_factory.mktemp("made")
    net = found / "net.prototxt"
    net.write_text(NET)
    whole = str(found / "all.caffemodel")
    assert run(["weights", "init", str(net), "--how", "random", "--seed", "3", "-o", whole]) == 0
    renamed = api.load(_text(NET.replace('name: "two"', 'name: "second"')))
    known = {("second" if name == "two" else name): some for name, some in stored(whole).items()}
    del known["three"]
    save(renamed, known, str(found / "part.caffemodel"))
    return found


def _text(net: str) -> Any:
    from prototxt_gen.diagnostics import Source

    return Source(net.encode())


@pytest.fixture
def there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


def model_of(path: Path) -> dict[str, Any]:
    return {one.name: numpy_helper.to_array(one) for one in onnx.load(path).graph.initializer}


def test_weights_of_one_seed_are_equal(there: Path, tmp_path: Path, capsys: Any) -> None:
    model = str(tmp_path / "net.onnx")
    assert run(["convert", "net.prototxt", "-o", model, "--batch", "dynamic", *RANDOM]) == 0
    verify = ["verify", "net.prototxt", model]
    assert run([*verify, *RANDOM]) == 0
    assert "agree, with batch 2 and with batch 3" in capsys.readouterr().err
    assert run(["verify", "net.prototxt", "all.caffemodel", model]) == 0, "weights init's are those"
    for other in (["random"], ["fillers", "--seed", "3"], ["zeros", "--seed", "3"]):
        assert run([*verify, "--weights-init", *other]) == 1
        assert "differs first at blob 'one'" in capsys.readouterr().err
    assert run(verify) == 2
    assert "if convert made them, give its --weights-init and --seed" in capsys.readouterr().err


def test_what_a_file_lacks_is_made_and_what_it_calls_otherwise_is_found(
    there: Path, tmp_path: Path, capsys: Any
) -> None:
    model, files = tmp_path / "net.onnx", ["net.prototxt", "part.caffemodel"]
    names = ["--map", "two=second"]
    assert run(["convert", *files, "-o", str(model), *names, *RANDOM]) == 0
    assert run(["verify", *files, str(model), *names, *RANDOM]) == 0
    assert run(["verify", "net.prototxt", "all.caffemodel", str(model)]) == 0
    capsys.readouterr()
    assert run(["verify", *files, str(model), *names]) == 2
    assert "layer 'three': the file has no weights for it" in capsys.readouterr().err
    assert run(["verify", *files, str(model), *names, "--weights-init", "random"]) == 1
    assert "differs first at blob 'three'" in capsys.readouterr().err
    # Without --map the weights of two are made as well, and by this seed are the same.
    assert run(["verify", *files, str(model), *RANDOM]) == 0


def test_a_part_of_a_net_has_the_weights_of_the_whole(there: Path, tmp_path: Path) -> None:
    model = str(tmp_path / "net.onnx")
    assert run(["convert", "net.prototxt", "-o", model, "--until", "two", *RANDOM]) == 0
    assert run(["verify", "net.prototxt", model, "--outputs", "two", *RANDOM]) == 0
    assert run(["verify", "net.prototxt", model, "--outputs", "two", *RANDOM[:2]]) == 1


def test_another_runtime_gets_the_same_weights(there: Path, tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    model = str(tmp_path / "net.onnx")
    assert run(["convert", "net.prototxt", "-o", model, *RANDOM]) == 0
    opencv = ["--against", "opencv-4"]
    assert run(["verify", "net.prototxt", model, *opencv, *RANDOM]) == 0
    assert run(["verify", "net.prototxt", model, *opencv, *RANDOM[:2]]) == 1
    assert run(["verify", "net.prototxt", "all.caffemodel", *opencv, *RANDOM]) == 2
    assert "--weights-init is for a net and the model" in capsys.readouterr().err


def test_fold_takes_the_same_options(there: Path, tmp_path: Path) -> None:
    folded = tmp_path / "folded.prototxt"
    whole = tmp_path / "whole.prototxt"
    words = ["--map", "two=second", *RANDOM]
    assert run(["fold", "net.prototxt", "part.caffemodel", "-o", str(folded), *words]) == 0
    assert run(["fold", "net.prototxt", "all.caffemodel", "-o", str(whole)]) == 0
    assert folded.read_bytes() == whole.read_bytes()
    made, wanted = (stored(str(one.with_suffix(".caffemodel"))) for one in (folded, whole))
    assert made.keys() == wanted.keys() and "scale" not in made
    for name, blobs in wanted.items():
        assert all(map(np.array_equal, made[name], blobs))
    assert run(["fold", "net.prototxt", "-o", str(tmp_path / "no.prototxt")]) == 2
    assert not (tmp_path / "no.prototxt").exists()


def test_names_where_weights_are_only_shown(there: Path, tmp_path: Path, capsys: Any) -> None:
    files, names = ["net.prototxt", "part.caffemodel"], ["--map", "two=second"]
    page = tmp_path / "page.html"
    assert run(["report", *files, *names, "-o", str(page)]) == 0
    assert "two: has the weights of 'second', by --map" in capsys.readouterr().err
    with_name = page.read_text()
    assert run(["report", *files, "-o", str(page)]) == 0
    assert "--map two=second" in capsys.readouterr().err
    assert with_name != page.read_text()
    assert run(["doctor", *files, *names, "--target", "onnxruntime"]) == 0
    arrays = tmp_path / "part.npz"
    assert run(["weights", "export", files[1], files[0], "-o", str(arrays), *names]) == 0
    assert np.array_equal(np.load(arrays)["two/weight"], stored("all.caffemodel")["two"][0])


def test_a_name_the_wrong_way_round_in_copy(there: Path, capsys: Any) -> None:
    copy = ["weights", "copy", "part.caffemodel", "net.prototxt", "-o", "c.caffemodel"]
    assert run([*copy, "--map", "second=two"]) == 0
    capsys.readouterr()
    assert run([*copy, "--map", "two=second"]) == 2
    assert "the file's name comes first: second=two" in capsys.readouterr().err
    for words, message in (
        (["--map", "second=two", "--map", "second=one"], "'second' is given twice"),
        (["--map", "second=two", "--map", "one=two"], "'second' and 'one' cannot both become"),
        (["--map", "second"], "--map second: expected OLD=NEW"),
    ):
        assert run([*copy, *words]) == 2
        assert message in capsys.readouterr().err
