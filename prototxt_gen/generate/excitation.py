"""Squeeze-and-excitation (Hu et al., arXiv 1709.01507), in the forms that Caffe nets have.

Its two layers see one value for each channel, so that inner products and 1x1 convolutions
are the same; they differ in their weights' shapes, and in the shape of the factors: Scale takes
(N, C) for images of (N, C, H, W), and Axpy of SENet's forks takes (N, C, 1, 1) as well.
"""

from __future__ import annotations

from prototxt_gen.errors import SpecError
from prototxt_gen.generate.maker import Maker
from prototxt_gen.layers.activation import Sigmoid
from prototxt_gen.layers.affine import Axpy, Scale
from prototxt_gen.layers.base import Layer
from prototxt_gen.layers.convolution import Convolution
from prototxt_gen.layers.dense import InnerProduct
from prototxt_gen.layers.pooling import AVE, Pooling
from prototxt_gen.layers.reshape import Flatten


def excite(maker: Maker, block: str, total: str, shortcut: str | None) -> bool:
    """Each channel times a number from 0 to 1, computed from the means of all.

    Returns whether this was the sum with the shortcut as well, named ``total``.
    """
    spec, blob, shape = maker.spec, maker.blob, maker.shape
    channels = shape[1] or 0
    squeezed = channels // spec.se
    if squeezed == 0:
        raise SpecError(
            f"is {spec.se}; expected at most {channels}, the channels of a block", path="se"
        )
    part = maker.names.part
    maker.layer(part(block, "se_pool"), Pooling(AVE, global_pooling=True))
    maker.layer(part(block, "se_down"), _dense(maker, squeezed))
    maker.relu(part(block, "se_relu"))
    maker.layer(part(block, "se_up"), _dense(maker, channels))
    maker.layer(part(block, "se_sigmoid"), Sigmoid(), maker.blob)
    sums = spec.se_join == "axpy" and shortcut is not None
    if not sums and spec.se_form == "conv":
        maker.layer(part(block, "se_flat"), Flatten())
    factors, maker.blob, maker.shape = maker.blob, blob, shape
    if sums:
        maker.graph.add(total, Axpy(), (factors, blob, str(shortcut)), (total,))
        maker.blob = total
        return True
    maker.blob = factors
    maker.join(part(block, "se"), Scale(axis=0), blob)
    return False


def _dense(maker: Maker, channels: int) -> Layer:
    if maker.spec.se_form == "conv":
        return Convolution(channels, (1,))
    return InnerProduct(channels)
