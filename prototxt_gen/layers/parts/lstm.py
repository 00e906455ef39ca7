"""The steps of an LSTM, in numpy and as ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from prototxt_gen._numpy import np
from prototxt_gen.layers.parts.numeric import sigmoid

if TYPE_CHECKING:
    from prototxt_gen.layers.parts.protocols import Array, Builder


def lstm(
    inner: Array, conts: Array, weight: Array, h: Array, c: Array
) -> tuple[list[Array], Array]:
    """The hidden states of all steps, (N, D) each, and the last cells.

    ``inner`` is (T, N, 4D) before the state is added, with the gates in the order i, f, o, g.
    """
    found = []
    for step, cont in zip(inner, conts, strict=True):
        gate = cont[:, None]
        i, f, o, g = np.split(step + (gate * h) @ weight.T, 4, axis=1)
        c = gate * sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        found.append(h)
    return found, c


def lower_lstm(
    b: Builder, inner: str, conts: str | None, weight: Array, state: Sequence[str] | None
) -> tuple[str, str, str]:
    """The same as ONNX, step by step; all blobs keep a time axis of size 1."""
    matrix = b.const(np.ascontiguousarray(weight.T), "weight_h")
    steps = b.top_shapes[0][0] or 1
    size = weight.shape[1]
    gates = each_step(b, b.unsqueeze(conts, [2]), steps) if conts is not None else [None] * steps
    h, c = state if state is not None else (None, None)
    found = []
    for step, gate in zip(each_step(b, inner, steps), gates, strict=True):
        if h is not None:
            before = h if gate is None else b.op("Mul", [gate, h])
            step = b.op("Add", [step, b.op("MatMul", [before, matrix])])
        i, f, o, g = b.split(step, [size] * 4, 2)
        new = b.op("Mul", [b.op("Sigmoid", [i]), b.op("Tanh", [g])])
        if c is not None:
            kept = b.op("Mul", [b.op("Sigmoid", [f]), c])
            kept = kept if gate is None else b.op("Mul", [gate, kept])
            new = b.op("Add", [kept, new])
        c = new
        h = b.op("Mul", [b.op("Sigmoid", [o]), b.op("Tanh", [c])])
        found.append(h)
    whole = found[0] if steps == 1 else b.op("Concat", found, axis=0)
    return whole, h or whole, c or whole


def each_step(b: Builder, x: str, steps: int) -> list[str]:
    """The parts of a blob at each time, which keep a time axis of size 1."""
    return [x] if steps == 1 else b.split(x, [1] * steps, 0)
