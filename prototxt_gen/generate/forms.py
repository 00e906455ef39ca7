"""The variants of the residual family: blocks, depths, and the values of other options."""

from __future__ import annotations

from typing import NamedTuple

#: The most blocks of a net; with more, the text would be larger than a reader accepts.
MOST_BLOCKS = 100_000


class Conv(NamedTuple):
    """One convolution of a block's branch: its kernel, and its channels per unit of width."""

    kernel: int
    factor: int


class BlockForm(NamedTuple):
    """The branch of a block, and whether activations come before convolutions.

    ``forked``: a second path of half the width, with two 3x3 in a row, is concatenated to the
    first before the last convolution. ``halved``: the first convolution has half the channels of
    the second. ``projection``: the kernel of a shortcut's convolution where it has a stride.
    ``leading``: a normalization comes first and nothing after the sum, and the last convolution
    has the stride. ``prelu``: activations are PReLU.
    """

    convs: tuple[Conv, ...]
    preact: bool = False
    plain: bool = False
    forked: bool = False
    halved: bool = False
    projection: int = 1
    leading: bool = False
    prelu: bool = False

    @property
    def bottleneck(self) -> bool:
        """Whether the branch is narrow in the middle."""
        return len(self.convs) == 3

    @property
    def expansion(self) -> int:
        """The output channels of a block, as a multiple of the width."""
        return self.convs[-1].factor


_BASIC = (Conv(3, 1), Conv(3, 1))
_BOTTLENECK = (Conv(1, 1), Conv(3, 1), Conv(1, 4))
#: The blocks of He et al. (arXiv 1512.03385, figure 5; 1603.05027), plain ones, those of AIR
#: (github.com/soeaver/caffe-model), of SENet-154 (arXiv 1709.01507, appendix) and of ArcFace
#: (improved residual, arXiv 1801.07698).
BLOCKS = {
    "basic": BlockForm(_BASIC),
    "bottleneck": BlockForm(_BOTTLENECK),
    "preact-basic": BlockForm(_BASIC, preact=True),
    "preact-bottleneck": BlockForm(_BOTTLENECK, preact=True),
    "plain": BlockForm(_BASIC, plain=True),
    "air": BlockForm(_BOTTLENECK, forked=True),
    "senet": BlockForm(_BOTTLENECK, halved=True, projection=3),
    "ir": BlockForm(_BASIC, leading=True, prelu=True),
}
SHORTCUTS = ("A", "B", "C", "avgpool", "first")
PROJECTIONS = (1, 3)
#: By what a stem divides the sides; with the stem ``flat``, the first stage halves them too.
STEMS = {"7x7": 4, "3x3": 4, "cifar": 1, "flat": 1}


class Pool(NamedTuple):
    """How the stem's pooling reaches over the edge, and rounds."""

    pad: bool
    floor: bool


#: MSRA's, torchvision's, and the other two.
POOLS = {
    "ceil": Pool(pad=False, floor=False),
    "floor": Pool(pad=True, floor=True),
    "ceil-pad1": Pool(pad=True, floor=False),
    "floor-pad0": Pool(pad=False, floor=True),
}
STRIDES = ("1x1", "3x3")
#: Convolutions that may have a bias in addition to normalization, by MSRA's names.
BIASED = ("conv1", "branch1", "branch2a", "branch2b", "branch2c")
NORMS = ("batch", "scale", "fused", "none")
SE_FORMS = ("dense", "conv")
SE_JOINS = ("scale", "axpy")
HEADS = ("classifier", "none", "fcn", "embedding")
DILATIONS = ("stage", "torchvision")
ELTWISE = ("SUM", "PROD", "MAX")
NAMINGS = ("msra", "torchvision")
PHASES = ("deploy", "train_val")
DIALECTS = ("bvlc", "bvlc-1.0", "caffe_priv", "nvcaffe", "intel")
#: Those in which a pooling can round down.
FLOORING = ("bvlc", "caffe_priv")

#: The stages of an ImageNet net by its depth, and its block (arXiv 1512.03385, table 1;
#: 200 and 269 came later).
DEPTHS: dict[int, tuple[tuple[int, ...], str]] = {
    18: ((2, 2, 2, 2), "basic"),
    34: ((3, 4, 6, 3), "basic"),
    50: ((3, 4, 6, 3), "bottleneck"),
    101: ((3, 4, 23, 3), "bottleneck"),
    152: ((3, 8, 36, 3), "bottleneck"),
    200: ((3, 24, 36, 3), "bottleneck"),
    269: ((3, 30, 48, 8), "bottleneck"),
}
#: The defaults that the stem ``cifar`` implies.
CIFAR: dict[str, object] = {
    "width": 16,
    "classes": 10,
    "input_shape": (1, 3, 32, 32),
    "block": "basic",
}
