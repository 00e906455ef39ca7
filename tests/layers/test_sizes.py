"""Free sizes: arithmetic and comparisons with symbols, against those with numbers."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.layers.parts.ranges import Range, Ranges
from prototxt_gen.layers.parts.sizes import Size, always_equal
from prototxt_gen.to_onnx.free import symbol_size

SEEDS = range(40)


def symbols(**own: int) -> tuple[Any, ...]:
    ranges = Ranges(own)
    return (*(symbol_size(symbol, ranges) for symbol in own), ranges)


def formula(seed: int) -> Callable[[Any], Any]:
    """Some steps that a shape rule may take."""
    choose = random.Random(seed)
    steps = [(choose.choice("+*/^-%"), choose.randint(1, 6)) for _ in range(choose.randint(1, 6))]

    def apply(x: Any) -> Any:
        for step, k in steps:
            x = {
                "+": lambda x, k: x + k,
                "*": lambda x, k: k * x,
                "/": lambda x, k: x // k,
                "^": lambda x, k: -(-x // k),
                "-": lambda x, k: k - x,
                "%": lambda x, k: x % k + x,
            }[step](x, k)
        return x

    return apply


@pytest.mark.parametrize("seed", SEEDS)
def test_a_formula_is_what_numbers_give(seed: int) -> None:
    (size, _) = symbols(H=9)
    apply = formula(seed)
    found = apply(size)
    for number in range(1, 70):
        value = found.at({"H": number}) if isinstance(found, Size) else found
        assert value == apply(number), (number, found)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_comparison_is_as_the_own_size_has_it_and_for_all_that_are_left(seed: int) -> None:
    choose, apply = random.Random(seed), formula(seed)
    own = choose.randint(5, 40)
    for _ in range(6):
        (size, ranges) = symbols(H=own)
        limit = choose.randint(-20, 60)
        compare = choose.choice(
            [
                lambda x, k=limit: x < k,
                lambda x, k=limit: x <= k,
                lambda x, k=limit: x == k,
                lambda x, k=limit: x > k,
                lambda x, k=limit: x >= k,
            ]
        )
        try:
            answer = compare(apply(size))
        except UnsupportedError:
            continue
        left = ranges.of["H"]
        assert own in left
        assert answer == compare(apply(own))
        for number in range(1, 200):
            if number in left:
                assert compare(apply(number)) == answer, (number, left)


def test_one_form_has_one_text() -> None:
    size, _ = symbols(H=12)
    convolved = (size + 2 - 3) // 2 + 1
    assert repr(convolved) == "floor((H + 1) / 2)"
    assert repr((convolved + 2 - 3) // 2 + 1) == "floor((H + 3) / 4)"
    assert (size * 4 + 6) // 2 - 3 - size == size
    assert size - size == 0 and isinstance(size - size, int)
    assert str(size * 2 - 1) == "(2*H - 1)"


def test_sizes_that_always_fit_narrow_nothing() -> None:
    height, width, ranges = symbols(H=12, W=16)
    assert always_equal(height * width * 6 // 3, width * 2 * height)
    assert height * width * 3 // (width * 3) == height
    assert (height - 3) * (width - 3) * 2 // (2 * width - 6) == height - 3
    assert height * width > 0 and (height * width + width) != 0
    assert not ranges.narrowed


@pytest.mark.parametrize(
    ("asked", "left", "text"),
    [
        (lambda h: h >= 3, Range(12, 1, (3,)), "H of 3 or more"),
        (lambda h: h % 4 == 0, Range(12, 4, (4,)), "H of 4 or more with H divisible by 4"),
        (lambda h: h % 8 == 4, Range(12, 8, (4,)), "H of 4 or more with H - 4 divisible by 8"),
        (
            lambda h: h % 4 != 1,
            Range(12, 4, (2, 3, 4)),
            "H of 2 or more that leaves 0, 2, 3 when divided by 4",
        ),
        (lambda h: 2 * (h // 2) == h, Range(12, 2, (2,)), "H of 2 or more with H divisible by 2"),
    ],
)
def test_what_does_not_always_hold_narrows(asked: Any, left: Range, text: str) -> None:
    size, ranges = symbols(H=12)
    ranges.layer = "c"
    assert asked(size)
    assert ranges.of["H"] == left
    assert left.text("H") == text
    assert list(ranges.narrowed["H"].values()) == ["c"]
    assert left.after(left.starts[0] - 1) == left.starts[0] and left.after(12) in left


@pytest.mark.parametrize(
    "use",
    [
        lambda h: np.array([1, h]),
        lambda h: np.zeros((h, 2)),
        lambda h: np.arange(h),
        lambda h: np.float32(2) * h,
        lambda h: h / 2,
        lambda h: 2.5 * h,
        lambda h: 7 // h,
        lambda h: [0] * h,
        lambda h: range(h),
        lambda h: float(h),
        lambda h: h.bit_length(),
        lambda h: h == 12,
        lambda h: h < 13,
        lambda h: h * h == 144,
    ],
)
def test_what_needs_a_number_is_refused(use: Any) -> None:
    size, ranges = symbols(H=12)
    with pytest.raises(UnsupportedError) as caught:
        use(size)
    assert any(word in caught.value.reason for word in ("as a number", "fits only", "depends on"))
    assert not ranges.narrowed
