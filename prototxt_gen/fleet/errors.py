"""What is said of an error in the line of a model."""

from __future__ import annotations

from prototxt_gen.diagnostics import Diagnostic, Source, render
from prototxt_gen.errors import PrototxtError


def first_of(error: PrototxtError) -> str:
    """The first reason in a line, and the number of others."""
    errors = [d for d in error.diagnostics if d.severity.value == "error"]
    if not errors:
        return error.message
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return short(errors[0], error.source) + more


def short(diagnostic: Diagnostic, source: Source | None) -> str:
    """A finding without the word error."""
    return render(diagnostic, source).replace(": error: ", ": ", 1)
