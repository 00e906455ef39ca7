"""What may have been meant by a field that a message does not have."""

from __future__ import annotations

from collections.abc import Iterable

from prototxt_gen._nearest import closest
from prototxt_gen.formats.dialects import in_mask, is_own
from prototxt_gen.formats.schema import UNION, Message, schema


def known_to(name: str, message: Message) -> int:
    """The known dialects whose message has a field, as a bit mask."""
    elsewhere = schema(UNION)
    if message.name not in elsewhere:
        return 0
    declared = elsewhere.message(message.name).fields.get(name, ())
    return join(d.dialects for d in declared)


def remedy(name: str, message: Message) -> str | None:
    """What may have been meant by a field that no known dialect has, and whose it may be."""
    near = _nearly(name, message)
    if is_own(message.dialect):
        return near
    own = "--proto FILE reads by the caffe.proto of your own Caffe"
    return f"{near}{'' if near.endswith('?') else ';'} {own}" if near else own


def _nearly(name: str, message: Message) -> str | None:
    close = closest(name, message.fields, 0.75)
    if close:
        return f"did you mean `{close}`?"
    inner = [
        field
        for field in message.fields
        if (type := message.message(field)) and name in type.fields
    ]
    if 0 < len(inner) <= 3:
        return f"it is a field of {' and of '.join(inner)}"
    return None


def join(masks: Iterable[int]) -> int:
    """All dialects of some masks."""
    joined = 0
    for mask in masks:
        joined |= mask
    return joined


def listed(mask: int) -> str:
    """The dialects of a mask, in words."""
    names = tuple(in_mask(mask))
    shown = ", ".join(names[:4])
    return shown if len(names) <= 4 else f"{shown} and {len(names) - 4} more"
