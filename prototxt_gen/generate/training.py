"""The parts of a net that only training needs after its scores: losses, accuracy."""

from __future__ import annotations

from prototxt_gen.document import Block, Symbol
from prototxt_gen.generate.further import further
from prototxt_gen.generate.maker import Maker
from prototxt_gen.generate.sources import add_data
from prototxt_gen.generate.spec import Spec
from prototxt_gen.layers.accuracy import Accuracy
from prototxt_gen.layers.activation import Softmax
from prototxt_gen.layers.loss import SoftmaxWithLoss

__all__ = ["add_data", "add_header", "add_losses"]

_BEST = 5  #: for ImageNet an answer is also correct if it is among the best five


def add_header(maker: Maker) -> None:
    """Further fields of the net."""
    maker.graph.header.extend(further(maker.spec, "net").fields)


def accuracies(spec: Spec) -> tuple[int, ...]:
    """Among how many of the best scores the label is looked for, for each accuracy."""
    if spec.training.accuracy is not None:
        return spec.training.accuracy
    return (1, _BEST) if spec.classes > _BEST else (1,)


def add_losses(maker: Maker) -> None:
    """The loss, and in the TEST phase the top-1 and top-5 accuracy, unless the spec differs."""
    own, scores = maker.spec.training, maker.blob
    maker.start("loss")
    loss = _within(own.loss_phase)
    loss.add("loss_weight", float(own.loss_weight) if own.loss_weight != 1 else None)
    if own.label_smoothing:
        loss.add("loss_param", Block.of(label_smoothing=float(own.label_smoothing)))
    maker.graph.add("loss", SoftmaxWithLoss(), (scores, "label"), ("loss",), loss)
    places = accuracies(maker.spec)
    if places and own.accuracy_of == "softmax":
        maker.graph.add("softmax", Softmax(), (scores,), ("softmax",), _within(own.accuracy_phase))
        scores = "softmax"
    for best in places:
        name = f"accuracy_top{best}"
        block = _within(own.accuracy_phase)
        maker.graph.add(name, Accuracy(top_k=best), (scores, "label"), (name,), block)


def _within(phase: str) -> Block:
    return Block() if phase == "both" else Block.of(include=Block.of(phase=Symbol(phase)))
