"""Residual blocks with a branch of two paths, those of AIR (github.com/soeaver/caffe-model)."""

from __future__ import annotations

from prototxt_gen.generate import residual
from prototxt_gen.generate.maker import Maker
from prototxt_gen.generate.steps import Place


def add_block(maker: Maker, block: str, place: Place) -> None:
    """A residual block whose branch is a fork."""
    residual.add_block(maker, block, place, _fork)


def _fork(maker: Maker, block: str, place: Place) -> None:
    """A bottleneck of two paths: one 3x3, and beside it two of half the width."""
    spec, names = maker.spec, maker.names
    inner, out = spec.channels(place.stage)
    blob, shape = maker.blob, maker.shape
    paths = []
    for of, kernels, share in ((names.branch, (1, 3), 1), (names.fork, (1, 3, 3), 2)):
        maker.blob, maker.shape = blob, shape
        for index, kernel in enumerate(kernels):
            units = of(block, index)
            maker.conv(
                units.conv,
                inner // share,
                kernel,
                stride=place.stride if index == residual.strided(spec) else 1,
                dilation=place.dilation if kernel > 1 else 1,
                group=max(1, spec.cardinality // share) if kernel > 1 else 1,
                kind="branch2b" if index else "branch2a",
            )
            if index < len(kernels) - 1:
                maker.norm(units, relu=True)
        paths.append(maker.blob)
    cat = names.unit(block, "cat")
    maker.concat(cat.conv, paths, inner + inner // 2)
    maker.norm(cat, relu=True)
    maker.drop_out(block)
    units = names.branch(block, 2)
    maker.conv(units.conv, out, 1, kind="branch2c")
    maker.norm(units, relu=False, kind="last")
