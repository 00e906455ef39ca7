"""Models in float16 and int8: what stays, what they compute, what float16 cannot hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper
from to_onnx.recorded import blobs, cases, graph, run_onnx

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import PrototxtError, UnsupportedError, VerificationError
from prototxt_gen.precision import Asked, Lowered, lower
from prototxt_gen.precision.lower import ENTRY
from prototxt_gen.to_onnx.write import check

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
Array = np.ndarray[Any, np.dtype[Any]]

INPUT = 'layer { name: "in" type: "Input" top: "data" input_param { shape { dim: [%s] } } }\n'
NET = (
    INPUT % "1, 3, 8, 8"
    + """
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "norm" type: "LRN" bottom: "conv" top: "norm"
        lrn_param { local_size: 3 } }
layer { name: "fc" type: "InnerProduct" bottom: "norm" top: "fc"
        inner_product_param { num_output: 5 } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
"""
)
#: With a pad the mean cannot go into the weights, as the scale does.
PADDED = NET.replace("kernel_size: 3", "kernel_size: 3 pad: 1")


def exported(text: str = NET, changed: dict[str, Any] | None = None, **options: Any) -> Any:
    """The model in float32, with random weights but for the first blobs that are given."""
    net = api.load(Source(text.encode()))
    made = api.convert(net, weights_init="random", **options)
    for name, value in (changed or {}).items():
        made.values[name] = np.full_like(made.values[name], value)
    return made


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    folder, random = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for index in range(6):
        pixels = random.integers(0, 256, (8, 8, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")
    return tuple(map(str, sorted(folder.iterdir())))


@pytest.fixture(scope="module")
def half() -> Lowered:
    return lower(exported(), Asked("fp16"))


@pytest.fixture(scope="module")
def int8(images: tuple[str, ...]) -> Lowered:
    return lower(exported(PADDED, mean=[100, 110, 120], scale=0.02), Asked("int8", images))


def kinds(found: Lowered) -> dict[str, int]:
    return {tensor.name: tensor.data_type for tensor in found.made.skeleton.graph.initializer}


def test_what_is_exact_stays_in_float32(half: Lowered) -> None:
    assert half.kept == ("norm", "prob")
    found = kinds(half)
    for name in ("conv/weight", "conv/bias", "fc/weight"):
        assert found[name] == TensorProto.FLOAT16
    shapes = onnx.shape_inference.infer_shapes(half.made.model, strict_mode=True).graph.value_info
    types = {value.name: value.type.tensor_type.elem_type for value in shapes}
    assert types["conv"] == types["fc"] == TensorProto.FLOAT16
    (norm,) = [n for n in half.made.skeleton.graph.node if n.op_type == "LRN"]
    assert types[norm.output[0]] == TensorProto.FLOAT


def test_inputs_and_outputs_are_as_they_were(half: Lowered) -> None:
    model = half.made.skeleton
    for value, name in ((model.graph.input[0], "data"), (model.graph.output[0], "prob")):
        assert (value.name, value.type.tensor_type.elem_type) == (name, TensorProto.FLOAT)


def test_the_weights_are_the_nearest_float16(half: Lowered) -> None:
    before = exported().values["conv/weight"]
    assert np.array_equal(half.made.values["conv/weight"], before.astype(np.float16))
    assert half.sizes[1] == half.sizes[0] / 2


def test_what_was_done_is_kept(half: Lowered, int8: Lowered) -> None:
    for found, kind in ((half, "fp16"), (int8, "int8")):
        (entry,) = [one.value for one in found.made.skeleton.metadata_props if one.key == ENTRY]
        told = json.loads(entry)
        assert (told["kind"], told["in_float32"]) == (kind, list(found.kept))
        assert told["by"].startswith("onnxruntime ")
        check(found.made.model, found.made.model.SerializeToString())


def test_the_figures_are_those_of_the_models(half: Lowered) -> None:
    before, after = exported().model, half.made.model
    random = [np.random.default_rng(seed).normal(size=(1, 3, 8, 8)) for seed in range(3)]
    for x in random:
        a, b = (run_onnx(m.SerializeToString(), {"data": x})["prob"] for m in (before, after))
        assert a @ b.T / np.linalg.norm(a) / np.linalg.norm(b) > 0.99999
        assert not np.array_equal(a, b)
    assert [one.name for one in half.agreement.outputs] == ["prob", "fc"]
    assert 0.99999 < half.agreement.least < 1
    assert half.agreement.outputs[0].first == half.agreement.outputs[0].images == 8


#: Of each kind of layer some.
TRIED = [case for case in cases() if case.parent.name != "graphs"][::11]


@pytest.mark.parametrize("case", TRIED, ids=lambda case: f"{case.parent.name}/{case.name}")
def test_float16_is_near_what_caffe_gave(case: Path) -> None:
    found = lower(api.convert(graph(case)), Asked("fp16"))
    data = found.made.model.SerializeToString()
    check(found.made.model, data)
    given, wanted = blobs(case)
    for name, value in run_onnx(data, given).items():
        own = wanted[name].astype(np.float64)
        assert np.abs(value - own).max(initial=0) <= 4e-3 * np.abs(own).max(initial=0) + 1e-6


def test_places_are_not_rounded() -> None:
    """An image of 4,000 pixels: float16 has only every second whole number there."""
    text = (
        INPUT
        % "1, 1, 4, 4"
        + 'layer { name: "r" type: "Input" top: "rois" input_param { shape { dim: [1, 5] } } }'
        'layer { name: "c" type: "Convolution" bottom: "data" top: "c"'
        " convolution_param { num_output: 2 kernel_size: 1 } }"
        'layer { name: "p" type: "ROIPooling" bottom: "c" bottom: "rois" top: "p"'
        " roi_pooling_param { pooled_h: 2 pooled_w: 2 spatial_scale: 0.0009765625 } }"
    )
    found = lower(exported(text), Asked("fp16"))
    rois = np.array([[0, 0, 0, 2561, 2561]], np.float32)  # 2.501 rounds to 3, 2.5 as 2 or 3
    x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    before = run_onnx(exported(text).model.SerializeToString(), {"data": x, "rois": rois})["p"]
    after = run_onnx(found.made.model.SerializeToString(), {"data": x, "rois": rois})["p"]
    np.testing.assert_allclose(after, before, rtol=2e-3)


def test_boxes_of_constants_stay_in_float32() -> None:
    """Concatenated prior boxes are constants that detection reads: nothing rounds them."""
    prior = (
        'layer { name: "%s" type: "PriorBox" bottom: "conv" bottom: "data" top: "%s"'
        " prior_box_param { min_size: 3 } }\n"
    )
    text = (
        NET.partition('layer { name: "relu"')[0]
        + prior % ("one", "one")
        + prior % ("two", "two")
        + 'layer { name: "all" type: "Concat" bottom: "one" bottom: "two" top: "all"'
        " concat_param { axis: 2 } }"
    )
    made = exported(text)
    found = lower(made, Asked("fp16"))
    before = run_onnx(made.model.SerializeToString(), {"data": np.zeros((1, 3, 8, 8))})["all"]
    after = run_onnx(found.made.model.SerializeToString(), {"data": np.zeros((1, 3, 8, 8))})["all"]
    assert np.array_equal(before, after)


def test_weights_that_float16_cannot_hold_are_named() -> None:
    with pytest.raises(UnsupportedError) as caught:
        lower(exported(changed={"fc/weight": 70000.0, "conv/bias": -1e5}), Asked("fp16"))
    found = [one.message for one in caught.value.diagnostics]
    assert found == [
        "layer 'conv': 'conv/bias' has 100000, which float16 cannot hold: its largest number is "
        "65504",
        "layer 'fc': 'fc/weight' has 70000, which float16 cannot hold: its largest number is 65504",
    ]


def test_a_layer_that_overflows_is_named() -> None:
    with pytest.raises(VerificationError, match=r"layer 'conv' makes [\d.e+]+, and the largest"):
        lower(exported(changed={"conv/bias": 65000.0, "conv/weight": 5000.0}), Asked("fp16"))


def test_a_bound_of_float32_is_no_overflow() -> None:
    """Caffe begins a maximum with -FLT_MAX, which is no weight."""
    case = next(one for one in cases() if one.name == "pool_gap_max")
    found = lower(api.convert(graph(case)), Asked("fp16"))
    given, wanted = blobs(case)
    (value,) = run_onnx(found.made.model.SerializeToString(), given).values()
    np.testing.assert_allclose(value, *wanted.values())


def test_too_far_from_float32_is_refused(images: tuple[str, ...]) -> None:
    with pytest.raises(VerificationError, match=r"cosine of 0\.99.*expected 1 or more"):
        lower(exported(), Asked("int8", images, least=1.0))


def test_weights_have_a_scale_for_each_channel(int8: Lowered) -> None:
    before = exported(PADDED).values["conv/weight"] * 0.02
    scales = np.abs(before).max((1, 2, 3)) / 127
    nodes = {node.output[0]: node for node in int8.made.skeleton.graph.node}
    conv = next(node for node in nodes.values() if node.op_type == "Conv")
    dequantize = nodes[conv.input[1]]
    values, scale, zero = (int8.made.values[name] for name in dequantize.input)
    assert values.dtype == np.int8 and not zero.any()
    np.testing.assert_allclose(scale, scales, rtol=1e-5)
    assert np.abs(values - before / scales[:, None, None, None]).max() <= 0.5001


def test_ranges_are_those_of_the_prepared_images(int8: Lowered, images: tuple[str, ...]) -> None:
    """Blue, green, red of pixels, minus the mean, times the scale, computed apart."""
    pixels = np.stack([np.asarray(Image.open(path), np.float64) for path in images])
    prepared = pixels[..., ::-1] - [100, 110, 120]
    conv = next(n for n in int8.made.skeleton.graph.node if n.op_type == "Conv")
    makers = {n.output[0]: n for n in int8.made.skeleton.graph.node}
    scale = int8.made.values[makers[conv.input[0]].input[1]]
    assert float(scale) * 127 == pytest.approx(np.abs(prepared).max(), rel=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"input_type": "uint8", "layout": "nhwc", "channel_order": "rgb", "mean": [100, 110, 120]},
        {"batch": 4},
        {"batch": "dynamic"},
    ],
)
def test_images_go_in_as_the_model_takes_them(
    options: dict[str, Any], images: tuple[str, ...]
) -> None:
    found = lower(exported(**options), Asked("int8", images, least=0.0))
    assert found.agreement.samples == (2 if options.get("batch") == 4 else 6)
    value = found.made.skeleton.graph.input[0].type.tensor_type.elem_type
    assert value == (TensorProto.UINT8 if "input_type" in options else TensorProto.FLOAT)


def test_arrays_are_samples_too(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.random.default_rng(0).normal(size=(5, 3, 8, 8)))
    found = lower(exported(), Asked("int8", (str(tmp_path / "a.npy"),)))
    assert found.agreement.samples == 5
    np.save(tmp_path / "a.npy", np.zeros((5, 3, 8, 9)))
    with pytest.raises(PrototxtError, match=r"a\.npy: is 5x3x8x9; the input 'data' is 1x3x8x8"):
        lower(exported(), Asked("int8", (str(tmp_path / "a.npy"),)))


def test_what_int8_cannot_be(images: tuple[str, ...]) -> None:
    with pytest.raises(UnsupportedError, match="opset 13 or later, found 12"):
        lower(exported(opset=12), Asked("int8", images))
    text = INPUT % "1, 3, 8, 8" + 'layer { name: "p" type: "Softmax" bottom: "data" top: "p" }'
    with pytest.raises(UnsupportedError, match="no layer that int8 is for"):
        lower(exported(text), Asked("int8", images))
    two = NET + 'layer { name: "in2" type: "Input" top: "x" input_param { shape { dim: 1 } } }'
    with pytest.raises(VerificationError, match="one input, but the model has data, x"):
        lower(exported(two), Asked("int8", images))


def test_nothing_is_left_of_the_tools(half: Lowered, int8: Lowered) -> None:
    for found in (half, int8):
        keys = [one.key for one in found.made.skeleton.metadata_props]
        assert all(key.startswith("resnet-proto.") for key in keys)
        assert not found.made.skeleton.graph.value_info
        assert found.made.skeleton.producer_name == "resnet-proto"
    float16 = numpy_helper.to_array(half.made.model.graph.initializer[0])
    assert float16.dtype == np.float16
