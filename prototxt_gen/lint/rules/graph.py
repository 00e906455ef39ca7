"""Rules of the category graph."""

from __future__ import annotations

from prototxt_gen.diagnostics import Severity
from prototxt_gen.lint.rule import described

described("graph", Severity.ERROR, {})
