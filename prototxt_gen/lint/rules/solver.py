"""Rules of the category solver."""

from __future__ import annotations

from prototxt_gen.diagnostics import Severity
from prototxt_gen.lint.rule import described

described("solver", Severity.ERROR, {})
