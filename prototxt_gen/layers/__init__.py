"""Layer types: one module for each family, imported when one of its types is first needed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module

from prototxt_gen._records import record
from prototxt_gen.document import Block
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.layers.base import MANY, REGISTRY, Arity, Layer
from prototxt_gen.layers.parts.shapes import Shape

#: The module of each type. A test compares this table with what the modules register.
MODULES = {
    "AbsVal": "elementwise",
    "Accuracy": "accuracy",
    "AnnotatedData": "training",
    "ArgMax": "reduce",
    "Axpy": "affine",
    "BN": "fork_normalization",
    "BNLL": "activation",
    "BatchNorm": "batch_norm",
    "BatchReindex": "reduce",
    "Bias": "affine",
    "BoxAnnotatorOHEM": "training",
    "BoxData": "training",
    "CReLU": "fork_activation",
    "Clip": "activation",
    "Concat": "combine",
    "ContrastiveLoss": "distance_loss",
    "Convolution": "convolution",
    "ConvolutionDepthwise": "deconvolution",
    "Crop": "arrange",
    "CuDNNBatchNorm": "batch_norm",
    "CuDNNLRNCrossChannel": "normalization",
    "Data": "data",
    "DecodeBBox": "decode_bbox",
    "Deconvolution": "deconvolution",
    "DepthwiseConv": "deconvolution",
    "DepthwiseConvolution": "convolution",
    "DetectNetTransformation": "training",
    "DetectionEvaluate": "detection",
    "DetectionOutput": "detection_output",
    "Dropout": "activation",
    "DummyData": "inputs",
    "ELU": "activation",
    "Eltwise": "combine",
    "Embed": "dense",
    "EuclideanLoss": "distance_loss",
    "EvalDetection": "training",
    "Exp": "elementwise",
    "Filter": "reduce",
    "Flatten": "reshape",
    "FrcnnProposal": "proposals",
    "GELU": "fork_activation",
    "HDF5Data": "data",
    "HDF5Output": "data",
    "HSwish": "fork_activation",
    "HardSigmoid": "fork_activation",
    "HingeLoss": "distance_loss",
    "Im2col": "deconvolution",
    "ImageData": "data",
    "InfogainLoss": "loss",
    "InnerProduct": "dense",
    "Input": "inputs",
    "Interp": "resize",
    "L1Loss": "training",
    "LRN": "normalization",
    "LSTM": "recurrent",
    "LSTMUnit": "recurrent",
    "Log": "elementwise",
    "Lstm": "ctpn_lstm",
    "MKLBatchNorm": "batch_norm",
    "MVN": "normalization",
    "MemoryData": "data",
    "Mish": "fork_activation",
    "MnActivation": "fork_activation",
    "MultiBoxLoss": "training",
    "MultinomialLogisticLoss": "distance_loss",
    "Normalize": "normalization",
    "PReLU": "activation",
    "PSROIAlign": "position_rois",
    "PSROIPooling": "position_rois",
    "Parameter": "inputs",
    "Permute": "arrange",
    "Pooling": "pooling",
    "Power": "elementwise",
    "PriorBox": "detection",
    "Proposal": "proposals",
    "Python": "python",
    "RNN": "recurrent",
    "ROIAlign": "roi_align",
    "ROIPooling": "rois",
    "ReLU": "activation",
    "ReLU6": "fork_activation",
    "Reduction": "reduce",
    "Region": "yolo",
    "RegionLoss": "training",
    "Reorg": "rearrange",
    "Reshape": "reshape",
    "Reverse": "arrange",
    "SELU": "fork_activation",
    "SPP": "spp",
    "Scale": "affine",
    "SeLu": "fork_activation",
    "SeLuDropout": "activation",
    "ShuffleChannel": "rearrange",
    "Sigmoid": "activation",
    "SigmoidCrossEntropyLoss": "distance_loss",
    "Silence": "combine",
    "Slice": "combine",
    "SmoothL1Loss": "training",
    "SmoothL1LossOHEM": "training",
    "Softmax": "activation",
    "SoftmaxWithLoss": "loss",
    "SoftmaxWithLossOHEM": "training",
    "SpatialDropout": "activation",
    "Split": "combine",
    "Swish": "activation",
    "TRT": "training",
    "TanH": "activation",
    "Threshold": "elementwise",
    "Tile": "arrange",
    "Transpose": "arrange",
    "Upsample": "resize",
    "VideoData": "training",
    "WindowData": "data",
    "YoloDetectionOutput": "yolo",
    "Yolov3DetectionOutput": "yolo",
}

#: The module here that describes a class of a Python layer, by module and class in a prototxt.
PYTHON_CLASSES = {("rpn.proposal_layer", "ProposalLayer"): "proposals"}


def layer_class(name: str) -> type[Layer] | None:
    """The class of a layer type, built in or from a plug-in; None for an unknown type.

    Raises PluginError where an installed package registers layer types and fails.
    """
    found = REGISTRY.get(name)
    if found is not None:
        return found
    module = MODULES.get(name)
    if module is not None:
        import_module(f"{__name__}.{module}")
    else:
        from prototxt_gen.layers.outside import load_installed

        load_installed()
    return REGISTRY.get(name)


def python_class(module: str, name: str) -> type[Layer] | None:
    """The description of a class of a Python layer; None where there is none.

    Raises PluginError where an installed package registers layers and fails.
    """
    from prototxt_gen.layers.python import PYTHON

    key = module, name
    if key not in PYTHON and key in PYTHON_CLASSES:
        import_module(f"{__name__}.{PYTHON_CLASSES[key]}")
    elif key not in PYTHON:
        from prototxt_gen.layers.outside import load_installed

        load_installed()
    return PYTHON.get(key)


def family(layer: Layer) -> str:
    """The module that a layer's type is described in; that of a plug-in is its own."""
    return type(layer).__module__.rpartition(".")[2]


def load_layers(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Register the layer types of a Python file, and return their names.

    Raises PluginError where the file fails or registers none, OSError where it cannot be read.
    """
    from prototxt_gen.layers.outside import load_file

    return load_file(path)


def read_layer(block: Block) -> Layer:
    """The resolved parameters of a ``layer`` block; Unknown for a type without a module."""
    name = block.get("type", str, "")
    cls = layer_class(name)
    if cls is None:
        return Unknown(name)
    return cls.read(block.block(cls.param) if cls.param else Block(), block)


@record
class Unknown(Layer):
    """A layer type that is not registered: its block is kept as it was written."""

    known = False

    name: str

    @property
    def type(self) -> str:  # type: ignore[override]
        """The type's name, as the file has it."""
        return self.name

    def arity(self) -> Arity:
        """Any number."""
        return Arity((0, MANY), (0, MANY))

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """Raises UnsupportedError: the shapes are unknown."""
        raise UnsupportedError(f"the shapes of type {self.name!r} are not known")
