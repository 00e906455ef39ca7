"""What follows the last block: a classifier, scores for each place, a vector, or nothing."""

from __future__ import annotations

from prototxt_gen.document import Block
from prototxt_gen.errors import SpecError
from prototxt_gen.generate.maker import Maker
from prototxt_gen.generate.naming import UnitNames
from prototxt_gen.layers.activation import Dropout
from prototxt_gen.layers.arrange import Crop
from prototxt_gen.layers.convolution import Convolution
from prototxt_gen.layers.deconvolution import Deconvolution
from prototxt_gen.layers.dense import InnerProduct
from prototxt_gen.layers.pooling import AVE, Pooling


def add_head(maker: Maker) -> None:
    """The head of the spec, after what the trunk ends with.

    This is an activation in a pre-activation net, and a convolution of the last width.
    """
    spec = maker.spec
    if spec.form.preact or spec.last_width or spec.head != "none":
        maker.start(spec.head if spec.head != "none" else "last activation")
    if spec.form.preact:
        maker.norm(maker.names.last(), relu=True)
    if spec.last_width:
        names = maker.names.widening()
        maker.conv(names.conv, spec.last_width, 1)
        maker.norm(names, relu=True)
    if spec.head == "classifier":
        _classify(maker)
    elif spec.head == "fcn":
        _score_places(maker)
    elif spec.head == "embedding":
        _embed(maker)


def _classify(maker: Maker) -> None:
    spec = maker.spec
    height, width = maker.shape[2:]
    if spec.global_pool:
        pooling = Pooling(AVE, global_pooling=True)
    else:
        kernel = (height,) if height == width else (height, width)
        pooling = Pooling(AVE, kernel)  # type: ignore[arg-type]
    maker.layer(maker.names.pools()[1], pooling)
    _score(maker)


def _score(maker: Maker) -> None:
    spec = maker.spec
    if spec.classifier_dropout:
        dropout = Dropout(float(spec.classifier_dropout))
        maker.layer("classifier_dropout", dropout, maker.blob)
    name = maker.names.classifier(spec.classes)
    conv = spec.head == "classifier" and spec.classifier_form == "conv"
    layer = Convolution(spec.classes, (1,)) if conv else InnerProduct(spec.classes)
    maker.layer(name, layer, kind="classifier")


def _embed(maker: Maker) -> None:
    """A vector of all places, with a normalization before and after (ArcFace, arXiv 1801.07698)."""
    if not maker.spec.form.preact:
        names = maker.names.last()
        maker.norm(names, relu=False, top=names.conv)
    _score(maker)
    blob = maker.blob
    maker.norm(UnitNames(blob, f"bn_{blob}", f"scale_{blob}", ""), relu=False)


def _score_places(maker: Maker) -> None:
    """Scores by a 1x1 convolution, enlarged by bilinear interpolation and cut to the input's size.

    Long et al. (arXiv 1411.4038); the filler gives the weights, one kernel for each class.
    """
    spec = maker.spec
    maker.layer("score", Convolution(spec.classes, (1,)))
    stride = spec.output_stride or spec.natural_stride
    if stride == 1:
        return
    wanted = spec.input_shape[2:]
    cut = wanted != tuple((side or 0) * stride for side in maker.shape[2:])
    layer = Deconvolution(
        spec.classes,
        (2 * stride,),
        (0 if cut else stride // 2,),
        (stride,),
        group=spec.classes,
        bias_term=False,
    )
    filler = Block.of(convolution_param=Block.of(weight_filler=Block.of(type="bilinear")))
    (shape,) = layer.shapes((maker.shape,), 1)
    maker.graph.add("upscore", layer, (maker.blob,), ("upscore",), filler)
    maker.blob = "upscore"
    if cut:
        offset = stride // 2
        if any((found or 0) - offset < side for found, side in zip(shape[2:], wanted, strict=True)):
            raise SpecError("fcn: scores end before the input's edge", path="head")
        maker.graph.add("score_cut", Crop(offset=(offset,)), ("upscore", "data"), ("score_cut",))
        maker.blob = "score_cut"
    maker.shape = (*shape[:2], *wanted)
