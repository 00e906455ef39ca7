"""What Caffe would load, and a person should still know."""

from __future__ import annotations

from collections.abc import Iterator

from prototxt_gen.diagnostics import Diagnostic, Severity
from prototxt_gen.lint.net import Net
from prototxt_gen.lint.rule import smell


@smell("old-form")
def old_form(net: Net) -> Iterator[Diagnostic]:
    """The net has `layers` in the form of before 2015, which Caffe upgrades at each start.

    Caffe reads it, and says so in its log. Tools that read prototxt themselves often do not.
    `resnet-proto upgrade` writes the present form.
    """
    for field in net.written.root:
        if field.name == "layers":
            message = "the net has the form of before 2015: `layers`, of types without quotes"
            help = "resnet-proto upgrade writes the present form"
            yield Diagnostic("old-form", Severity.WARNING, message, field.span, help=help)
            return
