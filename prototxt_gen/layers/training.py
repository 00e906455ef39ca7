"""Layers of forks that serve training, and others of which little but the wiring is known."""

from __future__ import annotations

from collections.abc import Sequence

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.layers.base import MANY, Arity, Role, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.parts.shapes import Shape


class _Loss(Base):
    """A loss: its first top is a scalar."""

    role = Role.LOSS

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """A scalar; further tops are unknown."""
        if tops > 1:
            raise UnsupportedError(f"the further tops of {self.type} are not known")
        return ((),) * tops


class _Opaque(Base):
    """A layer whose tops only its own code knows."""

    def arity(self) -> Arity:
        """Any number."""
        return Arity((0, MANY), (0, MANY))

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """Raises UnsupportedError: the shapes are unknown."""
        raise UnsupportedError(f"the shapes of {self.type} are not known")


@layer("MultiBoxLoss")
class MultiBoxLoss(_Loss):
    """A loss from offsets, scores, priors and labels (SSD)."""

    def arity(self) -> Arity:
        """Four bottoms."""
        return Arity((4, 4), (0, 1))

    def labels(self, bottoms: int) -> frozenset[int]:
        """The labelled boxes."""
        return frozenset({3})


@layer("SmoothL1Loss")
class SmoothL1Loss(_Loss):
    """Quadratic near 0 and linear beyond (Fast R-CNN); bottoms 2 and 3 are weights."""

    def arity(self) -> Arity:
        """Prediction, target, and optionally weights."""
        return Arity((2, 4), (0, 1))


@layer("SmoothL1LossOHEM")
class SmoothL1LossOHEM(_Loss):
    """The same, with the loss of each region as a second top (R-FCN)."""

    def arity(self) -> Arity:
        """Prediction, target, and optionally weights."""
        return Arity((2, 4), (0, 2))


@layer("SoftmaxWithLossOHEM")
class SoftmaxWithLossOHEM(_Loss):
    """Softmax and loss, with the loss of each region as a further top (R-FCN)."""

    def arity(self) -> Arity:
        """Scores and labels, and optionally weights."""
        return Arity((2, 3), (0, 3))


@layer("L1Loss")
class L1Loss(_Loss):
    """The sum of absolute differences (NVIDIA's fork)."""

    def arity(self) -> Arity:
        """Prediction and target."""
        return Arity((2, 2), (0, 1))


@layer("RegionLoss")
class RegionLoss(_Loss):
    """The loss of YOLOv2 (intel/caffe)."""

    def arity(self) -> Arity:
        """Prediction and label."""
        return Arity((2, 2), (0, 1))


@layer("TRT")
class TRT(_Opaque):
    """A net inside a net, run by TensorRT (NVIDIA's fork)."""


@layer("AnnotatedData")
class AnnotatedData(_Opaque):
    """Images with boxes from a database (SSD)."""

    role = Role.SOURCE


@layer("VideoData")
class VideoData(_Opaque):
    """Frames from a camera or a video file (SSD)."""

    role = Role.SOURCE


@layer("BoxData")
class BoxData(_Opaque):
    """Images with boxes (intel/caffe)."""

    role = Role.SOURCE


@layer("BoxAnnotatorOHEM")
class BoxAnnotatorOHEM(_Opaque):
    """Selects the regions with the greatest loss (R-FCN)."""

    role = Role.TRAINING


@layer("EvalDetection")
class EvalDetection(_Opaque):
    """The quality of detected boxes (intel/caffe)."""

    role = Role.TRAINING


@layer("DetectNetTransformation")
class DetectNetTransformation(_Opaque):
    """Random changes to images and boxes (NVIDIA's fork)."""

    role = Role.TRAINING
