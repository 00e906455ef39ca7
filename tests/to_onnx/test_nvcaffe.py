"""NVIDIA's BatchNorm, which may have a scale and a bias of its own (its batch_norm_layer.cpp)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import WeightsError
from prototxt_gen.formats.binary.message import message_class

NET = """layer { name: "in" type: "Input" top: "x" input_param { shape { dim: [2, 3, 4, 4] } } }
layer { name: "b" type: "BatchNorm" bottom: "x" top: "y" batch_norm_param { %s } %s }
"""
RANDOM = np.random.default_rng(0)
MEAN, VARIANCE, SCALE, BIAS = (RANDOM.uniform(0.5, 2, 3).astype(np.float32) for _ in range(4))
X = {"x": RANDOM.normal(size=(2, 3, 4, 4)).astype(np.float32)}


def caffemodel(folder: Path, *blobs: Any) -> str:
    net: Any = message_class("NetParameter")()
    layer = net.layer.add(name="b", type="BatchNorm")
    for values in blobs:
        blob = layer.blobs.add()
        blob.shape.dim.extend(np.shape(values))
        blob.data.extend(np.ravel(values))
    (folder / "net.caffemodel").write_bytes(net.SerializeToString())
    return str(folder / "net.caffemodel")


def read(folder: Path, params: str, *blobs: Any, more: str = "") -> Any:
    (folder / "net.prototxt").write_text(NET % (params, more))
    return api.read_caffe(folder / "net.prototxt", caffemodel(folder, *blobs))


def formula(mean: Any, variance: Any) -> Any:
    c = [v.reshape(3, 1, 1) for v in (mean, variance, SCALE, BIAS)]
    return (X["x"] - c[0]) / np.sqrt(c[1] + 1e-5) * c[2] + c[3]


@pytest.mark.parametrize("factor", [1, 0, 4])
@pytest.mark.parametrize(
    "params",
    [
        "scale_bias: true",
        'scale_filler { type: "constant" value: 1 }',
        "scale_filler { value: 1 } bias_filler { value: 0 } engine: CUDNN",
        "engine: CUDNN",
        "",
    ],
)
def test_five_weights_are_read_as_nvidias_caffe_does(
    tmp_path: Path, params: str, factor: float
) -> None:
    five = (MEAN, VARIANCE, np.float32([factor]), SCALE, BIAS)
    found = read(tmp_path, params, *five)
    np.testing.assert_allclose(api.run(found, X)["y"], formula(MEAN, VARIANCE), 1e-4, 1e-5)
    made = api.convert(found)
    words = [change.what for change in made.changes]
    assert any("scale and a bias" in what for what in words) == (params in ("", "engine: CUDNN"))
    assert any(f"factor {factor:g} is ignored" in what for what in words) == (factor != 1)
    from prototxt_gen.verify import verify_export

    assert verify_export(made).agrees


def test_bias_filler_implies_them_in_nvidias_dialect_alone(tmp_path: Path) -> None:
    (tmp_path / "n.prototxt").write_text(NET % ("bias_filler { value: 2 }", ""))
    kinds = {
        dialect: api.load(tmp_path / "n.prototxt", dialect=dialect).nodes[1].layer
        for dialect in ("nvcaffe", "intel")
    }
    assert {name: layer.scale_bias for name, layer in kinds.items()} == {  # type: ignore[attr-defined]
        "nvcaffe": True,
        "intel": False,
    }


def test_three_weights_are_divided_as_bvlc_does_and_that_is_said(tmp_path: Path) -> None:
    three = (MEAN, VARIANCE, np.float32([4]))
    plain = api.convert(read(tmp_path, "eps: 1e-5", *three))
    assert not plain.changes
    noted = api.convert(read(tmp_path, "", *three, more="forward_type: FLOAT"))
    (change,) = noted.changes
    assert "divided by their factor 4" in change.what
    assert "NVIDIA's Caffe does not" in change.what


@pytest.mark.parametrize(
    "blobs",
    [
        (SCALE, BIAS, MEAN, VARIANCE, SCALE),  # another order, of an old release
        (MEAN, VARIANCE, np.float32([1]), SCALE),
        (MEAN, VARIANCE, np.float32([1]), SCALE, BIAS[:2]),
    ],
)
def test_what_leaves_doubt_is_refused(tmp_path: Path, blobs: Any) -> None:
    with pytest.raises(WeightsError, match=f"the file has {len(blobs)} weights"):
        api.convert(read(tmp_path, "", *blobs))


def test_such_a_net_is_written_with_its_scale_and_bias(tmp_path: Path) -> None:
    five = (MEAN, VARIANCE, np.float32([1]), SCALE, BIAS)
    text = NET % ("", "") + 'layer { name: "r" type: "ReLU" bottom: "y" top: "z" }\n'
    (tmp_path / "net.prototxt").write_text(text)
    model = caffemodel(tmp_path, *five)
    target = str(tmp_path / "out.prototxt")
    assert run(["fold", str(tmp_path / "net.prototxt"), model, "-o", target]) == 0
    again = api.read_caffe(target, str(tmp_path / "out.caffemodel"))
    wanted = np.maximum(formula(MEAN, VARIANCE), 0)
    np.testing.assert_allclose(api.run(again, X)["z"], wanted, 1e-4, 1e-5)
    assert "scale_bias: true" in Path(target).read_text()
    assert api.load(Source(api.dump(again).encode())).nodes[1].layer == again.nodes[1].layer
