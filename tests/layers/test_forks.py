"""Whose types are whose: our tables against what each fork's caffe.proto declares."""

from __future__ import annotations

import json
from pathlib import Path

from prototxt_gen.formats.dialects import DIALECTS
from prototxt_gen.layers import MODULES, layer_class
from prototxt_gen.layers.parts.forks import BVLC, ELSEWHERE, FORKS

FACTS = Path(__file__).parents[1] / "formats" / "facts"
#: The field of a type that has no parameters here.
FIELDS = {
    "AnnotatedData": "annotated_data_param",
    "BoxAnnotatorOHEM": "box_annotator_ohem_param",
    "EvalDetection": "eval_detection_param",
    "FrcnnProposal": "frcnn_proposal_param",
    "MnActivation": "mn_activation_param",
    "MultiBoxLoss": "multibox_loss_param",
    "RegionLoss": "region_loss_param",
    "SeLu": "selu_param",
    "SmoothL1Loss": "smooth_l1_loss_param",
    "SpatialDropout": "spatial_dropout_param",
    "VideoData": "video_data_param",
}
#: Forks whose layer reads other fields than those of the same name in others.
WITHOUT_FIELD = {
    "FrcnnProposal": {"frcnn"},  # proposal_param
    "ROIAlign": {"frcnn"},  # roi_pooling_param
    "SmoothL1Loss": {"mobilenet_ssd", "x2paddle", "nvcaffe", "fast_rcnn"},  # no parameters
}


def declared(dialect: str) -> set[str]:
    """The fields that a dialect's LayerParameter has, more than BVLC's."""
    facts = json.loads((FACTS / f"{dialect}.json").read_text("utf-8"))
    layer = facts["messages"].get("LayerParameter", {})
    return set(layer.get("fields" if dialect == "bvlc" else "added", {}))


def test_every_type_of_the_tables_is_known_and_in_one_of_them() -> None:
    assert BVLC | FORKS.keys() <= MODULES.keys()
    assert not BVLC & FORKS.keys()
    assert not ELSEWHERE & MODULES.keys()


def test_what_a_schema_declares_is_in_the_table() -> None:
    bvlc = declared("bvlc")
    compared = 0
    for name, dialects in FORKS.items():
        cls = layer_class(name)
        assert cls is not None
        field = FIELDS.get(name, cls.param)
        if field is None or field in bvlc:
            continue
        compared += 1
        stated = {dialect for dialect in DIALECTS if field in declared(dialect)}
        assert set(dialects) - WITHOUT_FIELD.get(name, set()) == stated, name
    assert compared > 25


def test_the_dialects_of_the_table_exist_and_keep_their_order() -> None:
    for name, dialects in FORKS.items():
        assert list(dialects) == sorted(dialects, key=DIALECTS.index), name


def test_bvlc_has_what_its_schema_has_parameters_for() -> None:
    """The types of V1 are BVLC's, and all fields of BVLC's are those of its types."""
    assert len(BVLC) == 61  # 60 of them in a build without Python
    fields = {cls.param for name in BVLC if (cls := layer_class(name)) and cls.param}
    common = {"include", "exclude", "param", "blobs", "transform_param", "loss_param"}
    wanted = {field for field in declared("bvlc") if field.endswith("_param")} - common
    assert wanted <= fields | {"hinge_loss_param", "im2col_param"}
