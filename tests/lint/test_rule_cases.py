"""The cases of every rule: ``cases/<rule>.yml`` says where it is found, and where it is not.

A case is a text, and where the rule is found in it: ``3:5``, or ``file`` for the whole of it,
and after a space a part of the message or its help. What other rules find does not matter.
``options`` are those of ``lint.settings.Settings``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from prototxt_gen._limits import RAISED
from prototxt_gen.diagnostics import Diagnostic, Severity, Source
from prototxt_gen.formats import prototxt
from prototxt_gen.formats.text.tokens import LONGEST_NUMBER
from prototxt_gen.lint.engine import lint
from prototxt_gen.lint.rule import CATEGORIES, SMELLS, rules
from prototxt_gen.lint.settings import Settings

CASES = Path(__file__).with_name("cases")
#: Categories of which every rule has cases.
COMPLETE = (*CATEGORIES, SMELLS)
#: Rules without a file, and what tests them.
ELSEWHERE = {
    "file-too-large": "below",
    "number-too-long": "below",
    # A text cannot have such a value, which is one of an enum.
    "v1-share-mode": "formats/test_upgrade_edges.py",
    "solver-unknown-type": "formats/test_upgrade_edges.py",
    "not-binary": "lint/test_net_weights.py",
    "weight-shape": "lint/test_net_weights.py",
    "weights-missing": "lint/test_net_weights.py",
    "weights-foreign": "lint/test_net_weights.py",
    "weights-extra": "lint/test_net_weights.py",
    "weights-type": "lint/test_net_weights.py",
    "weights-not-finite": "lint/test_net_weights.py",
    "batch-norm-factor": "lint/test_net_weights.py",
}


def read(path: Path) -> list[dict[str, Any]]:
    """The cases of a file; all scalars are texts, so that 1:30 is no number of seconds."""
    found: list[dict[str, Any]] = yaml.load(path.read_text("utf-8"), yaml.BaseLoader)
    return found


def settings(case: dict[str, Any]) -> Settings:
    options = {name.replace("-", "_"): value for name, value in case.get("options", {}).items()}
    return Settings(**options)


def _cases() -> Iterator[Any]:
    for path in sorted(CASES.glob("*.yml")):
        for number, case in enumerate(read(path)):
            yield pytest.param(path.stem, case, id=f"{path.stem}-{case.get('name', number)}")


def _place(one: Diagnostic, source: Source) -> str:
    return ":".join(map(str, source.position(one.span.start))) if one.span else "file"


@pytest.mark.parametrize(("rule", "case"), [*_cases()])
def test_a_rule_is_found_where_it_is(rule: str, case: dict[str, Any]) -> None:
    assert case.keys() <= {"name", "text", "found", "options"}
    source = Source(case["text"].encode())
    found = [one for one in lint(source, settings(case)).found if one.rule == rule]
    expected = [text.partition(" ") for text in case.get("found", ())]
    assert [_place(one, source) for one in found] == [place for place, *_ in expected]
    for one, (_, _, words) in zip(found, expected, strict=True):
        assert words in f"{one.message}; {one.help}"


@pytest.mark.parametrize("path", sorted(CASES.glob("*.yml")), ids=lambda path: path.stem)
def test_a_file_has_a_rule_with_cases_of_both_kinds(path: Path) -> None:
    assert path.stem in rules()
    assert {bool(case.get("found")) for case in read(path)} == {True, False}


@pytest.mark.parametrize("path", sorted(CASES.glob("*.yml")), ids=lambda path: path.stem)
def test_a_rule_has_the_gravest_of_its_severities(path: Path) -> None:
    every = [lint(Source(case["text"].encode()), settings(case)).found for case in read(path)]
    found = {one.severity for found in every for one in found if one.rule == path.stem}
    assert next(severity for severity in Severity if severity in found or not found) is (
        rules()[path.stem].severity if found else Severity.ERROR
    )


def test_every_rule_has_cases() -> None:
    wanted = {rule.name for rule in rules().values() if rule.category in COMPLETE}
    assert wanted - {path.stem for path in CASES.glob("*.yml")} == ELSEWHERE.keys()
    for rule, file in ELSEWHERE.items():
        path = Path(__file__) if file == "below" else Path(__file__).parents[1] / file
        assert f'"{rule}"' in path.read_text("utf-8")


def test_a_number_may_be_as_long_as_it_may() -> None:
    for more, expected in ((0, []), (1, ["2:20"])):
        text = 'input: "x"\ninput_shape { dim: ' + "1" * (LONGEST_NUMBER + more) + " }"
        source = Source(text.encode())
        found = [one for one in lint(source).found if one.rule == "number-too-long"]
        assert [_place(one, source) for one in found] == expected
        assert all(one.severity is rules()["number-too-long"].severity for one in found)


def test_a_file_may_be_as_large_as_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(RAISED, raising=False)
    monkeypatch.setattr(prototxt, "LARGEST_FILE", 50)
    text = b'input: "x"\ninput_shape { dim: 1 }'.ljust(50)
    assert [one.rule for one in lint(Source(text)).found if one.rule == "file-too-large"] == []
    (found,) = lint(Source(text + b" ")).found
    assert (found.rule, found.span) == ("file-too-large", None)
    assert found.severity is rules()["file-too-large"].severity
    monkeypatch.setenv(RAISED, "51")
    assert [one.rule for one in lint(Source(text + b" ")).found if one.rule == found.rule] == []
