"""What training adds to a layer with weights: fillers, and factors of the rates."""

from __future__ import annotations

from collections.abc import Sequence

from prototxt_gen.document import Block
from prototxt_gen.generate.fillers import filler
from prototxt_gen.generate.recipe import Training
from prototxt_gen.layers.base import Layer, Weight

_FROZEN = (0.0, 0.0)
_USUAL = (1.0, 1.0)


def learning(
    training: Training, layer: Layer, weights: Sequence[Weight], kind: str, *, frozen: bool
) -> Block:
    """The fields that training adds to a layer, by the recipe.

    By default He et al. fill by the fan-in (msra). A bias has twice the learning rate and no
    weight decay, as in all of Caffe's models. BatchNorm's statistics are not learned, and
    Scale has its default fillers. ``kind`` is ``classifier``, that of a convolution, or
    ``last`` for the norm at the end of a branch. A frozen layer learns nothing.
    """
    block, fillers = Block(), Block()
    filled = any(weight.filler == "weight_filler" for weight in weights)
    rates = [_rates(training, weight, kind, filled=filled, frozen=frozen) for weight in weights]
    while rates and not filled and tuple(rates[-1]) == _USUAL:
        rates.pop()
    for rate in rates:
        block.add("param", Block.of(lr_mult=float(rate[0]), decay_mult=float(rate[1])))
    if kind == "last" and training.last_scale_filler:
        for weight in weights:
            if weight.filler in ("filler", "scale_filler"):
                fillers.add(weight.filler, filler(training.last_scale_filler))
    for weight in weights if filled else ():
        if weight.filler in ("weight_filler", "bias_filler"):
            fillers.add(weight.filler, filler(_filler(training, weight.filler, kind)))
    if layer.param is not None and fillers.fields:
        block.add(layer.param, fillers)
    return block


def _rates(
    training: Training, weight: Weight, kind: str, *, filled: bool, frozen: bool
) -> tuple[float, ...]:
    if weight.fixed or frozen:
        return _FROZEN
    bias = weight.filler == "bias_filler"
    if not filled:
        return training.shift_rates if bias else training.scale_rates
    usual = training.bias_rates if bias else training.weight_rates
    if kind != "classifier":
        return usual
    return (training.classifier_bias_rates if bias else training.classifier_rates) or usual


def _filler(training: Training, field: str, kind: str) -> str:
    bias = field == "bias_filler"
    usual = training.bias_filler if bias else training.filler
    if kind == "classifier":
        return (training.classifier_bias_filler if bias else training.classifier_filler) or usual
    return (kind == "conv1" and not bias and training.stem_filler) or usual
