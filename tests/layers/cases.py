"""One table of layer cases, which every test of layers goes through.

``good`` states what comes out: the shapes of the tops, of the weights, and the cost where
it is not just the weights. ``bad`` states by what rule a layer is refused. Shapes are what
the C++ source of each layer gives, worked out by hand; tests/golden has what Caffe gave.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Case:
    """A layer with bottoms ``b0``, ``b1``... and what becomes of it."""

    type: str
    params: str
    bottoms: tuple[Shape, ...]
    tops: tuple[Shape, ...] = ()
    weights: tuple[Shape, ...] = ()
    multiply_adds: int = 0
    statistics: int = 0
    rule: str | None = None  #: the finding, where it is refused
    top_count: int = 1

    def __str__(self) -> str:
        what = f"refused-{self.rule}" if self.rule else "taken"
        return f"{self.type}-{what}-{self.params or 'plain'}"


def good(
    type: str,
    params: str,
    bottoms: Sequence[Shape],
    tops: Sequence[Shape],
    weights: Sequence[Shape] = (),
    multiply_adds: int = 0,
    statistics: int = 0,
) -> Case:
    return Case(
        type,
        params,
        tuple(bottoms),
        tuple(tops),
        tuple(weights),
        multiply_adds,
        statistics,
        top_count=len(tops),
    )


def bad(type: str, params: str, bottoms: Sequence[Shape], rule: str, tops: int = 1) -> Case:
    return Case(type, params, tuple(bottoms), rule=rule, top_count=tops)


X = (2, 6, 5, 7)
NCL = (2, 6, 9)
BOX = (3, 5)
RPN = [(1, 18, 3, 4), (1, 36, 3, 4), (1, 3)]
RPN_4 = [*RPN[:2], (1, 4)]
RPN_1 = [(1, 2, 3, 4), (1, 4, 3, 4), (1, 3)]
ALIKE = (
    "AbsVal BNLL ELU Exp GELU HSwish HardSigmoid Log MnActivation Mish Power ReLU ReLU6 SELU SeLu "
    "SeLuDropout Sigmoid SpatialDropout Swish TanH Threshold Dropout Clip"
)
OPAQUE = (
    "AnnotatedData VideoData BoxData BoxAnnotatorOHEM EvalDetection DetectNetTransformation TRT"
)
SCORES, LABELS = (4, 10), (4,)
YOLO, FINE = (1, 16, 3, 3), (1, 16, 5, 5)


def conv(text: str) -> str:
    return f"convolution_param {{ {text} }}"


def pool(text: str) -> str:
    return f"pooling_param {{ {text} }}"


def interp(text: str) -> str:
    return f"interp_param {{ {text} }}"


def reshape(text: str) -> str:
    return f"reshape_param {{ {text} }}"


def prior(text: str) -> str:
    return f"prior_box_param {{ {text} }}"


def regression(deviations: str) -> str:
    values = " ".join(f"bbox_mean: 0 bbox_std: {value}" for value in deviations.split())
    return f"bbox_reg_param {{ {values} }}"


def proposal(settings: str) -> str:
    names = 'module: "rpn.proposal_layer" layer: "ProposalLayer"'
    return f'python_param {{ {names} param_str: "{settings}" }}'


def cpp_proposal(more: str = "") -> str:
    ratios = "ratio: 0.5 ratio: 1 ratio: 2 scale: 1 scale: 2 scale: 4"
    return f"proposal_param {{ {ratios} {more} }}"


def yolo(params: str, biases: int = 4) -> str:
    sizes = ["1.5", "2", "0.5", "0.75", "3", "4"][:biases]
    return (
        "yolo_detection_output_param { "
        f"{params} num_box: 2 biases: [{', '.join(sizes)}] confidence_threshold: 0.2 }}"
    )


def yolov3(params: str, scales: str = "4, 2", mask: str = "2, 3, 0, 1") -> str:
    return (
        f"yolov3_detection_output_param {{ {params} num_box: 2 biases: [3, 4, 5, 6, 7, 8, 9, 10] "
        f"anchors_scale: [{scales}] mask: [{mask}] confidence_threshold: 0.2 }}"
    )


CLIP = "clip_param { min: 0 max: 1 }"

ACTIVATIONS = [
    *(good(type, CLIP if type == "Clip" else "", [X], [X]) for type in ALIKE.split()),
    *(good(type, CLIP if type == "Clip" else "", [(3,)], [(3,)]) for type in ALIKE.split()),
    good("CReLU", "", [X], [(2, 12, 5, 7)]),
    good("PReLU", "", [X], [X], [(6,)]),
    good("PReLU", "prelu_param { channel_shared: true }", [X], [X], [()]),
    bad("PReLU", "", [(3,)], "bottom-rank"),
    good("Softmax", "", [X], [X]),
    good("Softmax", "softmax_param { axis: -1 }", [(3,)], [(3,)]),
    bad("Softmax", "softmax_param { axis: 4 }", [X], "axis-out-of-range"),
    good("Dropout", "dropout_param { dropout_ratio: 1 }", [X], [X]),
    bad("Exp", "exp_param { base: 0 }", [X], "base"),
    bad("Log", "log_param { base: -2 }", [X], "base"),
    bad("Log", "log_param { base: 1 }", [X], "base"),
    bad("Log", "log_param { base: nan }", [X], "base"),
    bad("Exp", "exp_param { base: inf }", [X], "base"),
    good("Exp", "exp_param { base: 1 }", [X], [X]),
    bad("ReLU", "", [X, X], "bottom-count"),
    bad("Sigmoid", "", [X], "top-count", tops=2),
    bad("Clip", "clip_param { min: 0 }", [X], "missing-required"),
]

INPUTS = [
    good("Input", "input_param { shape { dim: [1, 2] } shape { dim: 3 } }", [], [(1, 2), (3,)]),
    good("Input", "input_param { shape { dim: [1, 2] } }", [], [(1, 2), (1, 2)]),
    good("Input", "input_param { shape { } }", [], [()]),
    bad("Input", "input_param { shape { dim: -1 } }", [], "negative-dim"),
    bad("Input", "input_param { shape { } shape { } }", [], "input-shapes", tops=3),
    good("DummyData", "dummy_data_param { shape { dim: [2, 3] } }", [], [(2, 3), (2, 3)]),
    good(
        "DummyData",
        "dummy_data_param { num: 1 num: 2 channels: 3 height: 4 width: 5 data_filler { } }",
        [],
        [(1, 3, 4, 5), (2, 3, 4, 5)],
    ),
    bad("DummyData", "dummy_data_param { num: 1 shape { dim: 1 } }", [], "input-shapes"),
    bad("DummyData", "dummy_data_param { shape { dim: [1, -2] } }", [], "negative-dim"),
    bad(
        "DummyData",
        "dummy_data_param { shape { } data_filler { } data_filler { } }",
        [],
        "input-shapes",
        tops=3,
    ),
    good("Parameter", "parameter_param { shape { dim: [3, 4] } }", [], [(3, 4)], [(3, 4)]),
    bad("Parameter", "", [X], "bottom-count"),
    bad("Parameter", "parameter_param { shape { dim: -3 } }", [], "negative-dim"),
    bad("Parameter", "parameter_param { shape { dim: [3, -4] } }", [], "negative-dim"),
    bad("DummyData", "dummy_data_param { shape { dim: [2, -3] } }", [], "negative-dim"),
]

DATA = [
    good(
        "Data",
        "transform_param { crop_size: 9 } data_param { batch_size: 4 }",
        [],
        [(4, None, 9, 9), (4,)],
    ),
    good("Data", "data_param { batch_size: 4 }", [], [(4, None, None, None)]),
    good(
        "Data",
        "transform_param { crop_size: 9 mean_value: [1, 2, 3] } data_param { batch_size: 4 }",
        [],
        [(4, 3, 9, 9)],
    ),
    good("Data", "transform_param { force_gray: true }", [], [(0, 1, None, None)]),
    good(
        "ImageData",
        "image_data_param { batch_size: 4 new_height: 5 new_width: 6 is_color: false }",
        [],
        [(4, 1, 5, 6), (4,)],
    ),
    good(
        "ImageData",
        "transform_param { crop_size: 9 } image_data_param { }",
        [],
        [(1, 3, 9, 9), (1,)],
    ),
    bad("ImageData", "image_data_param { new_height: 5 }", [], "image-size", tops=2),
    bad("ImageData", "", [], "top-count"),
    good(
        "WindowData",
        "transform_param { crop_size: 9 } window_data_param { batch_size: 4 }",
        [],
        [(4, None, 9, 9), (4,)],
    ),
    bad("WindowData", "", [], "crop-size", tops=2),
    good(
        "MemoryData",
        "memory_data_param { batch_size: 4 channels: 3 height: 2 width: 1 }",
        [],
        [(4, 3, 2, 1), (4,)],
    ),
    bad("MemoryData", "", [], "memory-data-size", tops=2),
    good("HDF5Data", "", [], [(None,)]),
    bad("HDF5Data", "transform_param { }", [], "hdf5-transform"),
    good("HDF5Output", "", [X, X], []),
    bad("HDF5Output", "", [X], "bottom-count", tops=0),
    *(good(type, "", [], [(None,)]) for type in OPAQUE.split()),
]

CONVOLUTIONS = [
    good(
        "Convolution",
        conv("num_output: 4 kernel_size: 3 pad: 1 stride: 2 group: 2"),
        [X],
        [(2, 4, 3, 4)],
        [(4, 3, 3, 3), (4,)],
        multiply_adds=27 * 2 * 4 * 3 * 4,
    ),
    good(
        "Convolution",
        conv("num_output: 4 kernel_h: 2 kernel_w: 3 pad_w: 1 dilation: 2 bias_term: false"),
        [X],
        [(2, 4, 3, 5)],
        [(4, 6, 2, 3)],
        multiply_adds=36 * 2 * 4 * 3 * 5,
    ),
    good(
        "Convolution",
        conv("num_output: 4 kernel_size: [1, 2, 3]"),
        [(2, 6, 5, 7, 9)],
        [(2, 4, 5, 6, 7)],
        [(4, 6, 1, 2, 3), (4,)],
        multiply_adds=36 * 2 * 4 * 5 * 6 * 7,
    ),
    good(
        "Convolution",
        conv("num_output: 4 kernel_size: 3 axis: -2"),
        [X],
        [(2, 6, 4, 5)],
        [(4, 5, 3), (4,)],
        multiply_adds=15 * 2 * 6 * 4 * 5,
    ),
    good(
        "Convolution",
        conv("num_output: 1 kernel_size: 1"),
        [X, X],
        [(2, 1, 5, 7), (2, 1, 5, 7)],
        [(1, 6, 1, 1), (1,)],
        multiply_adds=2 * 6 * 2 * 5 * 7,
    ),
    # C++ cuts (2 - 3) / 2 to 0, so that there is one window.
    good(
        "Convolution",
        conv("num_output: 1 kernel_size: 3 stride: 2"),
        [(1, 1, 2, 3)],
        [(1, 1, 1, 1)],
        [(1, 1, 3, 3), (1,)],
        multiply_adds=9,
    ),
    good(
        "Convolution",
        conv("num_output: 2 kernel_size: 1 relu: true negative_slope: 0.1"),
        [X],
        [(2, 2, 5, 7)],
        [(2, 6, 1, 1), (2,)],
        multiply_adds=6 * 2 * 2 * 5 * 7,
    ),
    # All taps of a row on one pixel: an extent of 1 (base_conv_layer.cpp).
    good(
        "Convolution",
        conv("num_output: 4 kernel_size: 3 dilation: 0 stride: 2 group: 2"),
        [X],
        [(2, 4, 3, 4)],
        [(4, 3, 3, 3), (4,)],
        multiply_adds=27 * 2 * 4 * 3 * 4,
    ),
    good(
        "Convolution",
        conv("num_output: 4 kernel_size: 3 dilation: [2, 0] pad: 1"),
        [X],
        [(2, 4, 3, 9)],
        [(4, 6, 3, 3), (4,)],
        multiply_adds=54 * 2 * 4 * 3 * 9,
    ),
    # No spatial axis at all (Test0DConvolution of test_convolution_layer.cpp).
    *(
        good(
            "Convolution",
            conv(f"num_output: 4 kernel_size: 3 axis: {axis} group: {group}"),
            [shape],
            [(*shape[:-1], 4)],
            [(4, shape[-1] // group), (4,)],
            multiply_adds=shape[-1] // group * prod(shape[:-1]) * 4,
        )
        for axis, group, shape in ((3, 1, X), (-1, 2, (2, 6)), (0, 1, (6,)))
    ),
    bad("Convolution", conv("kernel_size: 3"), [X], "num-output-zero"),
    bad("Convolution", conv("num_output: 1"), [X], "kernel-missing"),
    bad("Convolution", conv("num_output: 1 kernel_size: 0"), [X], "window-zero"),
    bad("Convolution", conv("num_output: 1 kernel_size: 1 stride: 0"), [X], "window-zero"),
    bad("Convolution", conv("num_output: 4 kernel_size: 1 group: 0"), [X], "group-zero"),
    bad("Convolution", conv("num_output: 4 kernel_size: 1 group: 3"), [X], "group-divides"),
    bad("Convolution", conv("num_output: 4 kernel_size: 1 group: 4"), [X], "group-divides"),
    bad("Convolution", conv("num_output: 4 kernel_size: 6"), [X], "window-too-large"),
    bad("Convolution", conv("num_output: 4 kernel_size: [1, 2, 3]"), [X], "window-axes"),
    bad("Convolution", conv("num_output: 4 kernel_size: [2, 2, 2]"), [X], "window-axes"),
    bad("Convolution", conv("num_output: 4 kernel_size: 1 pad: [1, 1, 1]"), [X], "window-axes"),
    bad("Convolution", conv("num_output: 4 kernel_size: 1 stride: [1, 1]"), [NCL], "window-axes"),
    bad("Convolution", conv("num_output: 4 kernel_size: 1 dilation: [1, 1]"), [NCL], "window-axes"),
    bad(
        "Convolution", conv("num_output: 4 kernel_size: 1 pad_h: 1 pad_w: 1"), [NCL], "window-axes"
    ),
    bad("Convolution", conv("num_output: 4 kernel_h: 1 kernel_w: 1"), [NCL], "window-axes"),
    bad("Im2col", conv("kernel_size: 1 stride_h: 2 stride_w: 2"), [NCL], "window-axes"),
    bad("Convolution", conv("num_output: 4 kernel_size: 1 kernel_h: 1"), [X], "window-spelling"),
    bad("Convolution", conv("num_output: 4 kernel_size: 1 axis: 4"), [X], "axis-out-of-range"),
    bad("Convolution", conv("num_output: 4 kernel_size: 1"), [X, X], "top-count"),
    bad(
        "Convolution", conv("num_output: 4 kernel_size: 1"), [X, (1, 6, 5, 7)], "shape-mismatch", 2
    ),
    good(
        "DepthwiseConvolution",
        conv("num_output: 6 kernel_size: 3 group: 6"),
        [X],
        [(2, 6, 3, 5)],
        [(6, 1, 3, 3), (6,)],
        multiply_adds=9 * 2 * 6 * 3 * 5,
    ),
    *(
        good(
            type,
            conv("num_output: 99 group: 7 kernel_size: 3 bias_term: false"),
            [X],
            [(2, 6, 3, 5)],
            [(6, 1, 3, 3)],
            multiply_adds=9 * 2 * 6 * 3 * 5,
        )
        for type in ("ConvolutionDepthwise", "DepthwiseConv")
    ),
    bad("DepthwiseConv", conv("kernel_size: 9"), [X], "window-too-large"),
    good(
        "Deconvolution",
        conv("num_output: 4 kernel_size: 4 stride: 2 pad: 1 group: 2"),
        [X],
        [(2, 4, 10, 14)],
        [(6, 2, 4, 4), (4,)],
        multiply_adds=32 * 2 * 6 * 5 * 7,
    ),
    bad("Deconvolution", conv("num_output: 4 kernel_size: 1 pad: 3"), [X], "window-too-large"),
    bad("Deconvolution", conv("num_output: 4 kernel_size: 1 group: 4"), [X], "group-divides"),
    good("Im2col", conv("kernel_size: 3 stride: 2 pad: 1"), [X], [(2, 54, 3, 4)]),
    good(
        "Deconvolution",
        conv("num_output: 4 kernel_size: 3 stride: 2 dilation: [0, 1] bias_term: false"),
        [X],
        [(2, 4, 9, 15)],
        [(6, 4, 3, 3)],
        multiply_adds=36 * 2 * 6 * 5 * 7,
    ),
    good(
        "Deconvolution",
        conv("num_output: 4 kernel_size: 3 axis: 3 bias_term: false"),
        [X],
        [(2, 6, 5, 4)],
        [(7, 4)],
        multiply_adds=4 * 2 * 6 * 5 * 7,
    ),
    good("Im2col", conv("kernel_size: 3 dilation: 0 stride: 2"), [X], [(2, 54, 3, 4)]),
    good("Im2col", conv("kernel_size: 3 axis: 3"), [X], [X]),
    bad("Im2col", conv("stride: 1"), [X], "kernel-missing"),
]

POOLINGS = [
    good("Pooling", pool("kernel_size: 2 stride: 2"), [X], [(2, 6, 3, 4)]),
    good("Pooling", pool("kernel_size: 2 stride: 2 round_mode: FLOOR"), [X], [(2, 6, 2, 3)]),
    good("Pooling", pool("kernel_size: 2 stride: 2 ceil_mode: false"), [X], [(2, 6, 2, 3)]),
    # With a pad the last window has to start inside the image or the pad in front.
    good("Pooling", pool("kernel_size: 2 stride: 3 pad: 1"), [(1, 1, 5, 5)], [(1, 1, 2, 2)]),
    good("Pooling", pool("kernel_h: 1 kernel_w: 7 pad_h: 0 pad_w: 3"), [X], [(2, 6, 5, 7)]),
    good("Pooling", pool("kernel_size: 3"), [X], [(2, 6, 3, 5), (2, 6, 3, 5)]),
    good("Pooling", pool("pool: AVE global_pooling: true"), [X], [(2, 6, 1, 1)]),
    # A stride beyond the kernel: the last window of 4 reads nothing, and is kept.
    good("Pooling", pool("kernel_size: 1 stride: 2"), [(1, 1, 4, 4)], [(1, 1, 3, 3)]),
    bad("Pooling", pool("pool: AVE kernel_size: 2"), [X], "top-count", tops=2),
    bad("Pooling", pool(""), [X], "kernel-missing"),
    bad("Pooling", pool("kernel_h: 2"), [X], "window-spelling"),
    # A kernel_size counts where not both of the others are there (pooling_layer.cpp).
    good("Pooling", pool("kernel_size: 2 kernel_h: 5 stride: 2"), [X], [(2, 6, 3, 4)]),
    good("Pooling", pool("kernel_size: 2 kernel_w: 0 stride: 2"), [X], [(2, 6, 3, 4)]),
    bad("Pooling", pool("kernel_size: 2 kernel_h: 2 kernel_w: 2"), [X], "window-spelling"),
    bad("Pooling", pool("global_pooling: true kernel_w: 2"), [X], "window-spelling"),
    bad("Pooling", pool("kernel_size: 2 pad_w: 1"), [X], "window-spelling"),
    bad("Pooling", pool("kernel_size: 2 pad: 2"), [X], "pooling-pad"),
    bad("Pooling", pool("kernel_size: 2 pad: 1 pool: STOCHASTIC"), [X], "pooling-pad"),
    bad("Pooling", pool("global_pooling: true kernel_size: 2"), [X], "global-pooling"),
    bad("Pooling", pool("global_pooling: true pad: 1"), [X], "global-pooling"),
    bad("Pooling", pool("kernel_size: 2 stride: 0"), [X], "window-zero"),
    bad("Pooling", pool("kernel_size: 9"), [X], "window-too-large"),
    bad("Pooling", pool("kernel_size: 1"), [(2, 6, 5)], "bottom-rank"),
    good("SPP", "spp_param { pyramid_height: 3 }", [(2, 6, 8, 8)], [(2, 6 * 21)]),
    good("SPP", "spp_param { pyramid_height: 1 }", [X], [(2, 6, 1, 1)]),
    bad("SPP", "spp_param { pyramid_height: 4 }", [(1, 1, 13, 13)], "pooling-pad"),
    bad("SPP", "", [X], "pyramid-height"),
    bad("SPP", "spp_param { pyramid_height: 2 pool: STOCHASTIC }", [X], "pooling-pad"),
    bad("SPP", "spp_param { pyramid_height: 2 }", [(2, 6, 0, 7)], "shape-mismatch"),
]

DENSE = [
    good(
        "InnerProduct",
        "inner_product_param { num_output: 4 }",
        [X],
        [(2, 4)],
        [(4, 210), (4,)],
        multiply_adds=2 * 4 * 210,
    ),
    good(
        "InnerProduct",
        "inner_product_param { num_output: 4 axis: -1 transpose: true bias_term: false }",
        [X],
        [(2, 6, 5, 4)],
        [(7, 4)],
        multiply_adds=2 * 6 * 5 * 4 * 7,
    ),
    bad("InnerProduct", "", [X], "num-output-zero"),
    bad("InnerProduct", "inner_product_param { num_output: 4 axis: 4 }", [X], "axis-out-of-range"),
    good(
        "Embed",
        "embed_param { num_output: 4 input_dim: 9 }",
        [(2, 3)],
        [(2, 3, 4)],
        [(9, 4), (4,)],
    ),
    bad("Embed", "embed_param { num_output: 4 }", [(2, 3)], "input-dim-zero"),
    bad("Embed", "embed_param { input_dim: 4 }", [(2, 3)], "num-output-zero"),
]

NORMALIZATIONS = [
    *(
        good(type, "", [X], [X], [(6,), (6,), (1,)], statistics=13)
        for type in ("BatchNorm", "MKLBatchNorm", "CuDNNBatchNorm")
    ),
    good(
        "BatchNorm",
        "batch_norm_param { scale_bias: true }",
        [(2, 6)],
        [(2, 6)],
        [(6,), (6,), (1,), (6,), (6,)],
        statistics=13,
    ),
    good(
        "BatchNorm",
        "batch_norm_param { relu: true }",
        [X],
        [X],
        [(6,), (6,), (1,)],
        statistics=13,
    ),
    bad("BatchNorm", "", [(6,)], "bottom-rank"),
    bad("BatchNorm", "param { lr_mult: 1 }", [X], "batch-norm-lr"),
    bad("BatchNorm", "param { lr_mult: 0 } " * 4, [X], "too-many-params"),
    *(good(type, "", [X], [X]) for type in ("LRN", "CuDNNLRNCrossChannel")),
    *(
        good("LRN", f"lrn_param {{ local_size: {size} {more} }}", [X], [X])
        for size in (1, 3, 31)
        for more in ("alpha: 0", "alpha: -0.05 beta: 2", "beta: 0 k: 2", "beta: -0.5 k: 3")
    ),
    bad("LRN", "lrn_param { local_size: 4 }", [X], "lrn-even"),
    bad("LRN", "", [(2, 6)], "bottom-rank"),
    good("MVN", "", [X], [X]),
    good("MVN", "", [(2, 6)], [(2, 6, 1, 1)]),
    bad("MVN", "", [(1, 2, 3, 4, 5)], "bottom-rank"),
    good("Normalize", "", [X], [X], [()]),
    good("Normalize", "norm_param { channel_shared: false }", [X], [X], [(6,)]),
    good("BN", "", [X], [X], [(1, 6, 1, 1)] * 4, statistics=12),
    good("BN", "bn_param { bn_mode: INFERENCE }", [X], [X], [(1, 6, 1, 1)] * 2),
    good(
        "BN",
        "bn_param { bn_mode: LEARN }",
        [(2, 6)],
        [(2, 6, 1, 1), (1, 6, 1, 1), (1, 6, 1, 1)],
        [(1, 6, 1, 1)] * 2,
    ),
    bad("BN", "bn_param { frozen: true }", [(6,)], "bottom-rank"),
]

AFFINE = [
    good("Scale", "", [X], [X], [(6,)]),
    good("Scale", "scale_param { bias_term: true axis: 2 num_axes: 2 }", [X], [X], [(5, 7)] * 2),
    good("Scale", "scale_param { num_axes: 0 }", [X], [X], [()]),
    good("Scale", "scale_param { axis: 0 num_axes: -1 }", [X], [X], [X]),
    good("Scale", "scale_param { axis: 0 bias_term: true }", [X, (2, 6)], [X], [(2, 6)]),
    bad("Scale", "scale_param { axis: 3 num_axes: 2 }", [X], "axis-out-of-range"),
    bad("Scale", "", [X, (5,)], "shape-mismatch"),
    bad("Scale", "scale_param { num_axes: -2 }", [X], "num-axes"),
    bad("Scale", "", [X, (6,), (6,)], "bottom-count"),
    good("Bias", "", [X], [X], [(6,)]),
    good("Bias", "bias_param { axis: -1 }", [X, (7,)], [X]),
    bad("Bias", "", [X, (7,)], "shape-mismatch"),
    bad("Bias", "bias_param { num_axes: -5 }", [X], "num-axes"),
    good("Axpy", "", [(2, 6), X, X], [X]),
    good("Axpy", "", [(2, 6, 1, 1), X, X], [X]),
    bad("Axpy", "", [(2, 6, 5, 1), X, X], "shape-mismatch"),
    bad("Axpy", "", [(2, 6), X], "bottom-count"),
]

COMBINATIONS = [
    good("Eltwise", "", [X, X, X], [X]),
    good("Eltwise", "eltwise_param { coeff: 1 coeff: -1 }", [X, X], [X]),
    bad("Eltwise", "", [X], "bottom-count"),
    bad("Eltwise", "", [X, (2, 6, 5, 6)], "shape-mismatch"),
    bad("Eltwise", "eltwise_param { coeff: 1 }", [X, X], "eltwise-coeff"),
    bad("Eltwise", "eltwise_param { operation: PROD coeff: 1 coeff: 1 }", [X, X], "eltwise-coeff"),
    good("Concat", "", [X, (2, 1, 5, 7)], [(2, 7, 5, 7)]),
    good("Concat", "concat_param { concat_dim: 0 }", [X, X], [(4, 6, 5, 7)]),
    good("Concat", "concat_param { axis: -1 }", [X], [X]),
    bad("Concat", "concat_param { axis: 1 concat_dim: 1 }", [X, X], "concat-axis"),
    bad("Concat", "concat_param { axis: 4 }", [X, X], "axis-out-of-range"),
    bad("Concat", "", [X, (2, 1, 5, 6)], "shape-mismatch"),
    bad("Concat", "", [(2, 6), (2,)], "shape-mismatch"),
    bad("Concat", "concat_param { axis: 1 }", [(2, 6), (2, 6, 1)], "shape-mismatch"),
    good("Slice", "", [X], [(2, 2, 5, 7)] * 3),
    good("Slice", "slice_param { slice_point: [1, 3] }", [X], [(2, n, 5, 7) for n in (1, 2, 3)]),
    good("Slice", "slice_param { slice_dim: 0 }", [X], [(1, 6, 5, 7)] * 2),
    bad("Slice", "", [X], "slice-equal", tops=4),
    bad("Slice", "slice_param { slice_point: [1, 3] }", [X], "top-count", tops=2),
    bad("Slice", "slice_param { slice_point: [3, 1] }", [X], "slice-point", tops=3),
    bad("Slice", "slice_param { slice_point: 7 }", [X], "slice-point", tops=2),
    bad("Slice", "slice_param { axis: 0 slice_dim: 0 }", [X], "slice-axis", tops=2),
    good("Split", "", [X], [X, X]),
    good("Silence", "", [X, X], []),
    bad("Silence", "", [X], "top-count"),
]

SHAPES = [
    good("Reshape", reshape("shape { dim: [0, -1] }"), [X], [(2, 210)]),
    good("Reshape", reshape("shape { dim: [3, 2] } axis: 1 num_axes: 1"), [X], [(2, 3, 2, 5, 7)]),
    good("Reshape", reshape("shape { dim: 1 } axis: -1"), [X], [(2, 6, 5, 7, 1)]),
    good("Reshape", reshape("shape { dim: [5, 6] } axis: 1 num_axes: 2"), [X], [(2, 5, 6, 7)]),
    good("Reshape", reshape("shape { } axis: 1"), [(2, 1)], [(2,)]),
    bad("Reshape", reshape("shape { dim: [-1, -1] }"), [X], "reshape-dim"),
    bad("Reshape", reshape("shape { dim: [-2] }"), [X], "reshape-dim"),
    bad("Reshape", reshape("shape { dim: [0, 0, 0, 0, 0] }"), [X], "reshape-dim"),
    bad("Reshape", reshape("shape { dim: [3, 3] }"), [X], "reshape-count"),
    bad("Reshape", reshape("shape { dim: [8, -1] }"), [X], "reshape-count"),
    bad("Reshape", reshape("shape { dim: 7 } axis: -1 num_axes: 1"), [X], "axis-out-of-range"),
    bad("Reshape", reshape("shape { dim: 1 } axis: 5"), [X], "axis-out-of-range"),
    bad("Reshape", reshape("shape { dim: 0 } num_axes: -2"), [X], "reshape-axes"),
    good("Flatten", "", [X], [(2, 210)]),
    good("Flatten", "flatten_param { axis: 1 end_axis: 2 }", [X], [(2, 30, 7)]),
    good("Flatten", "flatten_param { axis: -2 }", [X], [(2, 6, 35)]),
    good("Flatten", "flatten_param { axis: 2 end_axis: 1 }", [X], [(2, 6, 1, 5, 7)]),
    bad("Flatten", "flatten_param { axis: 3 end_axis: 1 }", [X], "axis-out-of-range"),
    bad("Flatten", "flatten_param { end_axis: 4 }", [X], "axis-out-of-range"),
    good("Permute", "permute_param { order: [0, 2, 3, 1] }", [X], [(2, 5, 7, 6)]),
    good("Permute", "permute_param { order: 3 }", [X], [(7, 2, 6, 5)]),
    bad("Permute", "permute_param { order: [1, 1] }", [X], "permute-order"),
    bad("Permute", "permute_param { order: 4 }", [X], "axis-out-of-range"),
    good("Transpose", "transpose_param { dim: [1, 0] }", [(2, 3)], [(3, 2)]),
    bad("Transpose", "transpose_param { dim: [1] }", [(2, 3)], "permute-order"),
    good("Reverse", "reverse_param { axis: -1 }", [X], [X]),
    bad("Reverse", "reverse_param { axis: 4 }", [X], "axis-out-of-range"),
    good("Crop", "crop_param { offset: 1 }", [X, (9, 9, 4, 6)], [(2, 6, 4, 6)]),
    good("Crop", "crop_param { axis: 1 offset: [0, 1, 2] }", [X, (1, 5, 4, 5)], [(2, 5, 4, 5)]),
    bad("Crop", "", [X, (2, 6, 6, 7)], "crop-bounds"),
    bad("Crop", "crop_param { offset: 1 }", [X, X], "crop-bounds"),
    bad("Crop", "crop_param { offset: [1, 1, 1] }", [X, (1, 1, 1, 1)], "crop-offset"),
    bad("Crop", "", [X, (2, 6)], "bottom-rank"),
    good("Tile", "tile_param { tiles: 3 axis: -1 }", [X], [(2, 6, 5, 21)]),
    bad("Tile", "", [X], "tiles"),
]

REDUCTIONS = [
    good("Reduction", "", [X], [()]),
    good("Reduction", "reduction_param { axis: -2 operation: MEAN }", [X], [(2, 6)]),
    bad("Reduction", "reduction_param { axis: 4 }", [X], "axis-out-of-range"),
    good("ArgMax", "argmax_param { top_k: 3 }", [X], [(2, 1, 3, 1)]),
    good("ArgMax", "argmax_param { out_max_val: true }", [(2, 6)], [(2, 2, 1)]),
    good("ArgMax", "argmax_param { axis: 1 out_max_val: true }", [X], [(2, 1, 5, 7)]),
    bad("ArgMax", "argmax_param { axis: 1 top_k: 7 }", [X], "top-k"),
    bad("ArgMax", "argmax_param { top_k: 0 }", [X], "top-k"),
    good("BatchReindex", "", [X, (9,)], [(9, 6, 5, 7)]),
    bad("BatchReindex", "", [X, (9, 1)], "bottom-rank"),
    good("Filter", "", [X, (2, 3), (2,)], [(None, 6, 5, 7), (None, 3)]),
    good("Filter", "", [X, (2, 1, 1)], [(None, 6, 5, 7)]),
    bad("Filter", "", [X, (3,)], "shape-mismatch"),
    bad("Filter", "", [X, (2, 2)], "shape-mismatch"),
    bad("Filter", "", [X, (2,)], "top-count", tops=2),
]

LOSSES = [
    good("SoftmaxWithLoss", "", [SCORES, LABELS], [()]),
    good("SoftmaxWithLoss", "softmax_param { axis: 2 }", [X, (2, 6, 7)], [()]),
    good("SoftmaxWithLoss", "", [X, (2, 1, 5, 7)], [()]),
    bad("SoftmaxWithLoss", "", [SCORES, (3,)], "shape-mismatch"),
    bad("SoftmaxWithLoss", "", [SCORES, LABELS], "loss-weight-count", tops=2),
    good("SigmoidCrossEntropyLoss", "", [SCORES, (4, 2, 5)], [()]),
    bad("SigmoidCrossEntropyLoss", "", [SCORES, LABELS], "shape-mismatch"),
    good("EuclideanLoss", "", [SCORES, (4, 5, 2)], [()]),
    bad("EuclideanLoss", "", [SCORES, (10, 4)], "shape-mismatch"),
    good("ContrastiveLoss", "", [SCORES, SCORES, LABELS], [()]),
    bad("ContrastiveLoss", "", [SCORES, (4, 9), LABELS], "shape-mismatch"),
    bad("ContrastiveLoss", "", [SCORES, SCORES, (7,)], "shape-mismatch"),
    bad("ContrastiveLoss", "", [X, X, (2,)], "shape-mismatch"),
    good("HingeLoss", "", [SCORES, LABELS], [()]),
    bad("HingeLoss", "", [SCORES, (5,)], "shape-mismatch"),
    good("MultinomialLogisticLoss", "", [SCORES, LABELS], [()]),
    bad("MultinomialLogisticLoss", "", [SCORES, (4, 2)], "shape-mismatch"),
    good("InfogainLoss", "", [SCORES, LABELS, (10, 10)], [()]),
    good("InfogainLoss", 'infogain_loss_param { source: "h" }', [SCORES, LABELS], [()]),
    good(
        "InfogainLoss",
        "loss_weight: 1 loss_weight: 0",
        [SCORES, LABELS, (10, 10)],
        [(), SCORES],
    ),
    # As many labels as are needed, in another shape (loss_layer.cpp).
    bad("SoftmaxWithLoss", "", [(2, 3, 4), (8,)], "shape-mismatch"),
    bad("SigmoidCrossEntropyLoss", "", [(2, 6), (6, 2)], "shape-mismatch"),
    bad("SigmoidCrossEntropyLoss", "", [(), ()], "bottom-rank"),
    bad("InfogainLoss", "", [(2, 3, 4), (8,), (3, 3)], "shape-mismatch"),
    bad("InfogainLoss", "", [SCORES, LABELS], "bottom-count"),
    bad("InfogainLoss", "", [SCORES, LABELS, (9, 9)], "shape-mismatch"),
    bad(
        "InfogainLoss",
        "loss_param { normalize: true }",
        [SCORES, LABELS, (10, 10)],
        "loss-normalize",
    ),
    good("Accuracy", "", [SCORES, LABELS], [()]),
    good("Accuracy", "accuracy_param { axis: -1 }", [X, (2, 6, 5)], [(), (7,)]),
    bad("Accuracy", "accuracy_param { top_k: 11 }", [SCORES, LABELS], "top-k"),
    bad("Accuracy", "accuracy_param { top_k: 0 }", [SCORES, LABELS], "top-k"),
    bad("Accuracy", "", [SCORES, (5,)], "shape-mismatch"),
    good("MultiBoxLoss", "", [X, X, X, X], [()]),
    good("SmoothL1Loss", "", [X, X, X, X], [()]),
    good("SmoothL1LossOHEM", "", [X, X], [()]),
    good("SoftmaxWithLossOHEM", "", [X, X], [()]),
    good("L1Loss", "", [X, X], [()]),
    good("RegionLoss", "", [X, X], [()]),
    bad("MultiBoxLoss", "", [X], "bottom-count"),
]

D4 = "recurrent_param { num_output: 4 }"
EXPOSED = "recurrent_param { num_output: 4 expose_hidden: true }"
STEPS, CONT, STATE = (5, 2, 3), (5, 2), (1, 2, 4)
RECURRENT = [
    good(
        "LSTM",
        D4,
        [STEPS, CONT],
        [(5, 2, 4)],
        [(16, 3), (16,), (16, 4)],
        multiply_adds=5 * 2 * 16 * (3 + 4),
    ),
    good(
        "LSTM",
        EXPOSED,
        [STEPS, CONT, (2, 6), STATE, STATE],
        [(5, 2, 4), STATE, STATE],
        [(16, 3), (16,), (16, 6), (16, 4)],
        multiply_adds=5 * 2 * 16 * (3 + 6 + 4),
    ),
    good(
        "RNN",
        EXPOSED,
        [(5, 2, 3, 2), CONT, STATE],
        [(5, 2, 4), STATE],
        [(4, 6), (4,), (4, 4), (4, 4), (4,)],
        multiply_adds=5 * 2 * 4 * (6 + 4 + 4),
    ),
    bad("LSTM", "", [STEPS, CONT], "num-output-zero"),
    bad("LSTM", D4, [STEPS, (5, 3)], "shape-mismatch"),
    bad("LSTM", D4, [STEPS, CONT, (3, 6)], "shape-mismatch"),
    bad("LSTM", D4, [STEPS], "bottom-count"),
    bad("LSTM", D4, [CONT, CONT], "bottom-rank"),
    bad("LSTM", D4, [STEPS, CONT, (2,)], "bottom-rank"),
    bad("RNN", D4, [CONT, CONT], "bottom-rank"),
    bad("RNN", EXPOSED, [STEPS, CONT, (1, 2, 5)], "shape-mismatch", tops=2),
    bad("RNN", EXPOSED, [STEPS, CONT, STATE], "top-count"),
    good("LSTMUnit", "", [STATE, (1, 2, 16), (1, 2)], [STATE, STATE]),
    bad("LSTMUnit", "", [STATE, (1, 2, 15), (1, 2)], "shape-mismatch", tops=2),
    good(
        "Lstm",
        "lstm_param { num_output: 4 }",
        [STEPS],
        [(5, 2, 4)],
        [(16, 3), (16, 4), (16,)],
        multiply_adds=5 * 2 * 16 * (3 + 4),
    ),
    bad("Lstm", "", [STEPS], "num-output-zero"),
]

DETECTIONS = [
    good("PriorBox", prior("min_size: 30"), [X, (1, 3, 99, 99)], [(1, 2, 5 * 7 * 4)]),
    # 1, 2 and 1/2, 3 and 1/3; the second 2 and 0.5 are there already; one more for max_size
    good(
        "PriorBox",
        prior("min_size: 30 max_size: 60 aspect_ratio: [2, 3, 2, 0.5]"),
        [X, X],
        [(1, 2, 5 * 7 * 6 * 4)],
    ),
    good("PriorBox", prior("min_size: 9 aspect_ratio: 2 flip: false"), [X, X], [(1, 2, 280)]),
    bad("PriorBox", prior(""), [X, X], "prior-box-size"),
    bad("PriorBox", prior("min_size: 0"), [X, X], "prior-box-size"),
    *(
        bad("PriorBox", prior(f"min_size: 3 {more}"), [X, X], "prior-box-size")
        for more in (
            "min_size: inf",
            "min_size: 1e30",
            "min_size: nan",
            "max_size: inf",
            "max_size: nan",
            "aspect_ratio: 1e38",
            "aspect_ratio: 1e-45",
            "aspect_ratio: nan",
            "step: 0",
            "step: inf",
            "step_h: -1 step_w: 1",
            "img_size: 0",
            "img_h: 1 img_w: 0",
        )
    ),
    bad("PriorBox", prior("min_size: 30 max_size: 30"), [X, X], "prior-box-size"),
    bad("PriorBox", prior("min_size: 3 max_size: 9 max_size: 9"), [X, X], "prior-box-size"),
    bad("PriorBox", prior("min_size: 3 variance: [1, 2]"), [X, X], "prior-box-variance"),
    bad("PriorBox", prior("min_size: 3 variance: 0"), [X, X], "prior-box-variance"),
    bad("PriorBox", prior("min_size: 3 step_h: 1"), [X, X], "prior-box-form"),
    bad("PriorBox", prior("min_size: 3 img_size: 9 img_h: 9"), [X, X], "prior-box-form"),
    good(
        "DetectionOutput",
        "detection_output_param { num_classes: 3 }",
        [(2, 20), (2, 15), (1, 2, 20)],
        [(1, 1, None, 7)],
    ),
    good(
        "DetectionOutput",
        "detection_output_param { num_classes: 3 share_location: false nms_param { top_k: 9 } }",
        [(2, 60), (2, 15), (1, 2, 20), X],
        [(1, 1, None, 7)],
    ),
    bad(
        "DetectionOutput",
        "detection_output_param { num_classes: 3 }",
        [(2, 20), (2, 14), (1, 2, 20)],
        "prior-count",
    ),
    bad("DetectionOutput", "", [X, X, (1, 2, 8)], "num-classes"),
    bad(
        "DetectionOutput",
        "detection_output_param { num_classes: 3 nms_param { eta: 0 } }",
        [(2, 20), (2, 15), (1, 2, 20)],
        "nms",
    ),
    bad(
        "DetectionOutput",
        "detection_output_param { num_classes: 3 background_label_id: -1 }",
        [(2, 20), (2, 15), (1, 2, 20)],
        "background-label",
    ),
    bad(
        "DetectionOutput",
        "detection_output_param { num_classes: 3 nms_param { nms_threshold: nan } }",
        [(2, 20), (2, 15), (1, 2, 20)],
        "nms",
    ),
    good("DetectionEvaluate", "", [X, X], [(1, 1, None, 5)]),
    good(
        "ROIPooling",
        "roi_pooling_param { pooled_h: 2 pooled_w: 3 }",
        [X, BOX],
        [(3, 6, 2, 3)],
    ),
    good("ROIAlign", "roi_align_param { pooled_h: 2 pooled_w: 3 }", [X, BOX], [(3, 6, 2, 3)]),
    good(
        "ROIAlign",
        "roi_pooling_param { pooled_h: 2 pooled_w: 3 bi_type: 0 }",
        [X, (3, 5, 1, 1)],
        [(3, 6, 2, 3)],
    ),
    good(
        "ROIAlign",
        "roi_pooling_param { pooled_h: 2 pooled_w: 3 pad_ratio: 0.2 spatial_scale: 0.5 }",
        [X, BOX],
        [(3, 6, 2, 3)],
    ),
    bad("ROIPooling", "", [X, BOX], "window-zero"),
    bad("ROIAlign", "roi_align_param { pooled_h: 2 }", [X, BOX], "window-zero"),
    bad("ROIPooling", "roi_pooling_param { pooled_h: 2 pooled_w: 3 }", [X, (3, 4)], "rois"),
    *(
        good(
            type,
            f"{param} {{ spatial_scale: 1 output_dim: 2 group_size: 3 }}",
            [(2, 18, 5, 7), BOX],
            [(3, 2, 3, 3)],
        )
        for type, param in (
            ("PSROIPooling", "psroi_pooling_param"),
            ("PSROIAlign", "psroi_align_param"),
        )
    ),
    bad(
        "PSROIPooling",
        "psroi_pooling_param { spatial_scale: 1 output_dim: 2 group_size: 3 }",
        [X, BOX],
        "group-divides",
    ),
    bad(
        "PSROIAlign",
        "psroi_align_param { spatial_scale: 1 output_dim: 0 group_size: 3 }",
        [X, BOX],
        "window-zero",
    ),
    good("DecodeBBox", "", [(3, 8), (3, 2), BOX], [(3, 5, 1, 1)]),
    good("DecodeBBox", "", [(3, 12, 1, 1), (3, 3, 1, 1), (3, 5, 1, 1)], [(3, 5, 1, 1)]),
    bad("DecodeBBox", "bbox_reg_param { bbox_mean: 0 bbox_std: 1 }", [BOX, BOX, BOX], "bbox-reg"),
    bad("DecodeBBox", regression("1 1 1 0"), [(3, 8), (3, 2), BOX], "bbox-reg"),
    good("Proposal", cpp_proposal(), RPN, [(None, 5), (None,)]),
    good("Proposal", cpp_proposal("pre_nms_topn: 9 post_nms_topn: 2"), RPN_4, [(None, 5)]),
    good("Proposal", cpp_proposal("base_size: 8 min_size: 4 feat_stride: 8"), RPN, [(None, 5)]),
    bad("Proposal", "proposal_param { ratio: 1 }", RPN, "proposals"),
    bad("Proposal", "proposal_param { ratio: 1 scale: -1 }", RPN_1, "proposals"),
    bad("Proposal", cpp_proposal("feat_stride: 0"), RPN, "proposals"),
    bad("Proposal", cpp_proposal("ratio: 3"), RPN, "proposals"),
    good("FrcnnProposal", "", RPN, [(None, 5, 1, 1), (None, 1, 1, 1)]),
    good("FrcnnProposal", "frcnn_proposal_param { config: 'c' }", RPN, [(None, 5, 1, 1)]),
    good("YoloDetectionOutput", yolo("num_classes: 3"), [YOLO], [(1, 1, None, 7)]),
    good("YoloDetectionOutput", yolo("num_classes: 3 side: 9", 6), [YOLO, FINE], [(1, 1, None, 7)]),
    good("YoloDetectionOutput", yolo("num_classes: 3 nms_threshold: 0"), [YOLO], [(1, 1, None, 7)]),
    good("YoloDetectionOutput", yolo("num_classes: 3 nms_threshold: 2"), [YOLO], [(1, 1, None, 7)]),
    bad("YoloDetectionOutput", yolo(""), [YOLO], "num-classes"),
    bad("YoloDetectionOutput", yolo("num_classes: 0"), [YOLO], "num-classes"),
    bad("YoloDetectionOutput", yolo("num_classes: 4"), [YOLO], "yolo"),
    bad("YoloDetectionOutput", yolo("num_classes: 3", 3), [YOLO], "yolo"),
    bad("YoloDetectionOutput", yolo("num_classes: 3 nms_threshold: nan"), [YOLO], "yolo"),
    bad("YoloDetectionOutput", yolo("num_classes: 3"), [YOLO, FINE, FINE], "bottom-count"),
    bad("YoloDetectionOutput", yolo("num_classes: 3"), [YOLO, (1, 15, 4, 4)], "yolo"),
    good("Yolov3DetectionOutput", yolov3("num_classes: 3"), [YOLO, FINE], [(1, 1, None, 7)]),
    good(
        "Yolov3DetectionOutput",
        yolov3("num_classes: 3 mask_group_num: 1", "4", "1, 0"),
        [YOLO],
        [(1, 1, None, 7)],
    ),
    bad("Yolov3DetectionOutput", yolov3(""), [YOLO, FINE], "num-classes"),
    bad("Yolov3DetectionOutput", yolov3("num_classes: 3"), [YOLO], "bottom-count"),
    bad("Yolov3DetectionOutput", yolov3("num_classes: 2"), [YOLO, FINE], "yolo"),
    bad("Yolov3DetectionOutput", yolov3("num_classes: 3", "4"), [YOLO, FINE], "yolo"),
    bad("Yolov3DetectionOutput", yolov3("num_classes: 3", "4, 0"), [YOLO, FINE], "yolo"),
    bad("Yolov3DetectionOutput", yolov3("num_classes: 3", mask="0, 1"), [YOLO, FINE], "yolo"),
    bad("Yolov3DetectionOutput", yolov3("num_classes: 3", mask="0, 1, 2, 4"), [YOLO, FINE], "yolo"),
    bad("Yolov3DetectionOutput", yolov3("num_classes: 3 mask_group_num: 0"), [YOLO], "yolo"),
    good("Region", "region_param { num_classes: 3 num_box: 2 }", [(2, 16, 3, 4)], [(2, 16, 3, 4)]),
    good("Region", "region_param { biases: 1 side: 7 }", [(1, 125, 2, 2)], [(1, 125, 2, 2)]),
    bad("Region", "region_param { num_classes: 3 }", [YOLO], "yolo"),
    bad("Region", "region_param { num_classes: 3 num_box: 2 coords: 5 }", [YOLO], "yolo"),
    bad("Region", "region_param { num_classes: 0 num_box: 2 }", [(1, 10, 3, 3)], "yolo"),
    good("Python", proposal("'feat_stride': 16"), RPN, [(None, 5), (None, 1)]),
    good("Python", proposal("{'feat_stride': 8, scales: [2], ratios: [1]}"), RPN_1, [(None, 5)]),
    bad("Python", proposal("16"), RPN, "python-param"),
    bad("Python", proposal("'feat_stride': 16 'scales'"), RPN, "python-param"),
    bad("Python", proposal("'scales': [8]"), RPN, "python-param"),
    bad("Python", proposal("{'feat_stride': 16, 'scales': 8}"), RPN, "python-param"),
    bad("Python", proposal("{'feat_stride': 16, 'scales': [8]}"), RPN, "proposals"),
    bad("Python", proposal("'feat_stride': 16"), [(2, 18, 3, 4), *RPN[1:]], "proposals"),
    bad("Python", proposal("'feat_stride': 16"), [RPN[0], (1, 36, 4, 3), RPN[2]], "proposals"),
    bad("Python", proposal("'feat_stride': 16"), [*RPN[:2], (1, 2)], "proposals"),
    bad("Python", proposal("'feat_stride': 16"), RPN[:2], "bottom-count"),
    good("Python", 'python_param { module: "m" layer: "L" }', [X], [(None,)]),
]

NINE = (2, 6, 9, 8)
FORKS = [
    good("Interp", interp("zoom_factor: 3"), [X], [(2, 6, 13, 19)]),
    good("Interp", interp("shrink_factor: 2"), [X], [(2, 6, 3, 4)]),
    good("Interp", interp("shrink_factor: 2 zoom_factor: 3"), [X], [(2, 6, 7, 10)]),
    good("Interp", interp("height: 9 width: 8"), [X], [(2, 6, 9, 8)]),
    good("Interp", interp("height: 9 width: 8 zoom_factor: 1"), [X], [X]),
    good(
        "Interp", interp("height: 9 width: 8 zoom_factor: 2 shrink_factor: 2"), [X], [(2, 6, 9, 8)]
    ),
    good("Interp", interp("zoom_factor: 2 pad_beg: -1 pad_end: -1"), [X], [(2, 6, 5, 9)]),
    good("Interp", interp("use_blob_size: true"), [X, (1, 1, 9, 8)], [(2, 6, 9, 8)]),
    bad("Interp", interp("height: 9"), [X], "interp-size"),
    bad("Interp", interp("zoom_factor: 2 pad_beg: 1"), [X], "interp-pad"),
    bad("Interp", interp("zoom_factor: 0"), [X], "interp-factor"),
    bad("Interp", interp("zoom_factor: 2 pad_end: -5"), [X], "interp-size"),
    bad("Interp", interp("height: 9 width: 8 pad_beg: -3 pad_end: -2"), [X], "interp-size"),
    good("Upsample", "", [X, X], [(2, 6, 10, 14)]),
    good("Upsample", "", [X], [X]),
    good("Upsample", "upsample_param { scale: 3 }", [X], [(2, 6, 15, 21)]),
    good("Upsample", "upsample_param { upsample_h: 9 upsample_w: 8 }", [X, X], [(2, 6, 9, 8)]),
    good("Upsample", "upsample_param { scale_h: 2 scale_w: 3 }", [X, X], [(2, 6, 10, 21)]),
    good("Upsample", "upsample_param { pad_out_h: true }", [X, X], [(2, 6, 9, 14)]),
    bad("Upsample", "upsample_param { upsample_h: 9 }", [X, X], "upsample-size"),
    bad("Upsample", "upsample_param { scale: 3 pad_out_h: true }", [X, X], "upsample-pad"),
    bad("Upsample", "", [X, (2, 6, 5, 6)], "shape-mismatch"),
    good("ShuffleChannel", "shuffle_channel_param { group: 3 }", [X], [X]),
    good("ShuffleChannel", "", [(2, 6)], [(2, 6, 1, 1)]),
    bad("ShuffleChannel", "shuffle_channel_param { group: 4 }", [X], "group-divides"),
    good("Reorg", "reorg_param { stride: 2 }", [(1, 4, 6, 8)], [(1, 16, 3, 4)]),
    good("Reorg", "reorg_param { stride: 2 reverse: true }", [(1, 4, 3, 4)], [(1, 1, 6, 8)]),
    bad("Reorg", "reorg_param { stride: 2 }", [(1, 3, 6, 8)], "reorg-stride"),
    bad("Reorg", "reorg_param { stride: 2 }", [(1, 4, 5, 8)], "reorg-stride"),
    bad("Reorg", "", [X], "window-zero"),
]

CASES: list[Case] = [
    *ACTIVATIONS,
    *INPUTS,
    *DATA,
    *CONVOLUTIONS,
    *POOLINGS,
    *DENSE,
    *NORMALIZATIONS,
    *AFFINE,
    *COMBINATIONS,
    *SHAPES,
    *REDUCTIONS,
    *LOSSES,
    *RECURRENT,
    *DETECTIONS,
    *FORKS,
]
