"""Rules of the category shapes."""

from __future__ import annotations

from prototxt_gen.diagnostics import Severity
from prototxt_gen.lint.rule import described

described("shapes", Severity.ERROR, {})
