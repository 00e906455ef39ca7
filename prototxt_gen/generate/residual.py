"""Residual blocks (He et al., arXiv 1512.03385 and 1603.05027), and plain ones without a shortcut.

If a block changes channels or size, so must its shortcut; the stride is in the branch's
first convolution, or in its 3x3 one. The sum takes the shortcut first. In a pre-activation
net (``preact-``), the stem's activation serves the first block, and one more follows the
last block.
"""

from __future__ import annotations

from collections.abc import Callable

from prototxt_gen.generate.excitation import excite
from prototxt_gen.generate.maker import Maker
from prototxt_gen.generate.shortcuts import add_shortcut
from prototxt_gen.generate.spec import Spec
from prototxt_gen.generate.steps import Place


def add_branch(maker: Maker, block: str, place: Place) -> None:
    """The convolutions of a block, with the layers between them."""
    spec = maker.spec
    inner, out = spec.channels(place.stage)
    last = len(spec.form.convs) - 1
    channels = [inner // 2 if spec.form.halved else inner, *[inner] * (last - 1), out]
    for index, (kernel, _) in enumerate(spec.form.convs):
        names = maker.names.branch(block, index)
        if index == last:
            maker.drop_out(block)
        maker.conv(
            names.conv,
            channels[index],
            kernel,
            stride=place.stride if index == strided(spec) else 1,
            dilation=place.dilation if kernel > 1 else 1,
            group=spec.cardinality if kernel > 1 else 1,
            kind=f"branch2{'abc'[index]}",
        )
        if index < last or not spec.form.preact:
            maker.norm(names, relu=index < last, kind="last" if index == last else "")


def add_block(
    maker: Maker,
    block: str,
    place: Place,
    branch: Callable[[Maker, str, Place], None] = add_branch,
) -> None:
    """One block: the shortcut, the branch, and their sum."""
    spec, form = maker.spec, maker.spec.form
    out = spec.channels(place.stage)[1]
    raw = maker.blob
    if form.preact and (place.stage or place.number):
        names = maker.names.unit(block, "pre")
        maker.norm(names, relu=True, top=names.conv)
    blob, shape = maker.blob, maker.shape
    shortcut = None
    if not form.plain:
        first = place.number == 0
        shortcut = add_shortcut(maker, block, raw, out, place.stride, first=first)
    maker.blob, maker.shape = blob, shape
    if form.leading:
        names = maker.names.unit(block, "pre")
        maker.norm(names, relu=False, top=names.conv)
    branch(maker, block, place)
    total, relu = maker.names.total(block)
    summed = bool(spec.se) and excite(maker, block, total, shortcut)
    if shortcut is not None and not summed:
        maker.add_up(total, shortcut)
    if not (form.preact or form.leading):
        maker.relu(relu)


def strided(spec: Spec) -> int:
    """The index of the convolution that has a block's stride."""
    if spec.form.leading:
        return len(spec.form.convs) - 1
    return 1 if spec.form.bottleneck and spec.stride_at == "3x3" else 0
