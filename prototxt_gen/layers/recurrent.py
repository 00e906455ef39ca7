"""Layers that go through time, which is axis 0 (recurrent_layer.cpp)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from prototxt_gen.layers.base import Arity, Cost, Problem, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.shapes import Dim, Shape, count, need_rank, need_sizes


class _Recurrent(Base):
    """What RNN and LSTM share; a subclass is a layer type with these fields.

    Bottoms: x of (T, N, ...), cont of (T, N), then a static input of (N, ...), and with
    ``expose_hidden`` the first state, (1, N, D) each; tops: (T, N, D), and the last state.
    """

    num_output: int
    expose_hidden: bool

    gates: ClassVar[int]  #: how many times D the hidden weights are
    states: ClassVar[int]  #: how many blobs a state has

    def arity(self) -> Arity:
        """x and cont, a static input or none, and the state where it is exposed."""
        state = self.states if self.expose_hidden else 0
        return Arity((2 + state, 3 + state), (1 + state, 1 + state))

    def problems(self) -> Iterator[Problem]:
        """There is an output."""
        if self.num_output == 0:
            yield Problem("num-output-zero", "num_output is 0, expected at least 1", "num_output")

    def blob_shapes(self, bottoms: Sequence[Shape]) -> tuple[Shape, ...]:
        """Weights and bias of x, weights of a static input, weights of the state before."""
        need_rank(bottoms[0], 2, 32, self.type)
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
            need_rank(bottoms[2], 1, 32, f"{self.type}'s static input")
            need_sizes(bottoms[2][:1], (batch,), "the batch of bottom 2")
        if self.expose_hidden:
            for index in range(len(bottoms) - self.states, len(bottoms)):
                need_sizes(bottoms[index], state, f"bottom {index}")
        return ((steps, batch, self.num_output), *(state,) * (tops - 1))

    def cost(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Cost:
        """One multiply-add for each weight and step; biases are not counted."""
        steps, batch = self._time_and_batch(bottoms)
        weights = [count(shape) or 0 for shape in self.blob_shapes(bottoms) if len(shape) == 2]
        adds = (steps or 0) * (batch or 0) * sum(weights)
        return super().cost(bottoms, tops)._replace(multiply_adds=adds)

    def _static(self, bottoms: Sequence[Shape]) -> bool:
        return len(bottoms) > self.arity().bottoms[0]

    def _time_and_batch(self, bottoms: Sequence[Shape]) -> tuple[Dim, Dim]:
        need_rank(bottoms[0], 2, 32, self.type)
        need_sizes(bottoms[1], bottoms[0][:2], "bottom 1, cont,")
        return bottoms[0][0], bottoms[0][1]


@layer("LSTM", param="recurrent_param")
class LSTM(_Recurrent):
    """Gates i, f, o and g; a state has h and c (lstm_layer.cpp)."""

    num_output: int = 0
    expose_hidden: bool = False

    gates = 4
    states = 2


@layer("RNN", param="recurrent_param")
class RNN(_Recurrent):
    """h = tanh(W x + W h + b), and tanh of another such for the top (rnn_layer.cpp)."""

    num_output: int = 0
    expose_hidden: bool = False

    gates = 1
    states = 1

    def blob_shapes(self, bottoms: Sequence[Shape]) -> tuple[Shape, ...]:
        """Then the weights and the bias of the output."""
        square = (self.num_output, self.num_output)
        return (*super().blob_shapes(bottoms), square, (self.num_output,))


@layer("LSTMUnit")
class LSTMUnit(Base):
    """One step of an LSTM, which Caffe makes inside (lstm_unit_layer.cpp)."""

    def arity(self) -> Arity:
        """c before, the gates, cont; c and h after."""
        return Arity((3, 3), (2, 2))

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """Those of c."""
        before, gates, cont = bottoms
        need_rank(before, 3, 3, "LSTMUnit")
        wide = None if before[2] is None else 4 * before[2]
        need_sizes(gates, (*before[:2], wide), "bottom 1")
        need_sizes(cont, before[:2], "bottom 2")
        return (before, before)


@layer("Lstm", param="lstm_param")
class CtpnLstm(Base):
    """An LSTM with a state that starts at 0 (CTPN's fork); x is (T, N, I)."""

    num_output: int = 0
    clipping_threshold: float = 0.0

    def arity(self) -> Arity:
        """x, and cont or not."""
        return Arity((1, 2), (1, 1))

    def problems(self) -> Iterator[Problem]:
        """There is an output."""
        if self.num_output == 0:
            yield Problem("num-output-zero", "num_output is 0, expected at least 1", "num_output")

    def blob_shapes(self, bottoms: Sequence[Shape]) -> tuple[Shape, ...]:
        """Weights of x, of the state before, and the bias."""
        need_rank(bottoms[0], 2, 32, "Lstm")
        wide = 4 * self.num_output
        return (wide, count(bottoms[0][2:])), (wide, self.num_output), (wide,)

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """(T, N, H)."""
        need_rank(bottoms[0], 2, 32, "Lstm")
        return ((*bottoms[0][:2], self.num_output),)

    def cost(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Cost:
        """One multiply-add for each weight and step."""
        weights = sum(count(shape) or 0 for shape in self.blob_shapes(bottoms)[:2])
        adds = (count(bottoms[0][:2]) or 0) * weights
        return super().cost(bottoms, tops)._replace(multiply_adds=adds)
