"""The types of the answers that a layer's facets give."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, NamedTuple, Union

if TYPE_CHECKING:
    from prototxt_gen._numpy import np
    from prototxt_gen.layers.base import Layer

    Array = np.ndarray[Any, np.dtype[Any]]


class Role(enum.Enum):
    """The role of a layer in a net."""

    PLAIN = "plain"  #: computes its tops from its bottoms and weights
    INPUT = "input"  #: its tops are inputs of the net
    SOURCE = "source"  #: its tops come from a file, a database or a camera
    LOSS = "loss"  #: computes what training minimizes
    MEASURE = "measure"  #: measures how good the net is
    TRAINING = "training"  #: is for training only
    SINK = "sink"  #: reads blobs and has no top


class Instead(enum.Enum):
    """What replaces a layer at inference, if it is not another layer."""

    ITSELF = "itself"
    INPUT = "input"  #: each top becomes an input of the net
    NOTHING = "nothing"


class Arity(NamedTuple):
    """How many bottoms and tops a layer takes: the minimum and the maximum of each.

    ``equal`` requires as many tops as bottoms (EqualNumBottomTopBlobs in layer.hpp).
    """

    bottoms: tuple[int, int] = (1, 1)
    tops: tuple[int, int] = (1, 1)
    equal: bool = False

    def fits(self, bottoms: int, tops: int) -> bool:
        """Whether a layer may have that many bottoms and tops."""
        return (
            self.bottoms[0] <= bottoms <= self.bottoms[1]
            and self.tops[0] <= tops <= self.tops[1]
            and (not self.equal or bottoms == tops)
        )


MANY = 1 << 30  #: no upper bound in an Arity


class Before(NamedTuple):
    """What is done to a bottom of (N, C, H, W): its channels in an ``order``, minus, times.

    That is ``(x[:, order] - mean) * scale``, with a mean for each of the new channels.
    """

    scale: float = 1.0
    mean: Array | None = None
    order: tuple[int, ...] = ()


class Cost(NamedTuple):
    """The cost of a layer: learnable parameters, stored statistics, multiply-adds."""

    parameters: int = 0
    statistics: int = 0
    multiply_adds: int = 0


class Problem(NamedTuple):
    """Something that Caffe's LayerSetUp refuses, and the parameter to blame.

    A ``warning`` is something that Caffe accepts but the user should know. ``which`` is
    the index of the value, where the parameter has several.
    """

    rule: str
    message: str
    field: str | None = None
    help: str | None = None
    warning: bool = False
    which: int = 0


class Weight(NamedTuple):
    """What one of a layer's blobs is: its name, and its initial value.

    ``filler`` is the field of the parameter message that says how Caffe fills it, and
    ``value`` the number that fills it if that field is absent. ``random`` is the number
    that fills it among random weights, which are for comparing an untrained net; None
    draws numbers that suit the shape. Caffe does not learn a ``statistic``; if it is also
    ``fixed``, Caffe refuses a learning rate for it.
    """

    name: str
    filler: str | None = None
    value: float = 0.0
    random: float | None = None
    statistic: bool = False
    fixed: bool = False


class Below(NamedTuple):
    """A sample of integers from 0 up to, but not including, a limit."""

    limit: int


class Regions(NamedTuple):
    """A sample of rows (image, x1, y1, x2, y2), in pixels of an image."""

    images: int
    height: float
    width: float


class Places(NamedTuple):
    """A sample of positions in a plane of that many pixels, each once per plane."""

    pixels: int


class Exactly(NamedTuple):
    """A sample that has these values, as the size of an image."""

    values: tuple[float, ...]


class Priors(NamedTuple):
    """A sample of that many prior boxes (1, 2, number * 4): corners in units, and variances."""

    number: int


#: What values of a bottom must look like; None: any.
Sample = Union[Below, Regions, Places, Exactly, Priors, None]


class Affine(NamedTuple):
    """y = factor * x + shift for each channel, which is axis 1; float64, (C,) each."""

    factor: Array
    shift: Array

    def then(self, other: Affine) -> Affine:
        """Both, one after the other."""
        return Affine(self.factor * other.factor, self.shift * other.factor + other.shift)


class Lifted(NamedTuple):
    """The layer that an ONNX operator is: its weights, and which inputs are its bottoms.

    The tops are the operator's outputs, in their order.
    """

    layer: Layer
    blobs: tuple[Array, ...] = ()
    bottoms: tuple[int, ...] = (0,)
