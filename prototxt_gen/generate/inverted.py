"""Inverted residual blocks (MobileNetV2, arXiv 1801.04381).

A 1x1 convolution expands, a depthwise 3x3 has the stride, and a 1x1 reduces without an
activation after it. The shortcut joins the thin ends, where the shape stays.
"""

from __future__ import annotations

from prototxt_gen.generate.maker import Maker
from prototxt_gen.generate.steps import Place


def add_block(maker: Maker, block: str, place: Place) -> None:
    """One block: the branch, and the sum with what it reads if that has the same shape."""
    spec, shortcut = maker.spec, maker.blob
    channels, out = maker.shape[1] or 0, spec.channels(place.stage)[1]
    factor = spec.expansion(place.stage)
    wide = channels * (factor or 1)
    for index, width in enumerate((wide, wide, out)):
        if index == 0 and not factor:
            continue
        names = maker.names.branch(block, index)
        depthwise, last = index == 1, index == 2
        if last:
            maker.drop_out(block)
        maker.conv(
            names.conv,
            width,
            3 if depthwise else 1,
            stride=place.stride if depthwise else 1,
            dilation=place.dilation if depthwise else 1,
            group=wide if depthwise else 1,
            kind=f"branch2{'abc'[index]}",
        )
        maker.norm(names, relu=not last, kind="last" if last else "")
    if place.stride == 1 and out == channels:
        maker.add_up(maker.names.total(block)[0], shortcut)
