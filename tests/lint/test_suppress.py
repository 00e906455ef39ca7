"""Comments that leave out findings: where they count, and what is said of idle ones."""

from __future__ import annotations

import pytest

from prototxt_gen.diagnostics import Source
from prototxt_gen.lint.engine import lint

#: Two layers whose bottoms nobody makes: lines 2 and 4.
NET = """layer { name: "a" type: "ReLU"
  bottom: "x"%s
  top: "y" }%s
layer { name: "b" type: "ReLU" bottom: "z" top: "w" }%s
"""
BOTH = [(2, "unknown-bottom"), (4, "unknown-bottom")]


def found(text: str) -> list[tuple[int, str]]:
    source = Source(text.encode())
    return [(source.position(one.span.start)[0], one.rule) for one in lint(source).found]


def test_without_a_comment() -> None:
    assert found(NET % ("", "", "")) == BOTH


@pytest.mark.parametrize(
    "comment",
    [
        "# prototxt: ignore[unknown-bottom]",
        "# prototxt: ignore",
        "#prototxt: ignore[unknown-bottom]",
        "# why this is so  # prototxt: ignore[unknown-bottom]",
        "# prototxt: ignore[unknown-bottom] as the data come from C++",
    ],
)
def test_at_the_end_of_a_line_it_is_about_that_line(comment: str) -> None:
    assert found(NET % (f" {comment}", "", "")) == BOTH[1:]
    assert found(NET % ("", "", f" {comment}")) == BOTH[:1]


def test_on_a_line_of_its_own_it_is_about_the_next_statement() -> None:
    text = NET % ("", "\n# prototxt: ignore[unknown-bottom]\n\n# another comment", "")
    assert found(text) == BOTH[:1]


def test_a_whole_file() -> None:
    assert found("# prototxt: ignore-file[unknown-bottom]\n" + NET % ("", "", "")) == []
    assert found(NET % ("", "", "") + "# prototxt: ignore-file\n") == []


def test_syntax_too() -> None:
    assert found("layer { name: a b }") != []
    assert found("layer { name: a b } # prototxt: ignore\n") == []


def test_a_string_is_no_comment() -> None:
    text = 'name: "# prototxt: ignore-file"\n' + NET % ("", "", "")
    assert found(text) == [(line + 1, rule) for line, rule in BOTH]
    text = "name: '\\'# prototxt: ignore-file'\n" + NET % ("", "", "")
    assert found(text) == [(line + 1, rule) for line, rule in BOTH]


def test_a_comment_that_does_nothing_is_told() -> None:
    text = NET % (" # prototxt: ignore[unknown-bottom, duplicate-top]", "", "")
    assert found(text) == [(2, "unused-ignore"), BOTH[1]]
    text = NET % ("", " # prototxt: ignore", "")
    assert found(text) == [BOTH[0], (3, "unused-ignore"), BOTH[1]]
    source = Source((NET % ("", "", " # prototxt: ignore[unknown-botom]")).encode())
    *_, last = lint(source).found
    assert last.message == "there is no rule 'unknown-botom' to ignore"
    assert source.data[slice(*last.span)] == b"# prototxt: ignore[unknown-botom]"


def test_two_comments_that_both_fit_are_both_of_use() -> None:
    text = "# prototxt: ignore-file[unknown-bottom]\n" + NET % (" # prototxt: ignore", "", "")
    assert found(text) == []


def test_after_letters_of_several_bytes() -> None:
    source = Source('name: "é"  # é # prototxt: ignore[x]\n'.encode())
    (told,) = [one for one in lint(source).found if one.rule == "unused-ignore"]
    assert source.data[slice(*told.span)] == b"# prototxt: ignore[x]"
    assert source.position(told.span.start) == (1, 16)
