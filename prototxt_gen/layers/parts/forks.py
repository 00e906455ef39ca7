"""Which Caffe has which layer types.

A file is read by the schema of a dialect, but many types have no parameter message, so the
schema does not tell which Caffe has them; these tables do.
"""

from __future__ import annotations

_BVLC = """
AbsVal Accuracy ArgMax BNLL BatchNorm BatchReindex Bias Clip Concat ContrastiveLoss Convolution
Crop Data Deconvolution Dropout DummyData ELU Eltwise Embed EuclideanLoss Exp Filter Flatten
HDF5Data HDF5Output HingeLoss Im2col ImageData InfogainLoss InnerProduct Input LRN LSTM LSTMUnit
Log MVN MemoryData MultinomialLogisticLoss PReLU Parameter Pooling Power Python RNN ReLU
Reduction Reshape SPP Scale Sigmoid SigmoidCrossEntropyLoss Silence Slice Softmax
SoftmaxWithLoss Split Swish TanH Threshold Tile WindowData
"""

#: The types that BVLC's Caffe registers (LayerRegistry, layer_factory.hpp).
BVLC = frozenset(_BVLC.split())

_SSD = ("ssd", "mobilenet_ssd", "x2paddle", "intel", "nvcaffe")
_SSD_TRAINING = ("mobilenet_ssd", "x2paddle", "intel", "nvcaffe", "frcnn")

#: Types that BVLC does not have, with the dialects that do; an empty tuple means forks
#: without a schema of their own.
FORKS: dict[str, tuple[str, ...]] = {
    "AnnotatedData": _SSD_TRAINING,
    "Axpy": ("x2paddle", "intel"),
    "BN": ("ssd", "segnet", "pspnet"),
    "BoxAnnotatorOHEM": ("intel", "caffe_priv", "rfcn", "frcnn"),
    "BoxData": ("intel",),
    "CReLU": (),
    "ConvolutionDepthwise": (),
    "CuDNNBatchNorm": (),
    "CuDNNLRNCrossChannel": (),
    "DecodeBBox": ("frcnn",),
    "DepthwiseConv": (),
    "DepthwiseConvolution": (),
    "DetectNetTransformation": ("nvcaffe",),
    "DetectionEvaluate": ("mobilenet_ssd", "x2paddle", "intel", "nvcaffe"),
    "DetectionOutput": (*_SSD, "frcnn", "tengine"),
    "EvalDetection": ("intel",),
    "FrcnnProposal": ("caffe_priv", "frcnn"),
    "GELU": (),
    "HSwish": (),
    "HardSigmoid": (),
    "Interp": ("ssd", "caffe_priv", "pspnet", "tengine"),
    "L1Loss": ("nvcaffe",),
    "Lstm": ("frcnn",),
    "MKLBatchNorm": ("intel",),
    "Mish": (),
    "MnActivation": ("intel",),
    "MultiBoxLoss": _SSD_TRAINING,
    "Normalize": (*_SSD, "frcnn", "tengine"),
    "PSROIAlign": ("frcnn",),
    "PSROIPooling": ("ssd", "intel", "caffe_priv", "rfcn", "frcnn"),
    "Permute": (*_SSD, "frcnn", "tengine"),
    "PriorBox": (*_SSD, "frcnn", "tengine"),
    "Proposal": ("frcnn", "pvanet"),
    "ROIAlign": ("ssd", "caffe_priv", "frcnn"),
    "ROIPooling": ("ssd", "x2paddle", "intel", "caffe_priv", "rfcn", "frcnn", "tengine", "pvanet"),
    "ReLU6": ("mobilenet_ssd", "tengine"),
    "Region": ("tengine",),
    "RegionLoss": ("intel",),
    "Reorg": ("ssd", "intel", "tengine"),
    "Reverse": ("frcnn",),
    "SELU": (),
    "SeLu": ("caffe_priv",),
    "SeLuDropout": ("caffe_priv",),
    "ShuffleChannel": ("ssd", "x2paddle", "tengine"),
    "SmoothL1Loss": (*_SSD, "caffe_priv", "rfcn", "fast_rcnn", "frcnn", "pvanet"),
    "SmoothL1LossOHEM": ("intel", "caffe_priv", "rfcn", "frcnn"),
    "SoftmaxWithLossOHEM": ("intel", "caffe_priv", "rfcn", "frcnn"),
    "SpatialDropout": ("intel",),
    "TRT": ("nvcaffe",),
    "Transpose": ("frcnn",),
    "Upsample": ("x2paddle", "segnet", "tengine"),
    "VideoData": _SSD_TRAINING,
    "YoloDetectionOutput": ("ssd",),
    "Yolov3DetectionOutput": ("ssd",),
}

_ELSEWHERE = """
Accum Binarization CELU CTCGreedyDecoder ContinuationIndicator Convolution3D Correlation
DataAugmentation Deconvolution3D FlowWarp GRN GRU GroupNorm Im2seq ImageSegData
InstanceNorm L2Norm LReLU LSTMInfer LayerNorm MaxUnpool OCRLSTM Pooling3D PowerFile
PriorBoxClustered RPROI RReLU RegionYolo Resample Resize ResizeBilinear ResizeNearest SegAccuracy
Select SimplerNMS SpatialTransformer Unpooling
"""

#: Types of forks that are known by name only; they are not misspellings.
ELSEWHERE = frozenset(_ELSEWHERE.split())

#: What other frameworks call a type of Caffe's, without case.
OTHER_NAMES = {
    other: name
    for name, others in {
        "BatchNorm": "batchnormalization",
        "Concat": "concatenate",
        "Convolution": "conv conv2d",
        "Deconvolution": "convtranspose deconv conv2dtranspose",
        "Eltwise": "add elementwise mul sum",
        "InnerProduct": "dense fc fullyconnected gemm linear",
        "Pooling": "averagepool avgpool globalaveragepool maxpool pool",
        "ReLU": "leakyrelu",
        "Sigmoid": "logistic",
        "SoftmaxWithLoss": "crossentropyloss softmaxcrossentropy",
    }.items()
    for other in others.split()
}
