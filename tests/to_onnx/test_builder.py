"""The builder of models: names."""

from __future__ import annotations

import pytest

from prototxt_gen.to_onnx.builder import Builder


class Counted(set[str]):
    """A set that counts how often it is asked."""

    asked = 0

    def __contains__(self, item: object) -> bool:
        Counted.asked += 1
        return super().__contains__(item)


@pytest.mark.parametrize("number", [500, 1000, 4000])
def test_fresh_names_take_time_linear_in_their_number(number: int) -> None:
    builder = Builder(17)
    builder._used = Counted({"l/Mul_7"})
    Counted.asked = 0
    names = [builder._fresh("l/Mul") for _ in range(number)]
    assert len(set(names)) == number
    assert "l/Mul_7" not in names
    assert Counted.asked <= 3 * number


def test_the_second_of_a_name_is_number_two() -> None:
    builder = Builder(17)
    builder.begin("l")
    assert [builder.op("Mul", ["x", "x"]) for _ in range(3)] == ["l/Mul", "l/Mul_2", "l/Mul_3"]
