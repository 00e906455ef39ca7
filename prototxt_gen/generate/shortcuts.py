"""What goes around the branch of a block: nothing, a projection, or zeros for new channels."""

from __future__ import annotations

from prototxt_gen.errors import SpecError
from prototxt_gen.generate.forms import Pool
from prototxt_gen.generate.maker import Maker
from prototxt_gen.generate.spec import Spec
from prototxt_gen.layers.combine import Concat
from prototxt_gen.layers.elementwise import Power
from prototxt_gen.layers.pooling import AVE, CEIL, FLOOR, MAX, Pooling


def add_shortcut(maker: Maker, block: str, raw: str, out: int, stride: int, *, first: bool) -> str:
    """The blob of a block's shortcut; ``first`` of its stage."""
    spec = maker.spec
    same = stride == 1 and maker.shape[1] == out
    always = spec.shortcut == "C" or (spec.shortcut == "first" and first)
    if same and not always:
        return raw
    names = maker.names.shortcut(block)
    if spec.shortcut == "A":
        _pad_with_zeros(maker, block, out, stride)
        return maker.blob
    if spec.shortcut == "avgpool" and stride > 1:
        # Rounded up, like a convolution with a pad.
        maker.layer(maker.names.part(block, "shortcut_pool"), Pooling(AVE, (stride,), (stride,)))
        stride = 1
    kernel = max(spec.projection, spec.form.projection if stride > 1 else 1)
    maker.conv(names.conv, out, kernel, stride=stride, kind="branch1")
    if not spec.form.preact:
        maker.norm(names, relu=False)
    return maker.blob


def subsampling(spec: Spec, kernel: int, form: Pool) -> Pooling:
    """The stem's pooling, or every other pixel: with stride 2, rounded as the form says."""
    return Pooling(
        MAX,
        (kernel,),
        (2,),
        (1,) if form.pad else (0,),
        round_mode=FLOOR if form.floor else CEIL,
        ceil_mode=form.floor and spec.dialect == "caffe_priv",
    )


def _pad_with_zeros(maker: Maker, block: str, out: int, stride: int) -> None:
    """Every other pixel, and zeros for the additional channels (shortcut A).

    The zeros are the blob times 0, which Power sets without reading the blob
    (power_layer.cpp), so that they fit any batch.
    """
    if stride > 1:
        every_other = subsampling(maker.spec, 1, Pool(pad=False, floor=True))
        maker.layer(maker.names.part(block, "shortcut_pool"), every_other)
    channels = maker.shape[1] or 1
    if out % channels:
        raise SpecError(
            f"A pads with zeros in whole copies: {out} channels are not a multiple of {channels}",
            path="shortcut",
        )
    copies = out // channels - 1
    if copies:
        blob = maker.blob
        zeros = maker.names.part(block, "zeros")
        maker.layer(zeros, Power(scale=0.0))
        maker.graph.add(
            maker.names.part(block, "shortcut"),
            Concat(),
            (blob, *(zeros,) * copies),
            (maker.names.part(block, "shortcut"),),
        )
        maker.blob = maker.names.part(block, "shortcut")
