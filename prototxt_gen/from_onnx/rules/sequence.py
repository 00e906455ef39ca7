"""Layers that go through time, which is axis 0 in Caffe as in ONNX.

Caffe has no direction: what goes backward gets its bottom back to front. ``cont`` says where a
sequence goes on; it is 0 at the first step, so that no state is left of an earlier run, and 1
everywhere where the first state is a bottom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.from_onnx.lifting import Lifting, Made, rule
from prototxt_gen.from_onnx.model import Array, Op
from prototxt_gen.from_onnx.net import Blob
from prototxt_gen.from_onnx.rules.shapes import MOST_PIECES, reshaped, sliced
from prototxt_gen.from_onnx.rules.slicing import rows_in_reverse
from prototxt_gen.layers.combine import Concat
from prototxt_gen.layers.recurrent import LSTM, RNN

#: The places of Caffe's gates i, f, o, g among those of ONNX, i, o, f, c.
_GATES = (0, 2, 1, 3)
_TANH = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "RNN": ["Tanh"]}


@dataclass(frozen=True)
class _Way:
    """One direction: its weights as ONNX has them, and its place among the directions."""

    place: int
    back: bool
    weight: Array
    recurrent: Array
    bias: Array
    inner: str  #: what its layers are called


@rule("LSTM")
def lstm(lifting: Lifting, op: Op) -> Made:
    """LSTM, for each direction; the first state and the last cells are exposed where needed."""
    _need_plain(op)
    wanted = [lifting.is_read(op, index) for index in range(3)]
    found = [_lstm(lifting, op, way, expose=wanted[2]) for way in _ways(op)]
    return [
        _joined(lifting, [one[index] for one in found], index, op) if wanted[index] else None
        for index in range(3)
    ]


@rule("RNN")
def rnn(lifting: Lifting, op: Op) -> Made:
    """RNN, whose last state alone is that of ONNX: its top goes through another tanh."""
    _need_plain(op)
    if lifting.is_read(op, 0):
        raise UnsupportedError(
            "all its states are read; Caffe's RNN shows the last one only, and puts another "
            "tanh behind the others; use an LSTM"
        )
    found = [_rnn(lifting, op, way) for way in _ways(op)]
    return [None, _joined(lifting, found, 1, op)]


@rule("GRU")
def gru(lifting: Lifting, op: Op) -> Made:
    """Caffe has none."""
    raise UnsupportedError("Caffe has no GRU; expected an LSTM, or the steps written out")


def _lstm(lifting: Lifting, op: Op, way: _Way, *, expose: bool) -> tuple[Blob, Blob, Blob | None]:
    """All states (T, N, D), the last one (1, N, D), and the last cells if they are exposed."""
    size = way.recurrent.shape[1]
    net, x = lifting.net, _in_time(lifting, op, way)
    states = [_state(lifting, op, index, way, size) for index in (5, 6)]
    exposed = expose or any(state is not None for state in states)
    blobs = (
        _gates(way.weight),
        _gates(way.bias[: 4 * size] + way.bias[4 * size :]),
        _gates(way.recurrent),
    )
    bottoms = [x, net.constant(_cont(x, first=float(exposed)))]
    if exposed:
        zeros = np.zeros((1, x.shape[1], size), np.float32)
        bottoms += [net.constant(zeros) if state is None else state for state in states]
    layer = LSTM(size, exposed)
    tops = net.add_all(layer, bottoms, 3 if exposed else 1, blobs, way.inner)
    if exposed:
        return _in_order(lifting, tops[0], way), tops[1], tops[2]
    last = sliced(net, tops[0], 0, x.shape[0] - 1, x.shape[0], _inner(way, "last"))
    return _in_order(lifting, tops[0], way), last, None


def _rnn(lifting: Lifting, op: Op, way: _Way) -> Blob:
    """The last state, (1, N, D)."""
    size = way.recurrent.shape[1]
    net, x = lifting.net, _in_time(lifting, op, way)
    state = _state(lifting, op, 5, way, size)
    if state is None:
        state = net.constant(np.zeros((1, x.shape[1], size), np.float32))
    bias = way.bias[:size] + way.bias[size:]
    nothing = (np.zeros((size, size), np.float32), np.zeros(size, np.float32))
    bottoms = [x, net.constant(_cont(x, first=1.0)), state]
    blobs = (way.weight, bias, way.recurrent, *nothing)
    return net.add_all(RNN(size, True), bottoms, 2, blobs, way.inner)[1]


def _need_plain(op: Op) -> None:
    """Raise UnsupportedError for what no layer of Caffe has."""
    if op.attribute("layout", 0):
        raise UnsupportedError("its layout is 1, batch first; expected 0, time first")
    if op.attribute("clip"):
        raise UnsupportedError(f"it clips what enters its gates to {op.attribute('clip'):g}")
    if op.attribute("input_forget", 0):
        raise UnsupportedError("it couples the input and the forget gate")
    usual = _TANH[op.op_type]
    functions = op.attribute("activations", usual)
    if any(name != usual[index % len(usual)] for index, name in enumerate(functions)):
        raise UnsupportedError(f"its activations are {', '.join(functions)}; Caffe has {usual}")
    if op.has(7):
        raise UnsupportedError("it has peepholes")
    lengths = op.constant(4)
    if op.has(4) and (lengths is None or (lengths != op.shape()[0]).any()):
        raise UnsupportedError("its sequences have lengths of their own; expected all steps")


def _ways(op: Op) -> list[_Way]:
    """The directions."""
    weight = op.need_constant(1, "weights")
    recurrent = op.need_constant(2, "recurrent weights")
    bias = op.need_constant(3, "biases") if op.has(3) else None
    if bias is None:
        bias = np.zeros((weight.shape[0], 2 * weight.shape[1]), np.float32)
    direction = op.attribute("direction", "forward")
    backward = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}[direction]
    if any(backward) and op.shape()[0] > MOST_PIECES:
        raise UnsupportedError(
            f"it goes back through {op.shape()[0]} steps; expected at most {MOST_PIECES}, which "
            "are cut apart, since Caffe has no direction"
        )
    return [
        _Way(
            place,
            back,
            weight[place],
            recurrent[place],
            bias[place],
            "backward" if back and len(backward) > 1 else "forward" if len(backward) > 1 else "",
        )
        for place, back in enumerate(backward)
    ]


def _in_time(lifting: Lifting, op: Op, way: _Way) -> Blob:
    x = lifting.bottom(op)
    return rows_in_reverse(lifting, x, 0, _inner(way, "reversed")) if way.back else x


def _in_order(lifting: Lifting, y: Blob, way: _Way) -> Blob:
    return rows_in_reverse(lifting, y, 0, _inner(way, "restored")) if way.back else y


def _inner(way: _Way, suffix: str) -> str:
    return f"{way.inner}/{suffix}" if way.inner else suffix


def _state(lifting: Lifting, op: Op, index: int, way: _Way, size: int) -> Blob | None:
    """The first state of a direction, (1, N, D); None for zeros."""
    if not op.has(index):
        return None
    known = op.constant(index)
    if known is not None:
        part = known[way.place : way.place + 1]
        return lifting.net.constant(part) if part.any() else None
    whole = lifting.bottom(op, index)
    return sliced(lifting.net, whole, 0, way.place, way.place + 1, _inner(way, f"state{index - 5}"))


def _cont(x: Blob, first: float) -> Array:
    cont = np.ones(x.shape[:2], np.float32)
    cont[0] = first
    return cont


def _gates(blob: Array) -> Array:
    """Rows for the gates i, o, f, c in the order i, f, o, g."""
    parts = np.split(blob, 4)
    return np.concatenate([parts[place] for place in _GATES])


def _joined(lifting: Lifting, parts: Sequence[Blob | None], index: int, op: Op) -> Blob:
    """The output of all directions: (T, directions, N, D), or (directions, N, D)."""
    net, given = lifting.net, [part for part in parts if part is not None]
    name = ("all", "last", "cells")[index]
    if index == 0:
        steps, batch, size = given[0].shape
        shape = (steps, 1, batch, size)
        given = [reshaped(net, one, shape, f"{name}{i or ''}") for i, one in enumerate(given)]
    if len(given) == 1:
        return given[0]
    return net.add(Concat(1 if index == 0 else 0), given, (), f"{name}/both")
