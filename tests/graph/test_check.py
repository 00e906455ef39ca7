import re
import time
from pathlib import Path

import pytest

from prototxt_gen import api
from prototxt_gen.diagnostics import Severity, Source
from prototxt_gen.graph.validation import validate

INPUT = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: [1, 4, 8, 8] } } }\n'
RELU = 'layer {{ name: "{0}" type: "ReLU" bottom: "{1}" top: "{2}" }}\n'
CONV = (
    'layer { name: "c" type: "Convolution" bottom: "x" top: "y"'
    " convolution_param { num_output: 6 kernel_size: 3 %s } }\n"
)


def rules(text: str) -> list[tuple[str, int]]:
    source = Source(text.encode())
    return [
        (d.rule, source.position(d.span.start)[0] if d.span else 0)
        for d in validate(source).sorted()
    ]


def test_a_sound_net_has_no_finding() -> None:
    assert rules(INPUT + CONV % "" + RELU.format("r", "y", "y")) == []


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (RELU.format("r", "missing", "y"), "unknown-bottom"),
        (RELU.format("a", "x", "y") + RELU.format("b", "x", "y"), "duplicate-top"),
        (RELU.format("a", "x", "y") + RELU.format("b", "x", "x"), "in-place-shared"),
        ('layer { name: "e" type: "Eltwise" bottom: "x" top: "y" }\n', "bottom-count"),
        (CONV % "stride: 0", "window-zero"),
        (CONV % "group: 4", "group-divides"),
        (CONV % "group: 3", "group-divides"),
        (CONV % "kernel_h: 3 kernel_w: 3", "window-spelling"),
        (CONV.replace("kernel_size: 3", "kernel_size: 9") % "", "window-too-large"),
        (CONV % "kernel: 3", "unknown-field"),
        (CONV % 'pad: "1"', "wrong-type"),
        (CONV % "axis: 1 axis: 1", "duplicate-field"),
        (CONV % "} param { lr_mult: 1 } param { } param {", "too-many-params"),
        (CONV % "num_output: 3", "duplicate-field"),
        (CONV.replace('bottom: "x"', 'bottom: "x" bottom: "x"') % "", "top-count"),
        (
            'layer { name: "i" type: "Input" top: "a" top: "b" top: "c"'
            " input_param { shape { dim: 1 } shape { dim: 1 } } }\n",
            "input-shapes",
        ),
    ],
)
def test_what_caffe_refuses_is_found_at_its_line(text: str, rule: str) -> None:
    found = rules(INPUT + text)
    assert {name for name, _ in found} == {rule}
    assert found[0][1] >= 2


def test_an_in_place_chain_is_no_second_source() -> None:
    text = CONV % "" + RELU.format("a", "y", "y") + RELU.format("b", "y", "y")
    assert rules(INPUT + text) == []


def test_a_blob_that_is_too_large_is_reported_once() -> None:
    text = INPUT.replace("1, 4, 8, 8", "65536, 4, 256, 256") + RELU.format("a", "x", "x")
    assert rules(text + RELU.format("b", "x", "y")) == [("blob-too-large", 1)]


def test_a_missing_kernel_is_reported_once() -> None:
    assert rules(INPUT + CONV.replace("kernel_size: 3", "") % "") == [("kernel-missing", 2)]


def test_nvidias_batch_norm_may_learn() -> None:
    norm = 'layer { name: "b" type: "BatchNorm" bottom: "x" top: "y" param { lr_mult: 1 }%s }\n'
    assert rules(INPUT + norm % "") == [("batch-norm-lr", 2)]
    assert rules(INPUT + norm % " forward_type: FLOAT16") == []


def errors(text: str, dialect: str | None = None) -> list[str]:
    return [d.rule for d in validate(Source(text.encode()), dialect).errors]


def test_what_only_a_debug_build_refuses_is_no_error() -> None:
    drop = 'layer { name: "d" type: "Dropout" bottom: "x" top: "x" dropout_param {'
    for ratio in ("1", "-0.5", "1.5"):
        text = INPUT + drop + f" dropout_ratio: {ratio} }} }}"
        assert rules(text) == [("dropout-ratio", 2)]
        assert errors(text) == []
    assert rules(INPUT + drop + " dropout_ratio: 0 } }") == []


def test_only_bvlcs_prelu_counts_axes() -> None:
    text = INPUT.replace("1, 4, 8, 8", "1, 4, 8, 8, 2") + 2 * (
        'layer { name: "p" type: "PReLU" bottom: "x" top: "x" }\n'
    ).replace('"p"', '"p%s"')
    text = text % (1, 2)
    assert errors(text, "bvlc") == ["legacy-axes"] * 2
    assert rules(text) == [("legacy-axes", 2)]
    assert errors(text) == []
    assert errors(text.replace("8, 2]", "8]"), "bvlc") == []


@pytest.mark.parametrize("type", ["SoftmaxWithLoss", "EuclideanLoss", "SigmoidCrossEntropyLoss"])
def test_a_loss_does_not_write_over_what_it_reads(type: str) -> None:
    bottoms = 'input: "x" input: "l" input_shape { dim: [3, 5] } input_shape { dim: %s }\n'
    label = "3" if type == "SoftmaxWithLoss" else "[3, 5]"
    text = bottoms % label + f'layer {{ type: "{type}" bottom: "x" bottom: "l" top: "%s" }}'
    assert errors(text % "x") == ["in-place-refused"]
    assert errors(text % "y") == []


def test_pooling_in_a_pyramid_is_not_done_in_place() -> None:
    text = INPUT + 'layer { name: "s" type: "SPP" bottom: "x" top: "%s" spp_param {'
    text += " pyramid_height: 2 } }"
    assert errors(text % "x") == ["in-place-refused"]
    assert errors(text % "y") == []


def test_what_is_empty_stays_empty_and_a_cut_may_be_at_the_end() -> None:
    empty = INPUT.replace("8, 8", "0, 8")
    pool = 'layer { name: "p" type: "Pooling" bottom: "x" top: "y" pooling_param {'
    assert errors(empty + pool + " kernel_size: 2 stride: 2 } }") == []
    assert errors(empty + pool + " kernel_size: 3 stride: 1 } }") == ["window-too-large"]
    cut = 'layer { name: "s" type: "Slice" bottom: "x" top: "a" top: "b" slice_param {'
    assert errors(INPUT + cut + " slice_point: 4 } }") == []
    assert errors(INPUT + cut + " slice_point: 5 } }") == ["slice-point"]


def test_more_input_dims_than_inputs_are_passed_over() -> None:
    net = 'input: "x" ' + "input_dim: 2 " * 5 + RELU.format("r", "x", "x")
    assert rules(net) == [("input-ignored-field", 1)]
    assert errors(net.replace("input_dim: 2 " * 5, "input_dim: 2 " * 3)) == [
        "input-dim-count",
        "unknown-bottom",
    ]


V1 = 'input: "x" input_dim: 1 input_dim: 4 input_dim: 8 input_dim: 8\nlayers { %s }\n'
V0 = V1 % 'layer { %s } bottom: "x" top: "y"'
DATA = 'layers { name: "d" type: DATA top: "x" data_param { crop_size: 3 } %s }\n'


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (INPUT + RELU.format("in", "x", "y"), "duplicate-name"),
        (INPUT + 'layer { name: "a" type: "AbsVal" bottom: "x" top: "x" }', "in-place-refused"),
        (INPUT + 'layer { name: "a" type: "NoSuch" bottom: "x" top: "y" }', "unknown-type"),
        (
            INPUT
            + RELU.format("r", "x", "y").replace("bottom", "propagate_down: true " * 2 + "bottom"),
            "propagate-down-count",
        ),
        (
            INPUT
            + RELU.format("r", "x", "y").replace(
                "bottom", "include { phase: TEST } exclude { stage: 'a' } bottom"
            ),
            "include-and-exclude",
        ),
        (
            INPUT
            + CONV % '} param { name: "w" '
            + CONV.replace('"c"', '"d"')
            .replace('"y"', '"z"')
            .replace("num_output: 6", "num_output: 2")
            % '} param { name: "w" ',
            "shared-param-shape",
        ),
        (
            INPUT + 'layer { name: "d" type: "Dropout" bottom: "x" top: "y"'
            " dropout_param { dropout_ratio: 1 } }",
            "dropout-ratio",
        ),
        ("", "empty-net"),
        ('name: "n"', "empty-net"),
        (V1 % 'name: "r" type: NONE bottom: "x" top: "y"', "v1-unknown-type"),
        (V1 % 'type: RELU bottom: "x" top: "y"' + 'layer { name: "z" }', "layer-and-layers"),
        (V0 % 'name: "r" type: "no"', "v0-unknown-type"),
        (V0 % 'name: "r" type: "relu"' + "layers { type: RELU }", "v0-and-v1-layers"),
        (
            V0 % 'name: "p" type: "padding" pad: 1'
            + 'layers { layer { name: "q" type: "relu" } bottom: "y" top: "z" }',
            "v0-padding",
        ),
        (V0 % 'name: "r" type: "relu" stride: 2', "v0-ignored-field"),
        ('layers { layer { type: "images" new_height: -1 } top: "d" top: "l" }', "v0-value"),
        (DATA % "transform_param { crop_size: 4 }", "transform-overridden"),
        ('input: "x" input_shape { dim: 1 } input_dim: 3', "input-ignored-field"),
        ('input: "x" input_dim: 3', "input-dim-count"),
        ('input: "x" input: "y" input_shape { dim: 3 }', "input-shape-count"),
        ("solver_type: ADAM type: 'Adam'", "solver-type-twice"),
        ("net_param { layers { type: RELU } } base_lr: 1", "solver-old-net"),
        ("state { phase: TESTING }", "unknown-enum-value"),
        ("force_backward: true }", "unexpected-close"),
        ("layer { convolution_param { pad: 4294967296 } }", "out-of-range"),
        (
            "layer { upsample_param { upsample_h: 1 } batch_norm_param { scale_bias: true } }",
            "mixed-dialects",
        ),
    ],
)
def test_what_else_is_found(text: str, rule: str) -> None:
    assert rule in {name for name, _ in rules(text)}


def test_every_rule_has_a_test() -> None:
    root = Path(__file__).parents[2]
    pattern = re.compile(
        r'(?:\brule=|\bProblem\(|\.(?:error|warning|note)\(|\bMismatch\()\s*"([a-z0-9]+-[a-z0-9-]+)"'
    )
    rooms = [root / "prototxt_gen" / room for room in ("formats", "graph", "layers")]
    known = {
        name
        for room in rooms
        for file in room.rglob("*.py")
        for name in pattern.findall(file.read_text("utf-8"))
    }
    assert len(known) > 80
    tests = "".join(file.read_text("utf-8") for file in (root / "tests").rglob("*.py"))
    assert [name for name in sorted(known - UNREACHABLE) if f'"{name}"' not in tests] == []


#: Values that text cannot hold, a file of 256 MiB, and what tests see as an exception;
UNREACHABLE = {
    "file-too-large",
    "not-binary",
    "solver-unknown-type",
    "v1-share-mode",
    # of weights: tests/to_onnx
    "weights-foreign",
    "weights-missing",
    "weight-shape",
}


def test_huge_numbers_and_cycles_are_answered() -> None:
    huge = "[9223372036854775807, 9223372036854775807, 9223372036854775807, 9223372036854775807]"
    text = (
        f'input: "x" input_shape {{ dim: {huge} }}\n'
        'layer { name: "c" type: "Convolution" bottom: "x" top: "c" convolution_param {'
        " num_output: 4294967295 kernel_size: 4294967295 dilation: 4294967295 } }\n"
        'layer { name: "s" type: "SPP" bottom: "x" top: "s" spp_param { pyramid_height: 99 } }\n'
        'layer { name: "t" type: "Tile" bottom: "x" top: "t" tile_param { tiles: 2147483647 } }\n'
        'layer { name: "a" type: "ReLU" bottom: "b" top: "a" }\n'
        'layer { name: "b" type: "ReLU" bottom: "a" top: "b" }\n'
    )
    assert rules(text) == [
        ("blob-too-large", 1),
        ("int-overflow", 2),
        ("int-overflow", 2),
        ("pyramid-height", 3),
        ("unknown-bottom", 5),
    ]


def test_time_grows_linearly_with_the_number_of_layers() -> None:
    times = []
    for count in (1_000, 10_000):
        layers = (RELU.format(f"r{i}", f"t{i}" if i else "x", f"t{i + 1}") for i in range(count))
        text = INPUT + "".join(layers)
        start = time.process_time()
        assert rules(text) == []
        times.append(time.process_time() - start)
    assert times[1] < 40 * times[0]


def test_a_bottom_is_unknown_only_where_no_stage_makes_it() -> None:
    staged = INPUT.replace("input_param", 'include { stage: "a" } input_param')
    assert rules(staged + RELU.format("r", "x", "y")) == []
    assert rules(staged + RELU.format("r", "z", "y")) == [("unknown-bottom", 2)]
    # What is wrong in one stage alone is found, too.
    assert rules(staged + CONV.replace("bottom", 'include { stage: "a" } bottom') % "group: 4") == [
        ("group-divides", 2)
    ]


def test_an_input_without_a_shape_is_dropped_and_no_layer_doubled() -> None:
    text = b"""input: "data"
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: [1, 2] } } }
layer { name: "r" type: "ReLU" bottom: "x" top: "r" }
"""
    graph = api.load(Source(text))
    assert [node.name for node in graph.nodes] == ["x", "r"]
    assert [d.rule for d in api.validate(Source(text))] == ["input-ignored-field"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (RELU.format("r", "x", "y").replace("ReLU", "NoSuch"), '"NoSuch"'),
        (RELU.format("r", "x", "y").replace(" }\n", " include { } exclude { } }\n"), "{ }"),
        (RELU.format("r", "missing", "y"), '"missing"'),
        (RELU.format("a", "x", "y") + RELU.format("b", "x", "y"), '"y"'),
        ('layer { name: "e" type: "Eltwise" bottom: "x" bottom: "no" top: "y" }', '"no"'),
        (CONV % "stride: 0", "stride: 0"),
    ],
)
def test_a_finding_about_a_field_points_at_it(text: str, shown: str) -> None:
    source = Source((INPUT + text).encode())
    (found,) = validate(source).diagnostics
    assert found.span is not None
    assert source.data[found.span.start : found.span.end].decode() == shown


TWO = """input: "a" input_shape { dim: [1, 4, 8, 8] }
layer { name: "half" type: "Pooling" bottom: "a" top: "b"
        pooling_param { kernel_size: 2 stride: 2 } }
"""


def found(text: str) -> list[str]:
    """Line, column, message and help of each finding."""
    source = Source(text.encode())
    return [
        "{}:{}: {}; {}".format(*source.position(d.span.start), d.message, d.help)
        for d in validate(source).sorted()
        if d.span
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            'layer { name: "e" type: "Eltwise" bottom: "a" bottom: "b" top: "c" }',
            "4:55: bottom 1 is 1x4x4x4 and bottom 0 is 1x4x8x8; expected equal shapes; "
            "bottom 0 is the input 'a'; bottom 1 is 'b' of layer 'half'",
        ),
        (
            'layer { name: "e" type: "Concat" bottom: "b" bottom: "b" bottom: "a" top: "c" }',
            "4:66: bottom 2 is 1x4x8x8 and bottom 0 is 1x4x4x4; expected equal shapes except in "
            "axis 1; bottom 0 is 'b' of layer 'half'; bottom 2 is the input 'a'",
        ),
        (
            'layer { name: "e" type: "EuclideanLoss" bottom: "a" bottom: "b" top: "c" }',
            "4:61: an item of bottom 1 is 4x4x4, 64 elements; expected 256; "
            "bottom 0 is the input 'a', 1x4x8x8; "
            "bottom 1 is 'b' of layer 'half', 1x4x4x4",
        ),
    ],
)
def test_shapes_that_do_not_fit_are_shown_with_the_layers_that_made_them(
    text: str, words: str
) -> None:
    assert found(TWO + text) == [words]


@pytest.mark.parametrize(
    ("size", "window", "words"),
    [
        (8, "kernel_size: 1 stride: 3", "starts at 9, outside the bottom 1x2x8x8"),
        (8, "kernel_size: 1 stride: 3 pool: AVE", "and its value is 0;"),
        (8, "kernel_size: 1 stride: 2 pool: AVE", "and its value is NaN;"),
        (8, "kernel_size: 1 stride: 2", "and its value is -3.40282e+38;"),
        (8, "kernel_h: 3 kernel_w: 1 stride_h: 1 stride_w: 3", "starts at 9"),
        (8, "kernel_size: 2 stride: 3", ""),
        (8, "kernel_size: 1 stride: 3 round_mode: FLOOR", ""),
        (8, "kernel_size: 2 stride: 4 pad: 1", ""),  # Caffe leaves out a window in the pad
        (8, "global_pooling: true", ""),
        (7, "kernel_size: 3 stride: 2", ""),
    ],
)
def test_a_pooling_window_outside_of_the_image_is_said(size: int, window: str, words: str) -> None:
    text = f"""input: "x" input_shape {{ dim: [1, 2, {size}, {size}] }}
layer {{ name: "p" type: "Pooling" bottom: "x" top: "y" pooling_param {{ {window} }} }}"""
    assert [d.rule for d in validate(Source(text.encode())).sorted()] == ["pooling-outside"] * bool(
        words
    )
    assert words in "".join(found(text))


@pytest.mark.parametrize(
    ("type", "params", "words"),
    [
        ("Convolution", "num_output: 64 kernel_size: 3", ""),
        # 16 * 9 rows of 3998 * 3998
        (
            "Convolution",
            "num_output: 1 kernel_size: 3",
            "be 144x3998x3998, 2301696576",
        ),
        ("Deconvolution", "num_output: 16 kernel_size: 3", "windows would be 144x4000x4000"),
    ],
)
def test_the_windows_of_an_image_are_counted_as_well(type: str, params: str, words: str) -> None:
    size = "[1, 16, 4000, 4000]" if words else "[1, 16, 400, 400]"
    text = f'''input: "x" input_shape {{ dim: {size} }}
layer {{ name: "c" type: "{type}" bottom: "x" top: "y" convolution_param {{ {params} }} }}'''
    for dialect, severity in ((None, Severity.WARNING), ("bvlc", Severity.ERROR)):
        own = validate(Source(text.encode()), dialect).diagnostics
        assert [(d.rule, d.severity) for d in own] == [("blob-too-large", severity)] * bool(words)
    assert words in "".join(found(text))


@pytest.mark.parametrize(
    ("written", "meant"),
    [("X", "'x'"), ("conv-1", "'conv1'"), ("conb1", "'conv1'"), ("conv2", None), ("label", None)],
)
def test_an_unknown_bottom_may_be_meant_for_another(written: str, meant: str | None) -> None:
    text = INPUT + CONV.replace('"y"', '"conv1"') % "" + RELU.format("r", written, "z")
    (one,) = api.validate(Source(text.encode()))
    assert one.rule == "unknown-bottom"
    assert one.help == (meant and f"did you mean {meant}?")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Xavier", "'xavier'"),
        ("gausian", "'gaussian'"),
        ("he", "'msra'"),
        ("kaiming", "'msra'"),
        ("glorot", "'xavier'"),
    ],
)
def test_a_filler_may_be_meant_for_another(written: str, meant: str) -> None:
    text = INPUT + CONV % f'weight_filler {{ type: "{written}" }}'
    (one,) = found(text)
    assert one.startswith("2:125: weight_filler has the type")
    assert f"; did you mean {meant}?" in one
