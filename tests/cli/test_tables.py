"""How tables fit a terminal, and their other forms."""

from __future__ import annotations

import pytest

from prototxt_gen._tables import Table, delimited, markdown
from prototxt_gen.cli.tables import fitted, shortened


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("res2a_branch2a", 14, "res2a_branch2a"),
        ("res2a_branch2a", 9, "res2…ch2a"),
        ("res2a_branch2a", 8, "res2…h2a"),
        ("res2a_branch2a", 1, "…"),
        ("卷积卷积卷积", 8, "卷积…积"),
    ],
)
def test_the_middle_goes_first(text: str, width: int, shown: str) -> None:
    assert shortened(text, width) == shown


@pytest.mark.parametrize(
    ("room", "kept"),
    [
        (100, {0: 20, 1: 30, 2: 10}),
        (64, {0: 20, 1: 30, 2: 10}),
        (63, {0: 20, 2: 10}),
        (25, {0: 13, 2: 10}),
        (20, {0: 8, 2: 10}),
        (19, {0: 19}),
        (3, {0: 8}),
    ],
)
def test_spare_columns_then_names_then_the_last(room: int, kept: dict[int, int]) -> None:
    assert fitted([20, 30, 10], room, [1], {0}, ()) == kept


def test_the_widest_name_is_shortened_first() -> None:
    assert fitted([20, 30], 40, (), {0, 1}, ()) == {0: 19, 1: 19}
    assert fitted([10, 30], 30, (), {0, 1}, ()) == {0: 10, 1: 18}


def test_prose_is_broken_before_a_name_is_shortened() -> None:
    assert fitted([20, 90], 60, (), {0}, {1}) == {0: 20, 1: 38}
    assert fitted([20, 90], 40, (), {0}, {1}) == {0: 14, 1: 24}


def test_a_column_without_a_head_goes_last() -> None:
    assert fitted([20, 10, 10, 7], 42, (), {0}, (), [3]) == {0: 9, 1: 10, 2: 10, 3: 7}
    assert fitted([20, 10, 10, 7], 40, (), {0}, (), [3]) == {0: 19, 1: 10, 3: 7}
    assert fitted([20, 0, 10], 40, (), {0}, (), [1]) == {0: 20, 2: 10}


@pytest.mark.parametrize(
    ("room", "kept"),
    [
        (54, {0: 20, 1: 10, 2: 10, 3: 8}),
        (50, {0: 16, 1: 10, 2: 10, 3: 8}),
        (49, {0: 20, 2: 10, 3: 8}),
        (38, {0: 16, 2: 10, 3: 8}),
        (37, {0: 20, 3: 8}),
        (20, {0: 10, 3: 8}),
    ],
)
def test_late_columns_go_where_names_could_not_be_read(room: int, kept: dict[int, int]) -> None:
    assert fitted([20, 10, 10, 8], room, (), {0}, (), late=[1, 2]) == kept


def test_text_forms() -> None:
    table = Table(("a", "b"), [("x|*", "1"), ('q"', "2,3")], [1])
    assert delimited(table, ",") == 'a,b\nx|*,1\n"q""","2,3"\n'
    assert delimited(table, "\t").splitlines()[0] == "a\tb"
    assert markdown(table) == '| a | b |\n| --- | --: |\n| x\\|\\* | 1 |\n| q" | 2,3 |\n'
