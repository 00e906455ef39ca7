"""Recorded cases with a free height and width: what Caffe made of them, or what pins a size."""

from __future__ import annotations

from pathlib import Path

import pytest
from to_onnx.recorded import assert_close, blobs, cases, graph, run_onnx

from prototxt_gen import api
from prototxt_gen.diagnostics import Sink
from prototxt_gen.errors import PrototxtError, UnsupportedError
from prototxt_gen.graph.infer import infer, named

WEIGHT = "its weight has one size"
MASK = "its mask has places of"
#: The cases that need their height or width, and why.
PINNED = {
    **dict.fromkeys(("bn_scale_relu_inplace", "dropout_inplace", "dropout_sep"), WEIGHT),
    **dict.fromkeys(("legacy_blob_shape", "v1_layers", "reshape_flatten_batch2"), WEIGHT),
    **dict.fromkeys(("ip", "ip_axis", "ip_nobias", "ip_transpose"), WEIGHT),
    **dict.fromkeys(("conv_axis2_group", "scale_all", "scale_axis", "shared_permissive"), WEIGHT),
    **dict.fromkeys(("bias_axis", "bias_to_end", "bias_to_end_axis2"), "its bias has one size"),
    **dict.fromkeys(("upsample_mask", "upsample_overlap"), MASK),
    **dict.fromkeys(("upsample_poolpad", "upsample_size"), MASK),
    "argmax_ties_topk_val": "3*S2*S3 is less than 4",  # at 1x1 there are no four values
    **dict.fromkeys(("bias_two_num", "scale_two_ax1"), "it fits only where S2 is"),  # of one size
    # The matrix of classes is what has four axes.
    **dict.fromkeys(("infogain", "infogain_axis_full", "infogain_two"), "whether S2*S3 is"),
    "scale_two_bias_neg": "its bias has one size",
    "concat_axis": "it fits only where S3 is 11",  # met by an input of another width
    "concat_neg": "it fits only where S2 is 9",
    "dummydata": "it fits only where S2 is 9",  # met by a constant
    "reshape_full": "11*floor(6*S2*S3 / 11) is 0",  # the width is written, and -1 is taken
    "reshape_mid": "its shape is 2x3x4x2xS3",  # the height is divided into two numbers
}


def freed(case: Path) -> dict[str, tuple[int | str, ...]]:
    """The inputs whose last two axes are those of the largest of four axes, with symbols there."""
    net = graph(case)
    shapes = {
        name: tuple(dim or 1 for dim in shape)
        for name, shape in named(infer(net, Sink()), net.inputs).items()
    }
    maps = sorted((s for s in shapes.values() if len(s) == 4), key=lambda s: -s[2] * s[3])
    places = maps[0][2:] if maps else ()
    return {
        name: (*shape[:-2], "S2", "S3")
        for name, shape in shapes.items()
        if len(shape) >= 2 and shape[-2:] == places and places != (1, 1)
    }


MAPS = [(case, dynamic) for case in cases() if (dynamic := freed(case))]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("case", "dynamic"), MAPS, ids=[case.name for case, _ in MAPS])
def test_a_recorded_case_with_free_places(
    case: Path, dynamic: dict[str, tuple[int | str, ...]]
) -> None:
    if case.name in PINNED:
        with pytest.raises(UnsupportedError) as caught:
            api.convert(graph(case), dynamic=dynamic)
        assert PINNED[case.name] in caught.value.diagnostics[-1].message
        return
    try:
        made = api.convert(graph(case), dynamic=dynamic, metadata=False)
    except PrototxtError:
        with pytest.raises(PrototxtError):  # as without free sizes
            api.convert(graph(case))
        return
    inputs, wanted = blobs(case)
    assert_close(run_onnx(made.model.SerializeToString(), inputs), wanted)
