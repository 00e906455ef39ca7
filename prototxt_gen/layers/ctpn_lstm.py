"""The LSTM layer of CTPN's fork."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from prototxt_gen._numpy import np
from prototxt_gen.layers.base import (
    BATCH,
    TIME,
    Arity,
    Axes,
    Below,
    Cost,
    Problem,
    Sample,
    Sight,
    Weight,
    layer,
)
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.parts.axes import filled
from prototxt_gen.layers.parts.lstm import lower_lstm, lstm
from prototxt_gen.layers.parts.shapes import Shape, count, need_count, need_rank

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array, Builder


@layer("Lstm", param="lstm_param")
class CtpnLstm(Base):
    """An LSTM with a state that starts at 0 (CTPN's fork); x is (T, N, I)."""

    num_output: int = 0
    clipping_threshold: float = 0.0

    sight = Sight.ALL

    def arity(self) -> Arity:
        """x, and optionally cont."""
        return Arity((1, 2), (1, 1))

    def problems(self) -> Iterator[Problem]:
        """num_output is at least 1."""
        if self.num_output == 0:
            yield Problem("num-output-zero", "num_output is 0, expected at least 1", "num_output")

    def blob_shapes(self, bottoms: Sequence[Shape]) -> tuple[Shape, ...]:
        """Weights of x and of the previous state, and the bias."""
        need_rank(bottoms[0], 2, 32, "Lstm")
        wide = 4 * self.num_output
        return (wide, count(bottoms[0][2:])), (wide, self.num_output), (wide,)

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """(T, N, H)."""
        need_rank(bottoms[0], 2, 32, "Lstm")
        if len(bottoms) == 2:
            need_count(bottoms[1], count(bottoms[0][:2]), "bottom 1, cont,", 1)
        return ((*bottoms[0][:2], self.num_output),)

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """Time, then batch."""
        whole = [(TIME, BATCH)]
        return Axes(filled(whole * len(bottoms), bottoms), filled(whole, tops))

    def sample(self, index: int, bottoms: Sequence[Shape]) -> Sample:
        """cont is 0 where a sequence begins, else 1."""
        return Below(2) if index == 1 else None

    def weights(self, shapes: Sequence[Shape]) -> tuple[Weight, ...]:
        """Named as in ``blob_shapes``."""
        return (
            Weight("weight_x", "weight_filler"),
            Weight("weight_h", "weight_filler"),
            Weight("bias", "bias_filler"),
        )

    def cost(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Cost:
        """One multiply-add for each weight and step."""
        weights = sum(count(shape) or 0 for shape in self.blob_shapes(bottoms)[:2])
        adds = (count(bottoms[0][:2]) or 0) * weights
        return super().cost(bottoms, tops)._replace(multiply_adds=adds)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """Each item of the batch by itself; the fork's CPU code mixes them up."""
        x = bottoms[0]
        inner = x.reshape(*x.shape[:2], -1) @ blobs[0].T + blobs[2]
        cont = bottoms[1] if len(bottoms) == 2 else np.ones(x.shape[:2], np.float32)
        zero = np.zeros((x.shape[1], self.num_output), np.float32)
        return (np.stack(lstm(inner, cont.reshape(x.shape[:2]), blobs[1], zero, zero)[0]),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Unrolled over time."""
        x = bottoms[0]
        shape = b.bottom_shapes[0]
        if len(shape) != 3:
            x = b.reshape(x, [0, 0, count(shape[2:]) or 1])
        inner = b.op("MatMul", [x, b.const(np.ascontiguousarray(blobs[0].T), "weight_x")])
        inner = b.op("Add", [inner, b.const(blobs[2], "bias")])
        cont = bottoms[1] if len(bottoms) == 2 else None
        if cont is not None and len(b.bottom_shapes[1]) != 2:
            cont = b.reshape(cont, [shape[0] or 1, -1])
        return lower_lstm(b, inner, cont, blobs[1], None)[:1]
