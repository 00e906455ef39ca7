"""What a layer type is: resolved parameters as fields, and facets as methods.

A layer type is a frozen dataclass whose fields are its resolved parameters:

    @layer("ReLU", param="relu_param")
    class ReLU(Layer):
        negative_slope: float = 0.0

Each facet has an ordinary answer here, and a type overrides those where it differs:
``read``/``write`` (the parameter block to fields and back), ``problems`` and ``arity``
(what Caffe's set-up refuses), ``blob_shapes`` (weights), ``shapes`` (tops), ``cost``,
``run`` (the numpy reference), ``lower`` (to ONNX) and ``lift`` (back). Facets are pure:
they change no argument, print nothing and open no file.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator, Sequence
from functools import cache
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    NamedTuple,
    Self,
    TypeVar,
    dataclass_transform,
)

from prototxt_gen.document import Block, Symbol, Value
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.layers.parts.facets import MANY as MANY
from prototxt_gen.layers.parts.facets import Arity as Arity
from prototxt_gen.layers.parts.facets import Cost as Cost
from prototxt_gen.layers.parts.facets import Problem as Problem
from prototxt_gen.layers.parts.protocols import Builder as Builder
from prototxt_gen.layers.parts.protocols import OnnxOp as OnnxOp
from prototxt_gen.layers.parts.shapes import Shape, count

if TYPE_CHECKING:
    from prototxt_gen._numpy import np

    Array = np.ndarray[Any, np.dtype[Any]]

L = TypeVar("L", bound="Layer")


class Layer:
    """One layer's parameters; see the module for the facets."""

    type: ClassVar[str] = ""  #: the name in ``layer { type: ... }``
    param: ClassVar[str | None] = None  #: the parameter message's field in LayerParameter
    #: Fields of the parameter message that ``read`` understands beyond those named after
    #: a dataclass field; ``write`` replaces them all.
    spellings: ClassVar[frozenset[str]] = frozenset()
    always: ClassVar[frozenset[str]] = frozenset()  #: what ``write`` never leaves out
    in_place: ClassVar[bool] = True  #: whether a top may have the name of its bottom
    loss: ClassVar[bool] = False  #: whether its first top is a loss where nothing is said

    @classmethod
    def read(cls, params: Block, layer: Block) -> Self:
        """The parameters of a ``layer`` block, whose parameter message is ``params``.

        ``params`` is an empty block where the message is absent. Values of a wrong type
        were reported when the file was typed; they are read as the default.
        """
        values: dict[str, Any] = {}
        for name, default, kind, repeated, optional in _fields(cls):
            if repeated:
                values[name] = params.get_list(name, kind)
            elif optional:
                values[name] = params.get(name, kind, None) if params.has(name) else None
            else:
                values[name] = params.get(name, kind, default)
        return cls(**values)

    def write(self) -> Block:
        """The parameter message; what equals its default is left out."""
        block = Block()
        for name, default, kind, _repeated, _optional in _fields(type(self)):
            value = getattr(self, name)
            if value != default or name in self.always:
                block.add(name, _plain(value, kind))
        return block

    @classmethod
    def models(cls) -> frozenset[str]:
        """The names in the parameter message that the dataclass stands for."""
        return cls.spellings | {name for name, *_ in _fields(cls)}

    def arity(self) -> Arity:
        """How many bottoms and tops there may be."""
        return Arity()

    def problems(self) -> Iterator[Problem]:
        """What Caffe's set-up refuses whatever the shapes are."""
        return iter(())

    def blob_shapes(self, bottoms: Sequence[Shape]) -> tuple[Shape, ...]:
        """The shapes of the weights, in the order of a caffemodel's blobs."""
        return ()

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """The shapes of the tops; raises ShapeError where Caffe would refuse."""
        return (bottoms[0],) * tops

    def cost(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Cost:
        """Parameters, statistics and multiply-adds; 0 for what shapes leave unknown."""
        return Cost(parameters=sum(count(shape) or 0 for shape in self.blob_shapes(bottoms)))

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """So many tops, computed by numpy in the TEST phase."""
        raise UnsupportedError(f"{self.type} has no numpy reference yet")

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Write the layer as ONNX; return the names of the tops."""
        raise UnsupportedError(f"{self.type} has no mapping to ONNX yet")

    @classmethod
    def lift(cls, op: OnnxOp) -> Self | None:
        """The layer that an ONNX node stands for; None where it is not of this type."""
        return None


class Unknown(Layer):
    """A layer type that nobody registered: kept as it was written, and nothing more."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def type(self) -> str:  # type: ignore[override]
        """The type's name, as the file has it."""
        return self.name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unknown) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"Unknown({self.name!r})"

    def arity(self) -> Arity:
        """Anything."""
        return Arity((0, MANY), (0, MANY))

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """Not known."""
        raise UnsupportedError(f"the shapes of type {self.name!r} are not known")


REGISTRY: dict[str, type[Layer]] = {}


@dataclass_transform(frozen_default=True, kw_only_default=False)
def layer(
    name: str, *aliases: str, param: str | None = None
) -> typing.Callable[[type[L]], type[L]]:
    """Make a class a frozen dataclass, and register it under its name and aliases."""

    def register(cls: type[L]) -> type[L]:
        made = dataclasses.dataclass(frozen=True)(cls)
        made.type, made.param = name, param
        for key in (name, *aliases):
            if key in REGISTRY:
                raise ValueError(f"two layer types are called {key!r}")
            REGISTRY[key] = made
        return made

    return register


class _Field(NamedTuple):
    name: str
    default: Any
    kind: type
    repeated: bool
    optional: bool


def _fields(cls: type[Layer]) -> tuple[_Field, ...]:
    # mypy looks for the class's hash in its instances' __hash__.
    return _read_fields(cls)  # type: ignore[arg-type]


@cache
def _read_fields(cls: type[Layer]) -> tuple[_Field, ...]:
    """The dataclass fields with the Python type of their values.

    ``tuple[int, ...]`` is a repeated field, ``bool | None`` one whose absence means
    something of its own, and any other annotation is the type itself.
    """
    hints = typing.get_type_hints(cls)
    found = []
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        hint = hints[field.name]
        arguments = typing.get_args(hint)
        repeated = typing.get_origin(hint) is tuple
        optional = type(None) in arguments
        kind = arguments[0] if repeated or optional else hint
        default = None if field.default is dataclasses.MISSING else field.default
        found.append(_Field(field.name, default, kind, repeated, optional))
    return tuple(found)


def _plain(value: Any, kind: type) -> Value | list[Value]:
    """A field's value as a Block takes it."""
    if isinstance(value, tuple):
        return [_plain(item, kind) for item in value]  # type: ignore[misc]
    return kind(value) if kind in (Symbol, float) else value
