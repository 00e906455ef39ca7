"""hypothesis strategies: nets of random fields, and texts that are nearly nets."""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from hypothesis import strategies as st

from prototxt_gen.document import Block, Document, Field, Symbol, Value
from prototxt_gen.formats.binary.message import message_class
from prototxt_gen.formats.text.scalars import shortest

_T = FieldDescriptor
_BOUNDS = {
    _T.TYPE_INT32: (-(2**31), 2**31 - 1),
    _T.TYPE_INT64: (-(2**63), 2**63 - 1),
    _T.TYPE_UINT32: (0, 2**32 - 1),
    _T.TYPE_UINT64: (0, 2**64 - 1),
}

SAMPLE = b"""# a net
name: "n\\x41\\303\\251" 'b'
input: "data"; input_dim: [1, 0x3, 010, 7],
state < phase: TEST level: - 5, stage: ["a", "b"] >
force_backward: t
layer {
  name: "c" type: "Convolution" bottom: "data" top: "c" # trailing
  loss_weight: 1.5e-3f loss_weight: -inf loss_weight: nan
  include: [{ phase: 1 }, < min_level: 1 >]
  convolution_param: { num_output: 64 bias_term: false pad: 0 engine: CAFFE }
}
layers { type: RELU blobs { data: [1, -.5, 2.] } };
"""

_PIECES = st.sampled_from(
    [
        *b"{}<>[],;:#-+.\"'\\\n \t\0 /09xXeEfFaznT_".decode(),
        *("inf", "nan", "true", "0x", "1e", "layer", "name", ": 1", "{ }", "<>", "[]", '"a"'),
        *(
            "\\x4",
            "\\u00e9",
            "\\777",
            "phase",
            "TEST",
            "é",
            "# c\n",
            "1.5f",
            "[caffe.x]",
            "2147483648",
        ),
    ]
)


@st.composite
def nets(draw: st.DrawFn) -> Document:
    """A typed net of fields of every kind."""
    descriptor = message_class("NetParameter").DESCRIPTOR
    return Document(_block(draw, descriptor, 4))


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    """A sample text with some edits, cut somewhere or not."""
    text = SAMPLE
    if draw(st.booleans()):
        start = draw(st.integers(0, len(text)))
        text = text[start : start + draw(st.integers(1, 80))]
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        gone = draw(st.integers(0, 3))
        piece = draw(_PIECES).encode() if draw(st.booleans()) else draw(st.binary(max_size=2))
        text = text[:at] + piece + text[at + gone :]
    return text


def _block(draw: st.DrawFn, descriptor: Descriptor, depth: int) -> Block:
    fields = [f for f in descriptor.fields if depth or f.type != _T.TYPE_MESSAGE]
    block = Block()
    if not fields:
        return block
    for field in draw(st.lists(st.sampled_from(fields), max_size=6, unique_by=lambda f: f.name)):
        repeated = field.is_repeated if hasattr(field, "is_repeated") else field.label == 3
        for _ in range(draw(st.integers(1, 3)) if repeated else 1):
            block.fields.append(Field(field.name, _value(draw, field, depth)))
    return block


def _value(draw: st.DrawFn, field: Any, depth: int) -> Value:
    if field.type == _T.TYPE_MESSAGE:
        return _block(draw, field.message_type, depth - 1)
    if field.type in _BOUNDS:
        return draw(st.integers(*_BOUNDS[field.type]))
    if field.type == _T.TYPE_BOOL:
        return draw(st.booleans())
    if field.type == _T.TYPE_DOUBLE:
        return draw(_floats(64))
    if field.type == _T.TYPE_FLOAT:
        return shortest(draw(_floats(32)))
    if field.type == _T.TYPE_ENUM:
        return Symbol(draw(st.sampled_from([v.name for v in field.enum_type.values])))
    data = draw(st.binary(max_size=8) | st.text(max_size=8).map(str.encode))
    return data if field.type == _T.TYPE_BYTES else data.decode("utf-8", "surrogateescape")


def _floats(width: int) -> st.SearchStrategy[float]:
    """Any float; of NaN, whose sign no text keeps, the one that is positive."""
    numbers = st.floats(width=32 if width == 32 else 64)
    return numbers.map(lambda number: number if number == number else float("nan"))
