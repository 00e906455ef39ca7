"""What NVIDIA's Caffe has in a BatchNorm beside the three weights of BVLC's.

Its batch_norm_layer.cpp keeps mean, variance, a factor, scale and bias, in this order, and
does not look at the factor in the TEST phase, where BVLC's divides by it (NVIDIA/caffe#512).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from prototxt_gen.document import Block
from prototxt_gen.layers.base import Layer
from prototxt_gen.layers.normalization import BatchNorm

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array

DIALECT = "nvcaffe"


def as_stored(layer: Layer, blobs: Sequence[Array]) -> Layer:
    """A layer as the weights of a file show it to be; as it is where they leave a doubt.

    Five weights, all of one size but a single number in the middle, have no other meaning.
    """
    if not isinstance(layer, BatchNorm) or layer.scale_bias or len(blobs) != 5:
        return layer
    sizes = [blob.size for blob in blobs]
    clear = sizes[2] == 1 and len({sizes[0], sizes[1], sizes[3], sizes[4]}) == 1
    return replace(layer, scale_bias=True) if clear else layer


def remarks(layer: Layer, source: Block, blobs: Sequence[Array], dialect: str) -> Iterator[str]:
    """What a person should know of how a layer with its weights is read.

    ``source`` is the ``layer`` block, ``dialect`` that of the net.
    """
    if not isinstance(layer, BatchNorm) or len(blobs) < 3:
        return
    factor = float(blobs[2].reshape(-1)[0])
    if not layer.scale_bias:
        if dialect == DIALECT and factor != 1:
            yield (
                f"mean and variance are divided by their factor {factor:g}, as in BVLC's Caffe; "
                "NVIDIA's Caffe does not look at it"
            )
        return
    if not BatchNorm.read(source.block("batch_norm_param"), source).scale_bias:
        yield "has a scale and a bias in the file, and is read as NVIDIA's Caffe does"
    if factor != 1:
        yield (
            f"its factor {factor:g} is ignored, as in NVIDIA's Caffe; BVLC's would divide mean "
            "and variance by it"
        )
