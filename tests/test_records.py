"""Records are what the standard library's frozen dataclasses are; these stand beside them."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import pytest

from prototxt_gen._records import Record, record


@record
class Ours(Record):
    first: int
    second: str = "two"
    names: list[str] = dataclasses.field(default_factory=list)
    hidden: int = dataclasses.field(default=0, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.first < 0:
            raise ValueError("less than nothing")


@dataclasses.dataclass(frozen=True)
class Theirs:
    first: int
    second: str = "two"
    names: list[str] = dataclasses.field(default_factory=list)
    hidden: int = dataclasses.field(default=0, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.first < 0:
            raise ValueError("less than nothing")


GIVEN: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((1,), {}),
    ((1, "b"), {"names": ["c"]}),
    ((), {"first": 3, "hidden": 4}),
    ((1, "b", ["c"], 4), {}),
    ((), {}),
    ((1, "b", [], 4, 5), {}),
    ((1,), {"first": 2}),
    ((1,), {"third": 2}),
    ((-1,), {}),
]


def made(kind: type, given: tuple[Any, ...], values: dict[str, Any]) -> object:
    """What is made, as a mapping and in words, or the kind of error."""
    try:
        one = kind(*given, **values)
    except (TypeError, ValueError) as error:
        return type(error)
    return dataclasses.asdict(one), repr(one).removeprefix(kind.__name__)


@pytest.mark.parametrize(("given", "values"), GIVEN)
def test_what_it_takes(given: tuple[Any, ...], values: dict[str, Any]) -> None:
    assert made(Ours, given, values) == made(Theirs, given, values)


@pytest.mark.parametrize("kind", [Ours, Theirs])
def test_how_it_behaves(kind: type[Any]) -> None:
    one = kind(1, "b")
    assert one == kind(1, "b", [], 7)
    assert one != kind(1, "c")
    assert one != (1, "b", [], 0)
    assert dataclasses.replace(one, second="c") == kind(1, "c")
    assert kind(1).names is not kind(1).names
    assert copy.deepcopy(one) == one
    assert pickle.loads(pickle.dumps(one)) == one
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.first = 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        del one.first
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)


def test_equal_ones_have_one_hash() -> None:
    @record
    class Point(Record):
        x: int
        y: int = 0

    assert hash(Point(1)) == hash(Point(1, 0)) != hash(Point(1, 2))


def test_a_message_names_what_is_wrong() -> None:
    for given, values, words in [
        ((), {}, "needs 'first'"),
        ((1, "b", [], 4, 5), {}, "takes at most 4 values"),
        ((1,), {"first": 2}, "takes 'first' only once"),
        ((1,), {"third": 2}, "does not take 'third'"),
    ]:
        with pytest.raises(TypeError, match=words):
            Ours(*given, **values)
