"""InnerProduct: every output reads every input (inner_product_layer.cpp)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from prototxt_gen._numpy import np
from prototxt_gen.layers.base import (
    Affine,
    Axes,
    Below,
    Cost,
    Lifted,
    Problem,
    Sample,
    Sight,
    layer,
)
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.parts.axes import in_front
from prototxt_gen.layers.parts.numeric import scaled
from prototxt_gen.layers.parts.onnx_operands import is_row
from prototxt_gen.layers.parts.shapes import Shape, axis_index, count

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array, Builder, Normal, OnnxOp


@layer("InnerProduct", param="inner_product_param")
class InnerProduct(Base):
    """The axes from ``axis`` on form one vector; weights (num_output, K), or (K, num_output)."""

    num_output: int = 0
    bias_term: bool = True
    axis: int = 1
    transpose: bool = False

    lifts = ("Gemm", "MatMul", "InnerProduct")

    sight = Sight.ALL

    def problems(self) -> Iterator[Problem]:
        """num_output is at least 1."""
        if self.num_output == 0:
            yield Problem("num-output-zero", "num_output is 0, expected at least 1", "num_output")

    def blob_shapes(self, bottoms: Sequence[Shape]) -> tuple[Shape, ...]:
        """The weights, and (num_output,) for the bias."""
        axis = axis_index(self.axis, len(bottoms[0]))
        inputs = count(bottoms[0][axis:])
        weight = (inputs, self.num_output) if self.transpose else (self.num_output, inputs)
        return (weight, (self.num_output,)) if self.bias_term else (weight,)

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """The axes before ``axis``, then num_output."""
        axis = axis_index(self.axis, len(bottoms[0]))
        return ((*bottoms[0][:axis], self.num_output),)

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """The axes before ``axis`` stay."""
        return in_front(bottoms, tops, axis_index(self.axis, len(bottoms[0])))

    def cost(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Cost:
        """One multiply-add for each weight and row; the bias is not counted."""
        adds = (count(tops[0][:-1]) or 0) * (count(self.blob_shapes(bottoms)[0]) or 0)
        return super().cost(bottoms, tops)._replace(multiply_adds=adds)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The product of each row and the weights, plus the bias."""
        (x,) = bottoms
        axis = axis_index(self.axis, x.ndim)
        flat = x.reshape(*x.shape[:axis], -1)
        y = flat @ (blobs[0] if self.transpose else blobs[0].T)
        return (y + blobs[1] if self.bias_term else y,)

    def absorb(
        self, blobs: Sequence[Array], affine: Affine
    ) -> tuple[Self, tuple[Array, ...]] | None:
        """Times the factor of each output; outputs are channels only where ``axis`` is 1."""
        if self.axis != 1:
            return None
        factor = affine.factor.reshape((1, -1) if self.transpose else (-1, 1))
        bias = affine.shift
        if self.bias_term:
            bias = bias + affine.factor * blobs[1].reshape(-1)
        made = (scaled(blobs[0], factor), bias.astype(np.float32))
        return replace(self, bias_term=True), made

    def canonical(self, bottoms: Sequence[Shape], blobs: Sequence[Array]) -> Normal:
        """With weights (num_output, K), and an axis counted from the front."""
        weight = np.ascontiguousarray(blobs[0].T) if self.transpose else blobs[0]
        axis = axis_index(self.axis, len(bottoms[0]))
        return replace(self, axis=axis, transpose=False), (weight, *blobs[1:])

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Flatten and Gemm; MatMul where ``axis`` is not 1."""
        shape = b.bottom_shapes[0]
        axis = axis_index(self.axis, len(shape))
        bias = [b.const(blobs[1].reshape(-1), "bias")] if self.bias_term else []
        if axis == 1:
            x = bottoms[0] if len(shape) == 2 else b.op("Flatten", bottoms, axis=1)
            weight = b.const(blobs[0], "weight")
            return (b.op("Gemm", [x, weight, *bias], transB=int(not self.transpose)),)
        weight = b.const(blobs[0] if self.transpose else np.ascontiguousarray(blobs[0].T), "weight")
        x = b.reshape(bottoms[0], [*(0,) * axis, count(shape[axis:]) or -1])
        y = b.op("MatMul", [x, weight])
        return (b.op("Add", [y, *bias]) if bias else y,)

    @classmethod
    def lift(cls, op: OnnxOp) -> Lifted | None:
        """x times a constant matrix, which is kept as (num_output, K), plus a constant row.

        ``InnerProduct`` is what patterns make: the axes from its attribute ``axis`` on form the
        vector.
        """
        weight, bias = op.constant(1), op.constant(2)
        if weight is None or weight.ndim != 2 or op.attribute("transA", 0):
            return None
        if not op.attribute("transB", 0):
            weight = weight.T
        rows, rank = weight.shape[0], len(op.shape())
        if (bias is None and op.has(2)) or (bias is not None and not is_row(bias, rows)):
            return None
        alpha, beta = (np.float32(op.attribute(name, 1.0)) for name in ("alpha", "beta"))
        blobs = [np.ascontiguousarray(weight) if alpha == 1 else alpha * weight]
        if bias is not None and beta:
            row = np.broadcast_to(bias.reshape(-1), (rows,))
            blobs.append(row if beta == 1 else beta * row)
        axis = op.attribute("axis", rank - 1)
        return Lifted(cls(rows, bias_term=len(blobs) > 1, axis=axis), tuple(blobs))


@layer("Embed", param="embed_param")
class Embed(Base):
    """A row of a table for each index (embed_layer.cpp); weights (input_dim, num_output)."""

    num_output: int = 0
    input_dim: int = 0
    bias_term: bool = True

    lifts = ("Gather",)

    def problems(self) -> Iterator[Problem]:
        """num_output and input_dim are at least 1."""
        for name, value in (("num_output", self.num_output), ("input_dim", self.input_dim)):
            if value == 0:
                rule = f"{name.replace('_', '-')}-zero"
                yield Problem(rule, f"{name} is 0, expected at least 1", name)

    def blob_shapes(self, bottoms: Sequence[Shape]) -> tuple[Shape, ...]:
        """The table, and (num_output,) for the bias."""
        table = (self.input_dim, self.num_output)
        return (table, (self.num_output,)) if self.bias_term else (table,)

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """The shape of the indices, then num_output."""
        return ((*bottoms[0], self.num_output),)

    def sample(self, index: int, bottoms: Sequence[Shape]) -> Sample:
        """The index of a row."""
        return Below(self.input_dim)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The rows of the table, plus the bias."""
        rows = blobs[0][bottoms[0].astype(np.int64)]
        return (rows + blobs[1] if self.bias_term else rows,)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Gather."""
        rows = b.op("Gather", [b.const(blobs[0], "weight"), b.cast(bottoms[0], "int64")], axis=0)
        if self.bias_term:
            rows = b.op("Add", [rows, b.const(blobs[1].reshape(-1), "bias")])
        return (rows,)

    @classmethod
    def lift(cls, op: OnnxOp) -> Lifted | None:
        """Gather from a constant matrix by computed indices; a third input is the bias."""
        table = op.constant(0)
        if table is None or op.constant(1) is not None or table.ndim != 2:
            return None
        if op.attribute("axis", 0) % 2:
            return None
        bias = (op.need_constant(2, "biases"),) if op.has(2) else ()
        made = cls(table.shape[1], table.shape[0], bias_term=bool(bias))
        return Lifted(made, (table, *bias), (1,))
