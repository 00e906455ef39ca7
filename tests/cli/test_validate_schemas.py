"""Which schema ``validate`` reads by, and what it makes of a field that no Caffe has."""

from __future__ import annotations

from pathlib import Path

import pytest

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Severity, Source
from prototxt_gen.errors import PrototxtError
from prototxt_gen.formats.dialects import DIALECTS
from prototxt_gen.from_onnx.target import Target

HEAD = 'input: "x" input_shape { dim: [1, 4, 8, 8] }\n'
WINDOW = """layer { name: "p" type: "Pooling" bottom: "x" top: "y" frobnicate: 3
  pooling_param { kernel_size: 9 wobble { deep: [1, 2] } } }
"""


def rules(text: str, *arguments: object) -> list[str]:
    found = api.validate(Source(text.encode()), *arguments)  # type: ignore[arg-type]
    return [f"{one.severity.value} {one.rule}" for one in found]


def test_an_unknown_field_hides_no_shape_that_does_not_fit() -> None:
    unknown, window = "error unknown-field", "error window-too-large"
    assert rules(HEAD + WINDOW) == [unknown, window, unknown]
    assert rules(HEAD + WINDOW, "bvlc") == [unknown, window, unknown]
    # One that is known to another fork, and one of a solver.
    text = HEAD + WINDOW.replace("frobnicate: 3", "norm_param {}")
    assert sorted(rules(text, "bvlc")) == [unknown, unknown, window]
    solver = 'net: "n" base_lr: 1 lr_policy: "stepp" frobnicate: 1 max_iter: 9'
    assert rules(solver, "bvlc") == ["error solver-lr-policy", unknown]


def test_other_errors_of_the_text_still_keep_the_graph_from_being_checked() -> None:
    text = HEAD + WINDOW.replace("kernel_size: 9", 'kernel_size: "9"')
    assert rules(text) == ["error unknown-field", "error wrong-type", "error unknown-field"]


@pytest.mark.parametrize(
    ("weight", "found"),
    [
        ("error", ["error unknown-field", "error window-too-large", "error unknown-field"]),
        ("warning", ["warning unknown-field", "error window-too-large", "warning unknown-field"]),
        ("ignore", ["error window-too-large"]),
    ],
)
def test_unknown_fields_weigh_what_the_user_says(weight: str, found: list[str]) -> None:
    for dialect in (None, "bvlc", "ssd,nvcaffe"):
        assert rules(HEAD + WINDOW, dialect, "warning", weight) == found


def test_the_exit_code_follows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "n.prototxt"
    file.write_text(HEAD + WINDOW.replace("kernel_size: 9", "kernel_size: 3"))
    for weight, code, shown in (("error", 1, 2), ("warning", 0, 2), ("ignore", 0, 0)):
        assert run(["validate", str(file), "--unknown-fields", weight]) == code
        assert capsys.readouterr().out.count("[unknown-field]") == shown
    assert run(["validate", str(file), "--unknown-fields", "maybe"]) == 2


def test_a_field_that_another_fork_has_stays_an_error() -> None:
    text = HEAD + 'layer { name: "n" type: "Normalize" bottom: "x" top: "y" norm_param { } }'
    (one,) = api.validate(Source(text.encode()), "rfcn", "ignore", "ignore")
    assert one.severity is Severity.ERROR
    assert one.help == "known to ssd, mobilenet_ssd, x2paddle, intel and 3 more: see --dialect"


OWN = "--proto FILE reads by the caffe.proto of your own Caffe"


@pytest.mark.parametrize(
    ("field", "help"),
    [
        ("frobnicate: 3", "--proto FILE reads by the caffe.proto of your own Caffe"),
        (
            "botom: 'x'",
            "did you mean `bottom`? --proto FILE reads by the caffe.proto of your own Caffe",
        ),
        (
            "stride_h: 2",
            "it is a field of convolution_param and of pooling_param; --proto FILE reads by the "
            "caffe.proto of your own Caffe",
        ),
    ],
)
def test_what_is_said_of_a_field_that_no_caffe_has(field: str, help: str) -> None:
    text = f'layer {{ name: "i" type: "Input" top: "t" {field} }}'
    (one,) = (d for d in api.validate(Source(text.encode())) if d.rule == "unknown-field")
    assert one.help == help


SSD = 'layer { name: "n" type: "Normalize" bottom: "x" top: "y" norm_param { eps: 1 } }\n'
NV = 'layer { name: "r" type: "ReLU" bottom: "x" top: "z" forward_type: FLOAT16 }\n'
OF_SSD = 'layer { name: "s" type: "Reorg" bottom: "x" top: "w" reorg_param { stride: 2 } }\n'


@pytest.mark.parametrize(
    ("text", "asked", "accepted"),
    [
        (SSD, "ssd,nvcaffe", True),
        (NV, "ssd,nvcaffe", True),
        (NV, "nvcaffe, ssd", True),
        (SSD + NV, "ssd,nvcaffe", True),  # NVCaffe has both
        (SSD, "bvlc,rfcn", False),
        (NV, "ssd,intel", False),
        (NV + OF_SSD, "ssd,nvcaffe", False),  # each has one
        (NV + OF_SSD, None, False),
        ("", "ssd,bvlc-1.0", True),
    ],
)
def test_one_of_several_dialects_has_to_explain_the_file(
    text: str, asked: str | None, accepted: bool
) -> None:
    assert ("error" not in " ".join(rules(HEAD + text, asked))) is accepted


def test_what_divides_the_dialects_asked_for_is_named() -> None:
    (one,) = api.validate(Source((HEAD + NV + OF_SSD).encode()), "ssd,nvcaffe")
    assert one.rule == "mixed-dialects"
    assert one.message == (
        "no dialect of Caffe has `reorg_param` (known to ssd) and the fields before it (known to "
        "nvcaffe)"
    )


def test_an_unknown_dialect_among_several(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", "--dialect", "ssd,nvcafe", "-"]) == 2
    assert "unknown dialect 'nvcafe'; did you mean 'nvcaffe'?" in capsys.readouterr().err
    with pytest.raises(PrototxtError, match="unknown dialect 'nvcafe'"):
        api.validate(Source(b""), "ssd,nvcafe")
    with pytest.raises(PrototxtError, match="unknown dialect 5"):
        api.validate(Source(b""), 5)  # type: ignore[arg-type]


#: What came after the release 1.0, each with its rule: fields in 2017 and 2018 (caffe.proto).
LATER = [
    ('type: "Clip" clip_param { min: 0 max: 6 }', ["unknown-type", "unknown-field"]),
    ('type: "Swish" swish_param { beta: 2 }', ["unknown-type", "unknown-field"]),
    ('type: "Swish"', ["unknown-type"]),
    ('type: "Pooling" pooling_param { kernel_size: 2 round_mode: FLOOR }', ["unknown-field"]),
]


@pytest.mark.parametrize(("layer", "wanted"), LATER)
def test_the_release_1_0_does_not_know_what_came_later(layer: str, wanted: list[str]) -> None:
    text = HEAD + f'layer {{ name: "l" bottom: "x" top: "y" {layer} }}'
    assert rules(text, "bvlc") == []
    assert rules(text, "bvlc-1.0") == [f"error {rule}" for rule in wanted]
    for one in api.validate(Source(text.encode()), "bvlc-1.0"):
        assert (one.help or "").startswith("known to bvlc")


def test_what_the_release_1_0_knows(corpus: Path) -> None:
    text = HEAD + 'layer { name: "l" bottom: "x" top: "y" type: "ELU" elu_param { alpha: 2 } }'
    assert rules(text, "bvlc-1.0") == []
    assert rules(HEAD + SSD, "bvlc-1.0") == ["error unknown-type", "error unknown-field"]
    differ = 0
    for file in sorted(corpus.rglob("*.prototxt"))[::7]:
        data = file.read_bytes()
        if rules(data.decode("latin-1"), "bvlc") != rules(data.decode("latin-1"), "bvlc-1.0"):
            differ += 1
            assert b"round_mode" in data or b"wish" in data or b"lip" in data, file
    assert differ <= 1


def test_the_target_of_that_name_lacks_the_same() -> None:
    old, new = Target("bvlc-1.0"), Target("bvlc")
    for name in ("Clip", "Swish"):
        assert (old.has(name), new.has(name)) == (False, True)
    assert not old.has_field("PoolingParameter", "round_mode")
    assert new.has_field("PoolingParameter", "round_mode")
    assert old.has("ELU") and old.has_field("ReLUParameter", "negative_slope")
    assert "bvlc-1.0" not in DIALECTS
