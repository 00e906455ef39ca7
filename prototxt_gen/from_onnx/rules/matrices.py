"""Products of matrices. What InnerProduct does alone stands beside it."""

from __future__ import annotations

import numpy as np

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.from_onnx.lifting import Lifting, Made, rule
from prototxt_gen.from_onnx.model import Array, Op
from prototxt_gen.from_onnx.net import Blob
from prototxt_gen.from_onnx.rules.shapes import permuted, reshaped
from prototxt_gen.layers.affine import Bias
from prototxt_gen.layers.combine import Eltwise
from prototxt_gen.layers.convolution import Convolution
from prototxt_gen.layers.dense import InnerProduct

_BOTH = (
    "both matrices are computed from the inputs; Caffe multiplies by weights only, so attention "
    "cannot be a net of Caffe"
)


@rule("Einsum")
def einsum(lifting: Lifting, op: Op) -> Made:
    """No layer; its formula may be written as MatMul, Mul and ReduceSum."""
    raise UnsupportedError(
        f"Caffe has no product by the formula {op.attribute('equation')!r}; write it as MatMul "
        "with a constant, or as Mul and ReduceSum"
    )


@rule("MatMul")
def matmul(lifting: Lifting, op: Op) -> Made:
    """InnerProduct for a constant on the right, a convolution by 1 for one on the left."""
    left, right = op.constant(0), op.constant(1)
    if right is not None:
        return _times(lifting, op, right)
    if left is None:
        raise UnsupportedError(_BOTH)
    blob = lifting.bottom(op, 1)
    if len(blob.shape) == 1:
        blob = reshaped(lifting.net, blob, (*blob.shape, 1), "column")
    last = len(op.top_shape()) == len(blob.shape)
    made = _from_left(lifting, _flat(left, (1, -1)), blob, "" if last else "product")
    return reshaped(lifting.net, made, op.top_shape())


@rule("Gemm")
def gemm(lifting: Lifting, op: Op) -> Made:
    """InnerProduct and what it does not do: a transposed or constant A, a bias of any shape."""
    alpha, beta = (np.float32(op.attribute(name, 1.0)) for name in ("alpha", "beta"))
    a, b = op.constant(0), op.constant(1)
    plain = not op.has(2) or beta == 0
    suffix = "" if plain else "product"
    if b is not None:
        weight = b if op.attribute("transB", 0) else b.T
        bottom = lifting.bottom(op, 0)
        if op.attribute("transA", 0):
            bottom = permuted(lifting.net, bottom, (1, 0), "transposed")
        made = _inner(lifting, bottom, alpha * weight, suffix)
    elif a is not None:
        bottom = lifting.bottom(op, 1)
        if op.attribute("transB", 0):
            bottom = permuted(lifting.net, bottom, (1, 0), "transposed")
        made = _from_left(
            lifting, alpha * (a.T if op.attribute("transA", 0) else a), bottom, suffix
        )
    else:
        raise UnsupportedError(_BOTH)
    return made if plain else _plus(lifting, op, made, float(beta))


def _plus(lifting: Lifting, op: Op, made: Blob, beta: float) -> Blob:
    """A product plus beta times the last input."""
    constant = op.constant(2)
    if constant is not None:
        full = np.float32(beta) * np.broadcast_to(constant, made.shape)
        return lifting.net.add(Bias(0, -1), [made], (full,))
    addend = lifting.bottom(op, 2)
    if addend.shape != made.shape:
        raise UnsupportedError("its C is computed, and not of the shape of the result")
    coeff = () if beta == 1 else (1.0, beta)
    return lifting.net.add(Eltwise(coeff=coeff), [made, addend])


def _times(lifting: Lifting, op: Op, right: Array) -> Blob:
    """x times a constant that is a vector, or a matrix behind axes of size 1."""
    bottom = lifting.bottom(op)
    last = len(op.top_shape()) == len(bottom.shape)
    made = _inner(lifting, bottom, _flat(right, (-1, 1)).T, "" if last else "product")
    return reshaped(lifting.net, made, op.top_shape())


def _flat(constant: Array, vector: tuple[int, int]) -> Array:
    """The one matrix of a constant; ``vector`` is the shape in which a vector is one."""
    shape = constant.shape[-2:] if constant.ndim > 1 else vector
    if any(dim != 1 for dim in constant.shape[:-2]):
        raise UnsupportedError("its constant has another matrix for each image; expected one")
    return constant.reshape(shape)


def _inner(lifting: Lifting, bottom: Blob, weight: Array, suffix: str) -> Blob:
    """The last axis times a weight of (num_output, K)."""
    layer = InnerProduct(weight.shape[0], bias_term=False, axis=len(bottom.shape) - 1)
    return lifting.net.add(layer, [bottom], (np.ascontiguousarray(weight),), suffix)


def _from_left(lifting: Lifting, matrix: Array, bottom: Blob, suffix: str) -> Blob:
    """A matrix times x: each column of x is a pixel, and the rows are its channels."""
    axis = len(bottom.shape) - 2
    layer = Convolution(matrix.shape[0], kernel=(1,), axis=axis, bias_term=False)
    weight = np.ascontiguousarray(matrix).reshape(*matrix.shape, 1)
    return lifting.net.add(layer, [bottom], (weight,), suffix)
