"""All findings of a file that are to be shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prototxt_gen._records import Record, record
from prototxt_gen.diagnostics import Diagnostic, Severity, Sink, Source
from prototxt_gen.document import Document
from prototxt_gen.graph.validation import Checked, check_text
from prototxt_gen.lint.net import InPhase, Net
from prototxt_gen.lint.rule import rules
from prototxt_gen.lint.settings import Settings
from prototxt_gen.lint.suppress import without_ignored

if TYPE_CHECKING:
    from prototxt_gen.formats.binary.caffemodel import Caffemodel


@record
class Findings(Record):
    """What is found in a file, in its order."""

    source: Source
    found: list[Diagnostic]

    def count(self, severity: Severity) -> int:
        """How many findings have a severity."""
        return sum(one.severity is severity for one in self.found)


def lint(
    source: Source, settings: Settings | None = None, weights: Caffemodel | None = None
) -> Findings:
    """Everything that Caffe would refuse, and what a person should know besides.

    ``weights`` are compared with the net in its TEST phase, if it has that and no error.
    """
    settings = settings or Settings()
    sink = Sink(source)
    checked = check_text(
        source, sink, settings.dialect, settings.unknown_types, settings.unknown_fields
    )
    if checked.net is not None and not sink.errors:
        _smells(checked, checked.net, sink, settings)
        if weights is not None:
            from prototxt_gen.lint.weights import check_weights

            phases = checked.phases
            check_weights(phases.get("TEST", next(iter(phases.values())))[0], weights, sink)
    shown = [one for one in sink.sorted() if settings.shows(one.rule, source.path)]
    found = without_ignored(shown, source, rules())
    return Findings(source, [one for one in found if settings.shows(one.rule, source.path)])


def _smells(checked: Checked, upgraded: Document, sink: Sink, settings: Settings) -> None:
    path = sink.source.path if sink.source else ""
    checks = [rule.check for rule in rules().values() if settings.shows(rule.name, path)]
    phases = {phase: InPhase(*found) for phase, found in checked.phases.items()}
    net = Net(checked.document, upgraded, phases)
    for check in filter(None, checks):
        # What is in several phases is found in each of them.
        for one in dict.fromkeys(check(net)):
            sink.add(one)
