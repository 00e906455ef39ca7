"""An old file in today's form: a net or a solver in text, or a caffemodel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from prototxt_gen.diagnostics import Diagnostic, Sink, Source
from prototxt_gen.document import Document
from prototxt_gen.errors import ParseError
from prototxt_gen.formats.binary.start import is_binary
from prototxt_gen.formats.binary.unread import read_unread, write_unread
from prototxt_gen.formats.content import Buffer, need_size
from prototxt_gen.formats.prototxt import largest_file
from prototxt_gen.formats.reader import read_text
from prototxt_gen.formats.text.layout import lay_out
from prototxt_gen.formats.upgrade.net import upgrade_net, upgrade_solver

_CHUNK = 1 << 20


@dataclass(frozen=True, repr=False)
class Upgraded:
    """What was upgraded, and the file to be written.

    ``warnings`` tell of what Caffe ignores or leaves out; their spans point into ``source``.
    """

    changes: Sequence[str]  #: a line for each thing that was upgraded
    warnings: Sequence[Diagnostic]
    source: Source | None  #: None for a caffemodel
    _given: Buffer
    _text: bytes | None = None
    _net: Document | None = None

    def parts(self) -> Iterator[bytes]:
        """The new file, bit by bit; what was given if nothing was old."""
        if self._text is not None:
            yield self._text
        elif self._net is not None:
            yield from write_unread(self._net, self._given)
        else:
            for start in range(0, len(self._given), _CHUNK):
                yield self._given[start : start + _CHUNK]

    @property
    def data(self) -> bytes:
        """The new file."""
        return b"".join(self.parts())


def upgrade(name: str, given: Buffer, dialect: str | None = None) -> Upgraded:
    """The bytes of a file as Caffe would make them (upgrade_net_proto_text and its kin).

    Raises ParseError with everything that cannot be upgraded, WeightsError, and OSError.
    """
    if is_binary(given):
        return _upgrade_binary(name, given, dialect)
    need_size(name, len(given), largest_file())
    return _upgrade_text(Source(given[:], name), dialect)


def _upgrade_text(source: Source, dialect: str | None) -> Upgraded:
    sink, changes = Sink(source), list[str]()
    document = read_text(source, sink, dialect=dialect)
    sink.raise_errors(ParseError)
    type = document.root.type
    what = type.name if type else "unknown"
    if what == "NetParameter":
        root = upgrade_net(document.root, sink, changes=changes)
    elif what == "SolverParameter":
        root = upgrade_solver(document.root, sink, changes=changes)
    else:
        raise ParseError(f"{source.path}: this is a {what}; expected a net or a solver")
    sink.raise_errors(ParseError)
    text = lay_out(root, source.data) if changes else None
    return Upgraded(changes, sink.sorted(), source, source.data, text)


def _upgrade_binary(name: str, given: Buffer, dialect: str | None) -> Upgraded:
    sink, changes, unknown = Sink(), list[str](), None
    try:
        document = read_unread(name, given, sink, dialect)
    except ParseError as error:
        sink, unknown = Sink(), error
        document = read_unread(name, given, sink, dialect, drop_unknown=True)
    document.root = upgrade_net(document.root, sink, changes=changes)
    # A layer in a binary file is at no line.
    sink.diagnostics = [replace(found, span=None) for found in sink.diagnostics]
    sink.raise_errors(ParseError)
    if changes and unknown is not None:
        raise unknown
    net = document if changes else None
    return Upgraded(changes, sink.sorted(), None, given, _net=net)
