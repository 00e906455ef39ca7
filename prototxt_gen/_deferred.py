"""Arrays whose values are got when they are asked for: weights that memory need not hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any, cast

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

Array = np.ndarray[Any, np.dtype[Any]]
_PIECE = 1 << 19  #: bytes that are got at once: as many as a processor keeps near


class Deferred(NDArrayOperatorsMixin):
    """Stands for an array of a known shape and type; each use of its values gets them anew.

    All that an array has and can do is there, and so are numpy's functions and operators: they
    get the values. Who uses them more than once takes ``np.asarray`` of it first.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        kind: Any,
        values: Callable[[int, int], Array],
        unit: int = 1,
    ) -> None:
        """``values`` gives the numbers from one place to another, which are whole ``unit``s."""
        self.shape, self.dtype, self._values, self._unit = shape, np.dtype(kind), values, unit
        self.ndim, self.size = len(shape), prod(shape)
        self.nbytes = self.size * self.dtype.itemsize

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        found = self._values(0, self.size).reshape(self.shape)
        return found if dtype is None else found.astype(dtype, copy=False)

    def pieces(self) -> Iterator[Array]:
        """The numbers in their order, a few at a time."""
        step = self._unit * max(1, _PIECE // (self._unit * self.dtype.itemsize))
        for start in range(0, self.size, step):
            yield self._values(start, min(start + step, self.size))

    def mapped(self, kind: Any, change: Callable[[Array, slice], Array]) -> Array:
        """What a function makes of the rows, which it is given with their place."""
        row = prod(self.shape[1:])
        if not self.shape or row == 0 or row % self._unit:
            made = lambda start, stop: change(np.asarray(self), slice(None))  # noqa: E731
            return cast("Array", Deferred(self.shape, kind, made, max(1, self.size)))

        def values(start: int, stop: int) -> Array:
            rows = self._values(start, stop).reshape(-1, *self.shape[1:])
            return change(rows, slice(start // row, stop // row))

        return cast("Array", Deferred(self.shape, kind, values, row))

    def __array_ufunc__(self, function: Any, method: str, *inputs: Any, **options: Any) -> Any:
        held = (np.asarray(one) if isinstance(one, Deferred) else one for one in inputs)
        return getattr(function, method)(*held, **options)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # numpy looks for protocols of other arrays
            raise AttributeError(name)
        return getattr(np.asarray(self), name)

    def __getitem__(self, place: Any) -> Any:
        return np.asarray(self)[place]

    def __len__(self) -> int:
        return self.shape[0]

    def reshape(self, *shape: Any) -> Array:
        """The same values in another shape, still to be got."""
        wanted = np.broadcast_to(np.zeros((), self.dtype), self.shape).reshape(*shape).shape
        return cast("Array", Deferred(wanted, self.dtype, self._values, self._unit))

    def astype(self, kind: Any, **options: Any) -> Array:
        """The values in another type; still to be got, where it is their own."""
        if np.dtype(kind) == self.dtype:
            return cast("Array", self)
        return np.asarray(self).astype(kind, **options)


def mapped(array: Array, kind: Any, change: Callable[[Array, slice], Array]) -> Array:
    """What a function makes of the rows of an array; of a deferred one when asked for.

    It is given rows and their place, and gives as many of the same shape, of the type ``kind``.
    """
    if isinstance(array, Deferred):
        return array.mapped(kind, change)
    return change(array, slice(None))


def contiguous(array: Array, kind: str) -> Array:
    """An array of a type whose numbers lie in their order; a deferred one as it is."""
    if isinstance(array, Deferred):
        return array.astype(kind)
    return np.ascontiguousarray(array, kind)


def parts(array: Array) -> Iterator[memoryview]:
    """The bytes of an array, in its order; of a deferred one bit by bit."""
    pieces = array.pieces() if isinstance(array, Deferred) else iter([array])
    for piece in pieces:
        yield np.ascontiguousarray(piece).reshape(-1).view(np.uint8).data
