"""The strides, dilations and channels of each stage of a spec."""

from __future__ import annotations

from itertools import accumulate
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from prototxt_gen.generate.forms import STEMS

if TYPE_CHECKING:
    from prototxt_gen.generate.spec import Spec


class Place(NamedTuple):
    """Where a block is, counted from 0, its stride, and the dilation of its 3x3 convolutions."""

    stage: int
    number: int
    stride: int
    dilation: int


def usual_strides(spec: Spec) -> tuple[int, ...]:
    """The strides of stages where a spec says none."""
    return (STEMS[spec.stem].first_stride, *(2,) * (len(spec.stages) - 1))


def strides(spec: Spec) -> tuple[int, ...]:
    """The stride of each stage, without dilation."""
    return spec.strides or usual_strides(spec)


def natural_stride(spec: Spec) -> int:
    """What all strides of a net together divide the input by, without dilation."""
    return STEMS[spec.stem].divides * prod(strides(spec))


def kept(spec: Spec) -> tuple[bool, ...]:
    """Whether each stage has its stride, or dilation in its place.

    Dilation replaces strides once the output stride is reached.
    """
    reached = accumulate(strides(spec)[:-1], int.__mul__, initial=STEMS[spec.stem].divides)
    return tuple(not spec.output_stride or before < spec.output_stride for before in reached)


def steps(spec: Spec) -> list[list[tuple[int, int]]]:
    """The stride and the dilation of each block of each stage.

    Dilation is in every block of a stage, as in Caffe nets for segmentation, or in all but its
    first, which keeps the dilation before (torchvision's replace_stride_with_dilation). The
    last stage may have factors for each block.
    """
    found, dilation = [], 1
    for blocks, stride, stays in zip(spec.stages, strides(spec), kept(spec), strict=True):
        before = dilation
        dilation *= 1 if stays else stride
        first = before if spec.dilation == "torchvision" else dilation
        found.append([(stride if stays else 1, first), *[(1, dilation)] * (blocks - 1)])
    if spec.multi_grid:
        pairs = zip(found[-1], spec.multi_grid, strict=True)
        found[-1] = [(stride, dilation * factor) for (stride, dilation), factor in pairs]
    return found


def ends(spec: Spec) -> list[int]:
    """The channels of the blob that each stage ends with."""
    found, channels = [], spec.stem_channels
    for stage, blocks in enumerate(spec.stages):
        own = spec.channels(stage)[1]
        if spec.form.dense:
            channels = (channels if stage == 0 else channels // 2) + blocks * own
        else:
            channels = own
        found.append(channels)
    return found


def widest(spec: Spec) -> int:
    """The most channels of any blob, or more."""
    stages = range(len(spec.stages))
    most = [*ends(spec), spec.stem_channels, *(spec.channels(stage)[0] for stage in stages)]
    if spec.form.inverted:
        before = [spec.stem_channels, *ends(spec)]
        most += [before[stage] * spec.expansion(stage) for stage in stages]
    return max(most)
