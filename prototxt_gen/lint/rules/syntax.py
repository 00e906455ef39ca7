"""Rules of the category syntax."""

from __future__ import annotations

from prototxt_gen.diagnostics import Severity
from prototxt_gen.lint.rule import described

described("syntax", Severity.ERROR, {})
