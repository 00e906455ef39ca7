"""V1 nets (``layers { type: CONVOLUTION blobs_lr: 1 }``) become present-day ``layer { }``.

``UpgradeV1LayerParameter`` (upgrade_proto.cpp) copies every field by name except those in
the tables here.
"""

from __future__ import annotations

from collections import Counter

from prototxt_gen._nearest import closest
from prototxt_gen.diagnostics import Sink
from prototxt_gen.document import Block, Field, MessageType, Symbol, Value
from prototxt_gen.formats.text.rewrite import Rewriter, child_type, shown

#: V1 type -> type (UpgradeV1LayerType).
TYPES = {
    "ABSVAL": "AbsVal",
    "ACCURACY": "Accuracy",
    "ARGMAX": "ArgMax",
    "BNLL": "BNLL",
    "CONCAT": "Concat",
    "CONTRASTIVE_LOSS": "ContrastiveLoss",
    "CONVOLUTION": "Convolution",
    "DATA": "Data",
    "DECONVOLUTION": "Deconvolution",
    "DROPOUT": "Dropout",
    "DUMMY_DATA": "DummyData",
    "ELTWISE": "Eltwise",
    "EUCLIDEAN_LOSS": "EuclideanLoss",
    "EXP": "Exp",
    "FLATTEN": "Flatten",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "HINGE_LOSS": "HingeLoss",
    "IM2COL": "Im2col",
    "IMAGE_DATA": "ImageData",
    "INFOGAIN_LOSS": "InfogainLoss",
    "INNER_PRODUCT": "InnerProduct",
    "LRN": "LRN",
    "MEMORY_DATA": "MemoryData",
    "MULTINOMIAL_LOGISTIC_LOSS": "MultinomialLogisticLoss",
    "MVN": "MVN",
    "POOLING": "Pooling",
    "POWER": "Power",
    "RELU": "ReLU",
    "SIGMOID": "Sigmoid",
    "SIGMOID_CROSS_ENTROPY_LOSS": "SigmoidCrossEntropyLoss",
    "SILENCE": "Silence",
    "SLICE": "Slice",
    "SOFTMAX": "Softmax",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "SPLIT": "Split",
    "TANH": "TanH",
    "THRESHOLD": "Threshold",
    "WINDOW_DATA": "WindowData",
}

#: V1 field -> its name in ParamSpec; the n-th value goes to the n-th ``param``.
PARAM_SPEC = {
    "param": "name",
    "blob_share_mode": "share_mode",
    "blobs_lr": "lr_mult",
    "weight_decay": "decay_mult",
}
SHARE_MODES = ("STRICT", "PERMISSIVE")


def needs_v1_upgrade(root: Block) -> bool:
    """Whether the net has ``layers`` (NetNeedsV1ToV2Upgrade)."""
    return root.has("layers")


def upgrade_v1(root: Block, sink: Sink) -> Block:
    """A V1 net in the present form (UpgradeV1Net): each ``layers`` becomes a ``layer``."""
    type = child_type(root.type, "layer")
    out = Rewriter(root.type)
    for field in root:
        if field.name == "layers" and isinstance(field.value, Block):
            out.keep(field, "layer", _upgrade_layer(field.value, type, sink))
        elif field.name == "layer":  # reported by check_layer_and_layers
            out.drop(field)
        else:
            out.keep(field)
    return out.finish(root.comments)


def check_layer_and_layers(root: Block, sink: Sink) -> None:
    """Report a net that has both: UpgradeV1Net drops every ``layer`` of it."""
    first = next((f for f in root if f.name == "layer"), None)
    if first is not None and root.has("layers"):
        sink.error(
            "layer-and-layers",
            f"{len(root.all('layer'))} layer and {len(root.all('layers'))} layers; expected "
            "one kind, since Caffe upgrades layers and drops every layer",
            span=first.name_span,
            help="turn the old layers entries into layer, or the other way round",
        )


def _upgrade_layer(layers: Block, type: MessageType | None, sink: Sink) -> Block:
    name = layers.get("name", str, "") or None
    seen: Counter[str] = Counter()
    out = Rewriter(type)
    for field in layers:
        if field.name == "type":
            out.keep(field, value=_upgrade_type(field, name, sink))
        elif field.name in PARAM_SPEC:
            if field.name == "blob_share_mode":
                _check_share_mode(field, name, sink)
            out.wrap(field, "param", PARAM_SPEC[field.name], seen[field.name])
            seen[field.name] += 1
        elif field.name == "layer":
            sink.warning(
                "v0-ignored-field",
                "a V0 layer inside a V1 layer, which Caffe ignores",
                span=field.name_span,
                layer=name,
            )
            out.drop(field)
        else:
            out.keep(field)
    return out.finish(layers.comments)


def _upgrade_type(field: Field, name: str | None, sink: Sink) -> Value:
    """The type's name; an unknown enum value has been reported, and stays."""
    found = field.value
    if not isinstance(found, Symbol) and (not isinstance(found, int) or isinstance(found, bool)):
        return found
    if found in TYPES:
        return TYPES[str(found)]
    close = closest(str(found).upper(), TYPES)
    sink.error(
        "v1-unknown-type",
        f"V1 layer type {found} is unknown; expected one of {len(TYPES)} such as CONVOLUTION",
        span=field.value_span,
        layer=name,
        help=f"did you mean {close}?" if close else None,
    )
    return str(found)


def _check_share_mode(field: Field, name: str | None, sink: Sink) -> None:
    if field.value not in SHARE_MODES:
        sink.error(
            "v1-share-mode",
            f"blob_share_mode is {shown(field.value)}; expected {' or '.join(SHARE_MODES)}",
            span=field.value_span,
            layer=name,
        )
