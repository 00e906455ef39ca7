"""Rules of the category weights."""

from __future__ import annotations

from prototxt_gen.diagnostics import Severity
from prototxt_gen.lint.rule import described

described("weights", Severity.ERROR, {})
