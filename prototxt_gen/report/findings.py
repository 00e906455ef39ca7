"""The findings of a net, each with the layer that it is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prototxt_gen.diagnostics import Diagnostic, Source
from prototxt_gen.lint.engine import lint
from prototxt_gen.lint.rule import rules
from prototxt_gen.lint.settings import Settings
from prototxt_gen.report.layers import LayerView


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding with its line; ``layer`` is the index of its layer, where the page has it."""

    rule: str
    severity: str
    message: str
    help: str | None
    about: str  #: what the rule is about
    line: int | None
    layer: int | None
    name: str | None  #: of the layer, also where it is of another phase


def findings(
    source: Source, settings: Settings | None, layers: Sequence[LayerView]
) -> tuple[Finding, ...]:
    """What Caffe would refuse, and what a person should know besides, as ``validate`` says it."""
    known = rules()
    names: dict[str, int] = {}
    for one in layers:
        names.setdefault(one.name, one.index)
    starts = [(one.line, one.line + len(one.text), one.index) for one in layers if one.line]
    made = []
    for found in lint(source, settings).found:
        line = source.position(found.span.start)[0] if found.span else None
        rule = known.get(found.rule)
        made.append(
            Finding(
                found.rule,
                found.severity.value,
                found.message,
                found.help,
                rule.summary if rule else "",
                line,
                _layer(found, line, names, starts),
                found.layer,
            )
        )
    return tuple(made)


def _layer(
    found: Diagnostic,
    line: int | None,
    names: dict[str, int],
    starts: Sequence[tuple[int, int, int]],
) -> int | None:
    """The layer at a line, if it has the name that the finding has, else one of the name."""
    at = [index for start, end, index in starts if line is not None and start <= line < end]
    if found.layer is None:
        return at[0] if len(at) == 1 else None
    first = names.get(found.layer)
    return first if first is None or first in at or not at else at[0]
