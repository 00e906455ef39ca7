"""Layers that iterate over time, which is axis 0 (recurrent_layer.cpp)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from prototxt_gen._numpy import np
from prototxt_gen.layers.base import (
    BATCH,
    TIME,
    Arity,
    Axes,
    Below,
    Cost,
    Lifted,
    Problem,
    Sample,
    Sight,
    Weight,
    layer,
)
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.parts.axes import Labels, filled
from prototxt_gen.layers.parts.lstm import each_step, lower_lstm, lstm
from prototxt_gen.layers.parts.shapes import Dim, Shape, count, need_rank, need_sizes

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array, Builder, OnnxOp


class _Recurrent(Base):
    """What RNN and LSTM share; a subclass is a layer type with these fields.

    Bottoms: x (T, N, ...), cont (T, N), optionally a static input (N, ...), and with
    ``expose_hidden`` the first state, (1, N, D) each. Tops: (T, N, D), and the last state.
    """

    num_output: int
    expose_hidden: bool

    gates: ClassVar[int]  #: height of the hidden weights, in units of D
    states: ClassVar[int]  #: how many blobs make up a state
    least_weights: ClassVar[int]  #: how many blobs there are without a static input

    sight = Sight.ALL

    def arity(self) -> Arity:
        """x and cont, optionally a static input, and the state where it is exposed."""
        state = self.states if self.expose_hidden else 0
        return Arity((2 + state, 3 + state), (1 + state, 1 + state))

    def problems(self) -> Iterator[Problem]:
        """num_output is at least 1."""
        if self.num_output == 0:
            yield Problem("num-output-zero", "num_output is 0, expected at least 1", "num_output")

    def blob_shapes(self, bottoms: Sequence[Shape]) -> tuple[Shape, ...]:
        """Weights and bias of x, weights of a static input, weights of the previous state."""
        need_rank(bottoms[0], 3, 32, self.type)
        wide = self.gates * self.num_output
        found: list[Shape] = [(wide, count(bottoms[0][2:])), (wide,)]
        if self._static(bottoms):
            found.append((wide, count(bottoms[2][1:])))
        return (*found, (wide, self.num_output))

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """The state at each time, and the last one where it is exposed."""
        steps, batch = self._time_and_batch(bottoms)
        state = (1, batch, self.num_output)
        if self._static(bottoms):
            need_rank(bottoms[2], 2, 32, f"{self.type}'s static input", 2)
            need_sizes(bottoms[2][:1], (batch,), "the batch of bottom 2", 2)
        if self.expose_hidden:
            for index in range(len(bottoms) - self.states, len(bottoms)):
                need_sizes(bottoms[index], state, f"bottom {index}", index)
        return ((steps, batch, self.num_output), *(state,) * (tops - 1))

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """Time, then batch; a static input has the batch alone, a state a first axis of 1."""
        static = int(self._static(bottoms))
        first: list[Labels] = [(TIME, BATCH), (TIME, BATCH), *[(BATCH,)] * static]
        first += [(None, BATCH)] * (len(bottoms) - len(first))
        after: list[Labels] = [(TIME, BATCH), *[(None, BATCH)] * (len(tops) - 1)]
        return Axes(filled(first, bottoms), filled(after, tops))

    def sample(self, index: int, bottoms: Sequence[Shape]) -> Sample:
        """cont is 0 where a sequence begins, else 1."""
        return Below(2) if index == 1 else None

    def weights(self, shapes: Sequence[Shape]) -> tuple[Weight, ...]:
        """Named as in ``blob_shapes``."""
        static = ("weight_static",) if len(shapes) > self.least_weights else ()
        names = ("weight_x", "bias", *static, "weight_h", "weight_o", "bias_o")
        return tuple(
            Weight(name, "weight_filler" if len(shape) > 1 else "bias_filler")
            for name, shape in zip(names, shapes, strict=False)
        )

    def cost(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Cost:
        """One multiply-add for each weight and step; biases are not counted."""
        steps, batch = self._time_and_batch(bottoms)
        weights = [count(shape) or 0 for shape in self.blob_shapes(bottoms) if len(shape) == 2]
        adds = (steps or 0) * (batch or 0) * sum(weights)
        return super().cost(bottoms, tops)._replace(multiply_adds=adds)

    def _static(self, bottoms: Sequence[Shape]) -> bool:
        return len(bottoms) > self.arity().bottoms[0]

    def _time_and_batch(self, bottoms: Sequence[Shape]) -> tuple[Dim, Dim]:
        need_rank(bottoms[0], 3, 32, self.type)
        need_sizes(bottoms[1], bottoms[0][:2], "bottom 1, cont,", 1)
        return bottoms[0][0], bottoms[0][1]

    def _lower_inputs(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> str:
        """(T, N, gates * D): what x and the static input add at each time."""
        x = bottoms[0]
        if len(b.bottom_shapes[0]) != 3:
            x = b.reshape(x, [0, 0, count(b.bottom_shapes[0][2:]) or 1])
        inner = b.op("MatMul", [x, b.const(np.ascontiguousarray(blobs[0].T), "weight_x")])
        inner = b.op("Add", [inner, b.const(blobs[1], "bias")])
        if self._static(b.bottom_shapes):
            static = b.op("Flatten", [bottoms[2]], axis=1)
            weight = b.const(np.ascontiguousarray(blobs[2].T), "weight_static")
            inner = b.op("Add", [inner, b.op("MatMul", [static, weight])])
        return inner

    def _inputs(self, bottoms: Sequence[Array], blobs: Sequence[Array]) -> Array:
        """The same in numpy."""
        x = bottoms[0]
        inner = x.reshape(*x.shape[:2], -1) @ blobs[0].T + blobs[1]
        if self._static([blob.shape for blob in bottoms]):
            inner = inner + bottoms[2].reshape(len(bottoms[2]), -1) @ blobs[2].T
        return inner

    @classmethod
    def lift(cls, op: OnnxOp) -> Lifted | None:
        """All steps, as a pattern finds them: x, cont, weights, and a static input with its own."""
        last = 2 + cls.least_weights
        blobs = [op.need_constant(index, "weights").T for index in range(2, last)]
        bottoms: tuple[int, ...] = (0, 1)
        if op.has(last):
            blobs.insert(2, op.need_constant(last + 1, "weights").T)
            bottoms = (0, 1, last)
        made = cast(Any, cls)(num_output=op.top_shape()[2])
        return Lifted(made, tuple(map(np.ascontiguousarray, blobs)), bottoms)

    def _recurrent_index(self, shapes: Sequence[Shape]) -> int:
        """The index of the blob for the previous state."""
        return 3 if self._static(shapes) else 2


@layer("LSTM", param="recurrent_param")
class LSTM(_Recurrent):
    """Gates i, f, o and g; a state has h and c (lstm_layer.cpp)."""

    num_output: int = 0
    expose_hidden: bool = False

    lifts = ("UnrolledLSTM",)
    gates = 4
    states = 2
    least_weights = 3

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """Step by step; cont gates both parts of the state."""
        inner = self._inputs(bottoms, blobs)
        weight = blobs[self._recurrent_index([x.shape for x in bottoms])]
        batch = bottoms[0].shape[1]
        state = [np.zeros((batch, self.num_output), np.float32)] * 2
        if self.expose_hidden:
            state = [x[0] for x in bottoms[-2:]]
        hidden, cells = lstm(inner, bottoms[1], weight, state[0], state[1])
        return (np.stack(hidden), hidden[-1][None], cells[None])[:tops]

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Unrolled over time: ONNX's LSTM has no cont."""
        inner = self._lower_inputs(b, bottoms, blobs)
        weight = blobs[self._recurrent_index(b.bottom_shapes)]
        state = bottoms[-2:] if self.expose_hidden else None
        return lower_lstm(b, inner, bottoms[1], weight, state)[: len(b.top_shapes)]


@layer("RNN", param="recurrent_param")
class RNN(_Recurrent):
    """h = tanh(W x + W h + b), and another such tanh for the top (rnn_layer.cpp)."""

    num_output: int = 0
    expose_hidden: bool = False

    lifts = ("UnrolledRNN",)
    gates = 1
    states = 1
    least_weights = 5

    def blob_shapes(self, bottoms: Sequence[Shape]) -> tuple[Shape, ...]:
        """Those of both, then the weights and the bias of the output."""
        square = (self.num_output, self.num_output)
        return (*super().blob_shapes(bottoms), square, (self.num_output,))

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """Step by step."""
        inner = self._inputs(bottoms, blobs)
        index = self._recurrent_index([x.shape for x in bottoms])
        weight, out, bias = blobs[index : index + 3]
        h = np.zeros((bottoms[0].shape[1], self.num_output), np.float32)
        if self.expose_hidden:
            h = bottoms[-1][0]
        found = []
        for step, cont in zip(inner, bottoms[1], strict=True):
            h = np.tanh(step + (cont[:, None] * h) @ weight.T)
            found.append(np.tanh(h @ out.T + bias))
        return (np.stack(found), h[None])[:tops]

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Unrolled over time."""
        inner = self._lower_inputs(b, bottoms, blobs)
        index = self._recurrent_index(b.bottom_shapes)
        weight, out = (
            b.const(np.ascontiguousarray(blobs[index + i].T), n)
            for i, n in enumerate(("weight_h", "weight_o"))
        )
        bias = b.const(blobs[index + 2], "bias_o")
        h = bottoms[-1] if self.expose_hidden else None
        steps = b.top_shapes[0][0] or 1
        found = []
        conts = each_step(b, b.unsqueeze(bottoms[1], [2]), steps)
        for step, cont in zip(each_step(b, inner, steps), conts, strict=True):
            if h is not None:
                before = b.op("MatMul", [b.op("Mul", [cont, h]), weight])
                step = b.op("Add", [step, before])
            h = b.op("Tanh", [step])
            found.append(b.op("Tanh", [b.op("Add", [b.op("MatMul", [h, out]), bias])]))
        whole = found[0] if steps == 1 else b.op("Concat", found, axis=0)
        return (whole, h or whole)[: len(b.top_shapes)]


@layer("LSTMUnit")
class LSTMUnit(Base):
    """One step of an LSTM, which Caffe creates inside that layer (lstm_unit_layer.cpp)."""

    def arity(self) -> Arity:
        """The previous c, the gates, cont; the next c and h."""
        return Arity((3, 3), (2, 2))

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """The shape of c, twice."""
        before, gates, cont = bottoms
        need_rank(before, 3, 3, "LSTMUnit")
        wide = None if before[2] is None else 4 * before[2]
        need_sizes(gates, (*before[:2], wide), "bottom 1", 1)
        need_sizes(cont, before[:2], "bottom 2", 2)
        return (before, before)
