"""Steps of a recurrent layer, one after another, as our own export writes them."""

from __future__ import annotations

from typing import NamedTuple

from prototxt_gen.from_onnx.model import Op
from prototxt_gen.from_onnx.patterns import View, pattern


class _Step(NamedTuple):
    """One step: the values that it reads, and the state that it makes."""

    inner: str  #: what x adds
    cont: str  #: whether the sequence goes on; "" at the first step
    before: tuple[str, ...]  #: the state before; empty at the first step
    after: tuple[str, ...]  #: the state that it makes
    weights: tuple[str, ...]  #: those of the state, then those of the output


@pattern("Concat")
def unrolled(op: Op, view: View) -> Op | None:
    """All steps of an LSTM or an RNN of Caffe, which starts from zeros."""
    if op.attribute("axis") != 0:
        return None
    for kind, read in (("UnrolledLSTM", _lstm_step), ("UnrolledRNN", _rnn_step)):
        steps = [read(name, view) for name in op.inputs]
        found = [step for step in steps if step is not None]
        if len(found) == len(steps) and _follow(found):
            return _joined(op, kind, found, view)
    return None


def _follow(steps: list[_Step]) -> bool:
    """Whether each step reads the state of the one before."""
    first, *rest = steps
    return (
        not first.before
        and bool(rest)
        and all(now.before == last.after for last, now in zip(steps, rest, strict=False))
        and len({step.weights for step in rest}) == 1
        and rest[0].weights[1:] == first.weights
    )


def _joined(op: Op, kind: str, steps: list[_Step], view: View) -> Op | None:
    """One operator: x, cont, then the weights, and a static input with its own at the end."""
    whole = _parts([step.inner for step in steps], view)
    conts = _parts([step.cont for step in steps[1:]], view, start=1)
    wide = view.maker(conts, "Unsqueeze") if conts is not None else None
    if whole is None or wide is None:
        return None
    static: list[str] = []
    product = view.maker(whole, "InnerProduct")
    if product is None and (total := view.maker(whole, "Add")) is not None:
        product = view.maker(total.inputs[0], "InnerProduct")
        other = view.maker(total.inputs[1], "InnerProduct", "MatMul")
        if other is None or len(other.inputs) > 2 or other.attribute("transB", 0):
            return None
        static = other.inputs[:2]
    if product is None or len(product.inputs) != 3 or product.attribute("transB", 0):
        return None
    weights = [*product.inputs[1:], *steps[1].weights]
    if any(op.model.constants.get(name) is None for name in (*weights, *static[1:])):
        return None
    inputs = [product.inputs[0], wide.inputs[0], *weights, *static]
    return op.instead(kind, inputs)


def _parts(names: list[str], view: View, start: int = 0) -> str | None:
    """The value whose parts along axis 0, of size 1 each, values are, from one on."""
    cut = view.maker(names[0], "Split")
    if cut is None or cut.attribute("axis", 0) != 0 or cut.outputs[start:] != names:
        return None
    return cut.inputs[0] if cut.top_shape(0)[0] == 1 else None


def _lstm_step(name: str, view: View) -> _Step | None:
    """h = sigmoid(o) * tanh(c), and c = cont * (sigmoid(f) * c) + sigmoid(i) * tanh(g)."""
    o, c = _gated(name, view)
    cut = view.maker(o, "Split")
    if cut is None or len(cut.outputs) != 4 or cut.outputs[2] != o:
        return None
    i, f, _, g = cut.outputs
    total = view.maker(c, "Add")
    if total is None:
        return _Step(cut.inputs[0], "", (), (name, c), ()) if _gated(c, view) == (i, g) else None
    kept, new = view.maker(total.inputs[0], "Mul"), total.inputs[1]
    past = view.maker(kept.inputs[1], "Mul") if kept is not None else None
    forget = view.maker(past.inputs[0], "Sigmoid") if past is not None else None
    step = _with_state(cut.inputs[0], view)
    if kept is None or past is None or forget is None or step is None or forget.inputs[0] != f:
        return None
    inner, cont, h, weight = step
    if _gated(new, view) != (i, g) or kept.inputs[0] != cont:
        return None
    return _Step(inner, cont, (h, past.inputs[1]), (name, c), (weight,))


def _rnn_step(name: str, view: View) -> _Step | None:
    """tanh(h * W_o + b_o), and h = tanh(inner + (cont * h) * W)."""
    out = view.maker(name, "Tanh")
    product = view.maker(out.inputs[0], "InnerProduct") if out is not None else None
    state = view.maker(product.inputs[0], "Tanh") if product is not None else None
    if product is None or state is None or len(product.inputs) != 3:
        return None
    h, weights = product.inputs[0], tuple(product.inputs[1:])
    step = _with_state(state.inputs[0], view)
    if step is None:
        return _Step(state.inputs[0], "", (), (h,), weights)
    inner, cont, before, weight = step
    return _Step(inner, cont, (before,), (h,), (weight, *weights))


def _with_state(name: str, view: View) -> tuple[str, str, str, str] | None:
    """inner, cont, h and W of inner + (cont * h) * W."""
    total = view.maker(name, "Add")
    product = view.maker(total.inputs[1], "MatMul") if total is not None else None
    gated = view.maker(product.inputs[0], "Mul") if product is not None else None
    if total is None or product is None or gated is None:
        return None
    return total.inputs[0], gated.inputs[0], gated.inputs[1], product.inputs[1]


def _gated(name: str, view: View) -> tuple[str, str]:
    """a and b of sigmoid(a) * tanh(b)."""
    product = view.maker(name, "Mul")
    if product is None:
        return "", ""
    gate, value = view.maker(product.inputs[0], "Sigmoid"), view.maker(product.inputs[1], "Tanh")
    return (gate.inputs[0], value.inputs[0]) if gate and value else ("", "")
