"""Heads of detectors that no fork's layer decodes, or whose layer's settings are elsewhere."""

from __future__ import annotations

import pytest

from prototxt_gen import api
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.graph.check import check
from prototxt_gen.to_onnx.convert import Conversion, convert
from prototxt_gen.to_onnx.export import Options
from prototxt_gen.verify import verify_export

RPN = """
input: "data" input_shape { dim: [1, 18, 4, 4] }
input: "im_info" input_shape { dim: [1, 3] }
layer { name: "s" type: "Power" bottom: "data" top: "scores" }
layer { name: "o" type: "Concat" bottom: "data" bottom: "data" top: "offsets" }
layer { name: "prop" type: "FrcnnProposal" bottom: "scores" bottom: "offsets" bottom: "im_info"
        top: "rois" PARAM }
layer { name: "pool" type: "ROIPooling" bottom: "data" bottom: "rois" top: "pool"
        roi_pooling_param { pooled_h: 2 pooled_w: 2 spatial_scale: 0.0625 } }
"""
PARAMS = ("", "frcnn_proposal_param { config: 'a.json' }", "proposal_param { feat_stride: 16 }")


@pytest.mark.parametrize("param", PARAMS)
def test_proposals_whose_settings_are_elsewhere_are_refused_with_the_way_out(param: str) -> None:
    graph = api.load(Source(RPN.replace("PARAM", param).encode()))
    with pytest.raises(UnsupportedError, match="from a JSON file") as caught:
        convert(graph, Conversion())
    (found,) = caught.value.diagnostics
    ends = "--outputs scores,offsets ends the model before it"
    assert found.help == f"--detection stop, or {ends}"
    for asked in (
        Conversion(detection="stop"),
        Conversion(Options(outputs=("scores", "offsets"))),
    ):
        made = convert(graph, asked)
        assert [value.name for value in made.skeleton.graph.output] == ["scores", "offsets"]
        assert verify_export(made).agrees


def test_what_follows_proposals_has_its_shape() -> None:
    graph = api.load(Source(RPN.replace("PARAM", "").encode()))
    assert check(graph, Sink()).blobs[graph.nodes[-1].tops[0]] == (None, 18, 2, 2)


def test_proposals_of_several_scales_are_no_error() -> None:
    text = RPN.replace('bottom: "im_info"', 'bottom: "im_info" bottom: "scores"')
    graph = api.load(Source(text.replace("PARAM", "").encode()))
    sink = Sink()
    check(graph, sink)
    assert not sink.errors
    with pytest.raises(UnsupportedError):
        convert(graph, Conversion())
    assert convert(graph, Conversion(detection="stop"))


#: Two strides of a RetinaFace: the coarser map is enlarged, cropped and added to the finer one;
#: each has two anchors, whose scores are a softmax over background and face.
RETINA = """
name: "retina"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [2, 3, 21, 27] } } }
layer { name: "c3" type: "Convolution" bottom: "data" top: "c3"
        convolution_param { num_output: 8 kernel_size: 3 stride: 2 pad: 1 } }
layer { name: "c4" type: "Convolution" bottom: "c3" top: "c4"
        convolution_param { num_output: 8 kernel_size: 3 stride: 2 pad: 1 } }
ENLARGE
layer { name: "crop" type: "Crop" bottom: "up" bottom: "c3" top: "crop"
        crop_param { axis: 2 offset: 0 offset: 0 } }
layer { name: "sum" type: "Eltwise" bottom: "c3" bottom: "crop" top: "sum" }
"""
DECONVOLUTION = """
layer { name: "up" type: "Deconvolution" bottom: "c4" top: "up"
        convolution_param { num_output: 8 kernel_size: 4 stride: 2 pad: 1 group: 8 bias_term: false
                            weight_filler { type: "bilinear" } } }
"""
UPSAMPLE = """
layer { name: "up" type: "Upsample" bottom: "c4" top: "up" upsample_param { scale: 2 } }
"""
HEAD = """
layer { name: "score_S" type: "Convolution" bottom: "MAP" top: "score_S"
        convolution_param { num_output: 4 kernel_size: 1 } }
layer { name: "pair_S" type: "Reshape" bottom: "score_S" top: "pair_S"
        reshape_param { shape { dim: 0 dim: 2 dim: -1 dim: 0 } } }
layer { name: "prob_S" type: "Softmax" bottom: "pair_S" top: "prob_S" }
layer { name: "cls_S" type: "Reshape" bottom: "prob_S" top: "cls_S"
        reshape_param { shape { dim: 0 dim: 4 dim: -1 dim: 0 } } }
layer { name: "box_S" type: "Convolution" bottom: "MAP" top: "box_S"
        convolution_param { num_output: 8 kernel_size: 1 } }
layer { name: "points_S" type: "Convolution" bottom: "MAP" top: "points_S"
        convolution_param { num_output: 20 kernel_size: 1 } }
layer { name: "all_S" type: "Concat" bottom: "box_S" bottom: "points_S" top: "all_S" }
layer { name: "perm_S" type: "Permute" bottom: "all_S" top: "perm_S"
        permute_param { order: 0 order: 2 order: 3 order: 1 } }
layer { name: "rows_S" type: "Reshape" bottom: "perm_S" top: "rows_S"
        reshape_param { shape { dim: 0 dim: -1 dim: 28 } } }
"""


@pytest.mark.parametrize("enlarge", [DECONVOLUTION, UPSAMPLE], ids=["deconvolution", "upsample"])
@pytest.mark.parametrize("batch", [None, "dynamic"])
def test_the_heads_of_retinaface_convert(enlarge: str, batch: str | None) -> None:
    heads = HEAD.replace("_S", "_8").replace("MAP", "sum")
    heads += HEAD.replace("_S", "_16").replace("MAP", "c4")
    rows = 'layer { name: "rows" type: "Concat" bottom: "rows_8" bottom: "rows_16" top: "rows" }'
    text = RETINA.replace("ENLARGE", enlarge) + heads + rows
    graph = api.load(Source(text.encode()))
    options = Options(batch=batch)  # type: ignore[arg-type]
    made = convert(graph, Conversion(options, weights_init="random"))
    outputs = {value.name for value in made.skeleton.graph.output}
    assert outputs == {"cls_8", "cls_16", "rows"}
    verdict = verify_export(made)
    assert verdict.agrees, verdict.text
