"""Rules of the category upgrade."""

from __future__ import annotations

from prototxt_gen.diagnostics import Severity
from prototxt_gen.lint.rule import described

described("upgrade", Severity.ERROR, {})
