"""Weights: every form of a file, what lacks or does not fit, and what fillers make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from to_onnx.recorded import GOLDEN

from prototxt_gen import api
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.errors import WeightsError
from prototxt_gen.formats.binary.caffemodel import read_caffemodel
from prototxt_gen.formats.binary.message import message_class
from prototxt_gen.graph.check import check
from prototxt_gen.graph.fillers import initial
from prototxt_gen.layers.parts.shapes import show
from prototxt_gen.to_onnx.convert import Conversion, convert

NET = """input: "x" input_shape { dim: [1, 3, 4, 4] }
layer { name: "c" type: "Convolution" bottom: "x" top: "c"
  convolution_param { num_output: 2 kernel_size: 3 %s } }
"""
WEIGHT = np.arange(54, dtype=np.float32).reshape(2, 3, 3, 3) / 7
BIAS = np.array([0.5, -1], np.float32)


def net(dialect: str = "bvlc") -> Any:
    return message_class("NetParameter", dialect)()


def save(built: Any, path: Path) -> Path:
    path.write_bytes(built.SerializeToString())
    return path


def fill(blob: Any, values: Any, form: str) -> None:
    if form == "legacy":
        dims = [1] * (4 - values.ndim) + list(values.shape)
        blob.num, blob.channels, blob.height, blob.width = dims
    else:
        blob.shape.dim.extend(values.shape)
    if form == "double":
        blob.double_data.extend(values.ravel().astype(np.float64))
    elif form == "raw":
        blob.raw_data_type = 2
        blob.raw_data = values.astype("<f2").tobytes()
    else:
        blob.data.extend(values.ravel())


@pytest.mark.parametrize("layers", ["layer", "layers", "v0"])
@pytest.mark.parametrize("form", ["shape", "legacy", "double", "raw"])
def test_every_form_of_a_file_is_read(tmp_path: Path, layers: str, form: str) -> None:
    built = net("nvcaffe" if form == "raw" else "bvlc")
    layer = getattr(built, "layer" if layers == "layer" else "layers").add()
    inner = layer.layer if layers == "v0" else layer
    inner.name = "c"
    for values in (WEIGHT, BIAS):
        fill(inner.blobs.add(), values, form)
    found = read_caffemodel(save(built, tmp_path / "net.caffemodel")).weights()["c"]
    precision = 1e-2 if form == "raw" else 0
    np.testing.assert_allclose(found[0], WEIGHT, atol=precision)
    np.testing.assert_allclose(found[1].ravel(), BIAS, atol=precision)
    assert all(blob.dtype == np.float32 for blob in found)
    (tmp_path / "net.prototxt").write_text(NET % "")
    graph = api.read_caffe(tmp_path / "net.prototxt", tmp_path / "net.caffemodel")
    x = np.ones((1, 3, 4, 4), np.float32)
    top = api.run(graph, {"x": x})["c"]
    expected = WEIGHT.sum(axis=(1, 2, 3)) + BIAS
    np.testing.assert_allclose(top[0, :, 0, 0], expected, atol=0.1 if form == "raw" else 1e-4)


def test_numbers_that_are_not_packed_are_read(tmp_path: Path) -> None:
    # blobs { shape { dim: [2] } data: 1 data: 2 }, each number with a tag of its own
    numbers = b"".join(b"\x2d" + np.float32(v).tobytes() for v in (1, 2))
    blob = b"\x3a\x03\x0a\x01\x02" + numbers
    layer = b"\x0a\x01c\x3a" + bytes([len(blob)]) + blob
    (tmp_path / "m").write_bytes(b"\xa2\x06" + bytes([len(layer)]) + layer)
    assert read_caffemodel(tmp_path / "m").weights()["c"][0].tolist() == [1, 2]


def test_a_file_alone_holds_the_net_too() -> None:
    case = GOLDEN / "layers" / "conv0"
    alone = api.to_onnx(api.read_caffe(case / "net.caffemodel"))
    both = api.to_onnx(api.read_caffe(case / "net.prototxt", case / "net.caffemodel"))
    assert alone.graph.node == both.graph.node
    assert alone.graph.initializer == both.graph.initializer


@pytest.mark.parametrize("size", [1, 20, 200, 1000])
def test_a_file_that_is_cut_off_is_refused_with_the_offset(tmp_path: Path, size: int) -> None:
    data = (GOLDEN / "layers" / "conv0" / "net.caffemodel").read_bytes()
    (tmp_path / "cut").write_bytes(data[:-size])
    with pytest.raises(WeightsError, match=r"at byte \d+: .* cut off"):
        read_caffemodel(tmp_path / "cut")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"\x7fELF\x02\x01\x01\0\0\0", "not a caffemodel"),
        (b"name: 'x'\n", "is a text"),
        (b"\x0a\x01\x00", "there is no layer"),
        (b"\x00\x01\x02\x03", "number 0"),
    ],
)
def test_what_is_no_caffemodel_is_refused(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(WeightsError, match=words):
        read_caffemodel(tmp_path / "x")


def graph_with(stored: dict[str, Any], text: str = NET % "") -> Any:
    graph = api.load(Source(text.encode()))
    graph.stored = stored
    return graph


@pytest.mark.parametrize(
    ("stored", "rule"),
    [
        ({"d": [WEIGHT]}, "weights-foreign"),
        ({"c": [WEIGHT]}, "weights-missing"),
        ({"c": [WEIGHT, np.zeros(3, np.float32)]}, "weight-shape"),
        ({"c": [WEIGHT.transpose(2, 3, 0, 1), BIAS]}, "weight-shape"),
    ],
)
def test_weights_that_do_not_fit_are_refused(stored: dict[str, Any], rule: str) -> None:
    with pytest.raises(WeightsError) as caught:
        convert(graph_with(stored), Conversion())
    assert [d.rule for d in caught.value.diagnostics] == [rule]


def test_no_weights_at_all_names_the_way_out() -> None:
    with pytest.raises(WeightsError, match="--weights-init fillers, zeros or random"):
        convert(graph_with({}), Conversion())


def test_layers_that_the_net_has_not_are_reported() -> None:
    stored = {"c": [WEIGHT, BIAS], "old": [BIAS]}
    made = convert(graph_with(stored), Conversion())
    assert [(change.layer, change.what) for change in made.changes] == [
        ("old", "its weights are in the file, but the net has no such layer")
    ]


TWO = (
    NET % ""
    + """layer { name: "d" type: "InnerProduct" bottom: "c" top: "z"
  inner_product_param { num_output: 3 %s } }
"""
)


def test_weights_that_a_file_lacks_are_made_where_that_is_asked_for() -> None:
    stored = {"c": [WEIGHT, BIAS]}
    text = TWO % 'weight_filler { type: "constant" value: 2 }'
    with pytest.raises(WeightsError) as caught:
        convert(graph_with(stored, text), Conversion())
    assert [(d.rule, d.layer) for d in caught.value.diagnostics] == [("weights-missing", "d")]
    made = convert(graph_with(stored, text), Conversion(weights_init="fillers"))
    assert (made.values["d/weight"] == 2).all()
    assert (made.values["c/weight"] == WEIGHT).all()
    assert [(c.layer, c.type, c.what) for c in made.changes] == [
        (
            "d",
            "InnerProduct",
            "the file has no weights for it; they are made by --weights-init fillers",
        )
    ]


def test_only_what_lacks_is_made() -> None:
    # The filler of c makes no sense, and is not asked for anything.
    text = (TWO % "").replace("kernel_size: 3", 'kernel_size: 3 weight_filler { type: "magic" }')
    made = convert(graph_with({"c": [WEIGHT, BIAS]}, text), Conversion(weights_init="zeros"))
    assert not made.values["d/weight"].any()
    for stored, rule in (
        ({"c": [WEIGHT]}, "weights-missing"),
        ({"c": [WEIGHT.transpose(2, 3, 0, 1), BIAS]}, "weight-shape"),
        ({"other": [WEIGHT]}, "weights-foreign"),
    ):
        with pytest.raises(WeightsError) as caught:
            convert(graph_with(stored, TWO % ""), Conversion(weights_init="zeros"))
        assert rule in [d.rule for d in caught.value.diagnostics]


def test_a_weight_that_a_layer_shares_is_not_made() -> None:
    names = 'param { name: "w" } param { name: "b" } '
    text = (NET % "").replace('top: "c"', f'top: "c" {names}') + (
        f'layer {{ name: "e" type: "Convolution" bottom: "x" top: "e" {names}'
        "convolution_param { num_output: 2 kernel_size: 3 } }"
    )
    assert names in text
    made = convert(graph_with({"c": [WEIGHT, BIAS]}, text), Conversion(weights_init="random"))
    for index in (i for i, node in enumerate(made.graph.nodes) if node.name in ("c", "e")):
        assert (made.weights.get(index)[0] == WEIGHT).all()
    assert made.changes == []


def test_a_refusal_names_all_that_differs() -> None:
    stored = {"c": [WEIGHT, np.zeros(3, np.float32)], "old": [WEIGHT], "older": [BIAS, BIAS]}
    with pytest.raises(WeightsError) as caught:
        convert(graph_with(stored, TWO % ""), Conversion())
    found = {(d.rule, d.layer): d.message for d in caught.value.diagnostics}
    assert {("weight-shape", "c"), ("weights-missing", "d"), ("weights-extra", None)} == set(found)
    extra = found["weights-extra", None]
    assert extra == (
        f"the file has layers that the net has not: 'old' ({show(WEIGHT.shape)}), "
        f"'older' ({show(BIAS.shape)}, {show(BIAS.shape)})"
    )


def values(filler: str, seed: int = 0, size: str = "kernel_size: 3") -> Any:
    text = NET.replace("kernel_size: 3", size).replace("num_output: 2", "num_output: 200")
    graph = api.load(Source((text % f"weight_filler {{ {filler} }}").encode()))
    return initial(graph, check(graph, Sink()), "fillers", seed)["c"]


@pytest.mark.parametrize(
    ("filler", "low", "high", "deviation"),
    [
        ('type: "constant" value: 3', 3, 3, 0),
        ('type: "uniform" min: -2 max: 4', -2, 4, 6 / 12**0.5),
        ('type: "gaussian" mean: 1 std: 0.5', -3, 5, 0.5),
        ('type: "xavier"', -((3 / 27) ** 0.5), (3 / 27) ** 0.5, (1 / 27) ** 0.5),
        ('type: "msra" variance_norm: FAN_OUT', -1, 1, (2 / 1800) ** 0.5),
    ],
)
def test_fillers(filler: str, low: float, high: float, deviation: float) -> None:
    weight, bias = values(filler)
    assert weight.min() >= low - 1e-6
    assert weight.max() <= high + 1e-6
    assert abs(weight.std() - deviation) <= 0.05 * deviation
    assert not bias.any()
    assert (values(filler)[0] == weight).all()
    assert deviation == 0 or (values(filler, seed=1)[0] != weight).any()


def test_a_unit_ball_sums_up_to_1_for_each_output() -> None:
    np.testing.assert_allclose(
        values('type: "positive_unitball"')[0].sum(axis=(1, 2, 3)), 1, rtol=1e-5
    )


def test_bilinear_is_what_upsampling_by_two_needs() -> None:
    weight = values('type: "bilinear"', size="kernel_size: 4")[0]
    line = np.array([0.25, 0.75, 0.75, 0.25])
    np.testing.assert_allclose(weight[0, 0], np.outer(line, line))


def test_an_unknown_filler_is_refused() -> None:
    with pytest.raises(WeightsError, match="layer 'c': there is no filler 'magic'"):
        values('type: "magic"')


def test_hdf5(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="h5py is not installed")
    with h5py.File(tmp_path / "net.caffemodel.h5", "w") as file:
        group = file.create_group("data/c")
        group["0"], group["1"] = WEIGHT, BIAS
    found = read_caffemodel(tmp_path / "net.caffemodel.h5").weights()["c"]
    assert (found[0] == WEIGHT).all()
    assert (found[1] == BIAS).all()
