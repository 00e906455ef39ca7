"""The forms that a net of the residual family has: blocks, depths, and the words for the rest."""

from __future__ import annotations

from typing import NamedTuple

#: The most blocks of a net; above, the text would be larger than what a reader takes.
MOST_BLOCKS = 100_000


class Conv(NamedTuple):
    """One convolution of a block's branch: its kernel, and its channels per width."""

    kernel: int
    factor: int


class BlockForm(NamedTuple):
    """The branch of a block, and whether activations stand in front of convolutions."""

    convs: tuple[Conv, ...]
    preact: bool = False
    plain: bool = False

    @property
    def bottleneck(self) -> bool:
        """Whether the branch is narrow in the middle."""
        return len(self.convs) == 3

    @property
    def expansion(self) -> int:
        """The channels that come out of a block, per width."""
        return self.convs[-1].factor


_BASIC = (Conv(3, 1), Conv(3, 1))
_BOTTLENECK = (Conv(1, 1), Conv(3, 1), Conv(1, 4))
#: The blocks of He et al. (arXiv 1512.03385, figure 5; 1603.05027), and plain ones.
BLOCKS = {
    "basic": BlockForm(_BASIC),
    "bottleneck": BlockForm(_BOTTLENECK),
    "preact-basic": BlockForm(_BASIC, preact=True),
    "preact-bottleneck": BlockForm(_BOTTLENECK, preact=True),
    "plain": BlockForm(_BASIC, plain=True),
}
SHORTCUTS = ("A", "B", "C", "avgpool")
STEMS = ("7x7", "3x3", "cifar")
POOLS = ("ceil", "floor")
STRIDES = ("1x1", "3x3")
BIASES = ("none", "conv1", "all")
ELTWISE = ("SUM", "PROD", "MAX")
NAMINGS = ("msra", "torchvision")
PHASES = ("deploy", "train_val")
DIALECTS = ("bvlc", "bvlc-1.0", "caffe_priv")

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
#: What the stem ``cifar`` brings with it, where nothing else is said.
CIFAR: dict[str, object] = {
    "width": 16,
    "classes": 10,
    "input_shape": (1, 3, 32, 32),
    "block": "basic",
}
