"""The variants of the family: blocks, depths, and the values of other options."""

from __future__ import annotations

from typing import NamedTuple

#: The most blocks of a net; with more, the text would be larger than a reader accepts.
MOST_BLOCKS = 100_000


class Conv(NamedTuple):
    """One convolution of a block's branch: its kernel, and its channels per unit of width."""

    kernel: int
    factor: int


RESIDUAL = "arXiv 1512.03385"
PREACT_PAPER = "arXiv 1603.05027"
DENSE_PAPER = "arXiv 1608.06993"
INVERTED_PAPER = "arXiv 1801.04381"


class BlockForm(NamedTuple):
    """The branch of a block, and whether activations come before convolutions.

    ``forked``: a second path of half the width, with two 3x3 in a row, is concatenated to the
    first before the last convolution. ``halved``: the first convolution has half the channels of
    the second. ``projection``: the kernel of a shortcut's convolution where it has a stride.
    ``leading``: a normalization comes first and nothing after the sum, and the last convolution
    has the stride. ``prelu``: activations are PReLU. ``inverted``: a block is wide in the middle,
    by a factor of its input, and has a shortcut only where the shape stays. ``dense``: a block
    adds its channels to those that it reads, and between stages half of them are left.
    ``family`` is what a net is called, and ``paper`` where it is from.
    """

    convs: tuple[Conv, ...]
    preact: bool = False
    plain: bool = False
    forked: bool = False
    halved: bool = False
    projection: int = 1
    leading: bool = False
    prelu: bool = False
    inverted: bool = False
    dense: bool = False
    family: str = "ResNet"
    paper: str = RESIDUAL

    @property
    def bottleneck(self) -> bool:
        """Whether the branch is narrow in the middle."""
        return self.expansion > self.convs[0].factor

    @property
    def expansion(self) -> int:
        """The output channels of a block, as a multiple of the width."""
        return self.convs[-1].factor

    @property
    def reshapes(self) -> bool:
        """Whether a shortcut can go around a change of the shape."""
        return not (self.plain or self.inverted or self.dense)


_BASIC = (Conv(3, 1), Conv(3, 1))
_BOTTLENECK = (Conv(1, 1), Conv(3, 1), Conv(1, 4))
#: The blocks of He et al. (arXiv 1512.03385, figure 5; 1603.05027), plain ones, those of AIR
#: (github.com/soeaver/caffe-model), of SENet-154 (arXiv 1709.01507, appendix), of ArcFace
#: (improved residual, arXiv 1801.07698), of MobileNetV2 and of DenseNet-BC.
BLOCKS = {
    "basic": BlockForm(_BASIC),
    "bottleneck": BlockForm(_BOTTLENECK),
    "preact-basic": BlockForm(_BASIC, preact=True, family="PreResNet", paper=PREACT_PAPER),
    "preact-bottleneck": BlockForm(
        _BOTTLENECK, preact=True, family="PreResNet", paper=PREACT_PAPER
    ),
    "plain": BlockForm(_BASIC, plain=True, family="Plain"),
    "air": BlockForm(_BOTTLENECK, forked=True, family="AIR"),
    "senet": BlockForm(_BOTTLENECK, halved=True, projection=3, family="SENet"),
    "ir": BlockForm(_BASIC, leading=True, prelu=True, family="IResNet"),
    "inverted": BlockForm(
        (Conv(1, 6), Conv(3, 6), Conv(1, 1)),
        inverted=True,
        family="MobileNetV2",
        paper=INVERTED_PAPER,
    ),
    "dense": BlockForm(
        (Conv(1, 4), Conv(3, 1)), preact=True, dense=True, family="DenseNet", paper=DENSE_PAPER
    ),
}
SHORTCUTS = ("A", "B", "C", "avgpool", "first")
PROJECTIONS = (1, 3)


class Stem(NamedTuple):
    """The convolutions of a stem: kernels, strides, and shares of the width; and a pooling.

    ``first_stride`` is that of the first stage.
    """

    convs: tuple[tuple[int, int, int], ...]
    pools: bool = False
    first_stride: int = 1

    @property
    def divides(self) -> int:
        """What it divides each side by."""
        found = 2 if self.pools else 1
        for _, stride, _ in self.convs:
            found *= stride
        return found


STEMS = {
    "7x7": Stem(((7, 2, 1),), pools=True),
    "3x3": Stem(((3, 2, 2), (3, 1, 2), (3, 1, 1)), pools=True),
    "cifar": Stem(((3, 1, 1),)),
    "flat": Stem(((3, 1, 1),), first_stride=2),
    "half": Stem(((3, 2, 1),)),
}


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
CLASSIFIERS = ("dense", "conv")
SE_JOINS = ("scale", "axpy")
HEADS = ("classifier", "none", "fcn", "embedding")
DILATIONS = ("stage", "torchvision")
ELTWISE = ("SUM", "PROD", "MAX")
NAMINGS = ("msra", "torchvision", "shicai")
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
