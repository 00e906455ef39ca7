"""Every rule that the code reports is described, and every one that is described is reported."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from prototxt_gen.lint.rule import CATEGORIES, SMELLS, Rule, rules

PACKAGE = Path(__file__).parents[2] / "prototxt_gen"
#: Rules that are not about a prototxt, a solver or a caffemodel.
OUTSIDE = {
    "float16-overflow": "of a model in float16",
    "proto": "of a caffe.proto",
    "unsupported": "of a conversion: Caffe has no part in it",
    "weights-left": "of a state dict of PyTorch",
    "weights-shape": "of a state dict of PyTorch",
}
#: Names that are put together: the file, how, and what comes of it.
MADE = {
    ("layers/dense.py", "f\"{name.replace('_', '-')}-zero\""): (
        "num-output-zero",
        "input-dim-zero",
    ),
    ("graph/check.py", "f'{what}-count'"): ("bottom-count", "top-count"),
    ("graph/check.py", "f\"{field.replace('_', '-')}-count\""): (
        "loss-weight-count",
        "propagate-down-count",
    ),
}
#: Where a name comes from a finding or a rule, which has it from elsewhere.
PASSED_ON = re.compile(r"rule|[a-z]+\.rule|rule\.name")
#: Of these the first argument is the name of a rule.
_MAKERS = ("Diagnostic", "Problem", "Mismatch", "smell", "fatal")
_TABLE = "graph/solver_check.py"  #: its Rules are findings; proposals have others
_REPORTS = ("error", "warning", "note")


def reported() -> dict[str, set[str]]:
    """The rules that the code reports, each with the files that do."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path in PACKAGE.rglob("*.py"):
        file = path.relative_to(PACKAGE).as_posix()
        if file == "lint/rule.py":  # what describes them
            continue
        tree = ast.parse(path.read_text("utf-8"))
        for scope, value in _names(tree, file == _TABLE):
            for name in _values(file, scope, value, tree):
                found[name].add(file)
    return found


def _names(tree: ast.Module, table: bool) -> Iterator[tuple[ast.AST, ast.expr]]:
    """The expressions that name rules, and the functions that they are in."""
    for scope in ast.walk(tree):
        if isinstance(scope, ast.FunctionDef):
            arguments = [*scope.args.args, *scope.args.kwonlyargs]
            defaults = [*scope.args.defaults, *scope.args.kw_defaults]
            for argument, default in zip(arguments[::-1], defaults[::-1], strict=False):
                if argument.arg == "rule" and default is not None:
                    yield scope, default
        if isinstance(scope, (ast.FunctionDef, ast.Module)):
            for node in ast.walk(scope):
                if isinstance(node, ast.Call):
                    value = _rule_of(node, table)
                    if value is not None:
                        yield scope, value


def _rule_of(call: ast.Call, table: bool) -> ast.expr | None:
    given = next((word.value for word in call.keywords if word.arg == "rule"), None)
    if given is not None or not call.args:
        return given
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    to_sink = isinstance(function, ast.Attribute) and "sink" in ast.unparse(function.value)
    # A variable for one method of a sink or another; report makes a page elsewhere.
    by_variable = name == "report" and not ast.unparse(call.args[0]).endswith("graph")
    if (
        name in _MAKERS
        or by_variable
        or (name in _REPORTS and to_sink)
        or (table and name == "Rule")
    ):
        return call.args[0]
    return None


def _values(file: str, scope: ast.AST, value: ast.expr, tree: ast.Module) -> Iterator[str]:
    if isinstance(value, ast.Constant):
        yield str(value.value)
    elif isinstance(value, ast.JoinedStr):
        yield from MADE[file, ast.unparse(value)]
    elif isinstance(value, ast.Name) and (given := list(_assigned(file, scope, tree, value.id))):
        yield from given
    else:
        assert PASSED_ON.fullmatch(ast.unparse(value)), f"{file}: {ast.unparse(value)}"


def _assigned(file: str, scope: ast.AST, tree: ast.Module, name: str) -> Iterator[str]:
    """The texts that a variable may have."""
    for node in (*ast.walk(scope), *tree.body):
        if isinstance(node, ast.Assign) and name in map(ast.unparse, node.targets):
            values = [node.value]
            if isinstance(node.value, ast.IfExp):
                values = [node.value.body, node.value.orelse]
            for value in values:
                if isinstance(value, ast.JoinedStr):
                    yield from MADE[file, ast.unparse(value)]
                elif isinstance(value, ast.Constant):
                    yield str(value.value)


def test_the_search_finds_names_of_all_kinds() -> None:
    found = reported()
    assert found["input-dim-count"] == {"formats/upgrade/inputs.py"}  # a variable, one of two
    assert found["top-count"] == {"graph/check.py", "layers/reduce.py"}  # put together
    assert found["shape-mismatch"] >= {"errors.py"}  # a default
    assert found["solver-adam"] == {"graph/solver_check.py"}  # a table
    assert found["unused-ignore"] == {"lint/suppress.py"}  # a constant
    assert found["nesting-too-deep"] == {"formats/text/parser.py"}
    assert found["out-of-range"] == {"formats/text/scalars.py"}
    assert {"old-form", "window-zero", "crop-offset", "syntax"} <= found.keys()
    assert len(found) > 130


def test_every_rule_that_is_reported_is_described() -> None:
    names = set(reported()) - OUTSIDE.keys()
    described = {name for name, rule in rules().items()}
    assert names - described == set()


def test_every_rule_that_is_described_is_reported() -> None:
    assert set(rules()) - set(reported()) == set()
    assert OUTSIDE.keys() <= set(reported())
    assert not OUTSIDE.keys() & set(rules())


@pytest.mark.parametrize("rule", rules().values(), ids=lambda rule: rule.name)
def test_a_text_has_a_summary_and_says_what_to_do(rule: Rule) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", rule.name)
    assert rule.category in (*CATEGORIES, SMELLS)
    summary, *rest = rule.text.split("\n")
    assert summary and any(rest)
    assert len(summary) <= 84 and summary.endswith(".")
    assert rest[0] == "", "an empty line follows the summary"
    assert 1 <= len([line for line in rest if line]) <= 9
