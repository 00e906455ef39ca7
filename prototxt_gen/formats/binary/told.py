"""The dialect that a caffemodel of ours tells, where another would be read from it.

Forks use one number for different fields, so that a net by one of them may be a whole net by
another, with other numbers in it. A last field that no Caffe has says whose it is; protobuf's
readers skip what they do not know.
"""

from __future__ import annotations

from prototxt_gen.errors import WeightsError
from prototxt_gen.formats.binary.wire import BYTES, encoded, fields

NUMBER = 268_435_399  #: of NetParameter; the greatest that any Caffe uses is far below
_TAG = encoded(NUMBER << 3 | BYTES)
_PREFIX = b"resnet-proto dialect: "


def telling(dialect: str) -> bytes:
    """The field that says which dialect a net is of."""
    value = _PREFIX + dialect.encode()
    return _TAG + encoded(len(value)) + value


def told(data: bytes) -> tuple[str | None, bytes]:
    """The dialect that a net tells, if it does, and the net without that field."""
    if _TAG not in data:
        return None, data
    found, rest = None, bytearray()
    try:
        for field in fields(data, 0, len(data)):
            value = data[field.value : field.end] if field.number == NUMBER else b""
            if field.kind == BYTES and value.startswith(_PREFIX):
                found = value.removeprefix(_PREFIX).decode("utf-8", "replace")
            else:
                rest += data[field.start : field.end]
    except WeightsError:  # which the reading of it will say
        return None, data
    return found, bytes(rest)
