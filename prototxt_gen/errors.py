"""The errors that this package raises for its users' input.

    PrototxtError
    ├── ParseError          text or bytes that cannot be read as what they should be
    ├── SpecError           a generator's specification that is wrong
    ├── TemplateError       a template that cannot be filled in, or prints another net
    ├── GraphError          layers that do not form a net
    │   └── ShapeError      a layer that cannot take the shapes it is given
    ├── UnsupportedError    something legal that is not supported
    ├── PluginError         a user's own layer type, or its file, that fails
    ├── WeightsError        weights that are missing, broken or from another net
    └── VerificationError   two results that should be equal and are not

Only ``prototxt_gen.cli`` turns them into exit codes. Any other exception that leaves
the package is a bug of ours.
"""

from __future__ import annotations

from collections.abc import Sequence

from prototxt_gen.diagnostics import Diagnostic, Source


class PrototxtError(Exception):
    """The root of the tree.

    ``diagnostics`` lists every problem found before work had to stop, in the order of
    the file; ``source`` is the text that their spans point into.
    """

    def __init__(
        self,
        message: str,
        *,
        diagnostics: Sequence[Diagnostic] = (),
        source: Source | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.diagnostics = tuple(diagnostics)
        self.source = source


class ParseError(PrototxtError):
    """The input is not a prototxt, or not one that the schema allows."""


class SpecError(PrototxtError):
    """A generator's specification is wrong; ``path`` names the entry (``stages[2]``)."""

    def __init__(self, message: str, *, path: str = "") -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path


class TemplateError(PrototxtError):
    """A template is wrong; the message starts with its file and line."""


class GraphError(PrototxtError):
    """The layers do not form a net that Caffe would build."""


class ShapeError(GraphError):
    """A layer cannot take the shapes of its bottoms.

    ``rule`` names the failed check (``pooling-pad``), ``layer`` the layer, which shape
    inference fills in where the layer does not know its name, ``field`` the parameter
    to point at, if one is to blame, and ``bottom`` the index of the bottom, if it is one.
    """

    def __init__(
        self,
        message: str,
        *,
        rule: str = "shape-mismatch",
        layer: str | None = None,
        field: str | None = None,
        bottom: int | None = None,
        help: str | None = None,
    ) -> None:
        super().__init__(message)
        self.rule = rule
        self.layer = layer
        self.field = field
        self.bottom = bottom
        self.help = help


class UnsupportedError(PrototxtError):
    """A layer, or an option of one, that this package does not support, and why."""

    def __init__(
        self,
        reason: str,
        *,
        layer: str | None = None,
        diagnostics: Sequence[Diagnostic] = (),
        source: Source | None = None,
    ) -> None:
        message = f"layer {layer!r}: {reason}" if layer else reason
        super().__init__(message, diagnostics=diagnostics, source=source)
        self.reason = reason
        self.layer = layer


class PluginError(PrototxtError):
    """A user's own layer type, or its file, fails; the message names it first."""


class WeightsError(PrototxtError):
    """Weights are missing, broken, or belong to another net."""


class VerificationError(PrototxtError):
    """Two computations that should agree do not."""
