"""What is said of layer types that a Caffe does not have."""

from __future__ import annotations

import pytest

from prototxt_gen.diagnostics import Diagnostic, Severity, Source
from prototxt_gen.graph.type_check import UnknownTypes, nearly
from prototxt_gen.graph.validation import validate
from prototxt_gen.layers.parts.forks import BVLC, ELSEWHERE, FORKS

NET = 'input: "x" input_shape { dim: [1, 4, 8, 8] }\nlayer { name: "l" %s bottom: "x" top: "y" }\n'


def found(
    type: str, dialect: str | None = None, unknown: UnknownTypes = "warning"
) -> list[Diagnostic]:
    text = NET % f'type: "{type}"'
    sink = validate(Source(text.encode()), dialect, unknown)
    return [d for d in sink.diagnostics if d.rule == "unknown-type"]


@pytest.mark.parametrize("dialect", [None, "bvlc", "ssd"])
@pytest.mark.parametrize("text", ["", 'type: ""'])
def test_a_layer_without_a_type_is_an_error(text: str, dialect: str | None) -> None:
    sink = validate(Source((NET % text).encode()), dialect, "ignore")
    assert [d.rule for d in sink.errors] == ["unknown-type"]


@pytest.mark.parametrize(
    ("type", "meant"),
    [
        ("relu", "'ReLU'"),
        ("Relu", "'ReLU'"),
        ("CONVOLUTION", "'Convolution'"),
        ("Convolutoin", "'Convolution'"),
        ("InnerProdct", "'InnerProduct'"),
        ("Slce", "'Slice'"),
        ("Softmax_With_Loss", "'SoftmaxWithLoss'"),
        ("PermuteX", "'Permute'"),
        ("Selu", "'SELU' or 'SeLu'"),
    ],
)
@pytest.mark.parametrize("dialect", [None, "bvlc"])
def test_a_slip_is_an_error_with_what_was_meant(type: str, meant: str, dialect: str | None) -> None:
    (one,) = found(type, dialect, "ignore")
    assert one.severity is Severity.ERROR
    assert one.help == f"did you mean {meant}?"
    assert repr(type) in one.message


@pytest.mark.parametrize(
    ("type", "meant"),
    [
        ("Conv", "Convolution"),
        ("Linear", "InnerProduct"),
        ("MaxPool", "Pooling"),
        ("BatchNormalization", "BatchNorm"),
    ],
)
@pytest.mark.parametrize("dialect", [None, "bvlc"])
def test_a_name_of_another_framework_is_explained(
    type: str, meant: str, dialect: str | None
) -> None:
    (one,) = found(type, dialect)
    assert one.severity is (Severity.ERROR if dialect else Severity.WARNING)
    assert one.help == f"did you mean {meant!r}?"


@pytest.mark.parametrize("type", ["NoSuch", "Pooling3D", "Conv", "RReLU", "BatchNorm2", "Foo"])
def test_another_type_is_a_warning_or_what_was_asked_for(type: str) -> None:
    for unknown, severity in (("warning", Severity.WARNING), ("error", Severity.ERROR)):
        (one,) = found(type, None, unknown)  # type: ignore[arg-type]
        assert one.severity is severity
    assert found(type, None, "ignore") == []
    (one,) = found(type, "bvlc", "ignore")
    assert one.severity is Severity.ERROR


def test_a_forks_type_is_an_error_for_bvlc_alone() -> None:
    assert found("Permute") == found("Permute", "ssd") == found("Mish") == []
    (one,) = found("Permute", "bvlc")
    assert one.severity is Severity.ERROR
    assert one.help == f"known to {', '.join(FORKS['Permute'])}"
    (one,) = found("Mish", "bvlc")
    assert one.help == "known to other forks"


def test_a_warning_is_given_once_and_an_error_for_each_layer() -> None:
    layers = "".join(f'layer {{ name: "{i}" type: "%s" top: "{i}" }}\n' for i in range(3))
    for type, number in (("NoSuch", 1), ("Relu", 3)):
        sink = validate(Source((layers % ((type,) * 3)).encode()))
        assert len([d for d in sink.diagnostics if d.rule == "unknown-type"]) == number


def test_no_known_type_is_a_slip_of_another() -> None:
    for name in BVLC | FORKS.keys() | ELSEWHERE:
        assert name in nearly(name)
        if name not in BVLC:
            assert not [d for d in found(name) if d.severity is Severity.ERROR]
