"""What our own lowerings of windows become when they are lifted again."""

import pytest
from layers.cases import CASES, X, good, pool
from layers.test_cases import net
from lifting import lifted, types

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.weights import make

#: Types that come back as they were, on a target that has them.
SAME = {
    "Convolution": "bvlc",
    "DepthwiseConvolution": "bvlc",
    "Deconvolution": "bvlc",
    "Pooling": "bvlc",
    "LRN": "bvlc",
    "CuDNNLRNCrossChannel": "bvlc",
    "ShuffleChannel": "ssd",
    "Reorg": "ssd",
}
#: Those that compute the same: what says how they were written is not in ONNX.
ALIKE = {
    "Im2col": "Convolution",  # its weights pick one value each
    "ConvolutionDepthwise": "Convolution",
    "DepthwiseConv": "Convolution",
    "Interp": "Interp",  # by height and width, whatever gave them
    "Upsample": "Deconvolution",  # no target has that fork's
}
#: Parameters that change the form: two bottoms, a dilation of 0 folded into the weights, a ReLU
#: of its own, a field of another fork, a size that stays.
OTHERWISE = ("dilation: 0", "[2, 0]", "[0, 1]", "relu: true", "ceil_mode", "zoom_factor: 1")


def fits(case):
    rank = len(case.bottoms[0]) if case.bottoms else 0
    return (
        case.rule is None
        and not any(None in shape for shape in case.bottoms)
        and "axis" not in case.params  # Reshape in front
        and "pad_beg" not in case.params  # Slice in front
        and case.top_count == 1
        and rank > 2
        and not (case.type == "Upsample" and len(case.bottoms) == 2)
    )


MORE = [
    good("Pooling", pool(f"pool: {mode} kernel_size: {text}"), [X], [(2, 6, 3, 4)])
    for mode in ("MAX", "AVE", "STOCHASTIC")
    for text in ("2 stride: 2", "3 stride: 2 pad: 1", "4 stride: 2 pad: 1 round_mode: FLOOR")
    if mode != "STOCHASTIC" or "pad" not in text
]
MORE.append(good("LRN", "lrn_param { norm_region: WITHIN_CHANNEL local_size: 3 }", [X], [X]))


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.type in {*SAME, *ALIKE} and fits(case)] + MORE,
    ids=str,
)
def test_a_layer_returns(case):
    source = Source(net(case).encode())
    graph = api.load(source)
    graph.stored = make(graph, "random")
    target = SAME.get(case.type, "ssd")
    own = {finding.rule for finding in api.validate(source)}
    made = lifted(api.convert(graph).model, target, known=own)
    wanted = graph.nodes[-1].layer
    if case.type in ALIKE:
        found = types(made)
        assert found in ([ALIKE[case.type]], ["Power"])
    elif any(one in case.params for one in OTHERWISE):
        assert types(made)[0] == wanted.type
    else:
        assert [node.layer for node in made.graph.nodes if node.type != "Input"] == [wanted]
        stored = made.graph.stored.get(made.graph.nodes[-1].name, ())
        for one, other in zip(graph.stored.get("l", ()), stored, strict=True):
            assert one.tobytes() == other.tobytes()
