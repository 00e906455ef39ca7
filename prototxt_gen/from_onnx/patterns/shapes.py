"""Reshapes and casts that a neighbour absorbs, and what is added to a product."""

from __future__ import annotations

import numpy as np

from prototxt_gen.from_onnx.model import Array, Op
from prototxt_gen.from_onnx.patterns import View, pattern
from prototxt_gen.layers.parts.onnx_operands import is_row

_RESHAPES = ("Flatten", "Reshape", "Squeeze", "Unsqueeze")
_PRODUCTS = ("Gemm", "MatMul", "InnerProduct")


@pattern(*_PRODUCTS)
def flat_rows(op: Op, view: View) -> Op | None:
    """Reshape to (rows, K) and a product with a matrix: the axes behind are one vector."""
    before = view.inner(op.inputs[0], *_RESHAPES)
    if before is None or _matrix(op) is None or not _takes_row(op.constant(2), op):
        return None
    bottom, rows = before.shape(), before.top_shape()
    axis = op.attribute("axis", len(rows) - 1)
    if rows[:axis] != bottom[:axis] or axis >= len(bottom):
        return None
    return _product(op, [before.inputs[0], *op.inputs[1:]], axis)


@pattern(*_PRODUCTS)
def turned_rows(op: Op, view: View) -> Op | None:
    """Transpose and a product over the axes that moved: their order changes in the weight."""
    before, matrix = view.maker(op.inputs[0], "Transpose"), _matrix(op)
    if before is None or matrix is None or not _takes_row(op.constant(2), op):
        return None
    top, axis = before.top_shape(), op.attribute("axis", len(op.shape()) - 1)
    order = before.attribute("perm", list(range(len(top)))[::-1])
    if order[:axis] != list(range(axis)):
        return None
    back = np.argsort([place - axis for place in order[axis:]]).tolist()
    # The rows of the matrix, if it is not transposed, are the vector.
    across = op.attribute("transB", 0)
    rows = matrix.T if across else matrix
    whole = rows.reshape(*top[axis:], rows.shape[1]).transpose(*back, len(back))
    turned = np.ascontiguousarray(whole.reshape(rows.shape))
    weight = op.add_constant("turned", np.ascontiguousarray(turned.T) if across else turned)
    return _product(op, [before.inputs[0], weight, *op.inputs[2:]], axis)


@pattern("Add")
def plus_row(op: Op, view: View) -> Op | None:
    """x * matrix + row; row + x * matrix."""
    for index in (0, 1):
        product, row = view.inner(op.inputs[index], *_PRODUCTS), op.constant(1 - index)
        if product is None or row is None or product.has(2) or _matrix(product) is None:
            continue
        if _takes_row(row, product) and row.ndim <= len(op.top_shape()):
            axis = product.attribute("axis", len(product.shape()) - 1)
            made = _product(product, [*product.inputs[:2], op.inputs[1 - index]], axis)
            made.attributes.pop("beta", None)
            made.outputs = op.outputs
            return made
    return None


@pattern("Add")
def plus_row_of_table(op: Op, view: View) -> Op | None:
    """Gather(table, indices) + row."""
    for index in (0, 1):
        rows, row = view.inner(op.inputs[index], "Gather"), op.constant(1 - index)
        table = rows.constant(0) if rows is not None else None
        if rows is None or row is None or table is None or rows.has(2):
            continue
        wide = table.shape[-1]
        if (
            table.ndim == 2
            and row.size == wide
            and is_row(row, wide)
            and row.ndim <= len(op.top_shape())
        ):
            flat = op.add_constant("bias", row.reshape(-1))
            inputs = [*rows.inputs, flat]
            return op.instead("Gather", inputs, rows.attributes, name=rows.name)
    return None


@pattern("Gather")
def cast_indices(op: Op, view: View) -> Op | None:
    """Gather by indices that were floats: Caffe's blobs hold indices as floats."""
    cast = view.maker(op.inputs[1], "Cast")
    if cast is None:
        return None
    inputs = [op.inputs[0], cast.inputs[0], *op.inputs[2:]]
    return op.instead("Gather", inputs, op.attributes)


@pattern("Cast")
def cast_places(op: Op, view: View) -> Op | None:
    """The places of ArgMax and ArgMin as floats, which they are in Caffe."""
    places = view.inner(op.inputs[0], "ArgMax", "ArgMin")
    if places is None or op.model.kind(op.outputs[0]) != "float32":
        return None
    return op.instead(places.op_type, places.inputs, places.attributes, name=places.name)


def _matrix(op: Op) -> Array | None:
    """The constant matrix of a product, if the other factor is as it is."""
    matrix = op.constant(1)
    if matrix is None or op.attribute("transA", 0):
        return None
    return matrix if matrix.ndim == 2 else None


def _takes_row(row: Array | None, op: Op) -> bool:
    """Whether what is added to a product is nothing, a number, or one for each output."""
    if row is None:
        return not op.has(2)
    matrix = op.need_constant(1, "weights")
    return is_row(row, matrix.shape[0 if op.attribute("transB", 0) else 1])


def _product(op: Op, inputs: list[str], axis: int) -> Op:
    attributes = {**op.attributes, "axis": axis}
    return op.instead("InnerProduct", inputs, attributes)
