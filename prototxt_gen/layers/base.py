"""The base class of layer types: resolved parameters as fields, and facets as methods.

A layer type is a frozen dataclass whose fields are its resolved parameters:

    @layer("ReLU", param="relu_param")
    class ReLU(Layer):
        negative_slope: float = 0.0

Each facet has a default here, and a type overrides those in which it differs. Facets are
pure: they change no argument, print nothing and open no file. docs/layer.md lists them in
a table.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeVar, dataclass_transform

from prototxt_gen._records import Record, record
from prototxt_gen.document import Block
from prototxt_gen.errors import PluginError, UnsupportedError
from prototxt_gen.layers.parts.axes import (
    BATCH,
    CLASSES,
    FIXED,
    MEANINGS,
    ROWS,
    TIME,
    Axes,
    alike,
)
from prototxt_gen.layers.parts.facets import (
    MANY,
    Affine,
    Arity,
    Before,
    Below,
    Cost,
    Exactly,
    Instead,
    Lifted,
    Places,
    Priors,
    Problem,
    Regions,
    Role,
    Sample,
    Weight,
)
from prototxt_gen.layers.parts.fields import fields, plain
from prototxt_gen.layers.parts.protocols import Builder, OnnxOp
from prototxt_gen.layers.parts.shapes import Shape, count
from prototxt_gen.layers.parts.sight import Seen, Sight, own_places

if TYPE_CHECKING:
    from prototxt_gen._numpy import np

    Array = np.ndarray[Any, np.dtype[Any]]
    Normal = tuple["Layer", tuple[Array, ...]] | None

#: The names that the module of a layer type needs.
__all__ = [
    "BATCH",
    "BOTTOM",
    "CLASSES",
    "FIXED",
    "MANY",
    "MEANINGS",
    "REGISTRY",
    "ROWS",
    "TIME",
    "TOP",
    "Affine",
    "Arity",
    "Axes",
    "Before",
    "Below",
    "Builder",
    "Cost",
    "End",
    "Exactly",
    "Instead",
    "Layer",
    "Lifted",
    "OnnxOp",
    "Places",
    "Priors",
    "Problem",
    "Regions",
    "Role",
    "Sample",
    "Seen",
    "Sight",
    "Weight",
    "layer",
]

L = TypeVar("L", bound="Layer")
End = Literal["bottom", "top"]
BOTTOM: frozenset[End] = frozenset({"bottom"})
TOP: frozenset[End] = frozenset({"top"})


@lru_cache(maxsize=256)
def _usual_weights(axes: tuple[int, ...]) -> tuple[Weight, ...]:
    names = ("weight", "bias")
    return tuple(
        Weight(
            names[index] if index < len(names) else str(index),
            "weight_filler" if index == 0 or number > 1 else "bias_filler",
        )
        for index, number in enumerate(axes)
    )


class Layer(Record):
    """One layer's parameters; the module docstring explains the facets."""

    type: ClassVar[str] = ""  #: the name in ``layer { type: ... }``
    param: ClassVar[str | None] = None  #: the parameter message's field in LayerParameter
    #: Fields of the parameter message that ``read`` takes besides those named after
    #: a dataclass field; ``write`` replaces them all.
    spellings: ClassVar[frozenset[str]] = frozenset()
    #: Parameter messages of BVLC's layer besides ``param``.
    besides: ClassVar[frozenset[str]] = frozenset()
    always: ClassVar[frozenset[str]] = frozenset()  #: fields that ``write`` never leaves out
    in_place: ClassVar[bool] = True  #: whether a top may have the name of its bottom
    legacy: ClassVar[bool] = False  #: whether BVLC's type takes at most four axes (blob.hpp)
    role: ClassVar[Role] = Role.PLAIN
    shares: ClassVar[bool] = False  #: whether its tops are the memory of its bottom (ShareData)
    rearranges: ClassVar[bool] = False  #: whether its tops hold the bottoms' values and no others
    selects: ClassVar[bool] = False  #: whether nearly equal values may change what it chooses
    #: Whether images are warped to the size of the crop, instead of cropped from the middle.
    warps: ClassVar[bool] = False
    detects: ClassVar[bool] = False  #: whether a model may end before it, for code of the user's
    sight: ClassVar[Sight | None] = None  #: what each top sees of each bottom, whatever they are
    known: ClassVar[bool] = True  #: False if only the name of the type is known
    lifts: ClassVar[tuple[str, ...]] = ()  #: the ONNX operators that ``lift`` takes

    @classmethod
    def read(cls, params: Block, layer: Block) -> Self:
        """The parameters of a ``layer`` block; ``params`` is its parameter message.

        ``params`` is an empty block if the message is absent. Values of a wrong type have
        already been reported; they are read as the default.
        """
        values: dict[str, Any] = {}
        for name, default, kind, repeated, optional in fields(cls):
            if repeated:
                values[name] = params.get_list(name, kind)
            elif optional:
                values[name] = params.get(name, kind, None) if params.has(name) else None
            else:
                values[name] = params.get(name, kind, default)
        return cls(**values)

    def write(self) -> Block:
        """The parameter message; fields that equal their default are left out."""
        block = Block()
        for name, default, kind, _repeated, _optional in fields(type(self)):
            value = getattr(self, name)
            if value != default or name in self.always:
                block.add(name, plain(value, kind))
        return block

    @classmethod
    def parameter_free(cls) -> bool:
        """Whether layers of the type have no blobs."""
        return cls.blob_shapes is Layer.blob_shapes

    @classmethod
    def models(cls) -> frozenset[str]:
        """The fields of the parameter message that the dataclass stands for."""
        return cls.spellings | {name for name, *_ in fields(cls)}

    def arity(self) -> Arity:
        """How many bottoms and tops there may be."""
        return Arity()

    def problems(self) -> Iterator[Problem]:
        """What Caffe's set-up refuses for any shapes of the bottoms."""
        return iter(())

    def rounded_down(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...] | None:
        """The shapes of the tops where a program rounds down; None where they are the same."""
        return None

    def blob_shapes(self, bottoms: Sequence[Shape]) -> tuple[Shape, ...]:
        """The shapes of the weights, in the order of a caffemodel's blobs."""
        return ()

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """The shapes of the tops; raises ShapeError if Caffe would refuse them."""
        return (bottoms[0],) * tops

    def buffers(self, bottoms: Sequence[Shape]) -> tuple[tuple[str, Shape], ...]:
        """What Caffe's set-up makes besides weights and tops, whose sizes it counts as well."""
        return ()

    def cautions(self, bottoms: Sequence[Shape]) -> Iterator[Problem]:
        """What Caffe accepts of these shapes, and the user should know."""
        return iter(())

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """Which axes of bottoms and tops are the same axis, and what they mean."""
        return alike(bottoms, tops)

    def unpinned(self, bottom: Shape, axis: int) -> Self:
        """The same layer, without a literal size for an axis that it keeps."""
        return self

    def sized(self, tops: Sequence[Shape]) -> Self:
        """The same layer without bottoms, with tops of these shapes, which the user gave."""
        return self

    def canonical(self, bottoms: Sequence[Shape], blobs: Sequence[Array]) -> Normal:
        """What ``lift`` makes of the layer's ONNX, if it is one layer; None if nothing is left."""
        return self, tuple(blobs)

    def weights(self, shapes: Sequence[Shape]) -> tuple[Weight, ...]:
        """What each blob is, given the shapes of all.

        By default the first blob and all others of more than one axis are weights, and the
        rest are biases.
        """
        return _usual_weights(tuple([len(shape) for shape in shapes]))

    def as_stored(self, blobs: Sequence[Array]) -> tuple[Self, str] | None:
        """The layer as the blobs of a file show it to be, and the dialect of that Caffe.

        None if they show nothing that the prototxt does not say.
        """
        return None

    def remarks(self, source: Block, blobs: Sequence[Array], dialect: str) -> Iterator[str]:
        """What the user should know about how the layer is read with its blobs.

        ``source`` is the ``layer`` block, ``dialect`` that of the net.
        """
        return iter(())

    def cost(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Cost:
        """Parameters, statistics and multiply-adds; 0 if a shape is unknown."""
        shapes = self.blob_shapes(bottoms)
        sizes = [count(shape) or 0 for shape in shapes]
        kept = sum(
            size
            for size, weight in zip(sizes, self.weights(shapes), strict=True)
            if weight.statistic
        )
        return Cost(parameters=sum(sizes) - kept, statistics=kept)

    def sees(self, index: int, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Seen:
        """What a position of the tops sees of a bottom; that of a loss or a measure, all."""
        if self.sight is None and self.role in (Role.LOSS, Role.MEASURE):
            return Sight.ALL
        return self.sight or own_places(bottoms[index], tops, rearranges=self.rearranges)

    def sample(self, index: int, bottoms: Sequence[Shape]) -> Sample:
        """What values of a bottom must look like, so that the layer can be tested."""
        return None

    def plane(self, top: int, bottoms: Sequence[Shape]) -> Shape | None:
        """The height and width of the map whose places the values of a top are, as a mask's."""
        return None

    def need_plane(self, plane: Shape, tops: Sequence[Shape]) -> None:
        """Narrow free sizes to those at which places in that plane, of a bottom, are on the tops.

        ``plane`` is what the layer that made the bottom says; raises as ``shapes`` does.
        """

    def labels(self, bottoms: int) -> frozenset[int]:
        """Which of that many bottoms are labels, which are not available at inference.

        By default, for a loss or a measure, all but the first.
        """
        compares = self.role in (Role.LOSS, Role.MEASURE)
        return frozenset(range(1, bottoms)) if compares else frozenset()

    def at_inference(self) -> Layer | Instead:
        """What replaces the layer at inference.

        A replacing layer takes the first bottom, as Softmax does for its loss.
        """
        return _AT_INFERENCE.get(self.role, Instead.NOTHING)

    def in_test(self) -> Layer | None:
        """The layer as the TEST phase has it, in one spelling; None if it changes nothing there.

        Two layers that compute the same with the same weights should be equal.
        """
        return self

    @property
    def commutes(self) -> bool:
        """Whether the order of the bottoms does not matter."""
        return False

    def by_batch(self) -> bool:
        """Whether a result depends on the other samples of its batch in the TEST phase too."""
        return False

    @property
    def backward(self) -> frozenset[End]:
        """At which ends the backward pass reads values, which nobody may change until then.

        Only what matters in place: most layers cannot be that, or keep a copy of what they need.
        """
        return frozenset()

    def aligned(self, index: int, ours: Array, theirs: Array) -> Array:
        """Another program's value of a top, with rows whose order is open in that of ours."""
        return theirs

    def affine(self, blobs: Sequence[Array]) -> Affine | None:
        """Factor and shift of each channel, if the layer does nothing else."""
        return None

    def absorb(
        self, blobs: Sequence[Array], affine: Affine
    ) -> tuple[Self, tuple[Array, ...]] | None:
        """The layer, with its blobs, that also applies ``affine``; None if it cannot."""
        return None

    def absorb_before(
        self, bottom: Shape, blobs: Sequence[Array], before: Before
    ) -> tuple[Self, tuple[Array, ...]] | None:
        """The layer that also does what is ``before`` its only bottom; None if it cannot."""
        return None

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """That many tops, computed with numpy in the TEST phase."""
        raise UnsupportedError(f"{self.type} has no numpy reference yet")

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Write the layer as ONNX; return the names of the tops."""
        raise UnsupportedError(f"{self.type} has no mapping to ONNX yet")

    @classmethod
    def lift(cls, op: OnnxOp) -> Lifted | None:
        """The layer that an ONNX operator of ``lifts`` is, with its weights.

        None if it is another layer; raises UnsupportedError if no Caffe has what it says. By
        default, one without parameters.
        """
        return Lifted(cls())


#: The default of ``at_inference``, by role.
_AT_INFERENCE = {
    Role.PLAIN: Instead.ITSELF,
    Role.INPUT: Instead.ITSELF,
    Role.SOURCE: Instead.INPUT,
}


REGISTRY: dict[str, type[Layer]] = {}


@dataclass_transform(frozen_default=True, kw_only_default=False)
def layer(
    name: str, *aliases: str, param: str | None = None
) -> typing.Callable[[type[L]], type[L]]:
    """Make a class a frozen dataclass, and register it under its name and aliases.

    Raises PluginError if a name is taken.
    """

    def register(cls: type[L]) -> type[L]:
        from prototxt_gen.layers import MODULES

        ours = cls.__module__.startswith("prototxt_gen.layers.")
        for key in (name, *aliases):
            if key in REGISTRY or (key in MODULES and not ours):
                raise PluginError(f"{key!r} is a layer type already; use another name")
        made = record(cls)
        made.type, made.param = name, param
        REGISTRY.update(dict.fromkeys((name, *aliases), made))
        return made

    return register
