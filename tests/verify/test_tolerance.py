"""How much two values of a blob may differ: by float32's rounding, and by no wrong weight.

shared/README.md has 1e-3 of a value beside a floor, as whole nets differ between machines;
float32 itself rounds at 6e-8.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from prototxt_gen.graph.comparison import Comparison, Verdict, compare, fitted

EPSILON = float(np.finfo(np.float32).eps)


def agrees(ours: list[float], theirs: list[float]) -> bool:
    return compare("b", "l", np.array(ours, np.float32), np.array(theirs, np.float32)).agrees


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e6])
def test_sums_of_a_thousand_roundings_agree(size: float) -> None:
    for sign in (1, -1):
        assert agrees([size, 0.5 * size], [size * (1 + sign * 1000 * EPSILON), 0.5 * size])


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e6])
@pytest.mark.parametrize("sign", [1, -1])
def test_half_a_percent_of_a_value_does_not(size: float, sign: int) -> None:
    assert not agrees([size, size], [size, size * (1 + sign * 5e-3)])
    assert not agrees([size, size / 10], [size, size / 10 * (1 + sign * 5e-3)])


def test_a_thousandth_of_the_greatest_does_not_pass_in_a_small_value() -> None:
    """Cancelled sums are as wrong as the terms were large, and no more."""
    assert agrees([1.0, 0.0], [1.0, 10 * EPSILON])
    assert agrees([1000.0, 0.0], [1000.0, 1000 * 100 * EPSILON])
    assert not agrees([1.0, 0.0], [1.0, 1e-3])
    assert not agrees([1.0, 1e-6], [1.0, 1e-3])
    assert not agrees([1.0, 0.0], [1.0, -1e-4])
    assert not agrees([-1.0, 0.0], [-1.0, 1e-4])


def test_the_reference_says_how_large_the_values_are() -> None:
    assert not agrees([0.0, 0.0], [0.0, 1e-4])
    assert not agrees([0.0, 1.0], [1e6, 1.0])


def test_the_figures() -> None:
    found = compare("b", "l", np.array([3.0, 4.0, 0.0]), np.array([3.0, 2.0, 0.0]))
    assert found.absolute == 2.0
    assert found.relative == 0.5
    assert found.cosine == pytest.approx((9 + 8) / (5 * np.sqrt(13)))
    assert not found.agrees
    same = compare("b", "l", np.zeros(3), np.zeros(3))
    assert (same.absolute, same.relative, same.cosine, same.agrees) == (0, 0, 1, True)
    assert compare("b", "l", np.zeros(2), np.ones(2)).cosine == 0


def test_other_shapes_do_not_agree_whatever_is_in_them() -> None:
    found = compare("b", "l", np.ones((2, 3)), np.ones((3, 2)))
    assert not found.agrees
    assert (found.shape, found.other_shape) == ((2, 3), (3, 2))
    assert np.isnan([found.absolute, found.relative, found.cosine]).all()


def one(name: str, agrees: bool, **more: Any) -> Comparison:
    return Comparison(name, f"l{name}", (2,), (2,), 0, 0, 1, agrees, **more)


@pytest.mark.parametrize(
    ("values", "uniform"), [([1, 1, 1], True), ([1, 1, 2], False), ([1], False), ([], False)]
)
def test_what_is_one_number_throughout(values: list[float], uniform: bool) -> None:
    side = np.array(values, np.float32)
    assert compare("b", "l", side, side).uniform is uniform


def test_what_a_verdict_says() -> None:
    sound, wrong = one("a", True), one("b", False)
    assert Verdict((sound,)).text == "1 blob agrees"
    assert Verdict((sound, sound)).text == "2 blobs agree"
    verdict = Verdict((sound, wrong, one("c", False)))
    assert verdict.first is wrong
    assert not verdict.agrees
    assert verdict.text == "differs first at blob 'b', made by layer 'lb'"
    blank = Verdict((one("d", False, blank=True),))
    assert "'d' of layer 'ld' has no finite number" in blank.text
    flat = one("e", True, uniform=True)
    assert "proves little" not in Verdict((sound, flat)).text
    assert "2 of them" in Verdict((sound, flat, flat)).text


def test_what_a_comparison_is_in_json() -> None:
    assert compare("b", "l", np.ones((2, 3)), np.ones((3, 2))).to_dict() == {
        "blob": "b",
        "layer": "l",
        "shape": (2, 3),
        "other_shape": (3, 2),
        "absolute": None,
        "relative": None,
        "cosine": None,
        "uniform": False,
        "agrees": False,
    }


def test_axes_of_size_one_make_no_other_shape() -> None:
    """OpenCV gives (2, 3, 1, 1) where Caffe has (2, 3)."""
    value = np.arange(6.0).reshape(2, 3, 1, 1)
    assert fitted(value, (2, 3)).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert fitted(value, (1, 2, 3)).shape == (1, 2, 3)
    for other in ((3, 2), (6,), (2, 3, 2)):
        assert fitted(value, other).shape == (2, 3, 1, 1)
