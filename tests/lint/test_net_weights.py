"""What is found in the weights of a net: small nets, and files made for them byte by byte."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prototxt_gen import api
from prototxt_gen.diagnostics import Diagnostic, Severity, Sink, Source
from prototxt_gen.errors import ParseError
from prototxt_gen.formats.binary.caffemodel import Caffemodel, parse_caffemodel
from prototxt_gen.formats.binary.message import message_class, read_binary
from prototxt_gen.lint.rule import rules
from prototxt_gen.lint.weights import check_weights
from prototxt_gen.weights import make, save

ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE
NET = """
input: "x" input_shape { dim: [1, 3, 5, 5] }
layer { name: "c" type: "Convolution" bottom: "x" top: "c"
        convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "n" type: "BatchNorm" bottom: "c" top: "n" }
layer { name: "r" type: "ReLU" bottom: "n" top: "n" }
layer { name: "i" type: "InnerProduct" bottom: "n" top: "i"
        inner_product_param { num_output: 2 } }
"""
SHAPES = {"c": [(4, 3, 3, 3), (4,)], "n": [(4,), (4,), (1,)], "r": [], "i": [(2, 36), (2,)]}
TYPES = {"c": "Convolution", "n": "BatchNorm", "r": "ReLU", "i": "InnerProduct"}
Blobs = dict[str, list[Any]]


def ones(shapes: dict[str, list[tuple[int, ...]]] = SHAPES) -> Blobs:
    return {name: [np.ones(shape, np.float32) for shape in of] for name, of in shapes.items()}


def v2(blobs: Blobs, types: dict[str, str] = TYPES) -> Caffemodel:
    """The file of a net of today; a blob may be a pair of legacy shape and number."""
    net: Any = message_class("NetParameter")()
    for name, values in blobs.items():
        layer = net.layer.add(name=name, type=types.get(name, "Convolution"))
        _fill(layer.blobs, values)
    return parse_caffemodel("it.caffemodel", net.SerializeToString())


def v1(blobs: Blobs, *, v0: bool = False) -> Caffemodel:
    """The file of an older net."""
    net: Any = message_class("NetParameter")()
    for name, values in blobs.items():
        layers = net.layers.add()
        layer = layers.layer if v0 else layers
        layer.name = name
        if v0:
            layer.type = {"c": "conv", "i": "innerproduct"}[name]
        else:
            layer.type = {"c": 4, "i": 14, "r": 18}[name]
        _fill(layer.blobs, values)
    return parse_caffemodel("it.caffemodel", net.SerializeToString())


def legacy(*shape: int) -> Any:
    return shape


def _fill(target: Any, values: Sequence[Any]) -> None:
    for value in values:
        blob = target.add()
        if isinstance(value, tuple):
            blob.num, blob.channels, blob.height, blob.width = value
            blob.data.extend([1.0] * int(np.prod(value)))
        else:
            blob.shape.dim.extend(value.shape)
            blob.data.extend(value.reshape(-1).tolist())


def found(model: Caffemodel, text: str = NET) -> list[Diagnostic]:
    sink = Sink()
    check_weights(api.load(Source(text.encode())), model, sink)
    return sink.diagnostics


def short(model: Caffemodel, text: str = NET) -> list[tuple[str, Severity, str | None]]:
    return [(one.rule, one.severity, one.layer) for one in found(model, text)]


def test_the_weights_of_the_net_itself_are_right(tmp_path: Path) -> None:
    graph = api.load(Source(NET.encode()))
    save(graph, make(graph, "random"), tmp_path / "w")
    assert found(parse_caffemodel("w", (tmp_path / "w").read_bytes())) == []
    assert found(v2(ones())) == []


def test_a_layer_that_only_the_file_has_is_noted() -> None:
    model = v2({**ones(), "z": [np.ones((7, 7))], "loss": []})
    assert short(model) == [("weights-extra", NOTE, None)]
    assert "'z' (7x7)" in found(model)[0].message
    assert "loss" not in found(model)[0].message


def test_a_layer_that_the_file_has_not_keeps_its_fillers() -> None:
    blobs = ones()
    del blobs["i"]
    (one,) = found(v2(blobs))
    assert (one.rule, one.severity, one.layer) == ("weights-missing", WARNING, "i")
    assert one.span is not None and NET[slice(*one.span)] == "layer"
    assert NET.count("\n", 0, one.span.start) == 6
    assert "fillers" in one.message


@pytest.mark.parametrize(
    ("name", "count", "words"),
    [
        ("c", 1, "has 1 weight for it; Convolution has 2"),
        ("c", 3, "has 3 weights for it; Convolution has 2"),
        ("i", 0, "has no weights for it; InnerProduct has 2"),
        ("r", 1, "has 1 weight for it; ReLU has none"),
    ],
)
def test_another_number_of_blobs_is_refused(name: str, count: int, words: str) -> None:
    blobs = ones()
    blobs[name] = [*blobs[name], np.ones(1)][:count]
    (one,) = found(v2(blobs))
    assert (one.rule, one.severity, one.layer) == ("weights-missing", ERROR, name)
    assert words in one.message


def test_another_shape_is_refused() -> None:
    blobs = ones()
    blobs["c"][0] = np.ones((4, 3, 3, 2))
    (one,) = found(v2(blobs))
    assert (one.rule, one.severity, one.layer) == ("weight-shape", ERROR, "c")
    assert one.message == "weight 0 is 4x3x3x2 in the file; expected 4x3x3x3"


@pytest.mark.parametrize(
    ("name", "index", "blob", "refused"),
    [
        ("i", 0, legacy(1, 1, 2, 36), False),
        ("i", 0, legacy(2, 36, 1, 1), True),
        ("i", 1, legacy(1, 1, 1, 2), False),
        ("i", 1, np.ones((1, 1, 1, 2)), True),  # of today, so that the axes are compared
        ("i", 0, np.ones((2, 4, 3, 3)), True),
        ("c", 0, legacy(4, 3, 3, 3), False),
    ],
)
def test_shapes_are_compared_as_caffe_does(name: str, index: int, blob: Any, refused: bool) -> None:
    """blob.cpp, ShapeEquals."""
    blobs = ones()
    blobs[name][index] = blob
    assert short(v2(blobs)) == ([("weight-shape", ERROR, name)] if refused else [])


def test_a_legacy_shape_has_four_axes() -> None:
    text = NET.replace("5, 5", "5, 5, 5")
    blobs = {"c": [legacy(4, 3, 27, 1), legacy(1, 1, 1, 4)]}
    assert ("weight-shape", ERROR, "c") in short(v2(blobs), text)
    blobs = {"c": [np.ones((4, 3, 3, 3, 3)), legacy(1, 1, 1, 4)]}
    assert {rule for rule, *_ in short(v2(blobs), text)} == {"weights-missing"}


@pytest.mark.parametrize("v0", [False, True])
def test_old_files_are_read(v0: bool) -> None:
    text = "".join(line for line in NET.splitlines(True) if '"n"' not in line or "Inner" in line)
    text = text.replace('bottom: "n"', 'bottom: "c"')
    blobs: Blobs = {
        "c": [legacy(4, 3, 3, 3), legacy(1, 1, 1, 4)],
        "i": [legacy(1, 1, 2, 36), legacy(1, 1, 1, 2)],
    }
    assert short(v1(blobs, v0=v0), text) == []
    blobs["i"][0] = legacy(1, 1, 36, 2)
    assert short(v1(blobs, v0=v0), text) == [("weight-shape", ERROR, "i")]
    del blobs["i"]
    assert short(v1(blobs, v0=v0), text) == [("weights-missing", WARNING, "i")]


def test_a_type_that_differs_is_a_warning() -> None:
    (one,) = found(v2(ones(), {**TYPES, "c": "Deconvolution"}))
    assert (one.rule, one.severity, one.layer) == ("weights-type", WARNING, "c")
    assert one.message == "it is Convolution here, but Deconvolution in the file"
    # One without weights is often another in a net for training; MKLBatchNorm is a BatchNorm.
    assert found(v2(ones(), {**TYPES, "r": "Softmax", "n": "MKLBatchNorm"})) == []
    text = NET.replace("Convolution", "Deconvolution").replace("convolution_p", "convolution_p")
    model = v1({"c": [np.ones((3, 4, 3, 3)), np.ones(4)]})
    assert ("weights-type", WARNING, "c") in short(model, text)


def test_what_is_not_a_number_is_counted() -> None:
    blobs = ones()
    blobs["c"][0].reshape(-1)[:3] = np.nan, np.inf, -np.inf
    blobs["z"] = [np.full(2, np.nan)]
    (one, extra) = found(v2(blobs))
    assert (one.rule, one.severity, one.layer) == ("weights-not-finite", WARNING, "c")
    assert one.message == "weight 0 has 1 NaN and 2 infinite among 108 numbers"
    assert extra.rule == "weights-extra", "what Caffe ignores may be anything"


def test_a_factor_of_zero() -> None:
    blobs = ones()
    blobs["n"][2][:] = 0
    assert short(v2(blobs)) == [("batch-norm-factor", WARNING, "n")]
    batch = NET.replace('top: "n" }\nlayer { name: "r"', 'top: "n" %s }\nlayer { name: "r"')
    assert found(v2(blobs), batch % "batch_norm_param { use_global_stats: false }") == []
    # NVIDIA's file, of five blobs, has the factor in the same place and does not use it.
    blobs["n"] += [np.ones(4), np.ones(4)]
    assert found(v2(blobs)) == []


def test_a_file_of_another_net_is_one_warning() -> None:
    (one,) = found(v2({"conv1": [np.ones(1)], "r": []}))
    assert (one.rule, one.severity) == ("weights-foreign", WARNING)


def test_a_layer_that_shares_all_its_weights_need_not_be_in_the_file() -> None:
    shared = 'param { name: "w" } param { name: "b" } inner_product_param'
    text = NET.replace("inner_product_param", shared) + (
        'layer { name: "j" type: "InnerProduct" bottom: "n" top: "j"\n'
        f"        {shared} {{ num_output: 2 }} }}\n"
    )
    assert found(v2(ones()), text) == []
    assert short(v2({**ones(), "j": []}), text) == [("weights-missing", ERROR, "j")]
    # In HDF5 a layer has only the weights of its own (net.cpp, ToHDF5).
    hdf5 = Caffemodel("w.h5", v2({**ones(), "j": []}).layers, b"")
    assert found(hdf5, text) == []
    without = Caffemodel("w.h5", v2({**ones(), "i": [], "j": []}).layers, b"")
    assert short(without, text) == [("weights-missing", ERROR, "i")]


def test_the_first_layer_of_a_name_gets_what_the_file_has() -> None:
    """And each layer of the file is for the first: they have to fit it."""
    model = v2(ones())
    again = v2({"c": [np.ones((4, 3, 3, 3)), np.ones(5)]})
    both = Caffemodel("both", (*model.layers, *again.layers), b"")
    assert short(both) == [("weight-shape", ERROR, "c")]


def test_layers_of_unknown_weights_are_passed_over() -> None:
    text = NET.replace('"ReLU"', '"Swoosh"').replace("input_shape { dim: [1, 3, 5, 5] }", "")
    model = v2({**ones(), "r": [np.ones(9)]}, {**TYPES, "r": "Swoosh"})
    assert found(model, text) == []


def test_a_binary_that_no_schema_reads() -> None:
    for dialect in (None, "bvlc"):
        with pytest.raises(ParseError) as caught:
            read_binary(Source(b"\xa2\x06\x7f"), Sink(), dialect=dialect)
        (one,) = caught.value.diagnostics
        assert (one.rule, one.severity) == ("not-binary", rules()["not-binary"].severity)


def test_the_severities_are_those_that_are_described() -> None:
    """The gravest; weights of another net are an error where something is computed with them."""
    described = {
        name: rule.severity for name, rule in rules().items() if rule.category == "weights"
    }
    assert described == {
        "weights-missing": ERROR,
        "weight-shape": ERROR,
        "weights-foreign": ERROR,
        "not-binary": ERROR,
        "weights-type": WARNING,
        "weights-not-finite": WARNING,
        "batch-norm-factor": WARNING,
        "weights-extra": NOTE,
    }
