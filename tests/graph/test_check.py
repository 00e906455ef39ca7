import pytest

from prototxt_gen.diagnostics import Source
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
