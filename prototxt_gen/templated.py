"""A net printed by templates; what a user's print is looked at."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from prototxt_gen.generate.blocks import Net
from prototxt_gen.generate.render import render
from prototxt_gen.generate.templates import find_templates


class Printed(NamedTuple):
    """The text of a net, and in what it differs from the spec's, line by line."""

    text: str
    notes: tuple[str, ...] = ()


def print_net(net: Net, templates: Path | None = None, *, check: bool = True) -> Printed:
    """The text of a net by the built-in templates, a shipped set, or those of a folder.

    Raises TemplateError if a template of the folder has an error; and with ``check`` if what
    it prints is not a prototxt, or that of another net.
    """
    chosen = find_templates(templates)
    text = render(net, chosen)
    if chosen.folder is None or not check:
        return Printed(text)
    from prototxt_gen.printed import compare_printed

    return Printed(text, compare_printed(net, text, chosen.folder))
