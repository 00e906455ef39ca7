"""Densely connected blocks (DenseNet-BC, arXiv 1608.06993), and what is between their stages.

Each block reads all channels so far and adds its own to them. A transition halves the channels
and, where its stage has a stride, the sides. Normalization and activation precede convolutions.
"""

from __future__ import annotations

from prototxt_gen.generate.maker import Maker
from prototxt_gen.generate.steps import Place
from prototxt_gen.layers.pooling import AVE, Pooling


def add_block(maker: Maker, block: str, place: Place) -> None:
    """One block: a 1x1 convolution and a 3x3 one, beside what they read."""
    read, channels = maker.blob, maker.shape[1] or 0
    form = maker.spec.form
    for index, (width, conv) in enumerate(
        zip(maker.spec.channels(place.stage), form.convs, strict=True)
    ):
        names = maker.names.branch(block, index)
        maker.activated(names)
        if index:
            maker.drop_out(block)
        maker.conv(
            names.conv,
            width,
            conv.kernel,
            dilation=place.dilation if conv.kernel > 1 else 1,
            kind=f"branch2{'abc'[index]}",
        )
    maker.concat(maker.names.cat(block), (read, maker.blob), channels + (maker.shape[1] or 0))


def add_transition(maker: Maker, place: Place) -> None:
    """What is in front of each stage but the first."""
    names, pool = maker.names.transition(place.stage)
    maker.activated(names)
    maker.conv(names.conv, (maker.shape[1] or 0) // 2, 1)
    if place.stride > 1:
        maker.layer(pool, Pooling(AVE, (place.stride,), (place.stride,)))
