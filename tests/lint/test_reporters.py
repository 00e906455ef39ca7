"""Findings for programs: JSON, SARIF, annotations of GitHub, JUnit."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from prototxt_gen.diagnostics import Diagnostic, Severity, Source, Span
from prototxt_gen.lint.engine import Findings, lint
from prototxt_gen.lint.reporters import REPORTERS, as_github, as_json, as_junit, as_sarif, summary

TEXT = 'layer { name: "é"\n  type: "ReLU" bottom: "x" top: "y" }\n'


def files() -> list[Findings]:
    odd = "dir with space/50%,a:b.prototxt"
    several = Diagnostic("syntax", Severity.ERROR, "a\nb\x1b[1m", Span(0, 5), None, "50%")
    nowhere = Diagnostic("empty-net", Severity.NOTE, "no place")
    return [
        lint(Source(TEXT.encode(), "nets/a.prototxt")),
        Findings(Source(b"", "good.prototxt"), []),
        Findings(Source(b"layer", odd), [several, nowhere]),
    ]


def test_json() -> None:
    found = json.loads(as_json(files()))
    counts = {key: found[key] for key in ("files", "errors", "warnings", "notes")}
    assert counts == {"files": 3, "errors": 2, "warnings": 0, "notes": 1}
    first, *_, last = found["findings"]
    assert {**first, "message": "", "help": ""} == {
        "path": "nets/a.prototxt",
        "line": 2,
        "column": 24,
        "end_line": 2,
        "end_column": 27,
        "rule": "unknown-bottom",
        "severity": "error",
        "message": "",
        "help": "",
        "layer": "é",
    }
    assert (last["line"], last["end_column"], last["rule"]) == (None, None, "empty-net")


def test_sarif_has_nothing_that_the_format_has_not() -> None:
    """pysarif is made from SARIF's schema, and drops what that does not know."""
    pysarif = pytest.importorskip("pysarif", reason="pysarif is not installed")
    given = json.loads(as_sarif(files()))
    del given["$schema"]  # it is not a part of the model
    again = pysarif.save_to_dict(pysarif.load_from_dict(given))
    assert _holds(again, given)


def test_sarif_by_its_schema() -> None:
    if "SARIF_SCHEMA" not in os.environ:
        pytest.skip("no schema: set SARIF_SCHEMA to sarif-schema-2.1.0.json")
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    schema = json.loads(Path(os.environ["SARIF_SCHEMA"]).read_text("utf-8"))
    for made in (files(), [], files()[1:2]):
        jsonschema.validate(json.loads(as_sarif(made)), schema)


def test_sarif() -> None:
    (run,) = json.loads(as_sarif(files()))["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert rules == ["empty-net", "syntax", "unknown-bottom"]
    first, second, third = run["results"]
    assert [rules[one["ruleIndex"]] for one in (first, second, third)] == [
        one["ruleId"] for one in (first, second, third)
    ]
    assert first["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "nets/a.prototxt"},
                "region": {"startLine": 2, "startColumn": 24, "endLine": 2, "endColumn": 27},
            }
        }
    ]
    where = second["locations"][0]["physicalLocation"]["artifactLocation"]
    assert where == {"uri": "dir%20with%20space/50%25%2Ca%3Ab.prototxt"}
    assert "region" not in third["locations"][0]["physicalLocation"]
    assert [one["level"] for one in (first, second, third)] == ["error", "error", "note"]


def test_annotations_of_github() -> None:
    first, second, third = as_github(files()).splitlines()
    start = "::error file=nets/a.prototxt,line=2,col=24,endLine=2,endColumn=27,title=unknown-bottom"
    assert first.startswith(f"{start}::layer 'é': ")
    options = "file=dir with space/50%25%2Ca%3Ab.prototxt,line=1,col=1,endLine=1,endColumn=6"
    assert second == f"::error {options},title=syntax::a%0Ab\x1b[1m; 50%25"
    assert third.endswith(",title=empty-net::no place") and third.startswith("::notice ")


def test_junit() -> None:
    root = ElementTree.fromstring(as_junit(files()))
    assert (root.tag, root.get("tests"), root.get("failures")) == ("testsuites", "3", "2")
    names = [suite.get("name") for suite in root]
    assert names == ["nets/a.prototxt", "good.prototxt", "dir with space/50%,a:b.prototxt"]
    cases = [case for suite in root for case in suite]
    assert [case.get("name") for case in cases] == ["unknown-bottom", "validate", "syntax"]
    assert [len(case) for case in cases] == [1, 0, 1]
    assert cases[0][0].text.startswith("nets/a.prototxt:2:24: layer 'é': ")
    assert cases[2][0].get("message") == "a\\nb\\x1b[1m; 50%"


@pytest.mark.parametrize("form", REPORTERS)
def test_no_file(form: str) -> None:
    assert "findings" not in REPORTERS[form]([]) or form == "json"


def test_counts() -> None:
    assert summary(files()) == "3 files: 2 errors, 1 note"
    assert summary(files()[1:2]) == "1 file: no errors"


def _holds(found: Any, wanted: Any) -> bool:
    """Whether a value has all of another, of which it may have defaults besides."""
    if isinstance(wanted, dict):
        return all(key in found and _holds(found[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(_holds, found, wanted))
    return bool(found == wanted)
