"""Rules of the category layers."""

from __future__ import annotations

from prototxt_gen.diagnostics import Severity
from prototxt_gen.lint.rule import described

described("layers", Severity.ERROR, {})
