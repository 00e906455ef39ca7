"""Rules by their names: what each is about, and for smells how it is found.

A rule of the reader, the upgrade or a layer is found where it belongs, and only described here;
one of ``rules/smells.py`` is found by its own function, whose docstring describes it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module

from prototxt_gen._records import Record, record
from prototxt_gen.diagnostics import Diagnostic, Severity
from prototxt_gen.lint.net import Net

#: The modules of ``rules``, each of which is a category, in the order of the docs.
CATEGORIES = ("syntax", "schema", "upgrade", "graph", "layers", "shapes", "solver", "weights")
SMELLS = "smells"

Check = Callable[[Net], Iterator[Diagnostic]]
_RULES: dict[str, Rule] = {}


@record
class Rule(Record):
    """A rule; ``text`` says what is wrong, what Caffe does, and what to write instead.

    Its first line is a summary.
    """

    name: str
    category: str
    severity: Severity
    text: str
    check: Check | None = None
    asked_for: bool = False  #: whether it is shown only to those who name it

    @property
    def summary(self) -> str:
        """The first line of the text."""
        return self.text.partition("\n")[0]


def described(category: str, severity: Severity, texts: dict[str, str]) -> None:
    """Describe rules that are found elsewhere: their names, and their texts."""
    for name, text in texts.items():
        summary, rest = inspect.cleandoc(text).split("\n", 1)
        whole = f"{summary}\n\n{rest.strip()}"
        _add(Rule(name, category, severity, whole))


def smell(name: str, *, asked_for: bool = False) -> Callable[[Check], Check]:
    """Register a function that finds what Caffe would load and a person should know.

    What good nets have as well, and only some people want to know, is ``asked_for``.
    """

    def register(check: Check) -> Check:
        text = inspect.getdoc(check) or ""
        _add(Rule(name, SMELLS, Severity.WARNING, text, check, asked_for))
        return check

    return register


@cache
def rules() -> dict[str, Rule]:
    """All rules by their names, category by category."""
    for name in (*CATEGORIES, SMELLS):
        import_module(f"prototxt_gen.lint.rules.{name}")
    return _RULES


def _add(rule: Rule) -> None:
    if rule.name in _RULES:
        raise ValueError(f"there are two rules {rule.name!r}")
    _RULES[rule.name] = rule
