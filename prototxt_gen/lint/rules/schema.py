"""Rules of the category schema."""

from __future__ import annotations

from prototxt_gen.diagnostics import Severity
from prototxt_gen.lint.rule import described

described("schema", Severity.ERROR, {})
