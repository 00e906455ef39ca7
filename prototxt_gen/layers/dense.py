"""InnerProduct: every output reads every input (inner_product_layer.cpp)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prototxt_gen.layers.base import Cost, Problem, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.shapes import Shape, axis_index, count


@layer("InnerProduct", param="inner_product_param")
class InnerProduct(Base):
    """Axes from ``axis`` on are one vector; weights (num_output, K), or (K, num_output)."""

    num_output: int = 0
    bias_term: bool = True
    axis: int = 1
    transpose: bool = False

    def problems(self) -> Iterator[Problem]:
        """There is an output."""
        if self.num_output == 0:
            yield Problem("num-output-zero", "num_output is 0, expected at least 1", "num_output")

    def blob_shapes(self, bottoms: Sequence[Shape]) -> tuple[Shape, ...]:
        """The weights, and (num_output,) for the bias."""
        axis = axis_index(self.axis, len(bottoms[0]))
        inputs = count(bottoms[0][axis:])
        weight = (inputs, self.num_output) if self.transpose else (self.num_output, inputs)
        return (weight, (self.num_output,)) if self.bias_term else (weight,)

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """The axes in front of ``axis``, then num_output."""
        axis = axis_index(self.axis, len(bottoms[0]))
        return ((*bottoms[0][:axis], self.num_output),)

    def cost(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Cost:
        """One multiply-add for each weight and row; the bias is not counted."""
        adds = (count(tops[0][:-1]) or 0) * (count(self.blob_shapes(bottoms)[0]) or 0)
        return super().cost(bottoms, tops)._replace(multiply_adds=adds)


@layer("Embed", param="embed_param")
class Embed(Base):
    """A row of a table for each index (embed_layer.cpp); weights (input_dim, num_output)."""

    num_output: int = 0
    input_dim: int = 0
    bias_term: bool = True

    def problems(self) -> Iterator[Problem]:
        """The table has rows and columns."""
        for name, value in (("num_output", self.num_output), ("input_dim", self.input_dim)):
            if value == 0:
                rule = f"{name.replace('_', '-')}-zero"
                yield Problem(rule, f"{name} is 0, expected at least 1", name)

    def blob_shapes(self, bottoms: Sequence[Shape]) -> tuple[Shape, ...]:
        """The table, and (num_output,) for the bias."""
        table = (self.input_dim, self.num_output)
        return (table, (self.num_output,)) if self.bias_term else (table,)

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """That of the indices, and behind it the row."""
        return ((*bottoms[0], self.num_output),)
