"""Arrays whose values are got when they are asked for: weights that memory need not hold."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, cast

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

Array = np.ndarray[Any, np.dtype[Any]]


class Deferred(NDArrayOperatorsMixin):
    """Stands for an array of a known shape and type; each use of its values gets them anew.

    All that an array has and can do is there, and so are numpy's functions and operators: they
    get the values. Who uses them more than once takes ``np.asarray`` of it first.
    """

    def __init__(self, shape: tuple[int, ...], kind: Any, values: Callable[[], Array]) -> None:
        """``values`` gives an array of that type, of as many numbers as the shape has."""
        self.shape, self.dtype, self._values = shape, np.dtype(kind), values
        self.ndim, self.size = len(shape), prod(shape)
        self.nbytes = self.size * self.dtype.itemsize

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        found = self._values().reshape(self.shape)
        return found if dtype is None else found.astype(dtype, copy=False)

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
        return cast("Array", Deferred(wanted, self.dtype, self._values))

    def astype(self, kind: Any, **options: Any) -> Array:
        """The values in another type; still to be got, where it is their own."""
        if np.dtype(kind) == self.dtype:
            return cast("Array", self)
        return np.asarray(self).astype(kind, **options)


def mapped(array: Array, kind: Any, change: Callable[[Array], Array]) -> Array:
    """What a function makes of an array, of the same shape; of a deferred one when asked for."""
    if not isinstance(array, Deferred):
        return change(array)
    found = Deferred(array.shape, kind, lambda: change(np.asarray(array)))
    return cast("Array", found)
