"""Findings in the forms that programs read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import PurePath
from typing import Any

from prototxt_gen._version import __version__
from prototxt_gen._words import plural
from prototxt_gen.diagnostics import Diagnostic, Severity
from prototxt_gen.lint.engine import Findings
from prototxt_gen.lint.rule import rules

_SARIF_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_GITHUB = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def as_json(files: Sequence[Findings]) -> str:
    """One object: counts, and ``findings`` with path, place, rule, severity and message."""
    return _json(
        {
            "version": __version__,
            "files": len(files),
            **{f"{one.value}s": sum(file.count(one) for file in files) for one in Severity},
            "findings": [
                {
                    "path": file.source.path,
                    **_place(file, one),
                    "rule": one.rule,
                    "severity": one.severity.value,
                    "message": one.message,
                    "help": one.help,
                    "layer": one.layer,
                }
                for file, one in _every(files)
            ],
        }
    )


def as_sarif(files: Sequence[Findings]) -> str:
    """SARIF 2.1.0, which GitHub's code scanning and editors read."""
    names = sorted({one.rule for _, one in _every(files)})
    found = []
    for file, one in _every(files):
        place: dict[str, Any] = {"artifactLocation": {"uri": _uri(file.source.path)}}
        region = {key: value for key, value in _place(file, one, camel=True).items() if value}
        if region:
            place["region"] = region
        found.append(
            {
                "ruleId": one.rule,
                "ruleIndex": names.index(one.rule),
                "level": one.severity.value,
                "message": {"text": _words(one)},
                "locations": [{"physicalLocation": place}],
            }
        )
    run = {
        "tool": {
            "driver": {
                "name": "resnet-proto",
                "version": __version__,
                "rules": [_sarif_rule(name) for name in names],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": found,
    }
    return _json({"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]})


def as_github(files: Sequence[Findings]) -> str:
    """Workflow commands of GitHub Actions: an annotation for each finding."""
    lines = []
    for file, one in _every(files):
        where = {"file": file.source.path, **_place(file, one)}
        where = {key: value for key, value in where.items() if value is not None}
        for key, name in (("column", "col"), ("end_line", "endLine"), ("end_column", "endColumn")):
            if key in where:
                where[name] = where.pop(key)
        where["title"] = one.rule
        options = ",".join(f"{key}={_escaped(str(value), ':,')}" for key, value in where.items())
        lines.append(f"::{_GITHUB[one.severity]} {options}::{_escaped(_words(one))}\n")
    return "".join(lines)


def as_junit(files: Sequence[Findings]) -> str:
    """A test suite for each file, with a failure for each error and warning."""
    from xml.etree import ElementTree

    root = ElementTree.Element("testsuites", name="resnet-proto validate")
    for file in files:
        path = _printable(file.source.path)
        failed = [one for one in file.found if one.severity is not Severity.NOTE]
        number = str(max(1, len(failed)))
        attributes = {"tests": number, "failures": str(len(failed)), "errors": "0"}
        suite = ElementTree.SubElement(root, "testsuite", {"name": path, **attributes})
        if not failed:
            ElementTree.SubElement(suite, "testcase", name="validate", classname=path)
        for one in failed:
            place = _place(file, one)
            at = f":{place['line']}:{place['column']}" if place["line"] else ""
            case = ElementTree.SubElement(suite, "testcase", name=one.rule, classname=path)
            words = _printable(_words(one))
            failure = ElementTree.SubElement(
                case, "failure", type=one.severity.value, message=words
            )
            failure.text = f"{path}{at}: {words}"
    for key in ("tests", "failures"):
        root.set(key, str(sum(int(suite.get(key, "0")) for suite in root)))
    ElementTree.indent(root)
    return ElementTree.tostring(root, "unicode", xml_declaration=True) + "\n"


REPORTERS: dict[str, Callable[[Sequence[Findings]], str]] = {
    "json": as_json,
    "sarif": as_sarif,
    "github": as_github,
    "junit": as_junit,
}


def summary(files: Sequence[Findings]) -> str:
    """The numbers of files and findings; that of errors always."""
    counts = []
    for severity in Severity:
        number = sum(file.count(severity) for file in files)
        if number or severity is Severity.ERROR:
            counts.append(plural(number, severity.value) if number else f"no {severity.value}s")
    return f"{plural(len(files), 'file')}: {', '.join(counts)}"


def _every(files: Iterable[Findings]) -> Iterator[tuple[Findings, Diagnostic]]:
    for file in files:
        for one in file.found:
            yield file, one


def _place(file: Findings, one: Diagnostic, *, camel: bool = False) -> dict[str, int | None]:
    """Line and column, from 1, of the start and behind the end; None where there is no place."""
    found: list[int | None] = [None] * 4
    if one.span is not None:
        start = file.source.position(one.span.start)
        end = file.source.position(max(one.span.end, one.span.start))
        found = [*start, *end]
    names = ("line", "column", "end_line", "end_column")
    if camel:
        names = ("startLine", "startColumn", "endLine", "endColumn")
    return dict(zip(names, found, strict=True))


def _words(one: Diagnostic) -> str:
    layer = f"layer {one.layer!r}: " if one.layer is not None else ""
    return f"{layer}{one.message}{f'; {one.help}' if one.help else ''}"


def _sarif_rule(name: str) -> dict[str, Any]:
    known = rules().get(name)
    made: dict[str, Any] = {"id": name}
    if known is not None:
        level = known.severity.value
        made["shortDescription"] = {"text": known.summary}
        made["fullDescription"] = {"text": known.text}
        made["defaultConfiguration"] = {"level": level}
    return made


def _uri(path: str) -> str:
    found = PurePath(path)
    if found.is_absolute():
        return found.as_uri()
    from urllib.parse import quote

    return quote(found.as_posix())


def _escaped(text: str, more: str = "") -> str:
    """A text as a workflow command may have it."""
    for letter in ("%", "\r", "\n", *more):
        text = text.replace(letter, f"%{ord(letter):02X}")
    return text


def _printable(text: str) -> str:
    """A text without the characters that XML cannot hold."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _json(values: object) -> str:
    import json

    return json.dumps(values, indent=2) + "\n"
