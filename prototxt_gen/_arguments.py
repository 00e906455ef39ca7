"""The arguments of the API: converted to the type that is needed, or refused with a message."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, get_args

from prototxt_gen._numpy import np
from prototxt_gen.errors import PrototxtError

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

T = TypeVar("T")
MOST = 2**31 - 1  #: the largest size of an axis in Caffe (blob.cpp)


def whole(
    name: str,
    value: object,
    least: int,
    most: int | None = None,
    error: type[PrototxtError] = PrototxtError,
) -> int:
    """A whole number of any integer type except bool; raises ``error`` for anything else."""
    number = _index(value)
    if number is None or number < least or (most is not None and number > most):
        wanted = f"{least} or more" if most is None else f"{least} to {most}"
        raise error(f"{name} is {value!r}; expected a whole number, {wanted}")
    return number


def batch(value: object) -> int | Literal["dynamic"] | None:
    """The size of a batch, ``dynamic``, or None; raises PrototxtError."""
    if value is None or (isinstance(value, str) and value == "dynamic"):
        return cast(Literal["dynamic"] | None, value)
    number = _index(value)
    if number is None or not 1 <= number <= MOST:
        wanted = f'expected 1 or more, at most {MOST}, "dynamic" or None'
        raise PrototxtError(f"batch is {value!r}; {wanted}")
    return number


def one_of(name: str, value: T, choices: Any) -> T:
    """A value of a Literal type; raises PrototxtError, listing them all, for any other."""
    known = get_args(choices)
    if not any(type(value) is type(choice) and value == choice for choice in known):
        raise PrototxtError(f"{name} is {value!r}; expected {', '.join(map(str, known))}")
    return value


def flag(name: str, value: object) -> bool:
    """True or False; raises PrototxtError."""
    if not isinstance(value, bool):
        raise PrototxtError(f"{name} is {value!r}; expected True or False")
    return value


def names(name: str, value: object) -> tuple[str, ...]:
    """A list of names, not a single string; raises PrototxtError."""
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        found = tuple(value)
        if all(isinstance(item, str) for item in found):
            return found
    raise PrototxtError(f"{name} is {value!r}; expected a list of names")


def shapes(value: object) -> dict[str, tuple[int, ...]]:
    """Shapes by the names of blobs, none for None; raises PrototxtError."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise PrototxtError(f"input_shapes is {value!r}; expected shapes by the names of inputs")
    return {_name(name): _shape(name, shape) for name, shape in value.items()}


def dynamic(value: object) -> dict[str, tuple[int | str, ...]]:
    """Shapes by the names of inputs, whose free sizes are symbols; raises PrototxtError."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise PrototxtError(f"dynamic is {value!r}; expected dimensions by the names of inputs")
    return {_name(name, "dynamic"): _dims(name, dims) for name, dims in value.items()}


def _dims(name: str, dims: object) -> tuple[int | str, ...]:
    found = dims.split(",") if isinstance(dims, str) else dims
    given = tuple(found) if isinstance(found, Sequence) else ()
    made = tuple(_dim(dim) for dim in given)
    if not made or None in made or not any(isinstance(dim, str) for dim in made):
        raise PrototxtError(
            f"dynamic has {dims!r} for {name!r}; expected numbers of 1 or more, and names for the "
            "free sizes, as 1,3,H,W"
        )
    return tuple(dim for dim in made if dim is not None)


def _dim(dim: object) -> int | str | None:
    """A number, or a name; None for neither."""
    if isinstance(dim, str) and not dim.isdecimal():
        return dim if dim.isidentifier() and dim.isascii() else None
    number = int(dim[:12]) if isinstance(dim, str) else _index(dim)
    return number if number is not None and 1 <= number <= MOST else None


def arrays(value: object) -> dict[str, Array]:
    """Arrays by the names of blobs, as float32; raises PrototxtError if one is not numeric."""
    if not isinstance(value, Mapping):
        raise PrototxtError(f"inputs are {type(value).__name__}; expected arrays by their names")
    return {_name(name, "inputs"): _array(name, given) for name, given in value.items()}


def dialect(value: object) -> None:
    """Raise PrototxtError for an unknown dialect, also among several; None means any."""
    from prototxt_gen.formats.dialects import KNOWN, names_of
    from prototxt_gen.generate.checks import unknown

    if value is None:
        return
    if not isinstance(value, str):
        raise PrototxtError(unknown("dialect", value, KNOWN))
    try:
        names_of(value)
    except KeyError as error:
        raise PrototxtError(unknown("dialect", error.args[0], KNOWN)) from None


def _index(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    try:
        return operator.index(cast(Any, value))
    except TypeError:
        return None


def _name(name: object, where: str = "input_shapes") -> str:
    if not isinstance(name, str):
        raise PrototxtError(f"{where} has {name!r}; expected the name of an input")
    return name


def _shape(name: str, shape: object) -> tuple[int, ...]:
    dims = tuple(shape) if isinstance(shape, Sequence) and not isinstance(shape, str) else (None,)
    found = [_index(dim) for dim in dims]
    if any(dim is None or not 0 <= dim <= MOST for dim in found):
        wanted = f"expected whole numbers, 0 to {MOST}"
        raise PrototxtError(f"input_shapes has {shape!r} for {name!r}; {wanted}")
    return tuple(dim for dim in found if dim is not None)


def _array(name: str, given: object) -> Array:
    try:
        found = np.asarray(given)
    except (TypeError, ValueError) as error:
        raise PrototxtError(f"the input {name!r} is not an array of numbers: {error}") from error
    if found.dtype.kind not in "fiub":
        raise PrototxtError(f"the input {name!r} has the type {found.dtype}; expected numbers")
    with np.errstate(over="ignore"):
        return found.astype(np.float32, copy=False)
